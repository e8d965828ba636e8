"""What the supervisor knows of its processes: plain records, changed by ``supervision`` and ``workers`` only."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prodserve.supervisor.channel import Channel
from prodserve.supervisor.lifecycle import Generation as GenerationState
from prodserve.supervisor.lifecycle import Worker as WorkerState


@dataclass(eq=False)
class Worker:
    """One worker slot; ``row`` is its place on the board, unique among all that live."""

    row: int
    state: WorkerState = WorkerState.EMPTY
    pid: int = 0
    born_s: float = 0.0
    ready_s: float = 0.0
    due_s: float | None = None
    """When ``DUE`` happens."""
    failures: int = 0
    """Short lives in a row."""
    requests: int = 0
    """It is worn when it has answered so many; 0: never."""
    relieves: Worker | None = None
    """The one that ends when this one accepts."""


@dataclass(eq=False)
class Process:
    """A generation process: a fork server, or a worker that loads the application by itself."""

    pid: int
    channel: Channel
    generation: Generation
    worker: Worker | None = None
    kill_s: float | None = None
    """When it is killed, having been told to end."""


@dataclass(eq=False)
class Generation:
    """One generation: the application as it was loaded at one time, and its workers."""

    number: int
    born_s: float = 0.0
    state: GenerationState = GenerationState.LOADING
    server: Process | None = None
    """Its fork server, while it lives."""
    loaded: Mapping[str, Any] = field(default_factory=dict)
    """The ``loaded`` message."""
    why: str = ""
    """Why it failed."""
    shareable: bool = True
    workers: list[Worker] = field(default_factory=list)
    due_s: float | None = None
    """When it is late, or its trial is over."""
    decided: bool = False
    """Whether it has come to serve, or never will."""

    @property
    def ready(self) -> bool:
        """Whether all of its workers accept."""
        return bool(self.workers) and all(worker.state is WorkerState.READY for worker in self.workers)

    @property
    def empty(self) -> bool:
        """Whether no worker is left or will come."""
        return all(worker.state is WorkerState.GONE for worker in self.workers)


def describe_status(status: int) -> str:
    """What became of a process, by its ``waitpid`` status: ``ended with exit code 1``, ``was killed by SIGKILL``."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"was killed by {signal.Signals(number).name}"
        except ValueError:
            return f"was killed by signal {number}"
    return f"ended with exit code {os.waitstatus_to_exitcode(status)}"
