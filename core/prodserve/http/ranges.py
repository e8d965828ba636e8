"""Byte ranges (RFC 9110 §14): which parts of a representation a request asks for, and how they are sent.

Pure. A ``Range`` that is malformed, in another unit, or asks for more than the whole (overlaps, very many parts) is
ignored, as §14.2 allows: the client gets everything. Only one that is well formed and lies outside is unsatisfiable.
"""

from __future__ import annotations

import re
from typing import NamedTuple

RANGES_MAX = 32
"""More parts than this in one request are no seek and no resume: the whole is cheaper for both sides."""
_HUGE = 10**18
_ONE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})").fullmatch
"""What players and downloads send."""
_UNIT = re.compile(r"bytes=", re.IGNORECASE).match
_SPEC = re.compile(r"([0-9]+)-([0-9]*)|-([0-9]+)").fullmatch


class ByteRange(NamedTuple):
    """``length`` bytes from ``start`` on; never empty."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """The value of Content-Range, for a representation of ``size`` bytes."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """The value of Content-Range in a 416 (RFC 9110 §15.5.17)."""
    return f"bytes */{size}"


def select_ranges(value: str, size: int) -> tuple[ByteRange, ...] | None:
    """The parts that ``value`` asks for out of ``size`` bytes, in its order.

    ``()``: none of them is satisfiable, which is a 416. ``None``: send the whole, the field is ignored.
    """
    if size and (one := _ONE(value)) is not None:  # HOT: benchmarks static-range
        start, end = int(one[1]), int(one[2]) + 1
        if start < end:
            return _inside(start, end, size)
    if size == 0 or not _UNIT(value):
        return None  # no Content-Range can name a part of nothing
    specs = [spec for part in value[6:].split(",") if (spec := part.strip(" \t"))]
    if not 0 < len(specs) <= RANGES_MAX:
        return None
    selected: list[ByteRange] = []
    for spec in specs:
        found = _SPEC(spec)
        if found is None:
            return None
        first, last, suffix = found.groups()
        if suffix is not None:
            start, end = max(0, size - _number(suffix)), size
        else:
            start, end = _number(first), _number(last) + 1 if last else size
            if end <= start and last:
                return None  # the last byte before the first: invalid, not unsatisfiable
        if start < end:
            selected += _inside(start, end, size)
    return tuple(selected) if sum(part.length for part in selected) <= size else None


def _inside(start: int, end: int, size: int) -> tuple[ByteRange, ...]:
    return (ByteRange(start, (end if end < size else size) - start),) if start < size else ()


def _number(digits: str) -> int:
    """The value, cut off far above every file size: thousands of digits are valid, but ``int`` refuses them."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= 18 else _HUGE


def part_head(boundary: str, media_type: str, part: ByteRange, size: int) -> bytes:
    """What comes before one part of a multipart/byteranges body (RFC 9110 §14.6)."""
    return (
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {part.content_range(size)}\r\n\r\n"
    ).encode("latin-1")


def multipart_end(boundary: str) -> bytes:
    """What comes after the last part."""
    return f"\r\n--{boundary}--\r\n".encode("latin-1")
