"""The board: shared memory in which every worker shows once a second that it is alive, and what it does.

One record of fixed size a slot, written by one worker and read by the supervisor, without a lock: a worker that is
killed while it writes must not stop anybody. Each record ends in its checksum; a reader that meets a writer half-way
sees that it doesn't fit, and returns what it saw last.

Beside the records every worker has a cell in which it shows at once how many connections it holds, so that its
siblings see who has the fewest (``Place.fewest``) and leave the next connection to it. Behind them stand the requests
that each worker is running (``flights``), and before them a word of each that asks for a successor, and one of the
supervisor: whether the server ends.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol
from zlib import crc32

from prodserve.observe.flights import ROW_BYTES, Cells, Flights
from prodserve.observe.memory_file import create

_FIELDS = struct.Struct("<qqdqqqq")
_SUM = struct.Struct("<q")
_STRIDE = _FIELDS.size + _SUM.size  # 64, one cache line a record: two workers never write to the same one
_LOOKS = 3
_CELL = 8
_NOBODY = 0
_COUNTED = 1 << 32
"""A cell is the generation times this, plus one, plus the connections: one machine word, written at once."""


class Row(NamedTuple):
    """What a worker wrote last; all zero where none has written yet."""

    pid: int
    generation: int
    heartbeat_s: float
    """``time.monotonic()`` of the machine when it was written."""
    requests: int
    connections: int
    busy: int
    """Requests inside the application."""
    waiting: int
    """Requests waiting for a slot of the application."""


_NOTHING = Row(0, 0, 0.0, 0, 0, 0, 0)


class Beat(Protocol):
    """One worker's place on the board."""

    cells: Cells
    """Where it writes which requests it is running."""

    def __call__(self, requests: int = 0, connections: int = 0, busy: int = 0, waiting: int = 0) -> None:
        """Show that the worker is alive, and what it does."""

    def hold(self, connections: int) -> None:
        """Show at once how many connections the worker holds."""

    def fewest(self) -> int:
        """The smallest number of connections that a worker of the same generation holds, this one among them."""

    def ask_for_successor(self) -> None:
        """Have another worker started in the place of this one, which then drains."""

    def server_ends(self) -> bool:
        """Whether the whole server is ending, not this worker alone."""


def _offsets(slots: int) -> tuple[int, int, int, int]:
    """Where the cells begin, the wishes, the state of the server, and the flights; the records stand before them."""
    cells = slots * _STRIDE
    wishes = cells + slots * _CELL
    state = wishes + slots * _CELL
    return cells, wishes, state, state + _CELL


class Board:
    """Records of ``slots`` workers behind the descriptor ``fd``."""

    def __init__(self, fd: int, slots: int, now: Callable[[], float] = time.monotonic) -> None:
        self.fd = fd
        self.slots = slots
        self._now = now
        cells, wishes, state, flights = _offsets(slots)
        self._memory = mmap.mmap(fd, flights + slots * ROW_BYTES)
        self.cells = memoryview(self._memory)[cells:wishes].cast("q")
        self.wishes = memoryview(self._memory)[wishes:state].cast("q")
        """Not zero: the worker of the slot asks for a successor."""
        self.state = memoryview(self._memory)[state:flights].cast("q")
        """Not zero: the server ends."""
        self.flights = Flights(self._memory, flights, now)
        self._seen = [_NOTHING] * slots

    @classmethod
    def create(cls, slots: int) -> Board:
        """A new board; its descriptor closes on exec until its owner says otherwise."""
        fd = create("prodserve-board")
        os.ftruncate(fd, _offsets(slots)[-1] + slots * ROW_BYTES)
        return cls(fd, slots)

    @classmethod
    def open(cls, fd: int, slots: int) -> Board:
        """The board that another process created and whose descriptor was inherited."""
        return cls(fd, slots)

    def claim(self, slot: int, generation: int) -> Beat:
        """What this process calls once a second while it is the worker of ``slot``."""
        return Place(self, slot, generation)

    def write(self, slot: int, generation: int, *state: int) -> None:
        """Write the record of ``slot``, of which this process is the worker."""
        fields = _FIELDS.pack(os.getpid(), generation, self._now(), *state)
        self._memory[slot * _STRIDE : (slot + 1) * _STRIDE] = fields + _SUM.pack(crc32(fields))

    def vacate(self, slot: int) -> None:
        """The worker of ``slot`` has ended: it holds no connections that others could wait for it to catch up with, it
        runs nothing and asks for nothing."""
        self.cells[slot] = self.wishes[slot] = _NOBODY
        self.flights.clear(slot)

    def read(self, slot: int) -> Row:
        """The record of ``slot``, always one that was written as a whole."""
        for _ in range(_LOOKS):
            record = self._memory[slot * _STRIDE : (slot + 1) * _STRIDE]
            fields = record[: _FIELDS.size]
            if _SUM.unpack_from(record, _FIELDS.size)[0] == crc32(fields):
                self._seen[slot] = Row._make(_FIELDS.unpack(fields))
                break
        return self._seen[slot]

    def close(self) -> None:
        """Unmap the memory and close the descriptor."""
        self.cells.release()
        self.wishes.release()
        self.state.release()
        self.flights.close()
        self._memory.close()
        os.close(self.fd)


class Place:
    """The place of one worker (``Beat``)."""

    def __init__(self, board: Board, slot: int, generation: int) -> None:
        self._board = board
        self._slot = slot
        self._generation = generation
        self._base = generation * _COUNTED + 1
        self.cells = board.flights.claim(slot)
        self.hold(0)

    def __call__(self, requests: int = 0, connections: int = 0, busy: int = 0, waiting: int = 0) -> None:
        self._board.write(self._slot, self._generation, requests, connections, busy, waiting)

    def hold(self, connections: int) -> None:
        """Show at once how many connections the worker holds."""
        self._board.cells[self._slot] = self._base + connections

    def fewest(self) -> int:
        """The smallest number of connections that a worker of the same generation holds, this one among them."""
        base = self._base
        return (
            min([cell for cell in self._board.cells.tolist() if base <= cell < base + _COUNTED - 1], default=base)
            - base
        )

    def ask_for_successor(self) -> None:
        """Have another worker started in the place of this one, which then drains."""
        self._board.wishes[self._slot] = 1

    def server_ends(self) -> bool:
        """Whether the whole server is ending, not this worker alone."""
        return bool(self._board.state[0])
