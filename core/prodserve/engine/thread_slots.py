"""Slots that are native threads (``slots``): they share queues with the hub, and nothing else."""

from __future__ import annotations

import sys
from collections import deque
from time import monotonic
from types import FrameType
from typing import Any

from gevent import monkey

from ..errors import ClientGone, Interrupted
from ..http.segments import FileSlice, Segment
from .connection import CLOSED, Connection
from .slots import HIGH_WATER_BYTES, Slot, Slots

get_ident = monkey.get_original("_thread", "get_ident")


class ThreadSlots(Slots):
    """Slots that are native threads. Requests of one wake-up of the loop wait in one queue and wake one thread, which
    wakes the next if there is more; finished parts wake the loop once, however many there are."""

    def _join(self, hub: Any) -> None:
        self._start_thread = monkey.get_original("_thread", "start_new_thread")
        self._allocate_lock = monkey.get_original("_thread", "allocate_lock")
        self._done: deque[tuple[Connection, Segment | None, bool]] = deque()
        self._signalled = False
        self._signal = hub.loop.async_()
        self._signal.start(self._collect)
        self._round = 0
        """Counts the calls of ``housekeep``: a thread that finds it changed runs the idle hook before it waits."""
        self._given_up: set[Connection] = set()
        """Those that were answered in the place of a task: what it still hands over is dropped."""

    here = staticmethod(get_ident)
    interruptible = False

    def flush(self) -> None:
        """Wake the thread that was used last for what was submitted; start one where all are busy."""
        if self._waiting:
            try:
                self._idle.pop().release()
            except IndexError:
                if self._started < self._size:
                    self._started += 1
                    try:
                        self._start_thread(self._serve, ())
                    except RuntimeError:  # the system has no room for one more: the others do it, or the next flush
                        self._started -= 1

    def _serve(self) -> None:
        lock = self._allocate_lock()
        lock.acquire()
        slot, waiting, idle = self._enter(), self._waiting, self._idle
        starts, cell = slot.starts, slot.cell
        round_done = self._round
        while True:
            try:
                task = waiting.popleft()
            except IndexError:
                slot.task = None
                starts[cell] = 0.0
                if round_done != self._round:
                    round_done = self._round
                    self._idle_hook()
                idle.append(lock)
                if waiting:  # something came between the look and the entry: take ourselves off again
                    try:
                        idle.remove(lock)
                        continue
                    except ValueError:
                        pass  # we were woken already
                lock.acquire()
                continue
            if task is None:
                self._leave(slot)
                self._stop_hook()
                self._started -= 1
                waiting.append(None)
                self.flush()
                return
            if waiting:
                self.flush()
            if task.line is not slot.line:
                self._show(slot, task.line)
            slot.begun = starts[cell] = monotonic()
            slot.task = task
            task.run()

    def respond(self, connection: Connection, data: bytes) -> None:
        """Hand over a whole response to the loop. Raises ``ClientGone``."""
        if connection.state == CLOSED:
            raise ClientGone
        self._post(connection, data, True)

    def transmit(self, connection: Connection, segment: Segment, final: bool) -> None:
        """Hand over a part of a response to the loop; waits while the client is far behind. Raises ``ClientGone``.

        Called in the slot's thread."""
        if connection.state == CLOSED:
            raise ClientGone
        size = 0 if final else len(segment)
        ahead = connection.ahead = connection.ahead + size
        self._post(connection, segment, final)
        if not final and ahead - connection.taken + connection.backlog > HIGH_WATER_BYTES:
            self._wait(connection)

    def _wait(self, connection: Connection) -> None:
        lock = self._allocate_lock()
        lock.acquire()
        connection.waiter = lock
        if connection.ahead - connection.taken + connection.backlog > HIGH_WATER_BYTES and connection.state != CLOSED:
            lock.acquire()
        connection.waiter = None
        if connection.state == CLOSED:
            raise ClientGone

    def abandon(self, connection: Connection) -> None:
        """End a response that can't be completed: the client must see that it is cut short."""
        self._post(connection, None, True)

    def _post(self, connection: Connection, segment: Segment | None, final: bool) -> None:
        self._done.append((connection, segment, final))
        if not self._signalled:
            self._signalled = True
            self._signal.send()

    def _collect(self) -> None:
        """In the loop: carry out what the threads have handed over."""
        self._signalled = False
        done = self._done
        for _ in range(len(done)):
            connection, segment, final = done.popleft()
            if self._given_up and connection in self._given_up:
                if isinstance(segment, FileSlice):
                    segment.close()
                continue
            if segment is None:
                connection.abort()
                continue
            if not final:
                connection.taken += len(segment)
            try:
                if final and segment.__class__ is bytes:
                    connection.respond(segment)
                else:
                    connection.transmit(segment, final)
            except ClientGone:
                if isinstance(segment, FileSlice):
                    segment.close()
            except Exception as error:  # a rim: gevent never calls a watcher again that has raised
                connection.engine.failed(connection, error)
            if connection.waiter is not None and connection.backlog <= HIGH_WATER_BYTES:
                self.release(connection)

    def release(self, connection: Connection) -> None:
        """The client has caught up, or is gone: let the task that waits for it go on."""
        waiter, connection.waiter = connection.waiter, None
        if waiter is not None:
            waiter.release()

    def frame(self, slot: Slot) -> FrameType | None:
        """Where the slot stands at this moment."""
        return sys._current_frames().get(slot.place)

    def settle(self) -> None:
        """Carry out what tasks have handed over up to now."""
        self._collect()

    def disown(self, connection: Connection) -> None:
        """Drop what a thread still hands over for this connection, which will be closed: it may be about to."""
        self._given_up = {known for known in self._given_up if known.state != CLOSED} | {connection}

    def interrupt(self, slot: Slot, error: Interrupted) -> None:
        """Nothing: an exception can't be raised in a thread that waits."""

    def housekeep(self) -> None:
        """Run the idle hook on every slot that is free."""
        self._round += 1
        for _ in range(len(self._idle)):
            try:
                self._idle.pop().release()
            except IndexError:
                return  # others took them meanwhile, and have what they do when there is nothing to do

    def stop(self) -> None:
        """End the free slots; the busy ones end with the process."""
        self._size = 0  # no new thread for the mark that each one passes on
        self._waiting.append(None)
        self.flush()
