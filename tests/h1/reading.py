"""Reads one request from arriving bytes with the parts of ``prodserve.h1`` alone, as a connection does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prodserve.h1.chunked import ChunkedReader
from prodserve.h1.head import Fields, HeadReader, Limits, RequestLine

from tests.arrivals import Arrival

BASE: dict[str, Any] = {"SERVER_NAME": "127.0.0.1", "wsgi.url_scheme": "http"}
"""What a head's environ starts from."""


@dataclass
class Request:
    """What was read: ``environ`` as the app sees it without ``BASE``; ``rest`` is what follows the request."""

    line: RequestLine
    fields: Fields
    environ: dict[str, Any]
    body: bytes = b""
    complete: bool = False
    rest: bytes = field(default=b"")


def read_request(arrive: Arrival, raw: bytes, reader: HeadReader | None = None) -> Request | None:
    """The first request of ``raw``; None where its head has not ended. Raises a ``ProtocolError``."""
    reader = reader or HeadReader(Limits())
    buffer, scanned = b"", 0
    request = None
    chunked: ChunkedReader | None = None
    for piece in arrive(raw):
        buffer += piece
        if request is None:
            data = buffer.removeprefix(b"\r\n")
            end = data.find(b"\r\n\r\n")
            if end < 0:
                reader.check_part(data, scanned)
                scanned = len(data)
                continue
            line, fields = reader.read(data, end, BASE)
            environ = {**fields.environ, **line.for_app()}
            request = Request(line, fields, {name: environ[name] for name in environ if name not in BASE})
            chunked = ChunkedReader(reader.check_trailers) if fields.chunked else None
            buffer = data[end + 4 :]
        if chunked is not None:
            if not chunked.done:
                payload, used = chunked.feed(buffer)
                request.body += b"".join(payload)
                buffer = buffer[used:]
            request.complete = chunked.done
        else:
            missing = request.fields.length - len(request.body)
            request.body += buffer[:missing]
            buffer = buffer[missing:]
            request.complete = len(request.body) == request.fields.length
    if request is not None:
        request.rest = buffer
    return request
