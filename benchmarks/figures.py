"""What was measured, and what it says: medians over the rounds, the order of a round, and targets met or not."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from benchmarks.workloads import Target, Workload

T = TypeVar("T")

BUSY_AT_LEAST = 0.85
"""Share of its core that a server has in a run that nothing disturbs."""

ALONE = "(app alone)"
"""Stands for a server where the application was called without one."""


@dataclass(frozen=True)
class Measurement:
    """One server, one workload, one round: its metrics, or the ``problem`` that makes it not count."""

    workload: str
    peer: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None


def disturbed(measurement: Measurement) -> bool:
    """Whether the server had so little of its core that the run says less: something else used it, or wrk's core.

    A server that is kept waiting handles fewer requests at once, which makes each of them dearer.
    """
    return measurement.problem is None and measurement.metrics.get("busy", 1.0) < BUSY_AT_LEAST


def busier(one: Measurement, other: Measurement) -> Measurement:
    """The run in which the server had more of its core; one that counts before one that does not."""
    return max(one, other, key=lambda m: (m.problem is None, m.metrics.get("busy", 1.0)))


@dataclass(frozen=True)
class Spread:
    """The median of some rounds and their extremes."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured: the ratio (or the number itself, without a baseline); ``None``: not measured."""

    workload: str
    target: Target
    measured: float | None

    @property
    def word(self) -> Literal["met", "not met", "not measured"]:
        """The verdict in words."""
        if self.measured is None:
            return "not measured"
        return "met" if self.measured <= self.target.at_most else "not met"


Summary = Mapping[str, Mapping[str, Spread]]
"""Of one workload: metric by metric for each server that has at least one round that counts."""


def rotated(items: Sequence[T], turn: int) -> list[T]:
    """The items from number ``turn`` on, then those before it: each round begins with another server."""
    start = turn % len(items) if items else 0
    return [*items[start:], *items[:start]]


def summarise(measurements: Sequence[Measurement], workload: str) -> dict[str, dict[str, Spread]]:
    """Median and extremes of every metric of every server, over the rounds that count."""
    rounds: dict[str, dict[str, list[float]]] = {}
    for one in measurements:
        if one.workload == workload and one.problem is None:
            for metric, value in one.metrics.items():
                rounds.setdefault(one.peer, {}).setdefault(metric, []).append(value)
    return {
        peer: {metric: Spread(statistics.median(v), min(v), max(v)) for metric, v in metrics.items()}
        for peer, metrics in rounds.items()
    }


def ratio(summary: Summary, metric: str, peer: str, baseline: str) -> float | None:
    """The median of ``peer`` divided by that of ``baseline``; ``None`` where one of them was not measured."""
    above, below = summary.get(peer, {}).get(metric), summary.get(baseline, {}).get(metric)
    return above.median / below.median if above and below and below.median else None


def judge(workload: Workload, summary: Summary) -> list[Verdict]:
    """The workload's targets with what was measured."""
    verdicts = []
    for target in workload.targets:
        if target.baseline is not None:
            measured = ratio(summary, target.metric, target.peer, target.baseline)
        else:
            own = summary.get(target.peer, {}).get(target.metric)
            measured = own.median if own else None
        verdicts.append(Verdict(workload.name, target, measured))
    return verdicts


def plain_summary(summary: Summary) -> dict[str, object]:
    """A summary as JSON takes it."""
    return {
        peer: {metric: dataclasses.asdict(spread) for metric, spread in metrics.items()}
        for peer, metrics in summary.items()
    }


def plain_verdict(verdict: Verdict) -> dict[str, object]:
    """A verdict as JSON takes it."""
    target = dataclasses.asdict(verdict.target)
    return {"workload": verdict.workload, **target, "measured": verdict.measured, "verdict": verdict.word}
