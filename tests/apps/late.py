"""A WSGI application whose requests take as long as they are told to, in the ways in which applications do.

``/sleep?s=5`` waits, ``/swallow?s=5`` waits and catches what comes, ``/stream?s=.1`` sends a block every so often,
``/state`` tells as JSON how requests ended, ``/left`` waits until its client is gone,
``/echo`` and ``/pieces`` answer with the request's name, ``STREAMS`` has more such. ``&own=1`` has a request set its
own deadline first; ``framework:app`` turns every exception into an answer of its own, as frameworks do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import prodserve

Start = Callable[..., Any]
ENDED: dict[str, str] = {}
INTERRUPTED: list[str] = []


def wait(seconds: float) -> None:
    """Where the log must show requests standing."""
    time.sleep(seconds)


def swallow(seconds: float) -> None:
    """Wait, whatever happens."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            time.sleep(0.05)
        except prodserve.RequestTimeout:
            continue


class Stream:
    """Sends a block every so often, and says when it is closed."""

    def __init__(self, name: str, pause_s: float) -> None:
        self.name = name
        self.pause_s = pause_s
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.sent += 1
        if self.sent > 1:
            time.sleep(self.pause_s)
        return b"block"

    def close(self) -> None:
        ENDED[self.name] = f"closed after {self.sent} blocks"


class Pieces(Stream):
    """Sends its name letter by letter, and takes about so many seconds for it."""

    def __next__(self) -> bytes:
        if self.sent == len(self.name):
            raise StopIteration
        self.sent += 1
        time.sleep(self.pause_s / len(self.name) if type(self) is Pieces else 0)
        return self.name[self.sent - 1 : self.sent].encode()


class LateClose(Pieces):
    """Answers at once, and takes its time for what comes after."""

    def close(self) -> None:
        wait(self.pause_s)
        ENDED[self.name] = "closed"


class Flood(Stream):
    """Sends without end, more than a client that does not read can take."""

    def __next__(self) -> bytes:
        self.sent += 1
        return b"x" * 65536


class Talker(Stream):
    """Goes on talking, whatever happens."""

    def __next__(self) -> bytes:
        self.sent += 1
        if self.sent > 20:
            raise StopIteration
        try:
            time.sleep(self.pause_s)
        except prodserve.RequestTimeout:
            return b"late"
        return b"block"


STREAMS: dict[str, type[Stream]] = {
    "stream": Stream,
    "pieces": Pieces,
    "late-close": LateClose,
    "flood": Flood,
    "talker": Talker,
}


def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """The application."""
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    seconds, name = float(query.get("s", 0)), query.get("name", "")
    if "own" in query:
        prodserve.deadline(float(query["own"]))
    what = environ["PATH_INFO"].rpartition("/")[2]
    headers = [("Content-Type", "text/plain")]
    body = b"done"
    try:
        if what == "state":
            body = json.dumps({"ended": ENDED, "interrupted": INTERRUPTED}).encode()
        elif what == "sleep":
            wait(seconds)
        elif what == "swallow":
            swallow(seconds)
        elif what in STREAMS:
            start_response("200 OK", headers)
            return STREAMS[what](name, seconds)
        elif what.endswith("echo"):
            (swallow if what.startswith("swallow") else wait)(seconds)
            body = name.encode()
        elif what == "left":
            until = time.monotonic() + seconds
            while not environ["prodserve.client_disconnected"]() and time.monotonic() < until:
                time.sleep(0.02)
    except BaseException as error:
        ENDED[name] = type(error).__name__
        raise
    ENDED[name] = "done"
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]


def framework(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """``app``, with an error page for whatever it raises."""
    try:
        return app(environ, start_response)
    except Exception as error:
        start_response("500 Oops", [("Content-Type", "text/plain")])
        return [f"{type(error).__name__}: a page of the framework".encode()]
