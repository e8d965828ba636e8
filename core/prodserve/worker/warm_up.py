"""One request that a generation answers before it serves anybody: does this code work at all?

It is made in the generation process, before the first fork: what it imports and caches (templates, URL map, lazy
imports) is then shared by the workers. Fit is any answer but a server error: 200, a redirect, a page for logging in, a
404. The app is called with a proper environ, and nothing of its answer goes anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from prodserve import VERSION
from prodserve.adapter import Adapter, WSGIApp
from prodserve.observe.tracebacks import app_traceback

READ_BYTES = 1 << 20
READ_PIECES = 1000
"""An answer is read up to here: one that never ends (server-sent events) is fit, too."""


def warm_up(app: WSGIApp, adapter: Adapter, target: str) -> str:
    """Have ``GET target`` answered; why the app is not fit, ``""`` if it is."""
    request = f"the warm-up request GET {target}"
    with adapter.errors() as errors:
        try:
            status = answer(app, target, adapter.host())
        except Exception as error:  # a rim: the app may raise anything
            return f"{request} failed\n{app_traceback(error)}"
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ""
    traceback = f"\n{app_traceback(errors[-1])}" if errors else ""
    return f"{request} was answered with status {status}{traceback}"


def answer(app: WSGIApp, target: str, host: str) -> int:
    """The status with which the app answers; the response is read and closed. What the app raises passes through."""
    statuses: list[str] = []

    def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], None]:
        statuses.append(status)
        return lambda data: None

    response = app(environ_of(target, host), start_response)
    try:
        read(response)
    finally:
        close = getattr(response, "close", None)
        if close is not None:
            close()
    return int(statuses[-1].split(" ", 1)[0])


def read(response: Iterable[bytes]) -> None:
    """Take the body, as far as the bounds go."""
    left = READ_BYTES
    for count, data in enumerate(response):
        left -= len(data)
        if left <= 0 or count >= READ_PIECES:
            return


def environ_of(target: str, host: str) -> dict[str, Any]:
    """What a server gives for this request from this machine; ``target`` is a path with an optional query."""
    from urllib.parse import unquote_to_bytes

    from prodserve.handlers.wsgi import EMPTY_INPUT, base_environ

    path, _, query = target.partition("?")
    name, _, port = host.partition(":") if "[" not in host else (host, "", "")
    return {
        **base_environ(name, port or "80", f"prodserve/{VERSION}", sys.stderr, multiprocess=True),
        "REQUEST_METHOD": "GET",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "HTTP_HOST": host,
        "HTTP_USER_AGENT": f"prodserve/{VERSION} (warm-up)",
        "wsgi.input": EMPTY_INPUT,
    }
