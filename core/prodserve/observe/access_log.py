"""The access log: a line a request, in the common log format with the duration behind it, written in batches.

A line can't be forged: the request line was parsed strictly and has its quotes escaped (``h1.head``), the rest is
ours. Writing never blocks the loop for long and never harms a request: to a pipe or terminal only what fits is written
(a pipe takes ``PIPE_BUF`` bytes whole, so lines of several workers do not mix), the rest waits within bounds, and
lines that do not fit are counted and the loss is told.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable

from gevent import monkey

from ..clock import log_date

BATCH = 256
PIECE_BYTES = 4096
"""PIPE_BUF: what a pipe takes as a whole."""
WAITING_BYTES = 1 << 20

poll_descriptors = (
    monkey.get_original("select", "poll") if hasattr(select, "poll") or monkey.is_module_patched("select") else None
)

COLOURS = {1: "", 2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}
SHORT = 1000
TENTHS = [f"{tenths // 10}.{tenths % 10}" for tenths in range(SHORT)]
"""Milliseconds as they are printed, up to 100."""


class AccessLog:
    """Collects lines and writes them to ``fd``, which stays its owner's."""

    def __init__(self, fd: int, now_s: float, warn: Callable[[str], None]) -> None:
        self.fd = fd
        self._warn = warn
        self._lines: list[str] = []
        self._waiting = b""
        self._lost = 0
        self._date = log_date(now_s)
        self._whole = stat.S_ISREG(os.fstat(fd).st_mode)
        self._colour = os.isatty(fd)

    def add(self, host: str, line: str, status: int, sent: int, seconds: float) -> None:
        """One finished request; ``sent`` are the bytes of the response's body."""
        lines = self._lines
        if self._colour:
            text = f"{COLOURS.get(status // 100, '')}{status}\x1b[0m"
            lines.append(f'{host or "-"} - - [{self._date}] "{line}" {text} {sent} {seconds * 1000:.1f}ms\n')
        else:
            # HOT: benchmarks hello: 0.4 us; formatting a float takes 0.17
            tenths = int(seconds * 10_000)
            took = TENTHS[tenths] if tenths < SHORT else f"{seconds * 1000:.1f}"
            lines.append(f'{host or "-"} - - [{self._date}] "{line}" {status} {sent} {took}ms\n')
        if len(lines) >= BATCH:
            self.write()

    def flush(self, now_s: float) -> None:
        """Once a second: write what there is, and take the new time."""
        self.write()
        self._date = log_date(now_s)
        if self._lost:
            self._warn(f"{self._lost} access log lines were lost: they could not be written")
            self._lost = 0

    def write(self) -> None:
        """Write as much as goes without waiting."""
        if self._lines:
            data = "".join(self._lines).encode("utf-8", "backslashreplace")
            self._lines.clear()
            if len(self._waiting) + len(data) > WAITING_BYTES:
                self._lost += data.count(b"\n")
            else:
                self._waiting += data
        while self._waiting and self._ready():
            data = self._waiting
            if not self._whole and len(data) > PIECE_BYTES:
                end = data.rfind(b"\n", 0, PIECE_BYTES) + 1 or PIECE_BYTES
                data = data[:end]
            try:
                self._waiting = self._waiting[os.write(self.fd, data) :]
            except BlockingIOError:
                return
            except OSError:
                self._lost += self._waiting.count(b"\n")
                self._waiting = b""

    def _ready(self) -> bool:
        if self._whole or poll_descriptors is None:
            return True
        poll = poll_descriptors()
        poll.register(self.fd, 4)
        return bool(poll.poll(0))
