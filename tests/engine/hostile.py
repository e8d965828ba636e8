"""An application that does what applications should not, for the attacks on a live server. Each path is one misdeed."""

from __future__ import annotations

import gzip
import os
import signal
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

from greenlet import GreenletExit, getcurrent

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], None]]

GZIPPED = gzip.compress(b"plain text " * 1000)
RUN: dict[str, int] = {}
"""How often something ran; shown at ``/count``."""


def count(name: str) -> None:
    RUN[name] = RUN.get(name, 0) + 1


class Unprintable(Exception):
    """Not even its text can be had."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Sly(str):
    """Looks harmless until it is formatted."""

    def __format__(self, spec: str) -> str:
        return "x\r\nX-Forged: yes"


class Colour(str, Enum):
    """A text that formats differently from Python to Python."""

    RED = "red"


class Closing:
    """A response whose ``close`` does ``act``."""

    def __init__(self, blocks: Iterable[bytes], act: Callable[[], object]) -> None:
        self.blocks = blocks
        self.act = act

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.blocks)

    def close(self) -> None:
        count("closed")
        self.act()


class NoClose:
    """A response that can't even be asked for its ``close``."""

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"ok",))

    @property
    def close(self) -> object:
        raise RuntimeError("asked")


class GzipFileWithoutLength(gzip.GzipFile):
    """As apps stream a compressed file decompressed: its ``fileno`` is that of the compressed one."""


def endless(size: int = 65536) -> Iterator[bytes]:
    try:
        while True:
            yield b"x" * size
    finally:
        count("endless-ended")


def blocks(number: int, size: int) -> Iterator[bytes]:
    for _ in range(number):
        yield b"x" * size


def exit_in(error: BaseException) -> Iterator[bytes]:
    yield b"first"
    raise type(error)(*error.args)


