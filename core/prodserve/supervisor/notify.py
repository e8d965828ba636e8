"""What the service manager is told: sd_notify(3), from the supervisor only.

``phase`` and ``status`` are pure looks at the supervision; ``Reporter`` compares them with what it said last, so that
nothing in the supervision has to know that somebody listens. Where no ``NOTIFY_SOCKET`` is given it does nothing. A
manager that does not listen is no reason to stop: what can't be sent is lost.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from prodserve.observe.board import Board
from prodserve.supervisor.fleet import Generation
from prodserve.supervisor.lifecycle import Generation as GenerationState
from prodserve.supervisor.lifecycle import Server
from prodserve.supervisor.lifecycle import Worker as WorkerState

TAKEOVER = "_PRODSERVE_TAKEOVER"
"""The descriptor of the note that one supervisor leaves the next (``upgrade``)."""
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", TAKEOVER)
"""Meant for the supervisor alone: the application and its children must not see them."""
STATUS_S = 5.0
"""Between two lines of status at least."""
_SETTLED = (GenerationState.SERVING, GenerationState.ORPHANED, GenerationState.RETIRING, GenerationState.GONE)


class Phase(Enum):
    """What the manager distinguishes."""

    STARTING = auto()
    RUNNING = auto()
    RELOADING = auto()
    STOPPING = auto()


def phase(server: Server, generations: Iterable[Generation]) -> Phase:
    """Which one it is. A generation that is on its way while another one serves is a reload, whoever asked for it."""
    if server is Server.STARTING:
        return Phase.STARTING
    if server is not Server.SERVING:
        return Phase.STOPPING
    return Phase.RUNNING if all(one.state in _SETTLED for one in generations) else Phase.RELOADING


def transition(before: Phase, after: Phase, monotonic_s: float) -> tuple[str, ...]:
    """The assignments that tell of a change of phase."""
    if before is after:
        return ()
    if after is Phase.RELOADING:
        return ("RELOADING=1", f"MONOTONIC_USEC={int(monotonic_s * 1e6)}")
    if after is Phase.STOPPING:
        return ("STOPPING=1",)
    return ("READY=1",)


def ready_workers(generations: Iterable[Generation]) -> int:
    """The workers that accept connections and show that they are alive."""
    serving = (WorkerState.READY, WorkerState.WORN)
    return sum(worker.state in serving for one in generations for worker in one.workers)


def status(now: Phase, generation: int, workers: int, requests_per_s: float) -> str:
    """``4 workers, generation 2, 120 requests/s``."""
    if now is Phase.STARTING:
        return "loading the application"
    count = f"{workers} worker{'' if workers == 1 else 's'}"
    if now is Phase.STOPPING:
        return f"stopping: {count} with requests left" if workers else "stopping"
    doing = f"generation {generation} and the next one" if now is Phase.RELOADING else f"generation {generation}"
    return f"{count}, {doing}, {requests_per_s:.0f} requests/s"


def watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Half of the time after which the manager gives this process up; ``None``: it does not watch."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    try:
        return int(environ["WATCHDOG_USEC"]) / 2e6 or None
    except (KeyError, ValueError):
        return None


class Channel:
    """The manager's datagram socket. ``address`` as ``NOTIFY_SOCKET`` has it: a path, or ``@`` and an abstract name."""

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, assignments: Iterable[str]) -> bool:
        """One datagram; whether it was taken."""
        try:
            self._socket.sendto("\n".join(assignments).encode("utf-8", "replace"), self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close our end."""
        self._socket.close()


class Reporter:
    """Tells the manager what ``look`` sees. ``next_s``: when it has to look again at the latest."""

    def __init__(self, environ: Mapping[str, str], board: Board, now: Callable[[], float], pid: int) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._channel: Channel | None = Channel(address) if address[:1] in ("/", "@") else None
        self._watchdog_s = watchdog_s(environ, pid)
        self._is_heir = TAKEOVER in environ
        """Until it serves, the manager listens to the server that it takes over from."""
        self._board = board
        self._now = now
        self._phase = Phase.STARTING
        self._status = ""
        self._status_s = float("-inf")
        self._alive_s = self._looked_s = float("-inf")
        self._counted: dict[int, int] = {}
        """Requests by PID of their worker, at the last status."""

    def next_s(self) -> float:
        """By the monotonic clock. A sign of life that is overdue, for want of a worker, waits for what happens."""
        if self._channel is None or self._watchdog_s is None:
            return float("inf")
        due_s = self._alive_s + self._watchdog_s
        return due_s if due_s > self._looked_s else float("inf")

    def look(self, server: Server, generations: Iterable[Generation]) -> None:
        """Say what is new: the phase, a sign of life, the status at times."""
        if self._channel is None:
            return
        generations, now = list(generations), self._now()
        self._looked_s = now
        current = phase(server, generations)
        if self._is_heir and current is Phase.STARTING:
            return
        said = [*transition(self._phase, current, now)]
        workers = ready_workers(generations)
        if self._watchdog_s is not None and workers and now >= self._alive_s + self._watchdog_s:
            said.append("WATCHDOG=1")
            self._alive_s = now
        if said[:1] not in ([], ["WATCHDOG=1"]) or now >= self._status_s + STATUS_S:
            said += self._status_line(current, generations, workers, now)
        self._phase = current
        if said:
            self._channel.send(said)

    def main_pid(self, pid: int) -> None:
        """Another process is the server from now on: only the one before it may say so."""
        if self._channel is not None:
            self._channel.send([f"MAINPID={pid}"])

    def close(self) -> None:
        """Nothing is said any more."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _status_line(self, now: Phase, generations: list[Generation], workers: int, now_s: float) -> list[str]:
        serving = [one.number for one in generations if one.state is GenerationState.SERVING]
        counted = {row.pid: row.requests for row in map(self._board.read, range(self._board.slots)) if row.pid}
        new = sum(max(0, count - self._counted.get(pid, 0)) for pid, count in counted.items())
        rate = new / max(1.0, now_s - self._status_s)
        text = status(now, max(serving, default=0), workers, rate)
        self._counted, self._status_s = counted, now_s
        if text == self._status:
            return []
        self._status = text
        return [f"STATUS={text}"]
