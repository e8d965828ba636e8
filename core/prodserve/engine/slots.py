"""Slots: where application code runs. Long-lived, the one used last taken first, in two models with one interface.

``GreenletSlots``: greenlets in the hub's thread; for a patched interpreter. ``ThreadSlots``: native threads; for an
unpatched one. A process has one or the other, never both (hazards.md 2.4).

A *task* has ``run()``, which never raises, and calls ``slots.transmit`` to hand over its response. Everything else here
is called in the hub. Last used first keeps a small set of slots hot, and with it their database connections: three at a
real concurrency of three, not as many as there are slots (hazards.md 2.2).
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any, Protocol

from gevent import monkey
from greenlet import GreenletExit, getcurrent, greenlet

from ..errors import ClientGone, Interrupted
from ..h1.head import RequestLine
from ..http.segments import FileSlice, Segment
from ..observe.flights import Cells
from .connection import CLOSED, Connection

HIGH_WATER_BYTES = 262144
"""A task waits when so much of its response waits for the client; it goes on at ``Engine.low_water_bytes``."""
STARTED_AT_ONCE = 32
"""Waiting requests that are begun before the loop looks at its other work."""


NO_LINE = RequestLine("", b"", 1, {}, "")
"""The line of a task that is not a request."""

get_ident = monkey.get_original("_thread", "get_ident")


class Task(Protocol):
    """One request to run."""

    line: RequestLine

    def run(self) -> None: ...

    @property
    def connection(self) -> Connection: ...

    @property
    def is_answering(self) -> bool:
        """Whether the head of its response is out."""

    def cancel(self) -> Connection:
        """It will not run: give back what it holds, but the connection."""

    def give_up(self) -> tuple[Connection | None, bool]:
        """Whatever it says from now on does not reach the client. The connection, unless the whole response is out, and
        whether it was begun."""


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

    def __init__(
        self,
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


class GreenletSlots(Slots):
    """Slots that are greenlets: the hub switches straight into one and gets control back when the app first waits."""

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
        super().__init__(size, queue_size, idle, stop, interrupted, cells)
        self._hub = hub
        self._loop = hub.loop
        self._to_hub = partial(greenlet.switch, hub)
        self._scheduled = False
        self._to_mend: set[Slot] = set()
        """Those whose request was interrupted: what it used may have been left half-way."""
        self.on_begin: Callable[[], None] | None = None
        """Called when requests are about to begin, for one who sleeps while there are none."""

    here = staticmethod(getcurrent)

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

    def interrupt(self, slot: Slot, error: Interrupted) -> bool:
        """Raise ``error`` in the request that runs on the slot, at the point where it waits. Called in the hub.

        True, for this can be done; it need not end the request: what it does with the exception is its own business.
        """
        self._to_mend.add(slot)
        slot.place.throw(error)  # switch
        return True

    def housekeep(self) -> None:
        """Run the idle hook on every slot that is free."""
        hook = _Call(self._idle_hook)
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


class ThreadSlots(Slots):
    """Slots that are native threads. Requests of one wake-up of the loop wait in one queue and wake one thread, which
    wakes the next if there is more; finished parts wake the loop once, however many there are."""

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
        super().__init__(size, queue_size, idle, stop, interrupted, cells)
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

    def interrupt(self, slot: Slot, error: Interrupted) -> bool:
        """False: nothing can be raised in a thread."""
        return False

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


class _Call:
    """A task that is not a request."""

    line = NO_LINE

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run

    @property
    def connection(self) -> Connection:
        """There is none."""
        raise TypeError("this task is not a request")

    is_answering = False

    def cancel(self) -> Connection:
        """There is nothing to give back."""
        return self.connection

    def give_up(self) -> tuple[Connection | None, bool]:
        """There is nobody to answer."""
        return None, False
