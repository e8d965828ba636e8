"""Which failures are allowed, and the table at the end. Pure.

A request may fail if its connection was held by a worker at the moment at which this suite stopped that worker for
good. Some requests may be refused, in words, while what they need was taken away: that is an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MOST_SHOWN = 20
"""Failures that are shown one by one."""


@dataclass(frozen=True)
class Request:
    """One request as its client saw it; times by the monotonic clock."""

    kind: str
    port: int
    """Of the client: it names the connection."""
    sent_s: float
    ended_s: float
    status: int
    """0: no answer."""
    why: str = ""
    """What was wrong, if anything was."""
    reused: bool = False
    """Whether its connection had been idle."""


@dataclass(frozen=True)
class Kill:
    """A worker that this suite ended, and the connections that it held then."""

    pid: int
    from_s: float
    until_s: float
    ports: frozenset[int]


@dataclass(frozen=True)
class Shortage:
    """Something was taken away for a time: requests of these kinds may be answered with these statuses."""

    what: str
    from_s: float
    until_s: float
    kinds: frozenset[str]
    statuses: frozenset[int]
    reaps: bool = False
    """Idle connections are closed to make room: a request that was just being sent on one has no answer."""

    def meets(self, request: Request) -> bool:
        """Whether it was going on while the request was."""
        return request.sent_s <= self.until_s and request.ended_s >= self.from_s


def excuse(request: Request, kills: Iterable[Kill], shortages: Iterable[Shortage]) -> str | None:
    """Why it is allowed that this request was not answered as it should have been; ``None``: it isn't."""
    if request.status == 0:
        for kill in kills:
            if request.port in kill.ports and request.sent_s <= kill.until_s and request.ended_s >= kill.from_s:
                return "its worker was killed"
    for shortage in filter(lambda one: one.meets(request), shortages):
        if request.status == 0 and request.reused and shortage.reaps:
            return f"its idle connection was closed: {shortage.what}"
        if request.kind in shortage.kinds and request.status in shortage.statuses:
            return f"{request.status}: {shortage.what}"
    return None


@dataclass(frozen=True)
class Verdict:
    """What became of all requests."""

    requests: Sequence[Request]
    excused: Counter[tuple[str, str]]
    """By kind and excuse."""
    failed: Sequence[Request]
    """The others that went wrong."""
    slowest_s: dict[str, float]
    """Of those that were answered, by kind, while nothing was short."""


def judge(requests: Sequence[Request], kills: Sequence[Kill], shortages: Sequence[Shortage]) -> Verdict:
    """Sort them."""
    excused: Counter[tuple[str, str]] = Counter()
    failed = []
    slowest_s: dict[str, float] = {}
    for request in requests:
        if not request.why and not any(shortage.meets(request) for shortage in shortages):
            for kind in (request.kind, "all"):
                slowest_s[kind] = max(slowest_s.get(kind, 0.0), request.ended_s - request.sent_s)
        elif request.why:
            reason = excuse(request, kills, shortages)
            if reason is None:
                failed.append(request)
            else:
                excused[request.kind, reason] += 1
    return Verdict(requests, excused, failed, slowest_s)


def table(verdict: Verdict, began_s: float) -> Iterator[str]:
    """Requests sent, answered, failed and why; then each failure that nothing excuses."""
    yield f"{'requests':12} {'sent':>8} {'answered':>9} {'excused':>8} {'failed':>7} {'slowest':>9}"
    for kind in [*sorted({request.kind for request in verdict.requests}), "all"]:
        mine = [request for request in verdict.requests if kind in (request.kind, "all")]
        excused = sum(count for (of, _), count in verdict.excused.items() if kind in (of, "all"))
        failed = sum(kind in (request.kind, "all") for request in verdict.failed)
        answered = len(mine) - excused - failed
        slowest_ms = verdict.slowest_s.get(kind, 0.0) * 1000
        yield f"{kind:12} {len(mine):8} {answered:9} {excused:8} {failed:7} {slowest_ms:6.0f} ms"
    for (kind, reason), count in sorted(verdict.excused.items()):
        yield f"  excused: {count} of {kind}: {reason}"
    for request in verdict.failed[:MOST_SHOWN]:
        lasted_s = request.ended_s - request.sent_s
        again = " on a used connection" if request.reused else ""
        when = f"at {request.sent_s - began_s:.2f} s, after {lasted_s:.2f} s"
        yield f"  FAILED {when}: {request.kind}{again}: {request.why}"
    if len(verdict.failed) > MOST_SHOWN:
        yield f"  and {len(verdict.failed) - MOST_SHOWN} more"
