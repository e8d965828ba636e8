"""Slots that are greenlets (``slots``): the hub switches straight into one and gets control back when the app waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from ..errors import ClientGone, Interrupted
from ..http.segments import Segment
from .connection import CLOSED, Connection
from .slots import HIGH_WATER_BYTES, Slot, Slots
from .tasks import Errand

STARTED_AT_ONCE = 32
"""Waiting requests that are begun before the loop looks at its other work."""


class GreenletSlots(Slots):
    """Slots that are greenlets: the hub switches straight into one and gets control back when the app first waits."""

    def _join(self, hub: Any) -> None:
        self._hub = hub
        self._loop = hub.loop
        self._to_hub = partial(greenlet.switch, hub)
        self._scheduled = False
        self._to_mend: set[Slot] = set()
        """Those whose request was interrupted: what it used may have been left half-way."""
        self.on_begin: Callable[[], None] | None = None
        """Called when requests are about to begin, for one who sleeps while there are none."""

    here = staticmethod(getcurrent)
    interruptible = True

    def flush(self) -> None:
        """Begin what was submitted, each task on a slot of its own only where the one before has to wait.

        Runs in the hub. HOT: benchmarks hello, -0.5 us: a greenlet switch for a batch, not for a request."""
        waiting, idle = self._waiting, self._idle
        if self.on_begin is not None and waiting:
            self.on_begin()
        for _ in range(STARTED_AT_ONCE):
            if not waiting:
                return
            if idle:
                idle.pop().switch(True)  # switch
            elif self._started < self._size:
                self._started += 1
                greenlet(self._serve, self._hub).switch()  # switch
            else:
                return
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.run_callback(self._scheduled_flush)

    def _scheduled_flush(self) -> None:
        self._scheduled = False
        self.flush()  # switch

    def _serve(self) -> None:
        slot, to_mend, idle, waiting, wait = self._enter(), self._to_mend, self._idle, self._waiting, self._to_hub
        me, starts, cell = slot.place, slot.starts, slot.cell
        while True:
            for _ in range(STARTED_AT_ONCE):
                if not waiting:
                    break
                task = waiting.popleft()
                if task is None:
                    self._started -= 1
                    self._leave(slot)
                    self._stop_hook()
                    return
                # HOT: benchmarks hello, +0.12 us: what runs is shown before it runs
                if task.line is not slot.line:
                    self._show(slot, task.line)
                slot.begun = starts[cell] = monotonic()
                slot.task = task
                task.run()  # switch
                if to_mend and slot in to_mend:
                    slot.task = None
                    to_mend.remove(slot)
                    self._interrupted_hook()  # switch
            slot.task = None
            starts[cell] = 0.0
            if waiting:
                self._schedule()
            idle.append(me)
            called = False
            while not called:
                try:
                    called = wait()  # switch
                except GreenletExit:  # killed, by an app or at the end of the interpreter
                    self._started -= 1
                    self._leave(slot)
                    if me in idle:
                        idle.remove(me)
                    return
                except BaseException:  # a timer that an earlier request has left running: it concerns nobody any more
                    continue

    respond = staticmethod(Connection.respond)
    """Hand over a whole response. Raises ``ClientGone``."""

    def transmit(self, connection: Connection, segment: Segment, final: bool) -> None:
        """Hand over a part of a response; waits while the client is far behind. Raises ``ClientGone``."""
        connection.transmit(segment, final)
        while not final and connection.backlog > HIGH_WATER_BYTES:
            connection.waiter = getcurrent()
            try:
                self._to_hub()  # switch
            finally:
                connection.waiter = None  # where something else than ``release`` has woken us, such as a time-out
            if connection.state == CLOSED:
                raise ClientGone

    def abandon(self, connection: Connection) -> None:
        """End a response that can't be completed: the client must see that it is cut short."""
        connection.abort()

    def release(self, connection: Connection) -> None:
        """The client has caught up, or is gone: let the task that waits for it go on."""
        if getcurrent() is self._hub:
            waiter, connection.waiter = connection.waiter, None
            if waiter is not None:
                waiter.switch()  # switch
        else:  # by then it may not wait any more: a switch would reach something else on that slot
            self._loop.run_callback(self.release, connection)

    def frame(self, slot: Slot) -> FrameType | None:
        """Where the slot stands."""
        if slot.place is getcurrent():
            return sys._getframe()
        frame: FrameType | None = slot.place.gr_frame
        return frame

    def running(self) -> Slot | None:
        """The slot that has the hub's thread at this moment, seen from another thread."""
        for slot in self.all[:]:
            if slot.task is not None and slot.place.gr_frame is None:
                return slot
        return None

    def settle(self) -> None:
        """Nothing to do: what a task has handed over has arrived."""

    def disown(self, connection: Connection) -> None:
        """Nothing to do: a task that has given up its connection has no other way to it."""

    def interrupt(self, slot: Slot, error: Interrupted) -> None:
        """Raise ``error`` in the request that runs on the slot, at the point where it waits. Called in the hub.

        It need not end the request: what it does with the exception is its own business."""
        self._to_mend.add(slot)
        slot.place.throw(error)  # switch

    def housekeep(self) -> None:
        """Run the idle hook on every slot that is free."""
        hook = Errand(self._idle_hook)
        slots = self._idle[:]
        del self._idle[:]
        for slot in slots:
            self._waiting.appendleft(hook)
            slot.switch(True)  # switch

    def stop(self) -> None:
        """End the free slots; the busy ones end with the process."""
        self._loop.run_callback(self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            self._waiting.appendleft(None)
            self._idle.pop().switch(True)  # switch
