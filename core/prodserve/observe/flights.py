"""Flights: shared memory in which every worker writes which requests its application is running.

A worker that dies by a signal can't tell any more what it was doing; here the supervisor reads it. Each slot of the
application has a cell: the moment at which it began with a request, zero while it has none, and the request line.
The lines are only written where they differ from the last one of the cell, so a request costs one number written.
What is read while a worker lives may be a line too old or too new; what a dead one has left behind is exact.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

CELLS = 256
"""Requests of one worker that are known by name; what it runs beyond them is not."""
LINE_BYTES = 256
"""What is kept of a request line."""
ROW_BYTES = CELLS * (8 + LINE_BYTES)
"""What one worker's part takes. Pages that were never written to take no memory."""

_STARTS = struct.Struct(f"={CELLS}d")
_LINE = struct.Struct(f"{LINE_BYTES}s")


class Flight(NamedTuple):
    """One request inside the application."""

    line: str
    """As in the access log, cut to ``LINE_BYTES``."""
    age_s: float
    """How long the application has been at it."""


class Cells:
    """The part of one worker, empty at first, of which it gives every slot a cell."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._memory = memory
        self._lines = offset + _STARTS.size
        _STARTS.pack_into(memory, offset, *[0.0] * CELLS)
        self.starts = memoryview(memory)[offset : self._lines].cast("d")
        """The moments (``time.monotonic()``) at which the requests were begun; a slot writes its own."""
        self._free = list(range(CELLS - 1, -1, -1))
        self._spare = memoryview(bytearray(8)).cast("d")

    def take(self) -> tuple[memoryview[float], int]:
        """A cell for a slot: where it writes the moments, at which index. Beyond ``CELLS`` one that nobody reads."""
        if not self._free:
            return self._spare, 0
        return self.starts, self._free.pop()

    def give_back(self, starts: memoryview[float], cell: int) -> None:
        """The slot has ended."""
        starts[cell] = 0.0
        if starts is self.starts:
            self._free.append(cell)

    def write(self, starts: memoryview[float], cell: int, line: str) -> None:
        """Write the line of the request that the slot is about to begin."""
        if starts is self.starts:
            starts[cell] = 0.0  # no moment stands beside the line of another request
            _LINE.pack_into(self._memory, self._lines + cell * LINE_BYTES, line.encode("utf-8", "backslashreplace"))


class Flights:
    """The parts of all workers, one behind the other in ``memory`` from ``offset`` on."""

    def __init__(self, memory: mmap.mmap, offset: int, now: Callable[[], float] = time.monotonic) -> None:
        self._memory = memory
        self._offset = offset
        self._now = now
        self._claimed: list[Cells] = []

    def of(self, row: int) -> list[Flight]:
        """What the worker of ``row`` is running, or was when it ended; the oldest first."""
        offset = self._offset + row * ROW_BYTES
        now_s = self._now()
        found = []
        for cell, start_s in enumerate(_STARTS.unpack_from(self._memory, offset)):
            if start_s:
                raw = _LINE.unpack_from(self._memory, offset + _STARTS.size + cell * LINE_BYTES)[0]
                found.append(Flight(raw.rstrip(b"\0").decode("utf-8", "replace"), max(0.0, now_s - start_s)))
        return sorted((flight for flight in found if flight.line), key=lambda flight: -flight.age_s)

    def claim(self, row: int) -> Cells:
        """The part of ``row``, empty, for the process that is its worker from now on."""
        cells = Cells(self._memory, self._offset + row * ROW_BYTES)
        self._claimed.append(cells)
        return cells

    def clear(self, row: int) -> None:
        """The worker of ``row`` is gone, and what it was running has been told."""
        _STARTS.pack_into(self._memory, self._offset + row * ROW_BYTES, *[0.0] * CELLS)

    def close(self) -> None:
        """Let go of the memory."""
        for cells in self._claimed:
            cells.starts.release()
