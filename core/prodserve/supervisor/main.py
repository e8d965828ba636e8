"""The supervisor process: what ``launch`` starts. Sets things up, turns the world into events, and cleans up.

Standard library only, one thread, no callbacks: one loop that waits for signals (through a pipe), for packets of
generation processes, and for the next thing that is due.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from prodserve.config.options import Config
from prodserve.errors import ConfigError, Problem
from prodserve.observe.board import Board
from prodserve.observe.log import Log
from prodserve.observe.memory_file import read_json
from prodserve.observe.title import set_title
from prodserve.supervisor import activation, cpus, notify, privileges
from prodserve.supervisor.banner import banner, reload_line
from prodserve.supervisor.commands import Commands
from prodserve.supervisor.control import Control
from prodserve.supervisor.fleet import Generation, Process, Worker
from prodserve.supervisor.lifecycle import Generation as GenerationState
from prodserve.supervisor.lifecycle import Server
from prodserve.supervisor.listeners import Listener, close_all, listen
from prodserve.supervisor.nursery import spawn
from prodserve.supervisor.pid_file import PidFile
from prodserve.supervisor.supervision import SIGNALS, Supervision
from prodserve.supervisor.watcher import Watcher

_PR_SET_CHILD_SUBREAPER = 36
CONFIG_ERROR = 2
FAULT_PAUSE_S = 1.0
ROWS_PER_WORKER = 8
"""Room on the board for the workers of earlier generations that still drain."""


def main(record_fd: int) -> NoReturn:
    """Run the server that the launch record behind ``record_fd`` describes; ends the process with its exit code."""
    record = read_json(record_fd)
    set_title(f"prodserve: supervisor ({record['command']})")
    try:
        code = serve(record, Config.from_plain(record["config"]))
    except ConfigError as error:
        problems = "\n".join(map(str, error.problems)).replace("\n", "\n  ")
        sys.stderr.write(f"{record['command']}: can't start\n  {problems}\n")
        code = CONFIG_ERROR
    sys.stdout.flush()
    sys.exit(code)


def serve(record: Mapping[str, Any], config: Config) -> int:
    """Everything from binding to the end; gives the exit code. ``ConfigError`` where it can't begin."""
    _adopt_orphans()
    record = privileges.settled(record, config)
    log = Log(open_log(config.error_logfile), config.log_level)
    sockets = activation.passed(record["service"], os.getpid())
    activation.keep(sockets)
    listeners = listen(activation.numbered(config.bind, sockets), config.backlog, record["identity"])
    try:
        with PidFile(config.pid), _signal_pipe() as signals:
            return _supervise(record, config, log, listeners, signals)
    finally:
        close_all(listeners)


def _supervise(record: Mapping[str, Any], config: Config, log: Log, listeners: Sequence[Listener], signals: int) -> int:
    allowed = cpus.allowed_cpus()
    workers = config.workers or allowed.number
    board = Board.create(workers * ROWS_PER_WORKER)
    lifeline, lifeline_end = os.pipe()
    selector = selectors.DefaultSelector()
    selector.register(signals, selectors.EVENT_READ)

    def start_process(generation: Generation, worker: Worker | None) -> Process:
        role = {
            "generation": generation.number,
            "model": record["model"],
            "solo": None if worker is None else worker.row,
            "lifeline_fd": lifeline,
            "board_fd": board.fd,
            "board_slots": board.slots,
            "log_fd": log.fd,
            "log_level": config.log_level,
            "listeners": [[listener.socket.fileno(), listener.url] for listener in listeners],
        }
        fds = [lifeline, board.fd, log.fd, *(listener.socket.fileno() for listener in listeners)]
        pid, channel = spawn(record, role, fds)
        process = Process(pid, channel, generation, worker)
        selector.register(channel, selectors.EVENT_READ, process)
        return process

    def describe() -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "command": record["command"],
            "cwd": record["cwd"],
            "program": record["program"],
            "urls": [listener.url for listener in listeners],
            "binds": list(map(str, config.bind)),
        }

    def announce(generation: Generation, again: bool) -> None:
        if again:
            log.info(reload_line(generation.number, len(generation.workers), generation.loaded))
            return
        lines = banner(
            record,
            generation.loaded,
            urls=[listener.url for listener in listeners],
            workers=workers,
            workers_why="" if config.workers else allowed.why,
            pid=os.getpid(),
            colour=os.isatty(log.fd),
        )
        _write(log.fd, "\n".join([*lines, ""]))

    def decided(generation: Generation) -> None:
        commands.decided(generation)
        if config.reload and generation.state is GenerationState.SERVING:
            watcher.watch(generation.loaded.get("watch", ()))

    commands = Commands(describe)
    supervision = Supervision(
        config,
        workers=workers,
        board=board,
        log=log,
        now=time.monotonic,
        spawn=start_process,
        announce=announce,
        decided=decided,
    )
    commands.supervision = supervision
    control = Control(selector, commands.commands, log)
    watcher = Watcher(record, selector, supervision.reload, log)
    reporter = notify.Reporter(record["service"], board, time.monotonic, os.getpid())
    supervision.start()
    while supervision.state is not Server.STOPPED:
        try:
            reporter.look(supervision.state, supervision.generations)
            _turn(supervision, selector, signals, reporter.next_s())
        except Exception:  # the rim of one turn: whatever it was, the next one must come
            log.error("a fault of prodserve itself, please report it:\n" + traceback.format_exc())
            time.sleep(FAULT_PAUSE_S)  # one that repeats must not fill the disk
    reporter.close()
    control.close()
    watcher.close()
    selector.close()
    board.close()
    os.close(lifeline)
    os.close(lifeline_end)
    log.info("the server has ended")
    return supervision.exit_code


def _turn(supervision: Supervision, selector: selectors.BaseSelector, signals: int, at_most_s: float) -> None:
    """Wait for what happens next, until ``at_most_s`` of the monotonic clock, and feed it to ``supervision``."""
    wait_s = max(0.0, min(supervision.next_s(), at_most_s) - time.monotonic())
    for key, _ in selector.select(wait_s):
        if key.fileobj == signals:
            for number in os.read(signals, 4096):
                if number != signal.SIGCHLD:
                    supervision.signalled(number)
        elif callable(key.data):
            key.data()
        else:
            process: Process = key.data
            supervision.receive(process)
            if process.channel.closed:
                selector.unregister(key.fileobj)
    for pid, status in _ended_children():
        ended = supervision.processes.get(pid)
        if ended is not None and not ended.channel.closed:
            selector.unregister(ended.channel)
        supervision.ended(pid, status)
    supervision.tick()


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


def _adopt_orphans() -> None:
    """Workers whose generation process dies become our children (Linux); elsewhere their end is polled for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _write(fd: int, text: str) -> None:
    """The banner is no record of the log; where nobody can read it, it is not missed."""
    try:
        os.write(fd, text.encode("utf-8", "backslashreplace"))
    except OSError:
        return


def open_log(path: str) -> int:
    """The descriptor of the error log; ``-`` is standard error, ``none`` nowhere."""
    if path == "-":
        return 2
    try:
        return os.open(os.devnull if path == "none" else path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigError([Problem("error_logfile", f"can't write to {path}: {error.strerror}")]) from None


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler, so that the wake-up pipe gets the signal; children don't inherit handlers through exec."""


@contextmanager
def _signal_pipe() -> Iterator[int]:
    """A descriptor from which the numbers of arriving signals can be read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (*SIGNALS, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, _ignore)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)
