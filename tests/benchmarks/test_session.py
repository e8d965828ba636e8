"""The rounds: every server in each, in their order, and none beyond the time that is there."""

from __future__ import annotations

import sys

from benchmarks.measure import Settings
from benchmarks.peers import custom
from benchmarks.session import Session
from benchmarks.workloads import WORKLOADS

SETTINGS = Settings(seconds=1, warm_up_s=0, rest_s=0, shrink=1, sites={})
BROKEN = [custom(name, f"{sys.executable} --no-such-option") for name in ("a", "b")]


def test_each_round_has_every_server_and_begins_with_the_next() -> None:
    done = Session(SETTINGS, limit_s=60, repeats_s=60).rounds(WORKLOADS["memory"], BROKEN, 2)
    assert [one.peer for one in done] == ["a", "b", "b", "a"]
    assert all(one.problem is not None and "ended at its start" in one.problem for one in done)


def test_what_there_is_no_time_for_is_said_and_not_started() -> None:
    done = Session(SETTINGS, limit_s=0, repeats_s=0).rounds(WORKLOADS["hello"], BROKEN, 1)
    assert [(one.peer, one.problem) for one in done] == [
        ("a", "round 1 left out: out of time"),
        ("b", "round 1 left out: out of time"),
    ]
