"""A WSGI application that does on request what applications do, good and bad, and tells afterwards what became of it.

``/state`` tells, as JSON: how often each response was closed, how many blocks it has yielded, what is running. Names in
the query (``?name=x``) keep the tests apart. Served validated (``wsgiref.validate``) it is ``wire:validated``.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import socket
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.validate import validator

from greenlet import greenlet

Start = Callable[..., Callable[[bytes], None]]
Query = dict[str, str]
Body = Iterable[bytes]

CLOSED: Counter[str] = Counter()
YIELDED: Counter[str] = Counter()
RUNNING: Counter[str] = Counter()
ERRORS: dict[str, str] = {}
GATES: dict[str, threading.Event] = {}
TEXT = ("Content-Type", "text/plain")

FILE = tempfile.NamedTemporaryFile(prefix="wire-")  # noqa: SIM115  # lives as long as the process
FILE.write(bytes(range(256)) * 4096)
FILE.flush()


class Response:
    """An iterable of blocks that counts what is taken of it and how often it is closed."""

    def __init__(self, name: str, blocks: Iterable[bytes]) -> None:
        self.name = name
        self.blocks = iter(blocks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = next(self.blocks)
        YIELDED[self.name] += 1
        return block

    def close(self) -> None:
        CLOSED[self.name] += 1


def gate(name: str) -> threading.Event:
    return GATES.setdefault(name, threading.Event())


def text(start: Start, body: bytes, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> Body:
    start(status, [TEXT, ("Content-Length", str(len(body))), *headers])
    return [body]


def hello(environ: dict[str, Any], start: Start, query: Query) -> Body:
    return text(start, b"hello\n")


def echo(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """The environ, and length and hash of the body."""
    digest, length, source = hashlib.sha256(), 0, environ["wsgi.input"]
    while block := source.read(65536):
        digest.update(block)
        length += len(block)
    plain = {name: value for name, value in environ.items() if isinstance(value, str | bool | int)}
    report = {"environ": plain, "length": length, "sha256": digest.hexdigest()}
    body = json.dumps(report).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def state(environ: dict[str, Any], start: Start, query: Query) -> Body:
    greenlets = sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())
    report = {
        "closed": CLOSED,
        "yielded": YIELDED,
        "running": {name: count for name, count in RUNNING.items() if count and name != "/state"},
        "errors": ERRORS,
        "greenlets": greenlets,
        "threads": len(os.listdir("/proc/self/task")),
    }
    return text(start, json.dumps(report).encode())


def blocks(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """``count`` blocks of ``size`` bytes; ``length``: what is declared; ``gate``: what is waited for in the middle."""
    count, size = int(query.get("count", 3)), int(query.get("size", 10))
    start("200 OK", [TEXT] + ([("Content-Length", query["length"])] if "length" in query else []))

    def made() -> Iterator[bytes]:
        for number in range(count):
            if "gate" in query and number == count // 2:
                gate(query["gate"]).wait(20)
            if "raise" in query and number == int(query["raise"]):
                raise RuntimeError("raised on purpose")
            yield b"%c" % (97 + number % 26) * size

    return Response(query.get("name", "blocks"), made())


def whole(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """A list with one block of ``size`` bytes; ``length``: what is declared."""
    headers = [TEXT] + ([("Content-Length", query["length"])] if "length" in query else [])
    start(query.get("status", "200 OK"), headers)
    return [b"w" * int(query.get("size", 10))]


def pieces(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """The kinds of things that applications return."""
    kind = query["kind"]
    if kind in ("text", "text-first"):
        start("200 OK", [TEXT] + ([("Content-Length", "4")] if "length" in query else []))
        return ["text"] if kind == "text" else iter(["text"])  # type: ignore[list-item]
    if kind == "text-later":
        start("200 OK", [TEXT, ("Content-Length", "8")])
        return iter([b"good", "text"])  # type: ignore[list-item]
    if kind == "text-empty":
        start("200 OK", [TEXT])
        return [""]  # type: ignore[list-item]
    if kind == "number":
        start("200 OK", [TEXT])
        return [5]  # type: ignore[list-item]
    start("200 OK", [TEXT])
    made: dict[str, Any] = {
        "list": [b"one", b"two"],
        "tuple": (b"one", b"two"),
        "generator": (block for block in (b"one", b"", b"two")),
        "iterator": iter([b"one", b"two"]),
        "set": {b"onetwo"},
        "bytearray": [bytearray(b"onetwo")],
        "memoryview": iter([memoryview(b"onetwo")]),
        "file": io.BytesIO(b"onetwo"),
        "empty": [],
        "empty-blocks": iter([b"", b""]),
        "none": None,
    }
    body: Body = made[kind]
    return body


def status(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """``code``, with a body of ``size`` bytes that some statuses must not have."""
    headers = {"204": [("Content-Length", "0")], "304": []}  # werkzeug's linter wants that length
    start(f"{query['code']} Status", headers.get(query["code"], [TEXT]))
    return [b"b" * int(query.get("size", 5))]


def raising(environ: dict[str, Any], start: Start, query: Query) -> Body:
    if "started" in query:
        start("200 OK", [TEXT])
    if query.get("kind") == "exit":
        raise SystemExit(3)
    raise RuntimeError("raised on purpose")


def writing(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """``write()``, declared or not, and what comes behind it."""
    write = start("200 OK", [TEXT] + ([("Content-Length", query["length"])] if "length" in query else []))
    write(b"written ")
    write(b"")
    if "raise" in query:
        raise RuntimeError("raised on purpose")
    return [b"returned"] if "alone" not in query else []


def exc_info(environ: dict[str, Any], start: Start, query: Query) -> Body:
    write = start("200 OK", [TEXT])
    if "late" in query:
        write(b"begun")
    try:
        raise ValueError("the first answer was wrong")
    except ValueError:
        start("503 Changed", [TEXT, ("Content-Length", "8")], sys.exc_info())
    return [b"changed\n"]


def twice(environ: dict[str, Any], start: Start, query: Query) -> Body:
    start("200 OK", [TEXT])
    start("200 OK", [TEXT])
    return [b"never"]


def unstarted(environ: dict[str, Any], start: Start, query: Query) -> Body:
    return [b"never"]


def header(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """A header of the client's choice."""
    return text(start, b"hello\n", headers=[(query["name"], query["value"])])


