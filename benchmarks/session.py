"""The rounds of one run of the program: in their order, within its time, disturbed ones repeated."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Measurement, busier, disturbed, rotated
from benchmarks.measure import Settings, measure, measure_alone
from benchmarks.peers import NGINX_BROTLI, Peer
from benchmarks.trees import planted
from benchmarks.workloads import Workload

REPEATS = 2


class Session:
    """Measures within ``limit_s`` from now; of these at most ``repeats_s`` go into repeating disturbed runs."""

    def __init__(self, settings: Settings, limit_s: float, repeats_s: float) -> None:
        self._settings = settings
        self._deadline = time.monotonic() + limit_s
        self._repeats_s = repeats_s

    def rounds(self, workload: Workload, peers: Sequence[Peer], count: int) -> list[Measurement]:
        """Every peer ``count`` times; what no time is left for is a measurement with that problem."""
        with planted(workload.tree if peers and self._in_time() else None, NGINX_BROTLI) as static:
            done = [one for turn in range(count) for one in self._round(workload, peers, turn, count, static)]
        _progress("")
        return done

    def _round(
        self, workload: Workload, peers: Sequence[Peer], turn: int, count: int, static: Path | None
    ) -> Iterator[Measurement]:
        if workload.kind == "load" and not workload.tree and peers and self._in_time():
            yield measure_alone(workload, self._settings)
        for peer in rotated(peers, turn):
            _progress(f"{workload.name} {turn + 1}/{count} {peer.name}")
            if self._in_time():
                yield self._measure(workload, peer, static)
            else:
                yield Measurement(workload.name, peer.name, problem=f"round {turn + 1} left out: out of time")

    def _in_time(self) -> bool:
        return time.monotonic() < self._deadline

    def _measure(self, workload: Workload, peer: Peer, static: Path | None) -> Measurement:
        best = measure(workload, peer, self._settings, static)
        for _ in range(REPEATS):
            if not disturbed(best) or self._repeats_s <= 0 or not self._in_time():
                break
            started = time.monotonic()
            best = busier(best, measure(workload, peer, self._settings, static))
            self._repeats_s -= time.monotonic() - started
        return best


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
