"""The board: shared memory in which every worker shows once a second that it is alive, and what it does.

One record of fixed size a slot, written by one worker with one copy and read by the supervisor. A reader may meet a
writer half-way; it reads until two looks are equal, so that what it returns was on the board as a whole.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from prodserve.observe.memory_file import create

_RECORD = struct.Struct("<qqdqqqq")
_STRIDE = 64  # one cache line a record: two workers never write to the same one


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
        start, end = slot * _STRIDE, slot * _STRIDE + _RECORD.size

        def beat(requests: int = 0, connections: int = 0, busy: int = 0, waiting: int = 0) -> None:
            row = (pid, generation, self._now(), requests, connections, busy, waiting)
            self._memory[start:end] = _RECORD.pack(*row)  # one copy: pack_into would write zeros first

        return beat

    def read(self, slot: int) -> Row:
        """The record of ``slot``."""
        start, end = slot * _STRIDE, slot * _STRIDE + _RECORD.size
        seen = self._memory[start:end]
        while (again := self._memory[start:end]) != seen:
            seen = again
        return Row._make(_RECORD.unpack(seen))

    def close(self) -> None:
        """Unmap the memory and close the descriptor."""
        self._memory.close()
        os.close(self.fd)
