"""The generation processes that live: what they are told, and how they end. By PID."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prodserve.observe.log import Log
from prodserve.supervisor.fleet import Process
from prodserve.supervisor.lifecycle import DUMP_S, KILL_AGAIN_S
from prodserve.supervisor.workers import kill

END_PROCESS_S = 5.0
"""What a fork server gets to end by itself."""


class Processes(dict[int, Process]):
    """Those that were started and whose end was not heard of yet."""

    def __init__(self, now: Callable[[], float], log: Log) -> None:
        super().__init__()
        self._now = now
        self._log = log

    def add(self, process: Process) -> Process:
        """One that was started."""
        self[process.pid] = process
        return process

    def tell(self, process: Process, message: Mapping[str, Any]) -> bool:
        """Tell a process something; one that does not listen any more is killed."""
        told = process.channel.send(message)
        if not told:
            self._log.debug(f"process {process.pid} can't be told {message}")
            process.kill_s = self._now()
        return told

    def release(self, process: Process | None) -> None:
        """It is not needed any more, and gets the time to end by itself."""
        if process is not None and process.kill_s is None:
            self.tell(process, {"do": "quit"})
            process.kill_s = self._now() + END_PROCESS_S

    def dump(self, process: Process | None) -> None:
        """It hangs: it writes where, and is killed."""
        if process is not None:
            kill(process.pid, signal.SIGUSR1)
            process.kill_s = self._now() + DUMP_S

    def end(self, process: Process | None) -> None:
        """It is killed at the next look."""
        if process is not None:
            process.kill_s = self._now()

    def end_all(self) -> None:
        """All of them."""
        for process in self.values():
            self.end(process)

    def look(self) -> None:
        """Kill those whose time is up, again and again: the kernel may hold one for a while."""
        now = self._now()
        for process in self.values():
            if process.kill_s is not None and process.kill_s <= now:
                process.kill_s = now + KILL_AGAIN_S
                kill(process.pid, signal.SIGKILL)

    def due(self) -> Iterator[float | None]:
        """When a look is needed."""
        return (process.kill_s for process in self.values())