def file(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """``wsgi.file_wrapper`` around a file on disk, from ``offset`` on; ``length``: what is declared."""
    if "memory" in query:
        opened: Any = io.BytesIO(b"m" * 100000)
    else:
        opened = open(query.get("path", FILE.name), "rb")  # noqa: SIM115  # the server closes it
    opened.seek(int(query.get("offset", 0)))
    start("200 OK", [("Content-Type", "a/b")] + ([("Content-Length", query["length"])] if "length" in query else []))
    body: Body = environ["wsgi.file_wrapper"](opened)
    return body


def hold(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """Answers when the gate ``name`` is opened."""
    gate(query["name"]).wait(20)
    return text(start, b"held\n")


def call(environ: dict[str, Any], start: Start, query: Query) -> Body:
    """Calls the test at ``port``, which so knows that it runs, and answers when the test hangs up."""
    with socket.create_connection(("127.0.0.1", int(query["port"])), timeout=20) as conn:
        conn.recv(1)
    return text(start, b"called\n")


def release(environ: dict[str, Any], start: Start, query: Query) -> Body:
    gate(query["name"]).set()
    return text(start, b"released\n")


ROUTES: dict[str, Callable[[dict[str, Any], Start, Query], Body]] = {
    "/": hello,
    "/blocks": blocks,
    "/call": call,
    "/echo": echo,
    "/exc-info": exc_info,
    "/file": file,
    "/header": header,
    "/hold": hold,
    "/pieces": pieces,
    "/raise": raising,
    "/release": release,
    "/state": state,
    "/status": status,
    "/twice": twice,
    "/unstarted": unstarted,
    "/whole": whole,
    "/write": writing,
}


def app(environ: dict[str, Any], start_response: Start) -> Body:
    """The application."""
    path = environ["PATH_INFO"]
    RUNNING[path] += 1
    try:
        return ROUTES.get(path, echo)(environ, start_response, dict(parse_qsl(environ["QUERY_STRING"])))
    finally:
        RUNNING[path] -= 1


validated = validator(app)
