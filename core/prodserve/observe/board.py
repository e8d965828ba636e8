"""The board: shared memory in which every worker shows once a second that it is alive, and what it does.

One record of fixed size a slot, written by one worker and read by the supervisor, without a lock: a worker that is
killed while it writes must not stop anybody. Each record ends in its checksum; a reader that meets a writer half-way
sees that it doesn't fit, and returns what it saw last.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol
from zlib import crc32

from prodserve.observe.memory_file import create

_FIELDS = struct.Struct("<qqdqqqq")
_SUM = struct.Struct("<q")
_STRIDE = _FIELDS.size + _SUM.size  # 64, one cache line a record: two workers never write to the same one
_LOOKS = 3


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
    """Shows one worker's state on the board."""

    def __call__(self, requests: int = 0, connections: int = 0, busy: int = 0, waiting: int = 0) -> None: ...


class Board:
    """Records of ``slots`` workers behind the descriptor ``fd``."""

    def __init__(self, fd: int, slots: int, now: Callable[[], float] = time.monotonic) -> None:
        self.fd = fd
        self.slots = slots
        self._now = now
        self._memory = mmap.mmap(fd, slots * _STRIDE)
        self._seen = [_NOTHING] * slots

    @classmethod
    def create(cls, slots: int) -> Board:
        """A new board; its descriptor closes on exec until its owner says otherwise."""
        fd = create("prodserve-board")
        os.ftruncate(fd, slots * _STRIDE)
        return cls(fd, slots)

    @classmethod
    def open(cls, fd: int, slots: int) -> Board:
        """The board that another process created and whose descriptor was inherited."""
        return cls(fd, slots)

    def claim(self, slot: int, generation: int) -> Beat:
        """What this process calls once a second while it is the worker of ``slot``."""
        pid = os.getpid()
        start, end = slot * _STRIDE, (slot + 1) * _STRIDE

        def beat(requests: int = 0, connections: int = 0, busy: int = 0, waiting: int = 0) -> None:
            fields = _FIELDS.pack(pid, generation, self._now(), requests, connections, busy, waiting)
            self._memory[start:end] = fields + _SUM.pack(crc32(fields))

        return beat

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
        self._memory.close()
        os.close(self.fd)
