"""Slow and simple second opinions on what a message means, written from the RFCs and not from the code."""

from __future__ import annotations

import re
from typing import NamedTuple

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(TOKEN + rb" [!-~]+ HTTP/1\.[01]").fullmatch
FIELD_LINE = re.compile(TOKEN + rb":[\t -~\x80-\xff]*").fullmatch
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t -~]*)?").fullmatch


class Head(NamedTuple):
    """A head by RFC 9112: its request line and its fields, names in lower case, in their order."""

    line: bytes
    fields: list[tuple[bytes, bytes]]

    def values(self, name: bytes) -> list[bytes]:
        """All values of one field."""
        return [value for known, value in self.fields if known == name]


def read_head(data: bytes) -> Head | None:
    """The head ``data``, which ends with its blank line; None: by the letter it is none."""
    line, *block = data[:-4].split(b"\r\n")
    if REQUEST_LINE(line) is None or not all(map(FIELD_LINE, block)):
        return None
    pairs = [field.partition(b":") for field in block]
    return Head(line, [(name.lower(), value.strip(b" \t")) for name, _, value in pairs])


def framing(head: Head) -> tuple[int, bool] | None:
    """(length, is it chunked) by RFC 9112 §6.3; None: it can be read in more than one way."""
    codings, lengths = head.values(b"transfer-encoding"), head.values(b"content-length")
    if codings:
        fine = not lengths and len(codings) == 1 and codings[0].lower() == b"chunked" and head.line.endswith(b"1.1")
        return (0, True) if fine else None
    if not lengths:
        return 0, False
    return (int(lengths[0]), False) if len(lengths) == 1 and re.fullmatch(rb"[0-9]+", lengths[0]) else None


class Decoded(NamedTuple):
    """What a chunked body comes to."""

    verdict: str
    """``done``, ``more`` or ``bad``."""
    payload: bytes
    used: int


def decode_chunks(data: bytes) -> Decoded:  # noqa: PLR0911  # one for each way to end
    """A chunked body at the beginning of ``data``, by RFC 9112 §7.1, byte by byte."""
    payload, at = b"", 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return Decoded("more", payload, at)
        match = CHUNK_LINE(data[at:end])
        if match is None:
            return Decoded("bad", payload, at)
        size, at = int(match[1], 16), end + 2
        if not size:
            break
        piece = data[at : at + size]
        payload += piece
        at += len(piece)
        if len(piece) < size or len(data) < at + 2:
            return Decoded("more", payload, at)
        if data[at : at + 2] != b"\r\n":
            return Decoded("bad", payload, at)
        at += 2
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return Decoded("more", payload, at)
        if end == at:
            return Decoded("done", payload, at + 2)
        if FIELD_LINE(data[at:end]) is None:
            return Decoded("bad", payload, at)
        at = end + 2
