"""Slots: where application code runs. Long-lived, the one used last taken first, in two models with one interface.

``GreenletSlots``: greenlets in the hub's thread; for a patched interpreter. ``ThreadSlots``: native threads; for an
unpatched one. A process has one or the other, never both (hazards.md 2.4). Here is what they have in common.

A *task* has ``run()``, which never raises, and calls ``slots.transmit`` to hand over its response. Everything else here
is called in the hub. Last used first keeps a small set of slots hot, and with it their database connections: three at a
real concurrency of three, not as many as there are slots (hazards.md 2.2).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..h1.head import RequestLine
from ..observe.flights import Cells
from .tasks import NO_LINE, Task

HIGH_WATER_BYTES = 262144
"""A task waits when so much of its response waits for the client; it goes on at ``Engine.low_water_bytes``."""


class Slot:
    """What one slot is doing, for those who look at it from outside: deadlines, the watchdog, the board.

    Its own greenlet or thread writes it, so in the threads model whoever looks reads ``task`` again after the rest."""

    __slots__ = ("begun", "cell", "line", "place", "starts", "task")

    def __init__(self, place: Any, starts: memoryview[float], cell: int) -> None:
        self.place = place
        """The greenlet, or the identifier of the thread."""
        self.starts = starts
        self.cell = cell
        self.task: Task | None = None
        """What runs; None while it waits."""
        self.begun = 0.0
        """When that was begun (``time.monotonic()``)."""
        self.line: RequestLine | None = None
        """What stands in its cell of the board."""


class Slots:
    """What both models have: a number of slots, and a bounded queue before them."""

    interruptible: bool
    """Whether ``interrupt`` can reach a running request."""

    def __init__(
        self,
        hub: Any,
        size: int,
        queue_size: int,
        idle: Callable[[], None],
        stop: Callable[[], None],
        interrupted: Callable[[], None],
        cells: Cells,
    ) -> None:
        """``idle`` is called on slots that are free, ``interrupted`` on one whose request was, before it is used
        again, ``stop`` at the end of each."""
        self.all: list[Slot] = []
        """The slots that exist."""
        self._cells = cells
        self._idle: list[Any] = []
        self._waiting: deque[Task | None] = deque()
        self._size = size
        self._queue_size = queue_size
        self._started = 0
        self._idle_hook = idle
        self._stop_hook = stop
        self._interrupted_hook = interrupted
        self._join(hub)

    def _join(self, hub: Any) -> None:
        """Take what the model needs of gevent's hub."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """How many slots there may be."""
        return self._size

    @property
    def busy(self) -> int:
        """Requests running."""
        return self._started - len(self._idle)

    @property
    def alive(self) -> int:
        """Slots that exist, busy or free."""
        return self._started

    @property
    def waiting(self) -> int:
        """Requests waiting for a slot."""
        return len(self._waiting)

    def submit(self, task: Task) -> bool:
        """Have a task run at the next ``flush``, or when a slot is free; False: all are busy and the queue is full."""
        waiting = self._waiting
        if (
            len(waiting) >= self._queue_size
            and len(waiting) - len(self._idle) - self._size + self._started >= self._queue_size
        ):
            return False
        waiting.append(task)
        return True

    def drop(self, unwanted: Callable[[Task], bool]) -> list[Task]:
        """Take those out of the queue for which ``unwanted`` holds, the oldest first."""
        dropped = []
        for task in self._waiting.copy():
            if task is not None and task.line is not NO_LINE and unwanted(task):
                try:
                    self._waiting.remove(task)
                except ValueError:  # a thread was faster
                    continue
                dropped.append(task)
        return dropped

    def current(self) -> Slot | None:
        """The slot on which this is called."""
        place = self.here()
        for slot in self.all[:]:
            if slot.place == place:
                return slot
        return None

    def here(self) -> Any:
        """What ``Slot.place`` is for the caller."""
        raise NotImplementedError

    def _enter(self) -> Slot:
        slot = Slot(self.here(), *self._cells.take())
        self.all.append(slot)
        return slot

    def _leave(self, slot: Slot) -> None:
        slot.task = None
        self.all.remove(slot)
        self._cells.give_back(slot.starts, slot.cell)

    def _show(self, slot: Slot, line: RequestLine) -> None:
        """Write on the board what the slot is about to begin."""
        slot.line = line
        self._cells.write(slot.starts, slot.cell, line.log)
