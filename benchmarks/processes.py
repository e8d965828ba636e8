"""The server's processes: starting them, what they cost, and their end.

CPU time is read from each process's CPU clock (``clock_gettime`` with the clock of that process): nanoseconds, all
its threads, also those that have ended. ``/proc/PID/stat`` counts in ticks of 10 ms, and ``/proc/PID/schedstat`` knows
the first thread only. Memory is the kernel's proportional set size: a page shared by several processes counts once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

PROC = Path("/proc")
STOP_S = 5.0
"""Seconds that a server has for its graceful end before it is killed."""


class ServerFailed(Exception):
    """A server did not start, ended early or gave a wrong answer; the text says which, with the end of its log."""


class Processes:
    """The process tree of one server; a context that ends all of it."""

    def __init__(self, commands: Sequence[Sequence[str]], env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self._log = log
        self._roots: list[subprocess.Popen[bytes]] = []
        try:
            with log.open("wb") as out:
                for command in commands:
                    self._roots.append(
                        subprocess.Popen(
                            command,
                            env=env,
                            cwd=cwd,
                            stdin=subprocess.DEVNULL,
                            stdout=out,
                            stderr=out,
                            start_new_session=True,
                        )
                    )
        except OSError as error:
            self.stop()
            raise ServerFailed(str(error)) from error

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def pids(self) -> list[int]:
        """All living processes of the tree."""
        return tree([root.pid for root in self._roots], table())

    def cpu_ns(self) -> dict[int, int]:
        """User and system time of each process so far, nanoseconds."""
        return {pid: cpu_clock_ns(pid) for pid in self.pids()}

    def memory(self) -> Memory:
        """Memory of all processes together, bytes."""
        return sum((memory(pid) for pid in self.pids()), Memory())

    def ended(self) -> bool:
        """Whether one of the started commands has ended by itself."""
        return any(root.poll() is not None for root in self._roots)

    def failed(self, why: str) -> ServerFailed:
        """An error with ``why`` and the last lines of the log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()[-6:]
        return ServerFailed(" | ".join([why, *lines]))

    def stop(self) -> None:
        """End every process of the tree: asked first, killed where that is not enough."""
        everyone = self.pids()
        for root in reversed(self._roots):
            if root.poll() is None:
                root.send_signal(signal.SIGTERM)
        _wait_for_the_end(everyone, self._roots)
        left = sorted({*_living(everyone, self._roots), *self.pids()})
        for pid in left:
            _kill(pid)
        _wait_for_the_end(left, self._roots)
        for root in self._roots:
            root.wait()
        self._roots = []


class Memory:
    """Bytes of a process or a sum of them: ``pss``, and of it ``own`` (anonymous and shared memory, no file pages)."""

    __slots__ = ("own", "pss")

    def __init__(self, pss: int = 0, own: int = 0) -> None:
        self.pss = pss
        self.own = own

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.pss + other.pss, self.own + other.own)


def cpu_clock_ns(pid: int) -> int:
    """CPU time of all threads of ``pid``: the clock that ``clock_getcpuclockid(3)`` names; 0 when it is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def memory(pid: int) -> Memory:
    """Memory of one process; nothing when it is gone."""
    try:
        return read_rollup((PROC / str(pid) / "smaps_rollup").read_text())
    except OSError:
        return Memory()


def read_rollup(text: str) -> Memory:
    """The sums in the text of ``smaps_rollup``."""
    kib = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if line.endswith(" kB")}
    return Memory(kib["Pss"] * 1024, (kib.get("Pss_Anon", 0) + kib.get("Pss_Shmem", 0)) * 1024)


def table() -> dict[int, tuple[int, int]]:
    """Parent and session of every living process."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                state, parent, _group, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if state != "Z":
                found[int(entry.name)] = (int(parent), int(session))
    return found


def tree(roots: Sequence[int], processes: Mapping[int, tuple[int, int]]) -> list[int]:
    """The roots, all that descend from them, and what was left behind in their sessions by a parent that ended."""
    found = {pid for pid, (_parent, session) in processes.items() if pid in roots or session in roots}
    added = found
    while added:
        added = {pid for pid, (parent, _session) in processes.items() if parent in added and pid not in found}
        found = found | added
    return sorted(found)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the program as Ctrl-C does, so that servers are stopped on the way."""

    def unwind(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _living(pids: Sequence[int], roots: Sequence[subprocess.Popen[bytes]]) -> set[int]:
    for root in roots:
        root.poll()
    now = table()
    return {pid for pid in pids if pid in now}


def _wait_for_the_end(pids: Sequence[int], roots: Sequence[subprocess.Popen[bytes]]) -> None:
    """Return when all are gone, or after ``STOP_S``."""
    deadline = time.monotonic() + STOP_S
    while _living(pids, roots) and time.monotonic() < deadline:
        time.sleep(0.02)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
