"""Who gets in when there is not room for all: a share for each client address, and a newcomer before those that idle.

``Shares`` counts the connections of an address, as long as it has any; what it remembers is bounded by the number of
connections. ``Room`` closes those that can best be spared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from .connection import BODY, HEAD, IDLE, Connection

IDLE_S = 2
"""A client that has come, or been answered, within the last second is likely to send a request now: it may stay. The
clock counts whole seconds, so less than 2 may be next to nothing."""
HALF_HEAD_S = 3
"""So long, and a half-sent head is not a matter of distance any more."""
STALLED_S = 10
"""So long below the least rate, and an upload or a download is not worth a newcomer."""
NAMED = 1000
"""Addresses that are named in the log in one minute."""
REPORT_S = 60


@lru_cache(4096)
def network(host: str) -> str:
    """The address as limits count it: of IPv6, where each client has 2^64 of them, the network. ``""``: not counted,
    since it is this machine, whose proxy speaks for many clients, or a Unix socket."""
    if not host:
        return ""
    address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return ""
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


class Shares:
    """At most ``limit`` connections for each address."""

    def __init__(self, limit: int, warn: Callable[[str], None]) -> None:
        self.limit = limit
        self._warn = warn
        self._held: dict[str, int] = {}
        self._refused: Counter[str] = Counter()
        self._unnamed = 0
        self._reported_s = 0.0

    def admit(self, host: str) -> bool:
        """Whether one more may come from there; if so, it is counted until ``leave``."""
        place = network(host)
        if not place:
            return True
        held = self._held.get(place, 0)
        if held >= self.limit:
            self._refuse(place)
            return False
        self._held[place] = held + 1
        return True

    def leave(self, host: str) -> None:
        """One that was admitted is gone."""
        place = network(host)
        if place:
            held = self._held[place] - 1
            if held:
                self._held[place] = held
            else:
                del self._held[place]

    def _refuse(self, place: str) -> None:
        if place in self._refused:
            self._refused[place] += 1
        elif len(self._refused) < NAMED:
            self._refused[place] = 1
            self._warn(
                f"{place} has {self.limit} connections to this worker, more are closed at once "
                "(limit_connections_per_address)"
            )
        else:
            self._unnamed += 1

    def report(self, now_s: float) -> None:
        """Called once a second: once a minute, the log has how many were closed."""
        if now_s < self._reported_s + REPORT_S:
            return
        self._reported_s = now_s
        count = sum(self._refused.values()) + self._unnamed
        if count:
            most = ", ".join(f"{place}: {number}" for place, number in self._refused.most_common(3))
            self._warn(f"{count} connections were closed at once in the last minute ({most})")
        self._refused.clear()
        self._unnamed = 0


def spared(connection: Connection, now_s: float, keep_alive_s: float, head_s: float) -> tuple[int, float] | None:
    """How well the worker can do without this connection, the smallest first: those that wait for a request, the
    longest idle before the others; then those that have long been sending a head; then those whose body or response
    does not move, though they lose it. None: it stays."""
    if connection.state == IDLE and not connection.more and not connection.buffer:
        since_s = connection.deadline - (keep_alive_s if connection.started else head_s)
        return (0, since_s) if now_s - since_s >= IDLE_S else None
    if connection.state == HEAD:
        since_s = connection.deadline - head_s
        return (1, since_s) if now_s - since_s >= HALF_HEAD_S else None
    if connection.state == BODY or connection.out is not None:
        stalled_s = connection.stalled_s(now_s)
        return (2, -stalled_s) if stalled_s >= STALLED_S else None
    return None


class Room:
    """Makes room in a full worker."""

    def __init__(self, keep_alive_s: float, head_s: float, warn: Callable[[str], None]) -> None:
        self._keep_alive_s = keep_alive_s
        self._head_s = head_s
        self._warn = warn
        self._queue: list[tuple[tuple[int, float], int, Connection]] = []
        self._looked_s = 0.0
        self._sent_away = 0
        self._reported_s = 0.0

    def make(self, targets: Iterable[Any], now_s: float) -> bool:
        """Close the connection of ``targets`` that can best be spared; False: there is none.

        They are looked through once a second, however many newcomers there are."""
        if self._looked_s != now_s:
            self._looked_s = now_s
            for number, target in enumerate(targets):
                rank = self._rank(target, now_s) if target.__class__ is Connection else None
                if rank is not None:
                    self._queue.append((rank, number, target))
            self._queue.sort(reverse=True)
        while self._queue:
            rank, _, connection = self._queue.pop()
            if self._rank(connection, now_s) == rank:  # it has not begun a request meanwhile
                connection.abort(reset=connection.out is not None)
                self._sent_away += 1
                return True
        return False

    def _rank(self, connection: Connection, now_s: float) -> tuple[int, float] | None:
        return spared(connection, now_s, self._keep_alive_s, self._head_s)

    def report(self, now_s: float) -> None:
        """Called once a second: once a minute, the log has how many were sent away."""
        self._queue.clear()
        if self._sent_away and now_s >= self._reported_s + REPORT_S:
            self._reported_s = now_s
            self._warn(
                f"{self._sent_away} connections that were idle or stalled were closed to make room for others: this "
                "worker has as many as it may (worker_connections, or the limit of open files)"
            )
            self._sent_away = 0
