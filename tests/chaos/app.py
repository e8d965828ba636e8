"""The application under chaos: it says who answers, and proves that a body has arrived."""

from __future__ import annotations

import hashlib
import os
import select
from collections.abc import Iterable
from typing import Any

VERSION = "1"


def answer(path: str, environ: dict[str, Any]) -> tuple[str, bytes]:
    """Status and body. ``/sleep/MS``, ``/sum`` (of the body), ``/grow/MIB`` (of memory), anything else."""
    _, name, *values = path.split("/")
    if name == "sleep":
        select.select([], [], [], int(values[0]) / 1000)  # time.sleep fails under libfaketime
    elif name == "sum":
        return "200 OK", hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
    elif name == "grow":
        try:
            return "200 OK", str(len(bytes(int(values[0]) << 20))).encode()
        except MemoryError:
            return "507 Insufficient Storage", b"no memory"
    return "200 OK", environ.get("HTTP_X_ID", "").encode()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """WSGI."""
    status, body = answer(environ["PATH_INFO"], environ)
    start_response(status, [("Content-Length", str(len(body))), ("X-Pid", str(os.getpid())), ("X-Version", VERSION)])
    return [body]
