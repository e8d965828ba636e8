"""The chunked transfer coding (RFC 9112 §7.1), read and written.

Our own and not llhttp's, because llhttp does not say at which byte a body ended, and what follows may be the next
request. Strict: a size is one to fifteen hexadecimal digits, lines end in CRLF, and a line has a bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..errors import BadRequest, HeadTooLarge

LINE_BYTES = 4096
TRAILER_BYTES = 16384
EXTENSION_BYTES = 65536
"""All extensions of one body together: they are read and thrown away, so nothing honest is near this."""

SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(;[\t -~]*)?").fullmatch
SIZE_BEGINNING = re.compile(rb"[0-9A-Fa-f]{0,15}|[0-9A-Fa-f]{1,15}(?:\r|;[\t -~]*\r?)").fullmatch

SIZE, DATA, DATA_END, TRAILER, DONE = range(5)


class ChunkedReader:
    """Decodes one body. ``feed`` takes what has arrived and gives back what it could not use yet."""

    __slots__ = ("_check_trailers", "_extensions", "_left", "_state", "_trailer_bytes", "_trailers")

    def __init__(self, check_trailers: Callable[[Sequence[bytes]], None]) -> None:
        self._check_trailers = check_trailers
        self._state = SIZE
        self._left = 0
        self._extensions = 0
        self._trailers: list[bytes] = []
        self._trailer_bytes = 0

    @property
    def done(self) -> bool:
        """Whether the last chunk and the trailers have been read."""
        return self._state == DONE

    def feed(self, data: bytes) -> tuple[list[bytes], int]:
        """Decode from ``data``: the payload found, and how many bytes of ``data`` are used up.

        The rest is to be fed again with more behind it; after ``done`` it belongs to the next request. Raises a
        ``ProtocolError``."""
        payload: list[bytes] = []
        at = 0
        while self._state != DONE:
            if self._state == DATA:
                piece = data[at : at + self._left]
                if not piece:
                    break
                payload.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._state = DATA_END
            elif self._state == DATA_END:
                if len(data) - at < 2:
                    if data[at:] not in (b"", b"\r"):
                        raise BadRequest("no CRLF behind a chunk")
                    break
                if data[at : at + 2] != b"\r\n":
                    raise BadRequest("no CRLF behind a chunk")
                at += 2
                self._state = SIZE
            else:
                end = data.find(b"\r\n", at, at + LINE_BYTES + 2)
                if end < 0:
                    self._check_beginning(data[at : at + LINE_BYTES + 1])
                    break
                self._line(data[at:end])
                at = end + 2
        return payload, at

    def _line(self, line: bytes) -> None:
        if self._state == SIZE:
            match = SIZE_LINE(line)
            if match is None:
                raise BadRequest("malformed chunk size")
            self._extensions += len(match[2] or b"")
            if self._extensions > EXTENSION_BYTES:
                raise BadRequest("chunk extensions without end")
            self._left = int(match[1], 16)
            self._state = DATA if self._left else TRAILER
        elif line:
            self._trailers.append(line)
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > TRAILER_BYTES:
                raise HeadTooLarge("trailers")
        else:
            if self._trailers:
                self._check_trailers(self._trailers)
            self._state = DONE

    def _check_beginning(self, part: bytes) -> None:
        """Refuse a line that has not ended yet as soon as no ending could make it good."""
        if len(part) > LINE_BYTES:
            raise BadRequest("chunk line too long")
        if self._state == SIZE and SIZE_BEGINNING(part) is None:
            raise BadRequest("malformed chunk size")
        if self._state == TRAILER and (b"\n" in part or b"\r" in part[:-1]):
            raise BadRequest("bare CR or LF in a trailer")


def chunk(data: bytes) -> bytes:
    """One chunk of a response; ``data`` is not empty (an empty chunk would end the body)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
