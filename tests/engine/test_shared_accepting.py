"""Connections are shared evenly between workers, also when some stay for long and others go."""

from __future__ import annotations

import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.server import Server, free_port, running

from .attack import CHECKOUT, body, connect, request, statuses

WORKERS = 4
EACH = 50
LEAST = EACH // 2
"""A sibling that is not given the processor for some milliseconds misses its turn, and this machine may be busy."""


@pytest.fixture
def four() -> Iterator[Server]:
    """Four workers."""
    port = free_port()
    command = [sys.executable, "-m", "prodserve", "tests.engine.hostile:app", f"127.0.0.1:{port}"]
    with running([*command, "--workers", str(WORKERS), "--access-logfile", "none"], port, cwd=CHECKOUT) as server:
        server.wait_for_log(f"workers  {WORKERS}")
        yield server


def arrive(server: Server, stack: ExitStack) -> tuple[str, socket.socket]:
    """A client that stays, and the worker that has it."""
    client = stack.enter_context(connect(server))
    client.sendall(request("/pid"))
    received = client.recv(1000)
    while b"0\r\n\r\n" not in received and b"Content-Length" not in received:
        received += client.recv(1000)
    assert statuses(received) == [200]
    return body(received).decode(), client


def test_long_lived_connections_are_spread_over_all_workers_and_again_when_one_has_lost_its_own(four: Server) -> None:
    with ExitStack() as stack:
        clients = [arrive(four, stack) for _ in range(WORKERS * EACH)]
        held = Counter(worker for worker, _ in clients)
        assert len(held) == WORKERS
        assert min(held.values()) >= LEAST, held
        emptied = clients[0][0]
        for worker, client in clients:
            if worker == emptied:
                client.close()
        came = Counter(arrive(four, stack)[0] for _ in range(held[emptied]))
        assert came[emptied] > sum(came.values()) / 2, came


def test_a_worker_that_is_stuck_does_not_keep_newcomers_waiting_for_it(four: Server) -> None:
    with ExitStack() as stack:
        clients = [arrive(four, stack) for _ in range(WORKERS * EACH)]
        stuck, held = clients[0]
        for worker, client in clients[1:]:
            if worker == stuck:
                client.close()
        held.sendall(request("/block/4"))
        time.sleep(0.5)  # nothing tells when it is stuck
        started = time.monotonic()
        came = Counter(arrive(four, stack)[0] for _ in range(4 * EACH))
        assert time.monotonic() - started < 1.5, came  # ten milliseconds each would be two seconds
        assert not came[stuck]
        assert statuses(held.recv(1000)) == [200]
