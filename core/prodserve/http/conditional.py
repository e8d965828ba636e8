"""Conditional requests (RFC 9110 §13): is what the client holds still what we would send?

Pure: request fields (by their environ names) and the validators of the selected representation in, a verdict out. The
order in which conditions count is §13.2.2's. A field that does not follow its grammar never makes the client keep or
combine something stale: it matches nothing, and a date that can't be read is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from .dates import parse_date

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_NEXT_TAG = re.compile(rf"[ \t,]*({_TAG.pattern})[ \t]*(?=,|$)").match
_LIST_END = re.compile(r"[ \t,]*").fullmatch


Unless = tuple[str | None, str | None, str | None]


class Verdict(Enum):
    """What the preconditions of a request come to."""

    PROCEED = "proceed"
    NOT_MODIFIED = "304"
    FAILED = "412"


def entity_tags(value: str) -> tuple[str, ...]:
    """The tags of a list (``"a", W/"b"``) as they stand, quotes included. None at all if one of them is malformed."""
    tags: list[str] = []
    end = 0
    while found := _NEXT_TAG(value, end):
        tags.append(found[1])
        end = found.end()
    return tuple(tags) if _LIST_END(value, end) else ()


def weakly_equal(one: str, other: str) -> bool:
    """The weak comparison of RFC 9110 §8.8.3.2: ``W/`` does not count."""
    return one.removeprefix("W/") == other.removeprefix("W/")


def strongly_equal(one: str, other: str) -> bool:
    """The strong comparison of RFC 9110 §8.8.3.2: a weak tag equals nothing, not even itself."""
    return one == other and not one.startswith("W/")


def evaluate(method: str, fields: Mapping[str, str], etag: str, last_modified_s: int | None, now_s: int) -> Verdict:
    """Decide by If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since, in the order of §13.2.2.

    For a representation that exists; ``last_modified_s`` is ``None`` where it is not known.
    """
    if (value := fields.get("HTTP_IF_MATCH")) is not None:
        if value.strip(" \t") != "*" and not any(strongly_equal(tag, etag) for tag in entity_tags(value)):
            return Verdict.FAILED
    elif (value := fields.get("HTTP_IF_UNMODIFIED_SINCE")) is not None and last_modified_s is not None:
        since_s = parse_date(value, now_s)
        if since_s is not None and last_modified_s > since_s:
            return Verdict.FAILED
    unchanged = Verdict.NOT_MODIFIED if method in ("GET", "HEAD") else Verdict.FAILED
    if (value := fields.get("HTTP_IF_NONE_MATCH")) is not None:
        if value == etag or value.strip(" \t") == "*" or any(weakly_equal(tag, etag) for tag in entity_tags(value)):
            return unchanged
    elif (value := fields.get("HTTP_IF_MODIFIED_SINCE")) is not None and last_modified_s is not None:
        since_s = parse_date(value, now_s)
        if since_s is not None and last_modified_s <= since_s and unchanged is Verdict.NOT_MODIFIED:
            return unchanged
    return Verdict.PROCEED


def unless_modified(environ: Mapping[str, str]) -> Unless | None:
    """What a 304 hangs on: Accept-Encoding, If-None-Match and If-Modified-Since. None: other conditions count first."""
    if "HTTP_IF_MATCH" in environ or "HTTP_IF_UNMODIFIED_SINCE" in environ:
        return None
    get = environ.get
    return get("HTTP_ACCEPT_ENCODING"), get("HTTP_IF_NONE_MATCH"), get("HTTP_IF_MODIFIED_SINCE")


def range_is_current(if_range: str | None, etag: str, last_modified_s: int | None, now_s: int) -> bool:
    """Whether a Range may be honoured beside this If-Range (RFC 9110 §13.1.5): if not, all of it is sent.

    A tag is compared strongly; a date must be the very Last-Modified, not a later one.
    """
    if if_range is None:
        return True
    value = if_range.strip(" \t")
    if value.startswith(('"', "W/")):
        return _TAG.fullmatch(value) is not None and strongly_equal(value, etag)
    return last_modified_s is not None and parse_date(value, now_s) == last_modified_s
