"""The error log: lines of the form ``[2026-11-22 18:00:01 +0000] [123] [INFO] text``, written at once.

Not the ``logging`` module: a hub may neither block on a lock of it nor switch greenlets inside one. A record is one
``write``, so records of several processes do not mix. Whatever the text contains, it can't forge a record: control
characters are escaped, and the lines after the first (a traceback) are indented. A log that can't be written to
(a full disk, a closed terminal) never harms the server: the record is lost.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

LEVELS = ("debug", "info", "warning", "error")

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def format_record(level: str, text: str, pid: int, at_s: float) -> str:
    """One record with its final newline; ``at_s`` is in seconds since the epoch, shown as local time."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at_s))
    lines = text.rstrip("\n").split("\n")
    body = "\n    ".join(_CONTROL.sub(_escape, line) for line in lines)
    return f"[{stamp}] [{pid}] [{level.upper()}] {body}\n"


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class Log:
    """Writes records of at least ``level`` to ``fd``, which stays its owner's."""

    def __init__(self, fd: int, level: str = "info", now: Callable[[], float] = time.time) -> None:
        self.fd = fd
        self._threshold = LEVELS.index(level)
        self._now = now

    def debug(self, text: str) -> None:
        """For whoever looks for a fault."""
        self._write(0, text)

    def info(self, text: str) -> None:
        """Something normal happened."""
        self._write(1, text)

    def warning(self, text: str) -> None:
        """Service goes on; somebody should look at this."""
        self._write(2, text)

    def error(self, text: str) -> None:
        """Something failed."""
        self._write(3, text)

    def _write(self, level: int, text: str) -> None:
        if level < self._threshold:
            return
        record = format_record(LEVELS[level], text, os.getpid(), self._now())
        try:
            os.write(self.fd, record.encode("utf-8", "backslashreplace"))
        except OSError:
            return  # nowhere left to report it
