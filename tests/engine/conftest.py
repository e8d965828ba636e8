"""Live workers, one for each execution model and poller, and a look at what each test leaves behind in them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.arrivals import ARRIVALS, Arrival
from tests.server import Server, free_port, running, wait_until

from .client import Client

ROOT = Path(__file__).parents[2]
KINDS = [(model, poller) for model in ("greenlets", "threads") for poller in ("epoll", "watchers")]
SLOTS = 6


class Worker:
    """A live worker: ``server`` is its process, ``model`` and ``poller`` how it runs."""

    def __init__(self, server: Server, model: str, poller: str) -> None:
        self.server = server
        self.port = server.port
        self.model = model
        self.poller = poller
        self.at_rest = self.settled()
        """Its descriptors while it has nothing to do."""

    def settled(self) -> list[str]:
        """Its descriptors, once they do not change any more."""
        seen: list[list[str]] = [[], []]
        wait_until(lambda: seen.append(self.descriptors()) or seen[-1] == seen[-2] == seen[-3], 10)
        return seen[-1]

    def connect(self, receive_bytes: int = 0) -> Client:
        """A client of it; ``receive_bytes`` bounds what the kernel takes in for the client."""
        return Client(self.port, receive_bytes)

    def state(self) -> dict[str, Any]:
        """What the app tells of itself."""
        with self.connect() as client:
            told: dict[str, Any] = client.ask("/state", "Connection: close").json
            return told

    def descriptors(self) -> list[str]:
        """What its open descriptors are."""
        folder = f"/proc/{self.server.process.pid}/fd"
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{name}").partition(":")[0])
            except FileNotFoundError:
                continue
        return sorted(found)

    def memory_bytes(self) -> int:
        """Its resident memory."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@contextmanager
def working(
    kind: tuple[str, str], target: str = "tests.apps.wire:app", pythonpath: Path = ROOT, **settings: object
) -> Iterator[Worker]:
    """Start a worker by itself; ``settings`` are those of ``Config``, ``pythonpath`` is where the app may be too."""
    model, poller = kind
    port = free_port()
    command = [sys.executable, "-m", "tests.engine.solo", model, poller, target, str(port)]
    settings = {"slots": SLOTS, "log_level": "debug", "access_logfile": "none", **settings}
    with running([*command, json.dumps(settings)], port, cwd=ROOT, env={"PYTHONPATH": str(pythonpath)}) as server:
        yield Worker(server, model, poller)


@contextmanager
def nothing_left(worker: Worker) -> Iterator[None]:
    """Whatever the block does: afterwards no descriptor is open, no request runs, no slot is lost."""
    yield
    wait_until(lambda: worker.descriptors() == worker.at_rest, 6, f"{worker.descriptors()} == {worker.at_rest}")
    wait_until(lambda: not worker.state()["running"], 6, "no request runs")
    state = worker.state()
    if worker.model == "greenlets":
        assert state["greenlets"] <= SLOTS + 3, state
    else:
        assert state["threads"] <= SLOTS + 3, state


@pytest.fixture(scope="session", params=KINDS, ids="-".join)
def shared_worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker with the usual settings, one for all tests."""
    with working(request.param) as worker:
        yield worker


@pytest.fixture
def worker(shared_worker: Worker) -> Iterator[Worker]:
    """A worker with the usual settings, in which the test leaves nothing behind."""
    with nothing_left(shared_worker):
        yield shared_worker


@pytest.fixture(params=ARRIVALS, ids=lambda arrival: arrival.__name__)
def arrive(request: pytest.FixtureRequest) -> Arrival:
    """One way for the bytes of a case to arrive."""
    chosen: Arrival = request.param
    return chosen
