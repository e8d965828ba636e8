"""``python -m benchmarks``: measure, print, and write the result as JSON and SVG."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import machine, plot, report
from benchmarks.figures import Measurement, judge, plain_summary, plain_verdict, summarise
from benchmarks.measure import ROOT, Settings
from benchmarks.peers import PEERS, Peer, custom
from benchmarks.processes import stopped_by_signals
from benchmarks.session import Session
from benchmarks.sites import prepared
from benchmarks.workloads import WORKLOADS, named

RESULTS = Path(__file__).resolve().parent / "results"
ONCE = ("idle", "crowd", "memory", "growth")
"""Kinds that are measured in one round only: they take long, and hardly vary."""


def main() -> int:
    """Everything; 0 also where targets are missed, 1 where nothing could be measured."""
    options = _parser().parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (apt install wrk)", file=sys.stderr)
        return 1
    peers = {**PEERS, **{peer.name: peer for peer in options.server}}
    workloads = [WORKLOADS[name] for name in options.workloads]
    started = time.monotonic()
    where = machine.description(ROOT)
    server_pin, client_pin = machine.pins(sorted(os.sched_getaffinity(0)))
    print(_headline(where, options, server_pin, client_pin))
    measurements: list[Measurement] = []
    charts = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(stopped_by_signals())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-sites-")))
        sites, broken = prepared((workload.app for workload in workloads), ROOT, folder)
        settings = Settings(
            options.seconds, options.warm_up, options.rest, options.shrink, sites, server_pin, client_pin
        )
        session = Session(settings, options.limit * 60, options.repeats)
        for workload in workloads:
            names = [
                *(options.peers or (named(workload) if options.quick else workload.peers)),
                *(peer.name for peer in options.server),
            ]
            skipped = {name: why for name in names if (why := broken.get(workload.app) or peers[name].missing())}
            chosen = [peers[name] for name in dict.fromkeys(names) if name not in skipped]
            rounds = 1 if workload.kind in ONCE else options.rounds
            new = session.rounds(workload, chosen, rounds)
            measurements += new
            print("\n" + report.workload_report(workload, new, {p.name: p.logs for p in chosen}, skipped), flush=True)
            charts.append((workload, summarise(new, workload.name)))
    took_s = time.monotonic() - started
    result = {
        "machine": where,
        "command": sys.argv[1:],
        "seconds": round(took_s),
        "medians": {workload.name: plain_summary(summary) for workload, summary in charts},
        "targets": [plain_verdict(verdict) for workload, summary in charts for verdict in judge(workload, summary)],
        "measurements": [dataclasses.asdict(one) for one in measurements],
    }
    caption = f"{where['processor']}, Python {where['python']}, {options.rounds} rounds of {options.seconds:g} s"
    stem = _write(options.out, result, plot.svg(charts, caption))
    print(f"\n{took_s:.0f} s; written: {stem}.json, {stem}.svg")
    return 0 if any(one.problem is None for one in measurements) else 1


def _headline(
    where: Mapping[str, object], options: argparse.Namespace, server_pin: Sequence[str], client_pin: Sequence[str]
) -> str:
    pinned = (
        f"server: {' '.join(server_pin)}, load: {' '.join(client_pin)}"
        if server_pin
        else "NOT pinned: one core, or no taskset; load and server disturb each other"
    )
    quick = " QUICK: not for quoting." if options.quick else ""
    return (
        f"{where['processor']}, kernel {where['kernel']}, Python {where['python']}; {pinned}; "
        f"{options.rounds} rounds of {options.seconds:g} s.{quick}"
    )


def _write(folder: Path, result: Mapping[str, object], picture: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    stem.with_suffix(".svg").write_text(picture)
    return stem


def _names(table: Mapping[str, object]) -> Callable[[str], list[str]]:
    def split(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        unknown = [name for name in names if name not in table]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)} (there are: {', '.join(table)})")
        return names

    return split


def _server(text: str) -> Peer:
    name, equals, command = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("NAME=COMMAND is wanted")
    return custom(name, command)


class _Quick(argparse.Action):
    """``--quick`` stands for shorter times everywhere; what follows it on the command line still wins."""

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: object, option_string: object = None
    ) -> None:
        namespace.quick, namespace.rounds, namespace.seconds, namespace.warm_up = True, 1, 1.0, 0.0
        namespace.rest, namespace.shrink, namespace.limit, namespace.repeats = 5.0, 5, 4.8, 10.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="prodserve beside other servers; see README.md"
    )
    add = parser.add_argument
    add("--workloads", type=_names(WORKLOADS), default=list(WORKLOADS), metavar="NAME,…", help=", ".join(WORKLOADS))
    add(
        "--peers",
        type=_names(PEERS),
        default=[],
        metavar="NAME,…",
        help=f"instead of the workload's own: {', '.join(PEERS)}",
    )
    add("--server", type=_server, action="append", default=[], metavar="NAME=COMMAND",
        help="one more server; {port} and {app} in its command are filled in")  # fmt: skip
    add("--rounds", type=int, default=5, help="runs of each server, interleaved (default 5)")
    add("--seconds", type=float, default=2.0, help="length of one run (default 2)")
    add(
        "--warm-up",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="load before each run that does not count (default 1)",
    )
    add("--rest", type=float, default=8.0, metavar="SECONDS",
        help="time that idle connections are left alone before memory is read (default 8)")  # fmt: skip
    add("--repeats", type=float, default=120.0, metavar="SECONDS",
        help="time for repeating runs that other programs disturbed (default 120)")  # fmt: skip
    add("--shrink", type=int, default=1, help="divide the numbers of idle connections by this")
    add("--limit", type=float, default=28.0, metavar="MINUTES", help="start no run after so long (default 28)")
    add("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where the results go (benchmarks/results)")
    add(
        "--quick",
        action=_Quick,
        nargs=0,
        default=False,
        help="everything once and briefly, with the servers that targets name, in five minutes",
    )
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