def app(environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    """Dispatch on the first part of the path; numbers may follow."""
    _, name, *args = environ["PATH_INFO"].split("/")
    RUN["requests"] = RUN.get("requests", 0) + 1
    return ACTS.get(name, hello)(environ, start_response, *args)


def hello(environ: Environ, start: StartResponse, *args: str) -> Iterable[bytes]:
    body = b"hello"
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def show(environ: Environ, start: StartResponse, *names: str) -> Iterable[bytes]:
    """The values of some environ keys, and the length of the body."""
    read = environ["wsgi.input"].read()
    lines = [f"{name}={environ.get(name)!r}" for name in names] + [f"body={len(read)}"]
    start("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(lines).encode("utf-8")]


def counted(environ: Environ, start: StartResponse, name: str) -> Iterable[bytes]:
    start("200 OK", [])
    return [str(RUN.get(name, 0)).encode()]


def sleeping(environ: Environ, start: StartResponse, seconds: str) -> Iterable[bytes]:
    time.sleep(float(seconds))
    return hello(environ, start)


def whole(body: Any) -> Callable[..., Iterable[Any]]:
    """Answers ``body`` as the only element, first with an unknown head and then with a known one."""

    def act(environ: Environ, start: StartResponse) -> Iterable[Any]:
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return act


def streamed(*parts: Any, length: int | None = None) -> Callable[..., Iterable[Any]]:
    def act(environ: Environ, start: StartResponse) -> Iterable[Any]:
        start("200 OK", [] if length is None else [("Content-Length", str(length))])
        return iter(parts)

    return act


def answered(*headers: tuple[str, str], status: str = "200 OK", body: Any = (b"ok",)) -> Callable[..., Iterable[Any]]:
    def act(environ: Environ, start: StartResponse) -> Iterable[Any]:
        start(status, list(headers))
        return body  # type: ignore[no-any-return]

    return act


def raising(error: BaseException) -> Callable[..., Iterable[bytes]]:
    def act(environ: Environ, start: StartResponse) -> Iterable[bytes]:
        raise type(error)(
            *error.args
        )  # a new one: an exception that is raised again gets a longer and longer traceback

    return act


def raising_later(error: BaseException) -> Callable[..., Iterable[bytes]]:
    def act(environ: Environ, start: StartResponse) -> Iterable[bytes]:
        start("200 OK", [])
        return exit_in(error)

    return act


def writes_after_the_end(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    write = start("200 OK", [])
    return Closing([b"body"], lambda: write(b"HTTP/1.1 200 Forged\r\nContent-Length: 0\r\n\r\n"))


def writes_after_an_error(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    write = start("200 OK", [])
    return Closing(exit_before(), lambda: write(b"forged"))


def exit_before() -> Iterator[bytes]:
    if RUN:
        raise RuntimeError("before the first byte")
    yield b""


def leaves_a_timer(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    import gevent

    gevent.Timeout(0.2).start()
    return hello(environ, start)


def wakes_itself_later(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    import gevent

    gevent.get_hub().loop.timer(0.2).start(getcurrent().switch)
    return hello(environ, start)


def times_out_while_it_is_read(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    import gevent

    gevent.Timeout(0.5).start()
    start("200 OK", [])
    return endless()


def unzipped(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    import tempfile

    packed = tempfile.TemporaryFile()  # noqa: SIM115  # the server closes it
    packed.write(GZIPPED)
    packed.seek(0)
    start("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](GzipFileWithoutLength(fileobj=packed))  # type: ignore[no-any-return]


def named_file(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    import tempfile

    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"0123456789" * 20000)
    opened = open(file.name, "rb")  # noqa: SIM115  # the server closes it
    os.unlink(file.name)
    opened.seek(10)
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "199990")])
    return environ["wsgi.file_wrapper"](opened)  # type: ignore[no-any-return]


def forks(environ: Environ, start: StartResponse, seconds: str) -> Iterable[bytes]:
    """As ``multiprocessing`` does: the child keeps every descriptor that is open now."""
    pid = os.fork()
    if not pid:
        time.sleep(float(seconds))
        os._exit(0)
    threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
    return hello(environ, start)


def closes_everything(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    """What is in the environ can be closed, and read afterwards."""
    environ["wsgi.input"].close()
    return hello(environ, start)


def keeps(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    KEPT.append(environ)
    del KEPT[:-10]
    return hello(environ, start)


KEPT: list[Environ] = []
HOARD: list[int] = []


def hoards(environ: Environ, start: StartResponse, number: str) -> Iterable[bytes]:
    """Takes that many descriptors; 0 gives them back."""
    for _ in range(int(number)):
        HOARD.append(os.open(os.devnull, os.O_RDONLY))
    while number == "0" and HOARD:
        os.close(HOARD.pop())
    return hello(environ, start)


def is_killed_later(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    import gevent

    gevent.get_hub().loop.timer(0.2).start(getcurrent().throw)
    return hello(environ, start)


def forks_and_terminates(environ: Environ, start: StartResponse) -> Iterable[bytes]:
    """As ``multiprocessing.Process.terminate``."""
    pid = os.fork()
    if not pid:
        time.sleep(10)
        os._exit(0)
    time.sleep(0.2)
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    start("200 OK", [])
    return [str(os.waitstatus_to_exitcode(status)).encode()]


def blocks_the_loop(environ: Environ, start: StartResponse, seconds: str) -> Iterable[bytes]:
    """As C code does that does not know of greenlets."""
    from gevent import monkey

    monkey.get_original("time", "sleep")(float(seconds))
    return hello(environ, start)


ACTS: dict[str, Callable[..., Iterable[Any]]] = {
    "show": show,
    "count": counted,
    "sleep": sleeping,
    "text": whole("hello"),
    "no-text": whole(""),
    "number": whole([1, 2, 3]),
    "wide": whole(memoryview(array("I", [1, 2, 3]))),
    "array-of-bytes": whole(bytearray(b"hello")),
    "stream-text": streamed("hello", length=5),
    "stream-wide": streamed(memoryview(array("I", [1, 2, 3])), length=3),
    "stream-late-text": streamed(b"ab", "cd", length=4),
    "stream-late-number": streamed(b"ab", 5),
    "bytes-themselves": answered(body=b"hello"),
    "endless": lambda environ, start: (start("200 OK", []), endless())[1],
    "blocks": lambda environ, start, number, size: (start("200 OK", []), blocks(int(number), int(size)))[1],
    "big": lambda environ, start, size: (start("200 OK", []), [b"x" * int(size)])[1],
    "sly": answered(("X-A", Sly("harmless"))),
    "sly-status": answered(status=Sly("200 OK")),
    "enum": answered(("X-A", Colour.RED)),
    "crlf": answered(("X-A", "a\r\nX-Forged: yes")),
    "lf": answered(("X-A", "a\nX-Forged: yes")),
    "nul": answered(("X-A", "a\0")),
    "bad-name": answered(("X-A: b\r\nX-B", "a")),
    "bad-status": answered(status="200 OK\r\nX-Forged: yes"),
    "own-chunks": answered(("Transfer-Encoding", "chunked"), body=[b"2\r\nok\r\n0\r\n\r\n"]),
    "both": answered(("Transfer-Encoding", "chunked"), ("Content-Length", "2"), body=[b"ok"]),
    "two-lengths": answered(("Content-Length", "2"), ("Content-Length", "3")),
    "huge-length": answered(("Content-Length", "9" * 5000)),
    "negative": answered(("Content-Length", "-1")),
    "continue": answered(status="100 Continue"),
    "204": answered(status="204 No Content", body=[b"body"]),
    "304": answered(("Content-Length", "4"), status="304 Not Modified", body=[b"body"]),
    "204-stream": answered(status="204 No Content", body=(block for block in ())),
    "short": answered(("Content-Length", "10"), body=[b"short"]),
    "long": answered(("Content-Length", "2"), body=[b"too long"]),
    "long-stream": lambda environ, start: (start("200 OK", [("Content-Length", "2")]), iter([b"o", b"k", b"more"]))[1],
    "SystemExit": raising(SystemExit(3)),
    "KeyboardInterrupt": raising(KeyboardInterrupt()),
    "StopIteration": raising(StopIteration()),
    "MemoryError": raising(MemoryError()),
    "Unprintable": raising(Unprintable()),
    "GreenletExit": raising(GreenletExit()),
    "late-SystemExit": raising_later(SystemExit(3)),
    "late-error": raising_later(ValueError("late")),
    "no-close": lambda environ, start: (start("200 OK", []), NoClose())[1],
    "close-fails": lambda environ, start: (start("200 OK", []), Closing([b"ok"], sys.exit))[1],
    "none": lambda environ, start: start("200 OK", []) and None,
    "nothing": lambda environ, start: [b"no start_response"],
    "twice": lambda environ, start: (start("200 OK", []), start("200 OK", []), [b"ok"])[2],
    "write-after-end": writes_after_the_end,
    "write-after-error": writes_after_an_error,
    "timer": leaves_a_timer,
    "wakes": wakes_itself_later,
    "timeout": times_out_while_it_is_read,
    "unzipped": unzipped,
    "file": named_file,
    "fork": forks,
    "closes": closes_everything,
    "keeps": keeps,
    "hoard": hoards,
    "killed": is_killed_later,
    "terminate": forks_and_terminates,
    "block": blocks_the_loop,
    "pid": lambda environ, start: (start("200 OK", []), [str(os.getpid()).encode()])[1],
}
