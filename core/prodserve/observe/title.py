"""The names under which lists of processes show this one: ``ps``, ``top``, ``/proc/PID/cmdline``.

Linux shows the memory that held the command line, so that memory is overwritten; nothing else is ever stored there.
Elsewhere, or where it is forbidden, the names stay what they were.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_NAME = 15
_ARG_START, _ARG_END = 47, 48  # fields of /proc/PID/stat, from zero


def set_title(title: str, name: str = "prodserve") -> None:
    """Show this process as ``title`` (cut to the room there is), its short name (15 bytes) as ``name``."""
    if sys.platform != "linux":
        return
    try:
        with open("/proc/self/stat", "rb") as file:
            text = file.read()
        start, end = argument_area(text)
        with open("/proc/self/cmdline", "rb") as file:
            if start == 0 or end - start != len(file.read()):
                return
        ctypes.memmove(start, padded(title, end - start), end - start)
        ctypes.CDLL(None).prctl(_PR_SET_NAME, os.fsencode(name)[:15], 0, 0, 0)
    except (OSError, ValueError, AttributeError):
        return  # a name is a courtesy


def argument_area(stat: bytes) -> tuple[int, int]:
    """Where the command line lies, from ``/proc/self/stat``; ``(0, 0)`` where the kernel doesn't tell."""
    fields = stat.rpartition(b")")[2].split()
    return (int(fields[_ARG_START - 2]), int(fields[_ARG_END - 2])) if len(fields) > _ARG_END - 2 else (0, 0)


def padded(title: str, size: int) -> bytes:
    """``title`` in exactly ``size`` bytes that end in NUL."""
    return os.fsencode(title)[: size - 1].ljust(size, b"\0")
