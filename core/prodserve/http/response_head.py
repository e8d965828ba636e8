"""Heads of responses: status lines and field lines as bytes, checked once and remembered.

An application's header list is checked when it is new and looked up when it repeats, which most do. Names must be
tokens and values free of control characters (RFC 9110 §5.5): CR or LF in a value would be a second response.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import AppError
from .framing import bodiless

REMEMBERED = 1024
REMEMBERED_CHARACTERS = 200

STATUS = re.compile(r"([1-9][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?").fullmatch
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch

PLAIN, LENGTH, CONNECTION, DATE, DROPPED, HANDED, PROXYING = range(7)

KINDS = {
    "content-length": LENGTH,
    "connection": CONNECTION,
    "date": DATE,
    # The framing and the connection are the server's (PEP 3333, "Other HTTP Features"): the app has no say.
    "transfer-encoding": DROPPED,
    "keep-alive": DROPPED,
    "proxy-connection": DROPPED,
    "te": DROPPED,
    "trailer": DROPPED,
    "upgrade": DROPPED,
    # Said to a server in front of the app: the name of a file that it is to send instead of this response …
    "x-accel-redirect": HANDED,
    "x-sendfile": HANDED,
    # … and how to pass the response on.
    "x-accel-buffering": PROXYING,
    "x-accel-charset": PROXYING,
    "x-accel-expires": PROXYING,
    "x-accel-limit-rate": PROXYING,
}


class AppHead:
    """What an application's status and headers mean for the server. Shared, never changed."""

    __slots__ = ("close", "dated", "handed", "length", "prefix", "status", "whole")

    def __init__(self, status: int) -> None:
        self.status = status
        self.prefix = b""
        """Status line and field lines, each with CRLF, without Content-Length and Connection."""
        self.whole = b""
        """``prefix`` with the Content-Length, where nothing stands against sending just that and a body of this length:
        one is declared, the status allows a body, the app sent no Date, names no file to be sent instead, and lets the
        connection live."""
        self.length: int | None = None
        self.close = False
        self.dated = False
        self.handed: tuple[tuple[str, str], ...] = ()
        """Headers that name a file to be sent instead of this response."""


class HeadWriter:
    """Turns what applications pass to ``start_response`` into bytes; remembers lines and whole heads, bounded.

    ``in_front``: no other server stands between this one and the clients that would do what ``X-Accel-…`` and
    ``X-Sendfile`` say, so no client is shown them."""

    def __init__(self, in_front: bool = False) -> None:
        self._in_front = in_front
        self._statuses: dict[str, tuple[int, bytes]] = {}
        self._lines: dict[tuple[str, str], tuple[bytes, int, int]] = {}
        self.heads: dict[tuple[object, ...], AppHead] = {}
        """By status and headers: ``(status, *headers)``. Only heads whose every line was known already come in here, so
        that cookies and the like, new in each response, do not drive out what repeats."""

    def read(self, status: str, headers: Sequence[tuple[str, str]]) -> AppHead:
        """Check and encode; raises ``AppError`` for what must not reach a client."""
        number, status_line = self._statuses.get(status) or self._learn_status(status)
        head = AppHead(number)
        out = [status_line]
        remembered = self._lines
        repeated = True
        for pair in headers:
            try:
                entry = remembered.get(pair)
            except TypeError:
                entry = None
            if entry is None:
                entry = self._learn(pair)
                repeated = False
            line, kind, value = entry
            if kind == PLAIN:
                out.append(line)
            elif kind == LENGTH:
                if head.length is not None and head.length != value:
                    raise AppError("two different Content-Length headers")
                head.length = value
            elif kind == CONNECTION:
                head.close = head.close or value == 1
            elif kind == DATE:
                head.dated = True
                out.append(line)
            elif kind == HANDED:
                head.handed += ((pair[0], pair[1]),)
                out.append(line)
        head.prefix = b"".join(out)
        fixed = not head.dated and not head.close and not head.handed
        if head.length is not None and fixed and not bodiless("GET", number):
            head.whole = head.prefix + b"Content-Length: %d\r\n" % head.length
        if repeated:
            if len(self.heads) >= REMEMBERED:
                self.heads.clear()
            key = (status, *headers)
            self.heads[key] = head
        return head

    def _learn_status(self, status: str) -> tuple[int, bytes]:
        match = STATUS(status) if isinstance(status, str) else None
        if match is None or status[0] == "1":
            raise AppError(f"start_response was given the status {status!r:.100}")
        known = (int(match[1]), f"HTTP/1.1 {match[1]} {match[2] or ''}\r\n".encode("latin-1", "replace"))
        if len(self._statuses) < REMEMBERED and len(status) < REMEMBERED_CHARACTERS:
            self._statuses[status] = known
        return known

    def _learn(self, pair: tuple[str, str]) -> tuple[bytes, int, int]:
        try:
            name, value = pair
        except (TypeError, ValueError):
            raise AppError(f"a header is not a pair: {pair!r:.200}") from None
        if not isinstance(name, str) or not isinstance(value, str):
            raise AppError(f"name and value of a header must be str: {pair!r:.200}")
        if NAME(name) is None or VALUE(value) is None:
            raise AppError(f"control characters or a malformed name in the header {name!r:.100}: {value!r:.100}")
        kind = KINDS.get(name.lower(), PLAIN)
        if kind == PROXYING:
            kind = DROPPED if self._in_front else PLAIN
        try:
            # Joined, not formatted: a subclass of str may format itself as something that was not checked.
            line = b"" if kind == HANDED and self._in_front else (name + ": " + value + "\r\n").encode("latin-1")
        except UnicodeEncodeError:
            raise AppError(f"a header is not latin-1: {name!r:.100}: {value!r:.100}") from None
        number = 0
        if kind == LENGTH:
            if not (value.isascii() and value.isdigit()):
                raise AppError(f"Content-Length is {value!r:.100}")
            number = int(value)
        elif kind == CONNECTION:
            number = int("close" in value.lower())
        entry = (line, kind, number)
        if len(line) <= REMEMBERED_CHARACTERS and kind != HANDED:  # names of files hardly ever repeat
            if len(self._lines) >= REMEMBERED:
                self._lines.clear()
            self._lines[(name, value)] = entry
        return entry
