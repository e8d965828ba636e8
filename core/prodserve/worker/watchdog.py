"""The watchdog: names the code that keeps the event loop from turning, while it does.

With greenlets, one request that computes or that blocks in a driver which does not cooperate lets all others wait. A
native thread asks the loop for a sign of life several times a second while requests are in flight; where none comes it
looks where the loop's thread stands. It reports only what *one* request did, for as long as ``limit_s``: many short
ones after another are work, not a fault. Time in which this process was not run – stopped, suspended, or short of CPU –
does not count, so none of these is taken for a block. While there are no requests the thread sleeps.

C code that holds the interpreter holds this thread too: it is mostly reported afterwards, from the CPU time that it
took. What never ends is the supervisor's business (``--hang-timeout``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from traceback import FrameSummary
from typing import Any

from gevent import monkey

from ..engine.greenlet_slots import GreenletSlots
from ..engine.slots import Slot
from ..engine.tasks import NO_LINE, Task
from ..observe.log import Log
from ..observe.tracebacks import Stack, app_frames, frame_lines, place_of, stack_of

PERIOD_S = 0.05
"""How often the thread looks while requests are in flight."""
SHORTEST_S = 0.01
"""The same where short blocks are to be named: never more often."""
LONG_S = 2.0
"""What lasts so long is reported while it lasts."""
QUIET_S = 10.0
"""The same place is not named more often."""
PLACES = 500
"""Places whose totals are remembered."""


def thread_times(tid: int) -> tuple[float, float]:
    """The seconds that a thread of this process has run, and that it has waited for a CPU; 0 where unknown."""
    try:
        with open(f"/proc/self/task/{tid}/schedstat", "rb") as file:
            run_ns, waited_ns = file.read().split()[:2]
    except (OSError, ValueError):
        return 0.0, 0.0
    return int(run_ns) / 1e9, int(waited_ns) / 1e9


def held_s(slept_s: float, ran_s: float, starved_s: float, period_s: float) -> float:
    """How long the loop's thread was held by its own code while the watchdog slept for ``slept_s``, in which that
    thread ran for ``ran_s`` and waited for a CPU for ``starved_s``.

    A watchdog that slept for much longer than it wanted was stopped itself, together with the loop, or kept waiting by
    C code that holds the interpreter: that has taken CPU time."""
    return max(0.0, min(slept_s - starved_s, max(2 * period_s, ran_s)))


@dataclass
class Total:
    """What one place has cost up to now."""

    times: int = 0
    seconds: float = 0.0
    told_s: float = float("-inf")


class Totals:
    """How often and for how long each place has blocked, and when to say so."""

    def __init__(self) -> None:
        self._places: dict[str, Total] = {}

    def add(self, place: str, seconds: float, now_s: float) -> str | None:
        """What to say behind the report of one more block; None: nothing, it was named just now."""
        if place not in self._places and len(self._places) >= PLACES:
            self._places.clear()
        total = self._places.setdefault(place, Total())
        total.times += 1
        total.seconds += seconds
        if now_s - total.told_s < QUIET_S:
            return None
        total.told_s = now_s
        return f" ({total.times} times here, {total.seconds:.1f} s in all)" if total.times > 1 else ""


@dataclass
class Block:
    """What keeps the loop, as far as it is known."""

    slot: Slot | None
    begun: float
    """The beginning of the slot's request: that of another one ends this block."""
    held_s: float = 0.0
    culprit: str = ""
    place: str = ""
    stack: str = ""
    told: bool = False


def locate(frames: Sequence[FrameSummary], folder: str, own_only: bool) -> str:
    """``app/views.py:41``, from where the project is. Where no frame is of the user's own code it is the innermost one,
    or, ``own_only``, empty."""
    frame = place_of(frames, own_only)
    if frame is None:
        return ""
    beneath = bool(folder) and frame.filename.startswith(folder + os.sep)
    return f"{os.path.relpath(frame.filename, folder) if beneath else frame.filename}:{frame.lineno}"


def working_folder() -> str:
    """Where the project is; empty where that folder does not exist any more."""
    try:
        return os.getcwd()
    except OSError:
        return ""


