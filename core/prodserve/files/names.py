"""Which file a request target means: from raw bytes to a relative name, or to nothing at all.

Pure. One file has one name: a path with empty segments, dot segments, hidden names, backslashes or control characters,
however they are encoded, names no file, instead of being tidied up into one. What is decoded is decoded once.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote_from_bytes, unquote_to_bytes

NAME_LIMIT_BYTES = 4096
_FORBIDDEN = re.compile(rb"[\x00-\x1f\x7f\\]").search
_SENT_AS_IS = "/!$&'()*+,;=:@|~[]^"
"""What browsers leave alone in a path, besides letters, digits and ``-._``: so that their form is the canonical one."""


def canonical_path(name: str) -> bytes:
    """The one raw form of a path (as browsers send it) under which a file's answer is remembered."""
    return quote_from_bytes(os.fsencode(name), safe=_SENT_AS_IS).encode("ascii")


def file_name(raw: bytes) -> str | None:
    """The relative name that a raw path below a prefix means; it ends with ``/`` (or is empty) for a directory.

    ``None``: it can't name a file that is served. Percent signs that encode nothing stand for themselves, as in the
    frameworks.
    """
    decoded = unquote_to_bytes(raw) if b"%" in raw else raw
    if len(decoded) > NAME_LIMIT_BYTES or _FORBIDDEN(decoded):
        return None
    name = os.fsdecode(decoded)
    parts = name.split("/")
    if "" in parts[:-1] or any(part.startswith(".") for part in parts[1:]):
        return None
    if parts[0].startswith(".") and parts[0] != ".well-known":
        return None
    return name
