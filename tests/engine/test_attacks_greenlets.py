"""What apps can do to the greenlets that they run on: timers and switches that arrive when the request is over."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.server import Server, wait_until

from .attack import (
    connect,
    exchange,
    get,
    last,
    leaving_nothing,
    request,
    serving,
    statuses,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("greenlets", "--slots", "2") as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left(server: Server) -> Iterator[None]:
    with leaving_nothing(server):
        yield


@pytest.mark.parametrize("path", ["timer", "wakes", "killed"])
def test_a_timer_that_a_request_leaves_behind_does_not_end_or_confuse_its_slot(server: Server, path: str) -> None:
    for _ in range(4):
        assert get(server, f"/{path}") == b"hello"
        time.sleep(0.3)  # the timer fires
    with connect(server) as one, connect(server) as other:  # both slots still exist, and each has one request
        started = time.monotonic()
        one.sendall(request("/sleep/0.5"))
        other.sendall(request("/sleep/0.5"))
        assert statuses(one.recv(65536)) == statuses(other.recv(65536)) == [200]
        assert time.monotonic() - started < 0.9


def test_a_timeout_that_strikes_while_the_client_reads_slowly_ends_that_response_only(server: Server) -> None:
    before = int(get(server, "/count/endless-ended"))
    with connect(server, receive_bytes=4096) as slow:
        slow.sendall(request("/timeout"))
        wait_until(lambda: int(get(server, "/count/endless-ended")) == before + 1, 5)
        for _ in range(5):
            assert statuses(exchange(server, last("/sleep/0.05"))) == [200]
