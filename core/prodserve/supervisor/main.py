"""The supervisor process: what ``launch`` starts. Standard library only.

Sets up what belongs to the process – its log, the listening sockets, the PID file, the signals – has the server run
(``server``), and cleans up.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from prodserve.config.options import Config
from prodserve.errors import ConfigError, Problem
from prodserve.observe.log import Log
from prodserve.observe.memory_file import read_json
from prodserve.observe.title import set_title
from prodserve.supervisor import activation, privileges
from prodserve.supervisor.listeners import close_all, listen
from prodserve.supervisor.nursery import adopt_orphans
from prodserve.supervisor.pid_file import PidFile
from prodserve.supervisor.server import RunningServer
from prodserve.supervisor.supervision import SIGNALS
from prodserve.supervisor.upgrade import Takeover

CONFIG_ERROR = 2


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
    adopt_orphans()
    record = {**privileges.settled(record, config), "first_environ": record["environ"]}
    log = Log(open_log(config.error_logfile), config.log_level)
    sockets = activation.passed(record["service"], os.getpid())
    activation.keep(sockets)
    takeover = Takeover.of(record["service"])
    adopted = takeover.listeners if takeover is not None else {}
    listeners = listen(activation.numbered(config.bind, sockets), config.backlog, record["identity"], adopted)
    if takeover is not None:
        takeover.close_unused(listeners)
    try:
        with PidFile(config.pid, takeover.pid if takeover is not None else 0) as pid_file, _signal_pipe() as signals:

            def up() -> None:
                if takeover is not None:
                    try:
                        pid_file.inherit()
                    except OSError as error:
                        log.error(f"{config.pid} still names process {takeover.pid}: {error.strerror}")
                    takeover.up(listeners)

            return RunningServer(record, config, log, listeners, signals, up).serve()
    finally:
        close_all(listeners)


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
