"""The result in words: one table a workload, its targets, and what could not be measured; plain data in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.figures import ALONE, Measurement, Spread, Summary, Verdict, judge, ratio, summarise
from benchmarks.workloads import CPU, CPU_GB, LATER, MORE, PER_CONNECTION, PSS, Kind, Target, Workload

Column = tuple[str, str, Callable[[float], str]]

COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "load": (
        ("requests/s", "requests_s", "{:,.0f}".format),
        ("p50 ms", "p50_ms", "{:.2f}".format),
        ("p99 ms", "p99_ms", "{:.2f}".format),
        ("core busy", "busy", "{:.0%}".format),
        ("PSS MiB", PSS, "{:.1f}".format),
    ),
    "download": (
        ("CPU us/request", CPU, "{:,.0f}".format),
        ("GB/s", "gb_s", "{:.2f}".format),
        ("responses", "responses", "{:,.0f}".format),
        ("core busy", "busy", "{:.0%}".format),
        ("PSS MiB", PSS, "{:.1f}".format),
    ),
    "growth": (
        ("later s", LATER, "{:.2f}".format),
        ("PSS MiB", PSS, "{:.1f}".format),
        ("more MiB", MORE, "{:.1f}".format),
    ),
    "idle": (("held", "connections", "{:,.0f}".format), ("unanswered", "unanswered", "{:,.0f}".format)),
    "crowd": (("held", "connections", "{:,.0f}".format), ("unanswered", "unanswered", "{:,.0f}".format)),
    "memory": (("own MiB", "own_mib", "{:.1f}".format), ("processes", "processes", "{:.0f}".format)),
}
"""The further columns of each kind of workload: heading, metric, format of the median."""

MAIN: dict[Kind, Column] = {
    "load": ("CPU us/request", CPU, "{:.2f}".format),
    "download": ("CPU ms/GB", CPU_GB, "{:.1f}".format),
    "growth": ("start s", "start_s", "{:.2f}".format),
    "idle": ("bytes/connection", PER_CONNECTION, "{:,.0f}".format),
    "crowd": ("bytes/connection", PER_CONNECTION, "{:,.0f}".format),
    "memory": ("PSS MiB", PSS, "{:.1f}".format),
}
"""The metric that each kind of workload is about: sorted by it, compared by it."""


def workload_report(
    workload: Workload, measurements: Sequence[Measurement], logs: Mapping[str, str], skipped: Mapping[str, str]
) -> str:
    """Everything about one workload: ``logs`` has the servers that were started, with what is said of their access
    logs, and ``skipped`` those that were not, with the reason. Targets about other servers are left out.
    """
    summary = summarise(measurements, workload.name)
    parts = [f"{workload.name}: {workload.title}", *table(workload.kind, summary, logs)]
    parts += [f"  {peer}: SKIPPED, {why}" for peer, why in skipped.items()]
    parts += problems(measurements, workload.name)
    asked = {*logs, *skipped, None}
    verdicts = [v for v in judge(workload, summary) if {v.target.peer, v.target.baseline} <= asked]
    parts += [f"  {verdict_line(verdict)}{floor(verdict, summary)}" for verdict in verdicts]
    return "\n".join(parts)


def table(kind: Kind, summary: Summary, logs: Mapping[str, str]) -> list[str]:
    """The medians, the best server first; the ratio is to the best of ours, so 2.00 is twice as dear as prodserve."""
    heading, metric, form = MAIN[kind]
    ranked = sorted(
        (peer for peer in summary if metric in summary[peer]), key=lambda peer: summary[peer][metric].median
    )
    ours = next((summary[peer][metric].median for peer in ranked if peer.startswith("prodserve")), None)
    rows = [
        ["server", heading, "lowest–highest", "x prodserve", *(column[0] for column in COLUMNS[kind]), "access log"]
    ]
    for peer in ranked:
        spreads = summary[peer]
        main = spreads[metric]
        rows.append(
            [
                peer,
                form(main.median),
                f"{form(main.low)}–{form(main.high)}",
                f"{main.median / ours:.2f}" if ours and ours > 0 else "",
                *(_cell(spreads, column) for column in COLUMNS[kind]),
                logs.get(peer, ""),
            ]
        )
    return aligned(rows) if ranked else []


def _cell(spreads: Mapping[str, Spread], column: Column) -> str:
    spread = spreads.get(column[1])
    return column[2](spread.median) if spread else ""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first and the last column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        numbers = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join(["", row[0].ljust(widths[0]), *numbers, row[-1]]).rstrip())
    return lines


def problems(measurements: Sequence[Measurement], workload: str) -> list[str]:
    """The rounds that do not count, each with its reason."""
    return [
        f"  {one.peer}: INVALID, {one.problem}"
        for one in measurements
        if one.workload == workload and one.problem is not None
    ]


def verdict_line(verdict: Verdict) -> str:
    """One target: what is compared, what was measured, what is asked."""
    limit = f"(at most {verdict.target.at_most:g})"
    return f"{verdict.word.upper():<12} {comparison(verdict.target)}: {number(verdict)} {limit}"


def floor(verdict: Verdict, summary: Summary) -> str:
    """What the ratio would be if our server cost nothing; no words where it is below a tenth of the target."""
    target = verdict.target
    least = ratio(summary, target.metric, ALONE, target.baseline) if target.baseline else None
    return f"; the app alone: {least:.3f}" if least and least > target.at_most / 10 else ""


def comparison(target: Target) -> str:
    """What a target compares, in words."""
    return f"{target.metric} of {target.peer}" + (f" / {target.baseline}" if target.baseline else "")


def number(verdict: Verdict) -> str:
    """What was measured: ratios with three digits after the point, small numbers with two."""
    if verdict.measured is None:
        return "-"
    if verdict.target.baseline:
        return f"{verdict.measured:.3f}"
    return f"{verdict.measured:,.0f}" if verdict.measured >= 100 else f"{verdict.measured:.2g}"
