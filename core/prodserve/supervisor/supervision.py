"""The supervisor at work: events step the tables of ``lifecycle``, actions are carried out. It decides nothing itself.

``main`` feeds it: signals, packets, ended children, the time. An action does one thing to the world; where that causes
a further event, it is stepped at once (a state is always changed before its actions run).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from prodserve.config.options import Config
from prodserve.observe.board import Board
from prodserve.observe.log import Log
from prodserve.supervisor import lifecycle
from prodserve.supervisor.fleet import Generation, Process, Worker, describe_status
from prodserve.supervisor.lifecycle import (
    GenerationAction,
    GenerationEvent,
    Server,
    ServerAction,
    ServerEvent,
    WorkerAction,
    WorkerEvent,
)
from prodserve.supervisor.packets import LIMIT_BYTES, decode, encode

END_PROCESS_S = 5.0
"""What a fork server gets to end by itself."""
LATE_S = 3.0
"""A supervisor that did not run for so long was stopped, and its workers probably with it: none is called hung yet."""

SIGNALS = {
    signal.SIGHUP: ServerEvent.HUP,
    signal.SIGTERM: ServerEvent.TERM,
    signal.SIGINT: ServerEvent.INT,
    signal.SIGQUIT: ServerEvent.QUIT,
}


class Supervision:
    """All generations and workers of one server. ``now`` is the monotonic clock, ``spawn`` starts a generation process
    (of a whole generation, or of one worker of it), ``announce`` says that one is up (``True``: after a reload)."""

    def __init__(
        self,
        config: Config,
        *,
        workers: int,
        board: Board,
        log: Log,
        now: Callable[[], float],
        spawn: Callable[[Generation, Worker | None], Process],
        announce: Callable[[Generation, bool], None],
    ) -> None:
        self.state = Server.STARTING
        self.exit_code = 0
        self.generations: list[Generation] = []
        self.processes: dict[int, Process] = {}
        self._config = config
        self._workers = workers
        self._board = board
        self._log = log
        self._now = now
        self._spawn = spawn
        self._announce = announce
        self._number = 0
        self._announced = False
        self._failures = 0
        self._retry_s: float | None = None
        self._looked_s = self._resumed_s = now()

    # what happens

    def start(self) -> None:
        """Start the first generation."""
        self._new_generation()

    def signalled(self, number: int) -> None:
        """A signal arrived."""
        event = SIGNALS.get(signal.Signals(number))
        if event is not None:
            self._log.info(f"{signal.Signals(number).name} received")
            self._step_server(event)

    def receive(self, process: Process) -> None:
        """Take the packets that wait on the control socket of ``process``."""
        while process.control is not None:
            try:
                packet = process.control.recv(LIMIT_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._disconnect(process)
                return
            try:
                message = decode(packet)
                self._heard(process, message)
            except (ValueError, KeyError, TypeError) as error:
                self._log.error(f"a message of process {process.pid} makes no sense ({error!r}): {packet[:200]!r}")

    def ended(self, pid: int, status: int) -> None:
        """A child of this process ended; ``status`` is that of ``waitpid``. Strangers were orphans: nothing to do."""
        process = self.processes.get(pid)
        if process is None:
            self._worker_ended(pid, status)
            return
        self.receive(process)
        self._disconnect(process)
        del self.processes[pid]
        generation = process.generation
        if process.worker is not None:
            self._worker_ended(pid, status)
        else:
            generation.server = None
            generation.why = generation.why or f"its process {pid} {describe_status(status)}"
            self._step_generation(generation, GenerationEvent.LOST)

    def tick(self) -> None:
        """Look at the time: what is due, who stopped beating, what has ended."""
        now = self._now()
        if now - self._looked_s > LATE_S:
            self._resumed_s = now
        self._looked_s = now
        for generation in list(self.generations):
            for worker in generation.workers:
                if worker.due_s is not None and worker.due_s <= now:
                    self._step_worker(generation, worker, WorkerEvent.DUE)
                elif self._stale(worker, now):
                    self._step_worker(generation, worker, WorkerEvent.STALE)
                elif generation.server is None and worker.pid and not _alive(worker.pid):
                    self._worker_ended(worker.pid, None)
            self._settle(generation)
        for process in list(self.processes.values()):
            if process.kill_s is not None and process.kill_s <= now:
                process.kill_s = now + lifecycle.KILL_AGAIN_S
                _kill(process.pid, signal.SIGKILL)
        if self._retry_s is not None and self._retry_s <= now:
            self._new_generation()
        if not self.generations and not self.processes:
            self._step_server(ServerEvent.EMPTY)

    def next_s(self) -> float:
        """When ``tick`` is needed again, by the monotonic clock: at the latest in a second, for the heartbeats."""
        due = [worker.due_s for generation in self.generations for worker in generation.workers]
        due += [process.kill_s for process in self.processes.values()]
        return min([time_s for time_s in [*due, self._retry_s] if time_s is not None] + [self._looked_s + 1.0])

    # packets

    def _heard(self, process: Process, message: Mapping[str, Any]) -> None:
        generation, event = process.generation, message["event"]
        if event == "loaded" and process.worker is not None:
            self._send(process, {"do": "become", "slot": process.worker.row})
        elif event == "loaded":
            generation.loaded = message
            generation.shareable = bool(message["shareable"])
            if not generation.shareable:
                self._log.warning(
                    "each worker loads the application by itself, memory is not shared: "
                    + "; ".join(message["because"])
                )
            self._step_generation(generation, GenerationEvent.LOADED)
        elif event == "failed" and process.worker is not None:
            self._log.error(f"a worker can't load the application:\n{message['why']}")
        elif event == "failed":
            generation.why = str(message["why"])
            self._step_generation(generation, GenerationEvent.FAILED)
        else:
            self._heard_of_worker(generation, event, message)

    def _heard_of_worker(self, generation: Generation, event: str, message: Mapping[str, Any]) -> None:
        worker = next((w for w in generation.workers if w.row == message["slot"]), None)
        if worker is None:
            return
        if event == "exited":
            if worker.pid in (0, message["pid"]):
                self._bury(generation, worker, message["status"])
            return
        worker.pid = message["pid"]
        if event == "forked":
            self._step_worker(generation, worker, WorkerEvent.FORKED)
        else:
            worker.ready_s = self._now()
            self._step_worker(generation, worker, WorkerEvent.READY)
            if generation.ready:
                self._step_generation(generation, GenerationEvent.READY)

    def _worker_ended(self, pid: int, status: int | None) -> None:
        for generation in self.generations:
            for worker in generation.workers:
                if worker.pid == pid:
                    self._bury(generation, worker, status)
                    return

    def _bury(self, generation: Generation, worker: Worker, status: int | None) -> None:
        expected = worker.state is lifecycle.Worker.DRAINING
        how = "is gone" if status is None else describe_status(status)
        say = self._log.debug if expected and status == 0 else self._log.warning
        say(f"worker {worker.row} (pid {worker.pid or 'unknown'}) {how}")
        short = self._now() - worker.born_s < lifecycle.SHORT_LIFE_S
        worker.failures = worker.failures + 1 if short else 0
        worker.pid = 0
        self._step_worker(generation, worker, WorkerEvent.DIED)
        if worker.failures >= lifecycle.PATIENCE and any(
            other.number < generation.number and other.state is lifecycle.Generation.SERVING
            for other in self.generations
        ):
            generation.why = f"its workers die before they are ready ({how})"
            self._step_generation(generation, GenerationEvent.STUMBLED)

    # steps

    def _step_server(self, event: ServerEvent, generation: Generation | None = None) -> None:
        self.state, actions = lifecycle.SERVER[self.state, event]
        for action in actions:
            _SERVER_ACTIONS[action](self, generation)

    def _step_generation(self, generation: Generation, event: GenerationEvent) -> None:
        generation.state, actions = lifecycle.GENERATION[generation.state, event]
        for action in actions:
            _GENERATION_ACTIONS[action](self, generation)
        if generation.state is lifecycle.Generation.GONE and generation in self.generations:
            self.generations.remove(generation)
        elif actions:
            self._settle(generation)

    def _step_worker(self, generation: Generation, worker: Worker, event: WorkerEvent) -> None:
        worker.state, actions = lifecycle.WORKER[worker.state, event]
        for action in actions:
            _WORKER_ACTIONS[action](self, generation, worker)

    def _step_workers(self, generation: Generation, event: WorkerEvent) -> None:
        for worker in list(generation.workers):
            self._step_worker(generation, worker, event)

    def _settle(self, generation: Generation) -> None:
        if generation.empty:
            self._step_generation(generation, GenerationEvent.EMPTY)

    # actions on the whole

    def _announce_up(self, generation: Generation | None) -> None:
        assert generation is not None
        self._announce(generation, self._announced)
        self._announced = True

    def _reload(self, _: Generation | None) -> None:
        for generation in list(self.generations):
            if generation.state in (lifecycle.Generation.LOADING, lifecycle.Generation.STARTING):
                self._step_generation(generation, GenerationEvent.RETIRE)
        self._new_generation()

    def _new_generation(self) -> None:
        self._retry_s = None
        self._number += 1
        generation = Generation(self._number, self._now())
        try:
            generation.server = self._spawn(generation, None)
        except OSError as error:
            self._log.error(f"no process can be started: {error}")
            self._step_server(ServerEvent.FAILURE, generation)
            return
        self.processes[generation.server.pid] = generation.server
        self.generations.append(generation)
        self._log.debug(f"generation {generation.number} loads the application (pid {generation.server.pid})")

    def _retry(self, _: Generation | None = None) -> None:
        usable = (lifecycle.Generation.LOADING, lifecycle.Generation.STARTING, lifecycle.Generation.SERVING)
        if not any(generation.state in usable for generation in self.generations):
            self._failures += 1
            self._retry_s = self._now() + lifecycle.backoff_s(self._failures)

    def _retire_all(self, _: Generation | None) -> None:
        self._retry_s = None
        for generation in list(self.generations):
            self._step_generation(generation, GenerationEvent.RETIRE)

    def _kill_all(self, _: Generation | None) -> None:
        self._retry_s = None
        for generation in list(self.generations):
            self._step_generation(generation, GenerationEvent.KILL)
        for process in self.processes.values():
            process.kill_s = self._now()

    def _fail(self, _: Generation | None) -> None:
        self.exit_code = 1

    # actions on a generation

    def _start_workers(self, generation: Generation) -> None:
        taken = {worker.row for other in self.generations for worker in other.workers if not _gone(worker)}
        free = [row for row in range(self._board.slots) if row not in taken]
        generation.workers = [Worker(row) for row in free[: self._workers]]
        if len(generation.workers) < self._workers:
            generation.why = "too many workers of earlier generations have not ended yet"
            self._step_generation(generation, GenerationEvent.LOST)
            return
        self._step_workers(generation, WorkerEvent.START)

    def _take_over(self, generation: Generation) -> None:
        for other in list(self.generations):
            if other.number < generation.number:
                self._step_generation(other, GenerationEvent.RETIRE)
        self._step_server(ServerEvent.UP, generation)

    def _replace(self, generation: Generation) -> None:
        self._log.error(f"generation {generation.number} can't start workers any more: {generation.why}")
        if self._now() - generation.born_s > lifecycle.LONG_LIFE_S:
            self._failures = 0
        self._retry()

    def _report(self, generation: Generation) -> None:
        kept = any(other.state is lifecycle.Generation.SERVING for other in self.generations)
        self._log.error(
            ("the new code is not used, the old goes on serving: " if kept else "the application can't be served: ")
            + generation.why
        )
        self._step_server(ServerEvent.FAILURE, generation)

    def _release(self, generation: Generation) -> None:
        process = generation.server
        if process is not None and process.kill_s is None:
            self._send(process, {"do": "quit"})
            process.kill_s = self._now() + END_PROCESS_S

    def _kill_process(self, generation: Generation) -> None:
        if generation.server is not None:
            generation.server.kill_s = self._now()

    # actions on a worker

    def _fork(self, generation: Generation, worker: Worker) -> None:
        worker.born_s = self._now()
        server = generation.server
        if generation.shareable:
            if server is None or not self._send(server, {"do": "fork", "slot": worker.row}):
                self._step_worker(generation, worker, WorkerEvent.CUT)
            return
        if server is not None:
            generation.server = None
            server.worker = worker
            self._send(server, {"do": "become", "slot": worker.row})
        else:
            try:
                server = self._spawn(generation, worker)
            except OSError as error:
                self._log.error(f"no process can be started: {error}")
                worker.failures += 1
                self._step_worker(generation, worker, WorkerEvent.DIED)
                return
            self.processes[server.pid] = server
        worker.pid = server.pid
        self._step_worker(generation, worker, WorkerEvent.FORKED)

    def _dump(self, _: Generation, worker: Worker) -> None:
        self._log.error(
            f"worker {worker.row} (pid {worker.pid}) shows no life for {self._config.hang_timeout:g} s "
            "and is replaced; this is where it hangs:"
        )
        _kill(worker.pid, signal.SIGUSR1)

    def _arm(self, worker: Worker, delay_s: float) -> None:
        worker.due_s = self._now() + delay_s

    def _stale(self, worker: Worker, now: float) -> bool:
        if worker.state is not lifecycle.Worker.READY or not self._config.hang_timeout:
            return False
        row = self._board.read(worker.row)
        beat_s = row.heartbeat_s if row.pid == worker.pid else 0.0
        return now - max(beat_s, worker.ready_s, self._resumed_s) > self._config.hang_timeout

    # the control sockets

    def _send(self, process: Process, message: Mapping[str, Any]) -> bool:
        if process.control is None:
            return False
        try:
            process.control.send(encode(message))
        except OSError as error:
            self._log.error(f"process {process.pid} can't be told {message}: {error}")
            process.kill_s = self._now()
            return False
        return True

    def _disconnect(self, process: Process) -> None:
        if process.control is not None:
            process.control.close()
            process.control = None


def _gone(worker: Worker) -> bool:
    return worker.state is lifecycle.Worker.GONE


def _kill(pid: int, number: int) -> None:
    """Signal a process unless it is gone."""
    if pid > 0:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


_SERVER_ACTIONS: dict[ServerAction, Callable[[Supervision, Generation | None], None]] = {
    ServerAction.ANNOUNCE: Supervision._announce_up,
    ServerAction.RELOAD: Supervision._reload,
    ServerAction.RETRY: Supervision._retry,
    ServerAction.RETIRE_ALL: Supervision._retire_all,
    ServerAction.KILL_ALL: Supervision._kill_all,
    ServerAction.FAILED: Supervision._fail,
}

_GENERATION_ACTIONS: dict[GenerationAction, Callable[[Supervision, Generation], None]] = {
    GenerationAction.START_WORKERS: Supervision._start_workers,
    GenerationAction.CUT_WORKERS: lambda self, g: self._step_workers(g, WorkerEvent.CUT),
    GenerationAction.RETIRE_WORKERS: lambda self, g: self._step_workers(g, WorkerEvent.RETIRE),
    GenerationAction.KILL_WORKERS: lambda self, g: self._step_workers(g, WorkerEvent.KILL),
    GenerationAction.TAKE_OVER: Supervision._take_over,
    GenerationAction.REPLACE: Supervision._replace,
    GenerationAction.FAIL: Supervision._report,
    GenerationAction.RELEASE: Supervision._release,
    GenerationAction.KILL_PROCESS: Supervision._kill_process,
}

_WORKER_ACTIONS: dict[WorkerAction, Callable[[Supervision, Generation, Worker], None]] = {
    WorkerAction.FORK: Supervision._fork,
    WorkerAction.TERM: lambda self, g, w: _kill(w.pid, signal.SIGTERM),
    WorkerAction.KILL: lambda self, g, w: _kill(w.pid, signal.SIGKILL),
    WorkerAction.DUMP: Supervision._dump,
    WorkerAction.ARM_BACKOFF: lambda self, g, w: self._arm(w, lifecycle.backoff_s(w.failures)),
    WorkerAction.ARM_DUMP: lambda self, g, w: self._arm(w, lifecycle.DUMP_S),
    WorkerAction.ARM_DRAIN: lambda self, g, w: self._arm(w, self._config.graceful_timeout + lifecycle.MARGIN_S),
    WorkerAction.ARM_KILL: lambda self, g, w: self._arm(w, lifecycle.KILL_AGAIN_S),
    WorkerAction.DISARM: lambda self, g, w: setattr(w, "due_s", None),
}
