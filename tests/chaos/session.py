"""One session of chaos: a server, its steady load, one event after another, and the verdict."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.chaos import processes
from tests.chaos.events import APP, EVENTS, HANG_S, WHOLE_S, WORKERS, Ground
from tests.chaos.load import FILE, FILE_NAME, Client
from tests.chaos.verdict import judge, table
from tests.server import Server, free_port, running, wait_until

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
    good = True
    with serving(folder, model) as server:
        ground = Ground(server, folder, Random(seed), crowd)
        began_s = time.monotonic()
        load = [Client(number, seed, server.port) for number in range(clients)]
        for client in load:
            client.start()
        try:
            for name in plan(ground.random, only or list(EVENTS), began_s + seconds):
                at_s = time.monotonic()
                try:
                    seen = EVENTS[name](ground)
                    wait_until(ground.whole, WHOLE_S, "all workers are there")
                except AssertionError as error:
                    good, seen = False, f"FAILED: {error}"
                say(f"{at_s - began_s:7.1f} s  {name:18} {time.monotonic() - at_s:5.1f} s  {seen}")
        finally:
            for client in load:
                client.stop()
            for client in load:
                client.join()
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
        return good and not verdict.failed and not faults and spent_s < SPINNING_S


def plan(random: Random, names: Sequence[str], until_s: float) -> Iterator[str]:
    """Every event once in a random order, then again, until the time has come."""
    while True:
        order = list(names)
        random.shuffle(order)
        yield from order
        if time.monotonic() >= until_s:
            return


@contextmanager
def serving(folder: Path, model: str) -> Iterator[Server]:
    """The server under test."""
    (folder / "wapp.py").write_text(APP)
    (folder / "files").mkdir()
    (folder / "files" / FILE_NAME).write_bytes(FILE)
    port = free_port()
    command = [sys.executable, "-m", "prodserve", "wapp:app", str(port), "--workers", str(WORKERS)]
    command += ["--worker-model", model, "--static", f"/files/={folder / 'files'}", "--body-memory", "16K"]
    command += ["--hang-timeout", f"{HANG_S:g}", "--reload-trial", "1", "--access-logfile", "none"]
    command += ["--temp-dir", str(folder)]
    with running(command, port, cwd=folder) as server:
        server.wait_for_log("stop: Ctrl-C")
        yield server
