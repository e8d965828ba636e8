"""What can't be provoked from outside: faults of our own in the loop, and a system that gives no thread."""

from __future__ import annotations

import mmap
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from prodserve.engine.engine import Engine, Timeouts
from prodserve.engine.greenlet_slots import GreenletSlots
from prodserve.engine.poller import EpollPoller, WatcherPoller
from prodserve.engine.thread_slots import ThreadSlots
from prodserve.h1.head import Limits, RequestLine
from prodserve.observe.flights import ROW_BYTES, Cells
from prodserve.observe.log import Log

NOTHING = (lambda: None, lambda: None, Cells(mmap.mmap(-1, ROW_BYTES), 0))
"""Hooks that do nothing, and room for what is running."""


class Target:
    """Counts what it is told; may be faulty."""

    out = None
    deadline = float("inf")

    def __init__(self, sock: socket.socket, fault: Exception | None) -> None:
        self.sock = sock
        self.fault = fault
        self.read = b""

    def readable(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.read += self.sock.recv(1000)

    def writable(self) -> None: ...
    def input_ended(self) -> None: ...
    def hangup(self) -> None: ...
    def expire(self) -> None: ...


@pytest.mark.parametrize("make", [EpollPoller, WatcherPoller])
def test_a_fault_in_one_connection_is_told_and_the_others_are_still_heard(make: Callable[[Any], Any]) -> None:
    poller = make(gevent.get_hub().loop)
    told: list[tuple[Any, Exception]] = []
    poller.failed = lambda target, error: (told.append((target, error)), setattr(target, "fault", None))
    pairs = [socket.socketpair() for _ in range(4)]
    targets = []
    for i, (ours, _) in enumerate(pairs):
        ours.setblocking(False)
        targets.append(Target(ours, ValueError("ours") if i % 2 else None))
        poller.add(ours.fileno(), targets[i])
    for text in (b"first", b"second"):
        for _, theirs in pairs:
            theirs.sendall(text)
        turn_until(lambda text=text: all(target.read.endswith(text) for target in targets[::2]))
        turn_until(lambda: len(told) >= 2)
    turn_until(lambda: all(target.read.endswith(b"second") for target in targets))
    assert [target.read for target in targets][::2] == [b"firstsecond"] * 2
    assert {target for target, _ in told} == set(targets[1::2])
    poller.close()
    for pair in pairs:
        for sock in pair:
            sock.close()


class Job:
    """A task that waits until it is allowed to end."""

    line = RequestLine("GET", b"/", 1, {}, "GET / HTTP/1.1")

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate

    def run(self) -> None:
        self.gate.wait(5)


def turn_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        gevent.sleep(0.01)


@pytest.fixture
def visited() -> list[int]:
    """The threads that have run the idle hook."""
    return []


@pytest.fixture
def slots(visited: list[int]) -> Iterator[ThreadSlots]:
    made = ThreadSlots(gevent.get_hub(), 4, 100, lambda: visited.append(threading.get_ident()), *NOTHING)
    yield made
    made.stop()
    turn_until(lambda: not made.alive)
    gevent.sleep(0.05)  # lets the loop turn
    assert not made.alive, "threads are started although it has stopped"


def test_every_idle_thread_runs_the_idle_hook_once_not_the_quickest_one_for_all(
    slots: ThreadSlots, visited: list[int]
) -> None:
    gate = threading.Event()
    for _ in range(4):
        assert slots.submit(Job(gate))
    slots.flush()
    turn_until(lambda: slots.alive == 4 and slots.busy == 4 and not slots.waiting)
    gate.set()
    turn_until(lambda: not slots.busy)
    visited.clear()
    for rounds in (1, 2, 3):
        slots.housekeep()
        turn_until(lambda rounds=rounds: len(visited) == 4 * rounds and not slots.busy)
        assert len(set(visited[-4:])) == 4


def test_a_system_that_gives_no_thread_delays_requests_but_loses_no_slot(slots: ThreadSlots) -> None:
    start = slots._start_thread

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    gate = threading.Event()
    slots._start_thread = refuse
    for _ in range(10):
        assert slots.submit(Job(gate))
        slots.flush()
    assert (slots.alive, slots.waiting) == (0, 10)
    slots._start_thread = start
    gate.set()
    slots.flush()
    turn_until(lambda: slots.alive and not slots.busy and not slots.waiting)


class FaultyPlace:
    """A place on the board that can't be read."""

    def hold(self, connections: int) -> None: ...

    def fewest(self) -> int:
        raise ValueError("torn")


@pytest.mark.parametrize("make", [EpollPoller, WatcherPoller])
def test_a_fault_while_accepting_is_told_once_a_second_not_in_a_busy_loop(
    make: Callable[[Any], Any], tmp_path: Path
) -> None:
    hub = gevent.get_hub()
    with (
        (tmp_path / "log").open("wb") as log,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        listening.setblocking(False)
        engine = Engine(
            loop=hub.loop,
            poller=make(hub.loop),
            slots=GreenletSlots(hub, 1, 1, lambda: None, *NOTHING),
            task=lambda *_: None,  # type: ignore[arg-type,return-value]
            files=None,
            limits=Limits(),
            timeouts=Timeouts(),
            connection_limit=10,
            body_memory_bytes=1000,
            temp_dir=None,
            log=Log(log.fileno()),
            access=None,
            trim=lambda: None,
            place=FaultyPlace(),
        )
        engine.listen(listening.fileno(), {})
        engine.start_accepting()
        with socket.create_connection(listening.getsockname()):
            turn_until(lambda: engine.paused)
            for _ in range(100):
                gevent.sleep(0)
            assert (tmp_path / "log").read_text().count("ValueError: torn") == 1
        engine.close()
