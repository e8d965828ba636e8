"""The workers of a server as the system shows them: which there are, what they hold, what they cost."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.chaos.verdict import Kill
from tests.server import Server, wait_until

TICKS = os.sysconf("SC_CLK_TCK")


def titled(server: Server, word: str) -> list[int]:
    """Its processes with this word in their title that run (or are stopped): no zombies."""
    found = []
    for pid in server.pids():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if f"prodserve: {word}".encode() in file.read() and state(pid) != "Z":
                    found.append(pid)
        except OSError:
            continue
    return found


def state(pid: int) -> str:
    """``R``, ``S``, ``T`` (stopped), ``Z`` … as ``/proc`` has it; ``""``: gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of CPU that these processes have used."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def client_ports(pid: int, server_port: int) -> frozenset[int]:
    """The ports of the clients whose connections this process holds."""
    inodes = set()
    with os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            try:
                inodes.add(os.readlink(entry.path))
            except OSError:
                continue
    ports = set()
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[1].endswith(f":{server_port:04X}") and f"socket:[{fields[9]}]" in inodes:
                ports.add(int(fields[2].rpartition(":")[2], 16))
    return frozenset(ports)


def stop(pid: int, server_port: int) -> Kill:
    """Stop a worker (SIGSTOP), so that what it holds can be seen; whoever calls this has it killed."""
    from_s = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state(pid) in ("T", "Z", ""), 10, f"process {pid} is stopped")
    return Kill(pid, from_s, float("inf"), client_ports(pid, server_port))


@contextmanager
def limited(pids: Iterable[int], what: int, limit: dict[int, int]) -> Iterator[None]:
    """Processes with a soft limit of their own, ``limit`` by PID; what they had is given back."""
    before = {}
    for pid in pids:
        before[pid] = resource.prlimit(pid, what)
        resource.prlimit(pid, what, (limit[pid], before[pid][1]))
    try:
        yield
    finally:
        for pid, limits in before.items():
            try:
                resource.prlimit(pid, what, limits)
            except ProcessLookupError:
                continue
