"""How many CPUs this process may really use: the affinity mask and the quota of its cgroup, not the host's cores.

Parsing is pure, over the texts of the kernel's files; ``allowed_cpus`` reads them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

Read = Callable[[str], str | None]


class Cpus(NamedTuple):
    """A number of CPUs, at least 1, and the sentence that explains it."""

    number: int
    why: str


def parse_cpu_max(text: str) -> float | None:
    """CPUs that a cgroup v2 ``cpu.max`` allows: ``150000 100000`` is 1.5, ``max 100000`` is no limit."""
    words = text.split()
    if not words or words[0] == "max":
        return None
    return _ratio(words[0], words[1] if len(words) > 1 else "100000")


def parse_cfs(quota: str, period: str) -> float | None:
    """CPUs that cgroup v1's ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us`` allow; a negative quota is no limit."""
    return None if quota.strip().startswith("-") else _ratio(quota, period)


def _ratio(quota: str, period: str) -> float | None:
    try:
        value = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return value if value > 0 else None


def cgroup_paths(text: str) -> tuple[str | None, str | None]:
    """From ``/proc/self/cgroup``: the path in the unified hierarchy (v2), and that of the ``cpu`` controller (v1)."""
    v2 = v1 = None
    for line in text.splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            v2 = path
        elif "cpu" in controllers.split(","):
            v1 = path
    return v2, v1


def ancestors(path: str) -> Iterator[str]:
    """``/a/b`` gives ``/a/b``, ``/a`` and ``""``: a quota anywhere above holds for all below."""
    path = path.rstrip("/")
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def cgroup_quota(read: Read) -> float | None:
    """The smallest CPU quota on the way from this process's cgroup to the root; ``None``: none is set."""
    v2, v1 = cgroup_paths(read("/proc/self/cgroup") or "")
    found: list[float | None] = []
    if v2 is not None:
        for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            found += [parse_cpu_max(read(f"{mount}{path}/cpu.max") or "") for path in ancestors(v2)]
    if v1 is not None:
        for mount in ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"):
            for path in ancestors(v1):
                folder = mount + path
                found.append(
                    parse_cfs(read(f"{folder}/cpu.cfs_quota_us") or "", read(f"{folder}/cpu.cfs_period_us") or "")
                )
    limits = [value for value in found if value is not None]
    return min(limits) if limits else None


def count_cpus(affinity: int, quota: float | None, host: int) -> Cpus:
    """The whole CPUs that a quota is worth, rounded up, within the affinity mask."""
    count = max(1, affinity if quota is None else min(affinity, math.ceil(quota)))
    sum_ = f"affinity {affinity}, cgroup quota {'none' if quota is None else f'{quota:g}'}, host {host}"
    return Cpus(count, f"{count} CPU{'s' if count > 1 else ''}: {sum_}")


def allowed_cpus() -> Cpus:
    """The CPUs of this process."""
    host = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else host
    return count_cpus(affinity, cgroup_quota(read_text), host)


def read_text(path: str) -> str | None:
    """What a file of the kernel says; ``None`` where there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return None
