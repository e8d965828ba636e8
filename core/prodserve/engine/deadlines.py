"""Deadlines of running and of waiting requests, kept by one sweep several times a second: no timer a request.

What a request may take counts from the moment at which the application begins with it; the time before, in the queue,
has a limit of its own. A request over its deadline is answered 503 at once – or cut, where bytes were sent – and loses
its connection, so that whatever the application still says reaches nobody. With greenlets ``RequestTimeout`` is then
raised where it waits; what does not end within ``GRACE_S`` (C code, an exception swallowed), and in the threads model
every such request, leaves a *stuck* slot behind. A worker with too many of them asks to be replaced.

Runs in the hub; only ``set_limit`` is called on slots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple

from ..errors import ClientDisconnected, RequestTimeout
from ..http.answer import Answer, plain_answer, without_body
from ..observe.log import Log
from ..observe.tracebacks import app_frames, app_traceback, frame_lines, stack_of
from .connection import CLOSED, NEVER, Connection
from .greenlet_slots import GreenletSlots
from .limits import LEFT_S, Limits
from .slots import Slot
from .tasks import NO_LINE, Task
from .thread_slots import ThreadSlots

SWEEP_S = 0.25
IDLE_SWEEP_S = 0.5
"""The same where no deadline is configured: only code can set one."""
GRACE_S = 2.0
"""How long the application may take to end a request that was interrupted, before its slot counts as stuck."""
STUCK_SHARE = 0.5
"""The share of stuck slots with which a worker asks to be replaced."""


class Own(NamedTuple):
    """A deadline that a request has set for itself."""

    begun: float
    """The beginning of that request: a later one on its slot has nothing to do with it."""
    at_s: float


@dataclass
class Late:
    """A request that was given up and whose slot is not free yet."""

    begun: float
    at_s: float
    """When it was given up."""
    stuck: bool


class Deadlines:
    """Those of one worker."""

    def __init__(
        self, *, loop: Any, slots: GreenletSlots | ThreadSlots, limits: Limits, log: Log, replace: Callable[[str], None]
    ) -> None:
        """``replace`` is called once, with the reason, when the worker should be replaced."""
        self.slots = slots
        self.limits = limits
        self.log = log
        self.late: dict[Slot, Late] = {}
        self._replace: Callable[[str], None] | None = replace
        self._soonest_s = limits.soonest_s
        self._cancels = limits.cancel and slots.interruptible
        self._own: dict[Slot, Own] = {}
        self._told: dict[Slot, float] = {}
        """The beginnings of the requests that were named as slow."""
        self._late_answer = plain_answer(503)
        self._queue_answer = plain_answer(503, [("Retry-After", "5")])
        period_s = SWEEP_S if limits.run_s or limits.prefixes or self._cancels else IDLE_SWEEP_S
        self._timer = loop.timer(period_s, period_s)
        self._timer.start(self._guarded_sweep)

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._timer.close()

    def stop(self) -> None:
        """In a forked child: look no more; the timer stays the parent's."""
        self._timer.stop()

    @property
    def stuck(self) -> int:
        """Slots that a request does not give back."""
        return sum(late.stuck for late in self.late.values())

    def set_limit(self, seconds: float) -> Callable[[], None] | None:
        """Give the request that runs on the caller's slot ``seconds`` from now on (0: for ever). What takes that back,
        or None where the caller is no request."""
        slot = self.slots.current()
        if slot is None or slot.task is None:
            return None
        before = self._own.get(slot) or Own(0.0, 0.0)
        mine = self._own[slot] = Own(slot.begun, monotonic() + seconds if seconds else NEVER)

        def undo() -> None:
            if self._own.get(slot) is mine:
                self._own[slot] = before

        return undo

    # The sweep

    def _guarded_sweep(self) -> None:
        try:
            self.sweep()  # switch
        except Exception as error:  # a rim: a timer that raises is never called again
            self.log.error(f"the deadlines were not looked at\n{app_traceback(error)}")

    def sweep(self) -> None:
        """Look at what waits, and at what has been running for long enough."""
        now = monotonic()
        if self.slots.waiting:
            self._sweep_queue(now)
        look_at_all = self._cancels or bool(self._own)
        for slot in self.slots.all[:]:
            task, begun = slot.task, slot.begun
            if task is not None and task.line is not NO_LINE and (look_at_all or now - begun >= self._soonest_s):
                self._look(slot, task, begun, now)  # switch
        if self.late or self._told or self._own:
            self._forget()

    def _sweep_queue(self, now: float) -> None:
        """Answer what has waited for too long, and drop what nobody waits for any more."""
        oldest = now - (self.limits.queue_s or NEVER)
        gone = now - LEFT_S

        def unwanted(task: Task) -> bool:
            connection = task.connection
            return connection.started < oldest or (
                connection.last and (connection.state == CLOSED or connection.started < gone)
            )

        dropped = self.slots.drop(unwanted)
        refused = 0
        for task in dropped:
            connection = task.cancel()
            if connection.last:
                connection.abort()
            else:
                refused += 1
                self._answer(connection, task, self._queue_answer)
        if refused:
            self.log.warning(f"{refused} requests waited for a slot for more than {self.limits.queue_s:g} s: 503")

    def _look(self, slot: Slot, task: Task, begun: float, now: float) -> None:
        if slot.task is not task:  # a thread has gone on, and what was read of its slot may not fit together
            return
        late = self.late.get(slot)
        if late is not None and late.begun == begun:
            if not late.stuck and now - late.at_s >= GRACE_S:
                self._stick(slot, task, late, now)
        elif now >= self._due(slot, task):
            self._end(slot, task, now)  # switch
        elif self._cancels and task.connection.last and task.line.method in ("GET", "HEAD"):
            self._cancel(slot, task)  # switch
        elif self._is_slow(slot, task, now):
            self._told[slot] = begun
            self.log.warning(f"{self._describe(slot, task, now)}: slow{self._stack(slot)}")

    def _is_slow(self, slot: Slot, task: Task, now: float) -> bool:
        """Whether it is to be named. One that is answering is not: it may be a stream, or its client slow."""
        slow_s = self.limits.slow_s
        return 0 < slow_s <= now - slot.begun and not task.is_answering and self._told.get(slot) != slot.begun

    def _due(self, slot: Slot, task: Task) -> float:
        own = self._own.get(slot)
        if own is not None and own.begun == slot.begun:
            return own.at_s
        return slot.begun + self.limits.of(task.line.for_app().get("PATH_INFO", ""))

    def _end(self, slot: Slot, task: Task, now: float) -> None:
        """The request is over its deadline."""
        slots, begun = self.slots, slot.begun
        text = self._describe(slot, task, now)
        stack = self._stack(slot)
        slots.settle()
        if slot.task is not task:
            return  # it has just ended
        connection, is_begun = task.give_up()
        if connection is None and now < self._due(slot, task) + GRACE_S:
            return  # its response is out: it is about to end
        how = "its response is out, but its slot is not free"
        if connection is not None:
            slots.disown(connection)
            how = "cut" if is_begun else "answered 503"
        late = self.late[slot] = Late(begun, now, stuck=not slots.interruptible)
        self.log.error(f"{text}: over its deadline, {how}{stack}")
        if connection is not None:
            if is_begun:
                connection.abort()  # switch
            else:
                connection.keep = False
                self._answer(connection, task, self._late_answer)
        if late.stuck:
            self._count_stuck()
        elif slot.task is task and slot.begun == begun:
            slots.interrupt(slot, RequestTimeout(text))  # switch

    def _cancel(self, slot: Slot, task: Task) -> None:
        """The client is gone: nobody will see what the request makes."""
        begun = slot.begun
        text = self._describe(slot, task, monotonic())
        connection, _ = task.give_up()
        if connection is None:
            return
        self.late[slot] = Late(begun, monotonic(), stuck=False)
        self.log.debug(f"{text}: interrupted, its client is gone")
        connection.abort()  # switch
        if slot.task is task and slot.begun == begun:
            self.slots.interrupt(slot, ClientDisconnected(text))  # switch

    def _stick(self, slot: Slot, task: Task, late: Late, now: float) -> None:
        """An interrupted request has not ended."""
        late.stuck = True
        stack = self._stack(slot)
        self.log.error(
            f"{self._describe(slot, task, now)}: still running {GRACE_S:g} s after it was interrupted{stack}"
        )
        self._count_stuck()

    def _count_stuck(self) -> None:
        """Ask for a successor when too many slots are lost."""
        stuck, size = self.stuck, self.slots.size
        if self._replace is not None and stuck >= max(1.0, size * STUCK_SHARE):
            replace, self._replace = self._replace, None
            replace(f"{stuck} of {size} slots are stuck in requests over their deadlines")

    def _answer(self, connection: Connection, task: Task, answer: Answer) -> None:
        connection.answer(without_body(answer) if task.line.method == "HEAD" else answer)

    def _forget(self) -> None:
        """What is known of requests that have ended concerns nobody."""

        def runs(slot: Slot, begun: float) -> bool:
            return slot.task is not None and slot.begun == begun

        self.late = {slot: late for slot, late in self.late.items() if runs(slot, late.begun)}
        self._told = {slot: begun for slot, begun in self._told.items() if runs(slot, begun)}
        for slot, own in list(self._own.items()):
            if not runs(slot, own.begun) and self._own.get(slot) is own:
                del self._own[slot]

    # Words

    def _describe(self, slot: Slot, task: Task, now: float) -> str:
        """The request, how long it has been running, and how long it had waited."""
        queued_s = slot.begun - task.connection.started if task.connection.started else 0.0
        queue = f", after {queued_s:.1f} s in the queue" if queued_s >= 0.05 else ""
        return f"{task.line.log}: running for {now - slot.begun:.1f} s{queue}"

    def _stack(self, slot: Slot) -> str:
        """Where it stands, to be put behind a line of the log."""
        return frame_lines(app_frames(stack_of(self.slots.frame(slot))))

    def dump(self) -> str:
        """All requests that are running, and where each of them stands."""
        now = monotonic()
        running = [(slot, slot.task) for slot in self.slots.all[:]]
        parts = [
            f"\n{self._describe(slot, task, now)}{self._stack(slot)}"
            for slot, task in running
            if task is not None and task.line is not NO_LINE
        ]
        return f"{len(parts)} requests are running, {self.slots.waiting} wait for a slot{''.join(parts)}"
