"""A WSGI application that keeps the loop from turning, in the ways in which applications do.

``/sleep?s=.5`` blocks in a system call, ``/spin?s=.5`` computes, ``/hold?s=.5`` computes in C code that holds the
interpreter, ``/busy?s=.5`` computes but lets others run, ``/background?s=.5`` blocks outside of requests.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import gevent
from gevent import monkey

native_sleep = monkey.get_original("time", "sleep")
DIGITS = "7" * 20_000


def once_s() -> float:
    """How long it takes to sum these digits up."""
    begun = time.monotonic()
    sum(map(int, DIGITS))
    return time.monotonic() - begun


ONCE_S = min(once_s() for _ in range(20))


def block(seconds: float) -> None:
    """A driver that does not cooperate."""
    native_sleep(seconds)


def spin(seconds: float) -> None:
    """A computation that takes so many seconds of a CPU, however busy that is."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def hold(seconds: float) -> None:
    """One call of C code that does not let go of the interpreter: digits are summed up for about so long."""
    sum(map(int, DIGITS * int(seconds / ONCE_S)))


def busy(seconds: float) -> None:
    """A computation that lets others run."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hashlib.sha256(b"x" * 10_000).digest()
        gevent.sleep(0)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application."""
    seconds = float(dict(parse_qsl(environ["QUERY_STRING"])).get("s", 0))
    what = environ["PATH_INFO"].rpartition("/")[2]
    if what == "background":
        gevent.spawn(block, seconds)
    elif what:
        {"sleep": block, "spin": spin, "hold": hold, "busy": busy, "wait": time.sleep}[what](seconds)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"done"]
