"""The lives of workers: steps the ``WORKER`` table and carries its actions out.

What concerns more than one worker (a generation is ready, or without workers) is for ``supervision`` to see: it looks
at the states after each step.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from prodserve.config.options import Config
from prodserve.observe.board import Board
from prodserve.observe.flights import Flight
from prodserve.observe.log import Log
from prodserve.supervisor import lifecycle
from prodserve.supervisor.fleet import Generation, Worker, describe_status
from prodserve.supervisor.lifecycle import WORKER, WorkerAction, WorkerEvent

MOST_NAMED = 20
"""Requests of a dead worker that are named in the log."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LATE_S = 3.0
"""A supervisor that did not run for so long was stopped, and its workers probably with it: none is called hung yet."""


_OVER = (lifecycle.Worker.WORN, lifecycle.Worker.DRAINING)


class Start(Protocol):
    """Asks for a process for ``worker``: its PID, 0 where the fork server will tell it, ``None`` where none will come.

    ``OSError``: the system gives no process now."""

    def __call__(self, generation: Generation, worker: Worker) -> int | None: ...


class WorkerLives:
    """Changes ``Worker`` records, and nothing else. ``succeed`` starts a successor, ``has_room`` says whether there is
    a row for it on the board."""

    def __init__(
        self,
        config: Config,
        board: Board,
        log: Log,
        now: Callable[[], float],
        start: Start,
        succeed: Callable[[Generation, Worker], None],
        has_room: Callable[[], bool],
    ) -> None:
        self._config = config
        self._board = board
        self._log = log
        self._now = now
        self._start = start
        self._succeed = succeed
        self._has_room = has_room
        self._looked_s = self._resumed_s = now()

    def step(self, generation: Generation, worker: Worker, event: WorkerEvent) -> None:
        """One event of one worker."""
        worker.state, actions = WORKER[worker.state, event]
        for action in actions:
            _ACTIONS[action](self, generation, worker)

    def step_all(self, generation: Generation, event: WorkerEvent) -> None:
        """The same event for all workers of a generation."""
        for worker in generation.workers:
            self.step(generation, worker, event)

    def died(self, generation: Generation, worker: Worker, status: int | None) -> str:
        """The process of ``worker`` is gone (``None``: nobody knows how); gives that in words."""
        how = "is gone" if status is None else describe_status(status)
        expected = worker.state is lifecycle.Worker.DRAINING and status in (0, int(signal.SIGTERM))
        say = self._log.debug if expected else self._log.warning
        say(f"worker {worker.row} (pid {worker.pid or 'unknown'}) {how}{lost(self._board.flights.of(worker.row))}")
        short = self._now() - worker.born_s < lifecycle.SHORT_LIFE_S
        worker.failures = worker.failures + 1 if short else 0
        worker.pid = 0
        self._board.vacate(worker.row)
        self.step(generation, worker, WorkerEvent.DIED)
        return how

    def look(self, generations: list[Generation]) -> None:
        """At the time and the board, once a second or when something is due."""
        now = self._now()
        if now - self._looked_s > LATE_S:
            self._resumed_s = now
        self._looked_s = now
        for generation in generations:
            for worker in list(generation.workers):
                if worker.due_s is not None and worker.due_s <= now:
                    self.step(generation, worker, WorkerEvent.DUE)
                elif self._stale(worker, now):
                    self.step(generation, worker, WorkerEvent.STALE)
                elif generation.server is None and worker.pid and not alive(worker.pid):
                    self.died(generation, worker, None)
                elif generation.state is lifecycle.Generation.SERVING and worker.state is lifecycle.Worker.READY:
                    self._look_for_wear(generation, worker)

    def _look_for_wear(self, generation: Generation, worker: Worker) -> None:
        """One at a time, and not while many still drain: they all need memory."""
        over = [other.state for other in generation.workers if other.state in _OVER]
        if lifecycle.Worker.WORN in over or len(over) >= max(1, len(generation.workers) // 2) or not self._has_room():
            return
        why = self._worn(worker)
        if why:
            self._log.info(f"worker {worker.row} (pid {worker.pid}) is replaced: {why}")
            self.step(generation, worker, WorkerEvent.WORE_OUT)

    def _worn(self, worker: Worker) -> str:
        """Why it should make room for another one; empty: it should not."""
        row = self._board.read(worker.row)
        if row.pid != worker.pid:
            return ""
        if self._board.wishes[worker.row]:
            return "it asks for it"
        if worker.requests and row.requests >= worker.requests:
            return f"it has answered {row.requests} requests"
        limit_bytes = self._config.max_memory
        used_bytes = resident_bytes(worker.pid) if limit_bytes else 0
        return f"it takes {used_bytes >> 20} MiB of memory" if used_bytes > limit_bytes else ""

    def _stale(self, worker: Worker, now: float) -> bool:
        if worker.state is lifecycle.Worker.STARTING:
            return now - max(worker.born_s, self._resumed_s) > self._config.start_timeout
        if worker.state not in (lifecycle.Worker.READY, lifecycle.Worker.WORN) or not self._config.hang_timeout:
            return False
        row = self._board.read(worker.row)
        beat_s = row.heartbeat_s if row.pid == worker.pid else 0.0
        return now - max(beat_s, worker.ready_s, self._resumed_s) > self._config.hang_timeout

    def _fork(self, generation: Generation, worker: Worker) -> None:
        worker.born_s = self._now()
        worker.ready_s = 0.0
        worker.requests = spread(self._config.max_requests, self._config.max_requests_jitter)
        try:
            pid = self._start(generation, worker)
        except OSError as error:
            self._log.error(f"no process can be started: {error}")
            worker.failures += 1
            self.step(generation, worker, WorkerEvent.DIED)
            return
        if pid is None:
            self.step(generation, worker, WorkerEvent.CUT)
        elif pid:
            worker.pid = pid
            self.step(generation, worker, WorkerEvent.FORKED)

    def _dump(self, _: Generation, worker: Worker) -> None:
        if worker.ready_s:
            what = f"shows no life for {self._config.hang_timeout:g} s"
        else:
            what = f"has not become ready within {self._config.start_timeout:g} s"
        self._log.error(f"worker {worker.row} (pid {worker.pid}) {what} and is replaced; this is where it hangs:")
        kill(worker.pid, signal.SIGUSR1)

    def _arm(self, worker: Worker, delay_s: float) -> None:
        worker.due_s = self._now() + delay_s

    def _disarm(self, _: Generation, worker: Worker) -> None:
        worker.due_s = None

    def _arm_drain(self, _: Generation, worker: Worker) -> None:
        delay_s = self._config.shutdown_delay if self._board.state[0] else 0.0
        self._arm(worker, delay_s + self._config.graceful_timeout + lifecycle.MARGIN_S)


def lost(flights: Sequence[Flight]) -> str:
    """The requests that the application of a dead worker was running, in words for the log."""
    if not flights:
        return ""
    count = "a request was lost" if len(flights) == 1 else f"{len(flights)} requests were lost"
    named = "".join(f"\n{flight.line} ({flight.age_s:.1f} s)" for flight in flights[:MOST_NAMED])
    return f"; {count}, which it was running:{named}"


def spread(number: int, jitter: int) -> int:
    """``number`` and up to ``jitter`` more, so that workers that began together do not end together; 0 stays 0."""
    return number and number + int.from_bytes(os.urandom(4), "big") % (jitter + 1)


def resident_bytes(pid: int) -> int:
    """The resident memory of a process, as ``ps`` shows it: what it shares with others counts too. 0: not known."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def kill(pid: int, number: int) -> None:
    """Signal a process unless it is gone, or not known yet (0)."""
    if pid > 0:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def alive(pid: int) -> bool:
    """Whether there is such a process, of whichever user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_ACTIONS: dict[WorkerAction, Callable[[WorkerLives, Generation, Worker], None]] = {
    WorkerAction.FORK: WorkerLives._fork,
    WorkerAction.SUCCEED: lambda self, g, w: self._succeed(g, w),
    WorkerAction.TERM: lambda self, g, w: kill(w.pid, signal.SIGTERM),
    WorkerAction.KILL: lambda self, g, w: kill(w.pid, signal.SIGKILL),
    WorkerAction.DUMP: WorkerLives._dump,
    WorkerAction.ARM_BACKOFF: lambda self, g, w: self._arm(w, lifecycle.backoff_s(w.failures)),
    WorkerAction.ARM_DUMP: lambda self, g, w: self._arm(w, lifecycle.DUMP_S),
    WorkerAction.ARM_DRAIN: WorkerLives._arm_drain,
    WorkerAction.ARM_KILL: lambda self, g, w: self._arm(w, lifecycle.KILL_AGAIN_S),
    WorkerAction.DISARM: WorkerLives._disarm,
}
