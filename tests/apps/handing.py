"""A WSGI application whose views let the server send a file, and answer in every way that WSGI knows.

``/list/a.txt`` redirects to ``/internal/a.txt`` and returns a list, ``/write/a.txt`` calls ``write()``, and so on: see
``WAYS``. Everything else is ``tests.apps.wire``, which counts how often responses are closed.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.apps.wire import Response
from tests.apps.wire import app as wire

Wrapper = Callable[..., Iterable[bytes]]


def breaking() -> Iterator[bytes]:
    """A block, and then an exception."""
    yield b"one"
    raise LookupError("behind the first block")


WAYS: dict[str, Callable[[Wrapper], Iterable[bytes]]] = {
    "list": lambda wrapper: [b"the view's own"],
    "empty": lambda wrapper: [],
    "tuple": lambda wrapper: (b"the view's", b" own"),
    "blocks": lambda wrapper: Response("blocks", [b"the view's", b" own"]),
    "nothing": lambda wrapper: Response("nothing", []),
    "endless": lambda wrapper: Response("endless", itertools.repeat(b"the view's own")),
    "breaking": lambda wrapper: Response("breaking", breaking()),
    "strings": lambda wrapper: ["no bytes"],  # type: ignore[list-item]
    "file": lambda wrapper: wrapper(open(__file__, "rb")),  # noqa: SIM115  # the server closes it
    "filelike": lambda wrapper: wrapper(io.BytesIO(b"the view's own")),
    "write": lambda wrapper: Response("write", [b" own"]),
}
COUNTED = {"blocks", "nothing", "endless", "breaking", "write"}


def app(environ: dict[str, Any], start_response: Callable[..., Callable[[bytes], None]]) -> Iterable[bytes]:
    """Answer by the first step of the path, with the file that the rest names."""
    way, _, name = environ["PATH_INFO"].lstrip("/").partition("/")
    if way not in WAYS:
        return wire(environ, start_response)
    headers = [("Content-Type", "text/x-own"), ("Set-Cookie", "a=1"), ("X-Accel-Redirect", f"/internal/{name}")]
    write = start_response("200 OK", [*headers, ("X-Accel-Buffering", "no")])
    if way == "write":
        write(b"the ")
        write(b"view's")
    return WAYS[way](environ["wsgi.file_wrapper"])
