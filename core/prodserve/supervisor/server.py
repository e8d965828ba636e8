"""The running server: the supervision, and everything around it that hears of the world and acts on it.

One thread, no callbacks from elsewhere: ``serve`` is one loop that waits for signals (through a pipe), for packets of
generation processes, for whoever has a descriptor and a function registered with the selector, and for what is due.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prodserve.config.options import Config
from prodserve.observe.board import Board
from prodserve.observe.log import Log
from prodserve.supervisor import cpus, notify
from prodserve.supervisor.banner import banner, reload_line
from prodserve.supervisor.commands import Commands
from prodserve.supervisor.control import Control
from prodserve.supervisor.fleet import Generation, Process, Worker
from prodserve.supervisor.lifecycle import Generation as GenerationState
from prodserve.supervisor.lifecycle import Server
from prodserve.supervisor.listeners import Listener
from prodserve.supervisor.nursery import spawn
from prodserve.supervisor.supervision import Supervision
from prodserve.supervisor.upgrade import Upgrade
from prodserve.supervisor.watcher import Watcher

FAULT_PAUSE_S = 1.0
FIRST_PROCESS_TIMES = 2
"""How many times ``start_timeout`` a new server may take: its first process loads the project too."""
ROWS_PER_WORKER = 8
"""Room on the board for the workers of earlier generations that still drain."""


class RunningServer:
    """One server from its first generation to its end; ``up`` is called when it serves for the first time.

    ``listeners`` stay their owner's, who closes them; some may be given away before that (``upgrade``)."""

    def __init__(
        self,
        record: Mapping[str, Any],
        config: Config,
        log: Log,
        listeners: list[Listener],
        signals: int,
        up: Callable[[], None],
    ) -> None:
        self._record = record
        self._config = config
        self._log = log
        self._listeners = listeners
        self._signals = signals
        self._up = up
        self._cpus = cpus.allowed_cpus()
        self._workers = config.workers or self._cpus.number
        self._board = Board.create(self._workers * ROWS_PER_WORKER)
        self._lifeline = os.pipe()
        """Workers hold the first end and see when the second one closes."""
        selector = self._selector = selectors.DefaultSelector()
        selector.register(signals, selectors.EVENT_READ, self._take_signals)
        self._supervision = Supervision(
            config,
            workers=self._workers,
            board=self._board,
            log=log,
            now=time.monotonic,
            spawn=self._start_process,
            announce=self._announce,
            decided=self._decided,
        )
        self._commands = Commands(self._supervision, self._describe)
        self._control = Control(selector, self._commands.commands, log)
        self._watcher = Watcher(record, selector, self._supervision.reload, log)
        limit_s = FIRST_PROCESS_TIMES * config.start_timeout
        self._upgrade = Upgrade(record, listeners, selector, limit_s, time.monotonic, self._handed_over, log)
        self._reporter = notify.Reporter(record["service"], self._board, time.monotonic, os.getpid())

    def serve(self) -> int:
        """Until the end; gives the exit code."""
        self._supervision.start()
        while self._supervision.state is not Server.STOPPED:
            try:
                self._reporter.look(self._supervision.state, self._supervision.generations)
                self._turn()
            except Exception:  # the rim of one turn: whatever it was, the next one must come
                self._log.error("a fault of prodserve itself, please report it:\n" + traceback.format_exc())
                time.sleep(FAULT_PAUSE_S)  # one that repeats must not fill the disk
        for part in (self._reporter, self._upgrade, self._control, self._watcher, self._selector, self._board):
            part.close()
        for end in self._lifeline:
            os.close(end)
        self._log.info("the server has ended")
        return self._supervision.exit_code

    def _turn(self) -> None:
        """Wait for what happens next, and feed it to those whom it concerns."""
        supervision = self._supervision
        wait_s = max(0.0, min(supervision.next_s(), self._reporter.next_s()) - time.monotonic())
        for key, _ in self._selector.select(wait_s):
            key.data()
        for pid, status in _ended_children():
            ended = supervision.processes.get(pid)
            if ended is not None and not ended.channel.closed:
                self._selector.unregister(ended.channel)
            supervision.ended(pid, status)
        supervision.tick()
        self._upgrade.look()

    def _take_signals(self) -> None:
        for number in os.read(self._signals, 4096):
            if number == signal.SIGUSR2:
                self._upgrade.start()
            elif number != signal.SIGCHLD:
                self._supervision.signalled(number)

    # what the supervision asks for

    def _start_process(self, generation: Generation, worker: Worker | None) -> Process:
        sockets = [listener.socket.fileno() for listener in self._listeners]
        role = {
            "generation": generation.number,
            "model": self._record["model"],
            "solo": None if worker is None else worker.row,
            "lifeline_fd": self._lifeline[0],
            "board_fd": self._board.fd,
            "board_slots": self._board.slots,
            "log_fd": self._log.fd,
            "log_level": self._config.log_level,
            "listeners": [[listener.socket.fileno(), listener.url] for listener in self._listeners],
        }
        fds = [self._lifeline[0], self._board.fd, self._log.fd, *sockets]
        pid, channel = spawn(self._record, role, fds)
        process = Process(pid, channel, generation, worker)
        self._selector.register(channel, selectors.EVENT_READ, lambda: self._receive(process))
        return process

    def _receive(self, process: Process) -> None:
        self._supervision.receive(process)
        if process.channel.closed:
            self._selector.unregister(process.channel)

    def _announce(self, generation: Generation, again: bool) -> None:
        if again:
            self._log.info(reload_line(generation.number, len(generation.workers), generation.loaded))
            return
        self._up()
        lines = banner(
            self._record,
            generation.loaded,
            urls=[listener.url for listener in self._listeners],
            workers=self._workers,
            workers_why="" if self._config.workers else self._cpus.why,
            pid=os.getpid(),
            colour=os.isatty(self._log.fd),
        )
        _write(self._log.fd, "\n".join([*lines, ""]))

    def _decided(self, generation: Generation) -> None:
        self._commands.decided(generation)
        if self._config.reload and generation.state is GenerationState.SERVING:
            self._watcher.watch(generation.loaded.get("watch", ()))

    # what others ask for

    def _describe(self) -> dict[str, Any]:
        """What tells this server from others."""
        return {
            "pid": os.getpid(),
            "command": self._record["command"],
            "cwd": self._record["cwd"],
            "program": self._record["program"],
            "urls": [listener.url for listener in self._listeners],
            "binds": list(map(str, self._config.bind)),
        }

    def _handed_over(self, pid: int) -> None:
        """Another server has taken over: from now on it speaks to the service manager."""
        self._reporter.main_pid(pid)
        self._reporter.close()
        self._supervision.hand_over()


def _ended_children() -> Iterator[tuple[int, int]]:
    """Every child that has ended, orphans that became ours included (as PID 1, or as a subreaper)."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _write(fd: int, text: str) -> None:
    """The banner is no record of the log; where nobody can read it, it is not missed."""
    try:
        os.write(fd, text.encode("utf-8", "backslashreplace"))
    except OSError:
        return
