"""The supervisor at work: events step the tables of ``lifecycle``, actions are carried out. It decides nothing itself.

``main`` feeds it: signals, packets, ended children, the time. An action does one thing to the world; where that causes
a further event, it is stepped at once (a state is always changed before its actions run).
"""

from __future__ import annotations

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
    WorkerEvent,
)
from prodserve.supervisor.packets import decode
from prodserve.supervisor.processes import Processes
from prodserve.supervisor.workers import WorkerLives

LATE_MARGIN_S = 3.0
"""After ``start_timeout``, within which a worker that does not become ready writes where it hangs."""

SIGNALS = {
    signal.SIGHUP: ServerEvent.HUP,
    signal.SIGTERM: ServerEvent.TERM,
    signal.SIGINT: ServerEvent.INT,
    signal.SIGQUIT: ServerEvent.QUIT,
}


_YOUNG = (lifecycle.Generation.LOADING, lifecycle.Generation.STARTING, lifecycle.Generation.TRIAL)
_SERVES = (lifecycle.Generation.SERVING, lifecycle.Generation.ORPHANED)
_DECIDED = (lifecycle.Generation.SERVING, lifecycle.Generation.RETIRING, lifecycle.Generation.GONE)


class Supervision:
    """All generations and workers of one server. ``now`` is the monotonic clock, ``spawn`` starts a generation process
    (of a whole generation, or of one worker of it), ``announce`` says that one is up (``True``: after a reload),
    ``decided`` hears of each generation once: that it serves, or why it never will (``why``)."""

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
        decided: Callable[[Generation], None],
    ) -> None:
        self.state = Server.STARTING
        self.exit_code = 0
        self.generations: list[Generation] = []
        self.processes = Processes(now, log)
        self._workers = workers
        self._board = board
        self._log = log
        self._now = now
        self._spawn = spawn
        self._announce = announce
        self._decided = decided
        self._config = config
        self._number = 0
        self._announced = False
        self._failures = 0
        self._retry_s: float | None = None
        self._looked_s = now()
        self._lives = WorkerLives(
            config, board, log, now, self._start_worker, self._succeed, lambda: bool(self._free_rows())
        )

    # what happens

    def start(self) -> None:
        """Start the first generation."""
        self._new_generation()

    def reload(self) -> int | None:
        """Start another generation; its number, ``None`` where the server ends or no process can be had."""
        before = self._number
        self._step_server(ServerEvent.HUP)
        started = self._number > before and any(one.number == self._number for one in self.generations)
        return self._number if started else None

    def stop(self) -> None:
        """End gracefully."""
        self._board.state[0] = 1
        self._step_server(ServerEvent.TERM)

    def hand_over(self) -> None:
        """Another server accepts on the same sockets: end gracefully, without waiting for clients to learn of it."""
        self._step_server(ServerEvent.TERM)

    def signalled(self, number: int) -> None:
        """A signal arrived."""
        event = SIGNALS.get(signal.Signals(number))
        if event is not None:
            self._log.info(f"{signal.Signals(number).name} received")
            if event is ServerEvent.TERM:
                self.stop()
            else:
                self._step_server(event)

    def receive(self, process: Process) -> None:
        """Take the messages that ``process`` has sent."""
        for packet in process.channel.packets():
            try:
                self._heard(process, decode(packet))
            except (ValueError, KeyError, TypeError) as error:
                self._log.error(f"a message of process {process.pid} makes no sense ({error!r}): {packet[:200]!r}")

    def ended(self, pid: int, status: int) -> None:
        """A child of this process ended; ``status`` is that of ``waitpid``. Strangers were orphans: nothing to do."""
        process = self.processes.get(pid)
        if process is None:
            self._worker_ended(pid, status)
            return
        self.receive(process)
        process.channel.close()
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
        now = self._looked_s = self._now()
        self._lives.look(self.generations)
        for generation in list(self.generations):
            self._settle(generation)
            self._look(generation, now)
        self.processes.look()
        if self._retry_s is not None and self._retry_s <= now:
            self._new_generation()
        if not self.generations and not self.processes:
            self._step_server(ServerEvent.EMPTY)

    def _look(self, generation: Generation, now: float) -> None:
        """At the time of one generation, and at a fork server that does not do what it was told."""
        if generation.due_s is not None and generation.due_s <= now:
            generation.due_s = None
            if generation.state in (lifecycle.Generation.LOADING, lifecycle.Generation.STARTING):
                generation.why = f"it was not ready within {self._config.start_timeout:g} s (--start-timeout)"
            self._step_generation(generation, GenerationEvent.DUE)
        asked = (lifecycle.Worker.FORKING, lifecycle.Worker.UNWANTED)
        oldest_s = min((worker.born_s for worker in generation.workers if worker.state in asked), default=now)
        server = generation.server
        if server is not None and server.kill_s is None and now - oldest_s > self._config.start_timeout:
            self._log.error(f"process {server.pid} does not start the workers that it was asked for, and is killed")
            self.processes.dump(server)

    def next_s(self) -> float:
        """When ``tick`` is needed again, by the monotonic clock: at the latest in a second, for the heartbeats."""
        due = [worker.due_s for generation in self.generations for worker in generation.workers]
        due += self.processes.due()
        due += [generation.due_s for generation in self.generations]
        return min([time_s for time_s in [*due, self._retry_s] if time_s is not None] + [self._looked_s + 1.0])

    # packets

    def _heard(self, process: Process, message: Mapping[str, Any]) -> None:
        generation, event = process.generation, message["event"]
        if event == "loaded" and process.worker is not None:
            self.processes.tell(process, {"do": "become", "slot": process.worker.row})
        elif event == "loaded":
            generation.loaded = message
            generation.shareable = bool(message["shareable"])
            if not generation.shareable:
                self._log.warning(
                    "each worker loads the application by itself, memory is not shared: "
                    + "; ".join(message["because"])
                )
            self._judge(generation, str(message.get("why") or ""))
        elif event == "failed" and process.worker is not None:
            self._log.error(f"a worker can't load the application:\n{message['why']}")
        elif event == "failed":
            generation.why = str(message["why"])
            self._step_generation(generation, GenerationEvent.FAILED)
        else:
            self._heard_of_worker(generation, event, message)

    def _judge(self, generation: Generation, why: str) -> None:
        """What was loaded is not fit (``why``): the code that serves now is better. But where nothing serves, the
        server must come up, also on a day when the front page or its database is down: the rest of the site works."""
        if why and any(other.state in _SERVES for other in self.generations):
            generation.why = why
            self._step_generation(generation, GenerationEvent.FAILED)
            return
        if why:
            self._log.warning(f"served all the same, since no other code is: {why}")
        self._step_generation(generation, GenerationEvent.LOADED)

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
            self._lives.step(generation, worker, WorkerEvent.FORKED)
        else:
            worker.ready_s = self._now()
            self._lives.step(generation, worker, WorkerEvent.READY)
            if worker.relieves is not None:
                self._lives.step(generation, worker.relieves, WorkerEvent.RELIEVED)
                worker.relieves = None
            if generation.ready:
                self._step_generation(generation, GenerationEvent.READY)

    def _worker_ended(self, pid: int, status: int | None) -> None:
        for generation in self.generations:
            for worker in generation.workers:
                if worker.pid == pid:
                    self._bury(generation, worker, status)
                    return

    def _bury(self, generation: Generation, worker: Worker, status: int | None) -> None:
        how = self._lives.died(generation, worker, status)
        if worker.state is lifecycle.Worker.GONE and generation.state is lifecycle.Generation.SERVING:
            generation.workers.remove(worker)  # it has a successor
        if not self._elder_serves(generation):
            return
        if generation.state is lifecycle.Generation.TRIAL and status != 0:
            generation.why = f"a worker {how} within {self._config.reload_trial:g} s after the reload"
            self._step_generation(generation, GenerationEvent.STUMBLED)
        elif worker.failures >= lifecycle.PATIENCE:
            generation.why = f"its workers die before they are ready ({how})"
            self._step_generation(generation, GenerationEvent.STUMBLED)

    def _elder_serves(self, generation: Generation) -> bool:
        return any(
            other.number < generation.number and other.state is lifecycle.Generation.SERVING
            for other in self.generations
        )

    # steps

    def _step_server(self, event: ServerEvent, generation: Generation | None = None) -> None:
        self.state, actions = lifecycle.SERVER[self.state, event]
        for action in actions:
            _SERVER_ACTIONS[action](self, generation)

    def _step_generation(self, generation: Generation, event: GenerationEvent) -> None:
        generation.state, actions = lifecycle.GENERATION[generation.state, event]
        for action in actions:
            _GENERATION_ACTIONS[action](self, generation)
        if not generation.decided and generation.state in _DECIDED:
            generation.decided = True
            self._decided(generation)
        if generation.state is lifecycle.Generation.GONE and generation in self.generations:
            self.generations.remove(generation)
        elif actions:
            self._settle(generation)

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
            if generation.state in _YOUNG:
                generation.why = "it was given up for another reload"
                self._step_generation(generation, GenerationEvent.RETIRE)
        self._new_generation()

    def _new_generation(self) -> None:
        self._retry_s = None
        self._number += 1
        generation = Generation(self._number, self._now())
        generation.due_s = generation.born_s + self._config.start_timeout
        try:
            generation.server = self.processes.add(self._spawn(generation, None))
        except OSError as error:
            self._log.error(f"no process can be started: {error}")
            self._step_server(ServerEvent.FAILURE, generation)
            return
        self.generations.append(generation)
        self._log.debug(f"generation {generation.number} loads the application (pid {generation.server.pid})")

    def _retry(self, _: Generation | None = None) -> None:
        usable = (*_YOUNG, lifecycle.Generation.SERVING)
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
        self.processes.end_all()

    def _fail(self, _: Generation | None) -> None:
        self.exit_code = 1

    # actions on a generation

    def _start_workers(self, generation: Generation) -> None:
        generation.due_s = self._now() + self._config.start_timeout + LATE_MARGIN_S
        generation.workers = [Worker(row) for row in self._free_rows()[: self._workers]]
        if len(generation.workers) < self._workers:
            generation.why = "too many workers of earlier generations have not ended yet"
            self._step_generation(generation, GenerationEvent.LOST)
            return
        self._lives.step_all(generation, WorkerEvent.START)

    def _free_rows(self) -> list[int]:
        gone = lifecycle.Worker.GONE
        taken = {worker.row for other in self.generations for worker in other.workers if worker.state is not gone}
        return [row for row in range(self._board.slots) if row not in taken]

    def _succeed(self, generation: Generation, worker: Worker) -> None:
        """Start a worker that relieves ``worker``."""
        successor = Worker(self._free_rows()[0], relieves=worker)
        generation.workers.append(successor)
        self._lives.step(generation, successor, WorkerEvent.START)

    def _arm_trial(self, generation: Generation) -> None:
        developing = self._config.reload  # who has just saved a file wants to see it, not the old code
        trial_s = self._config.reload_trial if self._elder_serves(generation) and not developing else 0.0
        generation.due_s = None
        if not trial_s:
            self._step_generation(generation, GenerationEvent.DUE)
            return
        self._log.info(f"generation {generation.number} is ready; in {trial_s:g} s the one before it ends")
        generation.due_s = self._now() + trial_s

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

    def _start_worker(self, generation: Generation, worker: Worker) -> int | None:
        """By the fork server; where the app can't be forked, as a process that loads it by itself."""
        server = generation.server
        if generation.shareable:
            told = server is not None and self.processes.tell(server, {"do": "fork", "slot": worker.row})
            return 0 if told else None
        if server is None:
            server = self.processes.add(self._spawn(generation, worker))
        else:
            generation.server = None
            server.worker = worker
            self.processes.tell(server, {"do": "become", "slot": worker.row})
        return server.pid


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
    GenerationAction.CUT_WORKERS: lambda self, g: self._lives.step_all(g, WorkerEvent.CUT),
    GenerationAction.RETIRE_WORKERS: lambda self, g: self._lives.step_all(g, WorkerEvent.RETIRE),
    GenerationAction.KILL_WORKERS: lambda self, g: self._lives.step_all(g, WorkerEvent.KILL),
    GenerationAction.ARM_TRIAL: Supervision._arm_trial,
    GenerationAction.TAKE_OVER: Supervision._take_over,
    GenerationAction.REPLACE: Supervision._replace,
    GenerationAction.FAIL: Supervision._report,
    GenerationAction.RELEASE: lambda self, g: self.processes.release(g.server),
    GenerationAction.DUMP_PROCESS: lambda self, g: self.processes.dump(g.server),
    GenerationAction.KILL_PROCESS: lambda self, g: self.processes.end(g.server),
}
