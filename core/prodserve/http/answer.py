"""A response that is complete before its first byte is sent: what the server says by itself, without the app.

The head lacks what changes from second to second and from connection to connection (``Date``, ``Connection``) and the
blank line: the connection adds them. So one ``Answer`` made in advance serves any number of requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from .segments import FileSlice, HeldFile, Segment

REMEMBERED_BYTES = 16384


class Answer:
    """A finished response. Answers are shared and not changed, save that a ``FileSlice`` is used up by its sender."""

    __slots__ = ("body", "file", "head", "length", "status", "wire", "wire_ending")

    def __init__(self, status: int, head: bytes, body: tuple[Segment, ...] = (), length: int = 0) -> None:
        self.status = status
        self.head = head
        """Status line and fields, each line ended by CRLF; no ``Date``, no ``Connection``, no blank line."""
        self.body = body
        self.length = length
        """The bytes that follow the head: the sum over ``body``, 0 for the answer to a HEAD."""
        self.file: HeldFile | None = None
        """In place of ``body``: the first ``length`` bytes of this file, for any number of requests."""
        self.wire_ending = b""
        self.wire = b""
        """What was sent last with ``wire_ending`` at the end of the head: all of it, or the head of a long one."""

    def on_the_wire(self, ending: bytes) -> bytes:
        """Head, ``ending`` of the head and body of an answer without files, as one piece.

        HOT: benchmarks static-3k: ``ending`` is the same object for a second, and with it a small piece."""
        if ending is self.wire_ending:
            return self.wire
        wire = b"".join((self.head, ending, *self.body))  # type: ignore[arg-type]
        if self.length <= REMEMBERED_BYTES:
            self.wire = wire
            self.wire_ending = ending
        return wire

    def whole_head(self, ending: bytes) -> bytes:
        """The head of an answer whose body is too long to be joined with it."""
        if ending is not self.wire_ending:
            self.wire = self.head + ending
            self.wire_ending = ending
        return self.wire

    def close(self) -> None:
        """Give back the files of an answer that is not sent after all."""
        for segment in self.body:
            if isinstance(segment, FileSlice):
                segment.close()


def head_block(status: int, fields: Iterable[tuple[str, str]]) -> bytes:
    """The status line and ``fields`` as they are sent (RFC 9112 §4, §5); the values are ours and need no check."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n", *[f"{name}: {value}\r\n" for name, value in fields]]
    return "".join(lines).encode("latin-1")


def plain_answer(status: int, fields: Iterable[tuple[str, str]] = ()) -> Answer:
    """The server's plain page for ``status``, with ``fields`` added to its head; shows nothing of the inside."""
    text = f"{status} {HTTPStatus(status).phrase}\n".encode()
    described = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    return Answer(status, head_block(status, [*fields, *described]), (text,), len(text))


def without_body(answer: Answer) -> Answer:
    """The answer to a HEAD where ``answer`` is that to the GET (RFC 9110 §9.3.2)."""
    return Answer(answer.status, answer.head)
