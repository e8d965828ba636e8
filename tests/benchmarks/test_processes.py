"""The server's processes: found, measured, ended."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.processes import Processes, ServerFailed, cpu_clock_ns, read_rollup, table, tree

ROLLUP = """\
55d0c4a8c000-7ffd5f9f3000 ---p 00000000 00:00 0                          [rollup]
Rss:                1432 kB
Pss:                 683 kB
Pss_Dirty:           148 kB
Pss_Anon:            140 kB
Pss_File:            535 kB
Pss_Shmem:             8 kB
"""

# A child in a session of its own, as a grandchild whose parent has ended.
FAMILY = """
import os, sys, time
if os.fork() == 0:
    if os.fork() == 0:
        print("grandchild", os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
if os.fork() == 0:
    os.setsid()
    print("apart", os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""


def test_memory_is_read_from_the_rollup() -> None:
    memory = read_rollup(ROLLUP)
    assert (memory.pss, memory.own) == (683 * 1024, 148 * 1024)


def test_the_tree_has_descendants_and_what_is_left_in_the_sessions() -> None:
    processes = {1: (0, 1), 10: (1, 10), 11: (10, 10), 12: (11, 12), 13: (1, 10), 20: (1, 20), 21: (20, 20)}
    assert tree([10], processes) == [10, 11, 12, 13]
    assert tree([10, 20], processes) == [10, 11, 12, 13, 20, 21]
    assert tree([99], processes) == []


def test_cpu_time_of_a_process_is_read_in_nanoseconds() -> None:
    before = cpu_clock_ns(os.getpid())
    spent = time.process_time_ns()
    while time.process_time_ns() < spent + 5_000_000:
        pass
    assert 5_000_000 <= cpu_clock_ns(os.getpid()) - before < 500_000_000


def test_every_process_is_ended_also_orphans_and_those_with_a_session_of_their_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Processes([[sys.executable, "-uc", FAMILY]], dict(os.environ), tmp_path, log) as server:
        deadline = time.monotonic() + 20
        while len(log.read_text().splitlines()) < 2:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.01)
        children = {int(line.split()[1]) for line in log.read_text().splitlines()}
        everyone = set(server.pids())
        assert children < everyone
        assert len(everyone) == 3
        assert server.memory().pss > 1_000_000
        assert set(server.cpu_ns()) == everyone
    assert everyone.isdisjoint(table())


def test_a_command_that_does_not_exist_is_a_failed_server(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="no-such-program"):
        Processes([["/no-such-program"]], {}, tmp_path, tmp_path / "log")
