"""Numbers as people read them. Pure."""

from __future__ import annotations


def size_text(size: int) -> str:
    """``834 B``, ``12.3 KB``, ``8.1 MB``: in thousands, as lists of files have them."""
    for limit, unit in ((1e6, "MB"), (1e3, "KB")):
        if size >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size} B"


def counted(number: int, what: str) -> str:
    """``1 file``, ``7 files``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