class Watchdog:
    """That of one worker; made in the hub's thread."""

    def __init__(self, hub: Any, slots: GreenletSlots, limit_s: float, log: Log) -> None:
        self.slots = slots
        self.limit_s = limit_s
        self.log = log
        self._period_s = max(SHORTEST_S, min(PERIOD_S, limit_s / 4))
        self._folder = working_folder()
        self._ident = monkey.get_original("_thread", "get_ident")()
        self._tid = monkey.get_original("threading", "get_native_id")()
        self._totals = Totals()
        self._asked_s = 0.0
        """When the loop was asked for a sign of life that it has not given yet; 0: it has."""
        self._seen_s = 0.0
        self._times = 0.0, 0.0
        """When the thread last looked, and the times of the loop's thread then."""
        self._block: Block | None = None
        self._ending = False
        allocate = monkey.get_original("_thread", "allocate_lock")
        self._bed, self._ended = allocate(), allocate()
        self._bed.acquire()
        self._ended.acquire()
        self._ping = hub.loop.async_()
        self._ping.start(self._pong)
        self._start_thread: Callable[..., object] = monkey.get_original("_thread", "start_new_thread")

    def start(self) -> None:
        """Begin to watch."""
        self._start_thread(self._guarded_watch, ())

    def close(self) -> None:
        """End the thread, and wait for it."""
        self._ending = True
        self._wake()
        self._ended.acquire(True, 1.0)
        self.stop()
        self._ping.close()

    def stop(self) -> None:
        """In a forked child, where the thread does not exist."""
        self.slots.on_begin = None
        self._ping.stop()

    def _pong(self) -> None:
        """In the hub: it turns."""
        self._asked_s = 0.0

    def _ask_early(self) -> None:
        """In the hub, before a request: what it does from now on counts, even if it holds the interpreter."""
        if not self._asked_s:
            self.slots.on_begin = None
            self._ask()

    def _wake(self) -> None:
        """The same, where the thread sleeps."""
        self.slots.on_begin = None
        self._ask()
        if self._bed.locked():
            self._bed.release()

    # In the thread

    def _guarded_watch(self) -> None:
        try:
            self._watch()
        except Exception as error:  # a rim: the server goes on without its watchdog
            self.log.error(f"the watchdog of the loop has ended: {error!r}")
        finally:
            self._ended.release()

    def _watch(self) -> None:
        while not self._ending:
            self.slots.on_begin = self._ask_early
            if not self._asked_s:
                self._finish_block()
            if self._asked_s:
                self._look()
            elif self.slots.busy:
                self._ask()
            else:
                self._sleep()
                if self._asked_s:  # C code may have held the interpreter since then, and just let go
                    self._look()
            self._bed.acquire(True, self._period_s)

    def _sleep(self) -> None:
        """Until a request begins."""
        self.slots.on_begin = self._wake
        if not self.slots.busy:  # else one has begun before it could see that we sleep
            self._bed.acquire()
        self.slots.on_begin = self._ask_early

    def _ask(self) -> None:
        """Ask the loop for a sign of life."""
        self._times = thread_times(self._tid)
        self._asked_s = self._seen_s = monotonic()
        self._ping.send()

    def _look(self) -> None:
        """The loop has not turned since the last look: who has it?"""
        # What is seen belongs together only as long as nothing here lets go of the interpreter.
        stack, slot = stack_of(sys._current_frames().get(self._ident)), self.slots.running()
        task, begun = (None, 0.0) if slot is None else (slot.task, slot.begun)
        now_s, times = monotonic(), thread_times(self._tid)
        ran_s, starved_s = times[0] - self._times[0], times[1] - self._times[1]
        step_s = held_s(now_s - self._seen_s, ran_s, starved_s, self._period_s)
        self._seen_s, self._times = now_s, times
        block = self._block
        if block is None or block.slot is not slot or block.begun != begun:
            self._finish_block()
            block = self._block = Block(slot, begun)
            if slot is not None:
                step_s = min(step_s, max(0.0, now_s - begun))
        block.held_s += step_s
        if block.held_s >= self.limit_s and not block.place:
            self._identify(block, task, stack)
        if block.held_s >= LONG_S and block.place and not block.told:
            block.told = True
            self.log.warning(f"loop blocked for {block.held_s:.0f} s so far by {block.culprit}{block.stack}")

    def _identify(self, block: Block, task: Task | None, stack: Stack) -> None:
        frames = app_frames(stack)
        block.place = locate(frames, self._folder, own_only=block.slot is None)  # else it is the loop itself
        who = "code outside of requests" if task is None or task.line is NO_LINE else short(task.line.log)
        block.culprit = f"{who} at {block.place}"
        block.stack = frame_lines(frames)

    def _finish_block(self) -> None:
        """The loop turns again, or something else keeps it: tell what had."""
        block, self._block = self._block, None
        if block is not None and block.place:
            more = self._totals.add(block.place, block.held_s, monotonic())
            if more is not None:
                stack = "" if block.told else block.stack
                self.log.warning(f"loop blocked {block.held_s * 1000:.0f} ms by {block.culprit}{more}{stack}")


def short(line: str) -> str:
    """``GET /x`` of a request line."""
    return line.rpartition(" ")[0] or line
