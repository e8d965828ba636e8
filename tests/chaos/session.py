"""One session of chaos: a server, its steady load, one event after another, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from tests.chaos import processes
from tests.chaos.clock import jumping
from tests.chaos.events import EVENTS, WHOLE_S, Ground
from tests.chaos.load import loaded
from tests.chaos.project import WORKERS, serving
from tests.chaos.verdict import judge, table
from tests.server import wait_until

IDLE_S = 1.0
FAULTS = ("fault of prodserve", "makes no sense")
SPINNING_S = 0.5
"""CPU that all workers together may use in a second without load."""


def session(
    folder: Path,
    *,
    seconds: float,
    seed: int,
    say: Callable[[str], None],
    crowd: int = 50,
    clients: int = 8,
    model: str = "greenlets",
    only: Sequence[str] | None = None,
) -> bool:
    """All events in a random order, again and again until the time is over, each at least once. Whether all is well."""
    say(f"chaos with {model}, seed {seed}, {clients} clients, {WORKERS} workers")
    (folder / "site").mkdir()
    (folder / "clock").mkdir()
    good = True
    with serving(folder / "site", model) as server:
        ground = Ground(server, folder / "site", Random(seed), crowd)
        began_s = time.monotonic()
        with loaded(server.port, clients, seed) as load:
            for name in plan(ground.random, only or list(EVENTS), began_s + seconds):
                at_s = time.monotonic()
                try:
                    seen = EVENTS[name](ground)
                    wait_until(ground.whole, WHOLE_S, "all workers are there")
                except AssertionError as error:
                    good, seen = False, f"FAILED: {error}"
                say(f"{at_s - began_s:7.1f} s  {name:18} {time.monotonic() - at_s:5.1f} s  {seen}")
        spent_s = -processes.cpu_s(ground.workers())
        time.sleep(IDLE_S)
        spent_s += processes.cpu_s(ground.workers())
        say(f"idle afterwards: {spent_s:.2f} s of CPU in {IDLE_S:g} s")
        requests = sorted((request for client in load for request in client.requests), key=lambda one: one.sent_s)
        verdict = judge(requests, ground.kills, ground.shortages)
        for line in table(verdict, began_s):
            say(line)
        faults = [
            line for line in server.log().splitlines() if "fault of prodserve" in line or "makes no sense" in line
        ]
        for line in faults:
            say(line)
        good = good and not verdict.failed and not faults and spent_s < SPINNING_S
    return jumping(folder / "clock", seed=seed, say=say, clients=clients, model=model) and good


def plan(random: Random, names: Sequence[str], until_s: float) -> Iterator[str]:
    """Every event once in a random order, then again, until the time has come."""
    while True:
        order = list(names)
        random.shuffle(order)
        yield from order
        if time.monotonic() >= until_s:
            return
