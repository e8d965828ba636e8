"""Medians, the order of rounds, and verdicts."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchmarks.figures import (
    Measurement,
    Spread,
    busier,
    disturbed,
    judge,
    plain_summary,
    plain_verdict,
    ratio,
    rotated,
    summarise,
)
from benchmarks.workloads import WORKLOADS, Target

HELLO = WORKLOADS["hello"]


def rounds(peer: str, *values: float, problem: str | None = None) -> list[Measurement]:
    return [Measurement("hello", peer, {"cpu_us": value}, problem) for value in values]


@pytest.mark.parametrize(
    ("turn", "order"), [(0, ["a", "b", "c"]), (1, ["b", "c", "a"]), (2, ["c", "a", "b"]), (3, ["a", "b", "c"])]
)
def test_each_round_begins_with_another_server(turn: int, order: list[str]) -> None:
    assert rotated(["a", "b", "c"], turn) == order


def busy(share: float, problem: str | None = None) -> Measurement:
    return Measurement("hello", "x", {"busy": share}, problem)


@pytest.mark.parametrize(
    ("measurement", "is_disturbed"),
    [
        (busy(0.99), False),
        (busy(0.85), False),
        (busy(0.84), True),
        (busy(0.2, "timeouts"), False),
        (Measurement("idle", "x", {"connections": 5.0}), False),
    ],
)
def test_a_run_is_disturbed_when_the_server_had_little_of_its_core(
    measurement: Measurement, is_disturbed: bool
) -> None:
    assert disturbed(measurement) is is_disturbed


def test_of_two_runs_the_busier_counts_unless_it_is_not_valid() -> None:
    assert busier(busy(0.4), busy(0.7)) == busy(0.7)
    assert busier(busy(0.7), busy(0.4)) == busy(0.7)
    assert busier(busy(0.4), busy(0.9, "timeouts")) == busy(0.4)


def test_nothing_can_be_rotated() -> None:
    assert rotated([], 4) == []


def test_the_median_and_the_extremes_of_the_rounds_are_kept() -> None:
    assert summarise(rounds("x", 3.0, 1.0, 20.0), "hello") == {"x": {"cpu_us": Spread(3.0, 1.0, 20.0)}}


def test_rounds_that_do_not_count_and_other_workloads_are_left_out() -> None:
    measured = [*rounds("x", 3.0), *rounds("x", 900.0, problem="timeouts"), Measurement("idle", "x", {"cpu_us": 5.0})]
    assert summarise(measured, "hello") == {"x": {"cpu_us": Spread(3.0, 3.0, 3.0)}}


def test_a_ratio_needs_both_servers() -> None:
    summary = summarise([*rounds("x", 3.0), *rounds("y", 4.0), *rounds("zero", 0.0)], "hello")
    assert ratio(summary, "cpu_us", "x", "y") == 0.75
    assert ratio(summary, "cpu_us", "x", "absent") is None
    assert ratio(summary, "cpu_us", "x", "zero") is None
    assert ratio(summary, "p99_ms", "x", "y") is None


@pytest.mark.parametrize(
    ("target", "measured", "word"),
    [
        (Target("cpu_us", "x", "y", 0.75), 0.75, "met"),
        (Target("cpu_us", "x", "y", 0.74), 0.75, "not met"),
        (Target("cpu_us", "x", "absent", 1.0), None, "not measured"),
        (Target("cpu_us", "x", None, 3.0), 3.0, "met"),
        (Target("cpu_us", "x", None, 2.9), 3.0, "not met"),
        (Target("cpu_us", "absent", None, 3.0), None, "not measured"),
    ],
)
def test_a_target_is_met_not_met_or_not_measured(target: Target, measured: float | None, word: str) -> None:
    workload = dataclasses.replace(HELLO, targets=(target,))
    (verdict,) = judge(workload, summarise([*rounds("x", 3.0), *rounds("y", 4.0)], "hello"))
    assert (verdict.measured, verdict.word) == (measured, word)


def test_a_result_can_be_written_as_json() -> None:
    summary = summarise([*rounds("prodserve-greenlets", 3.0), *rounds("bjoern", 4.0)], "hello")
    text = json.dumps([plain_summary(summary), *(plain_verdict(verdict) for verdict in judge(HELLO, summary))])
    assert json.loads(text)[1]["verdict"] == "met"
