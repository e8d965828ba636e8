"""Clients that move too few bytes are let go as if they paused; those that keep the least rate stay."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest
from prodserve.engine.pace import seconds_per_byte, untaken_bytes

from tests.server import wait_until

from .client import request
from .conftest import Worker, nothing_left, working

RATE = 2000
SEGMENT_BYTES = 536
"""The loopback's segments are 64 KB, and a window opens by a whole one: no network is like that."""
LARGE = 40_000_000


CHUNKED = request("/echo", "Transfer-Encoding: chunked", method="POST")
BY_LENGTH = request("/echo", f"Content-Length: {LARGE}", method="POST")


@dataclass
class Pace:
    """A client that sends ``piece`` or reads ``size`` bytes ten times a second once it has sent ``first``."""

    first: bytes
    piece: bytes = b""
    size: int = 0


ENDED = {
    "by length": Pace(BY_LENGTH, b"x"),
    "chunks": Pace(CHUNKED, b"1\r\nx\r\n"),
    "extension": Pace(CHUNKED + b"1;", b"x"),
    "one chunk": Pace(CHUNKED + b"fffff\r\n", b"x"),
    "much at first": Pace(BY_LENGTH + b"x" * 300_000, b""),
    "stream": Pace(request(f"/blocks?count=1000&size={LARGE // 1000}"), size=10),
    "declared stream": Pace(request(f"/blocks?count=1000&size={LARGE // 1000}&length={LARGE}"), size=10),
    "whole": Pace(request(f"/whole?size={LARGE}"), size=10),
    "file": Pace(request("/file?path=LARGE"), size=10),
    "deaf": Pace(request("/file?path=LARGE")),
}
STAY = {
    "slow body": Pace(BY_LENGTH, b"x" * 500),
    "slow chunks": Pace(CHUNKED, b"20\r\n" + b"x" * 32 + b"\r\n" + b"100\r\n" + b"x" * 256 + b"\r\n"),
    "slow reader of a stream": Pace(request(f"/blocks?count=1000&size={LARGE // 1000}"), size=800),
    "slow reader of a whole": Pace(request(f"/whole?size={LARGE}"), size=800),
    "slow reader of a file": Pace(request("/file?path=LARGE"), size=800),
    "quiet stream": Pace(request("/blocks?count=2&size=10&gate=quiet"), size=800),
}


class Slow:
    """Such a client at work. Its kernel takes in little."""

    def __init__(self, port: int, pace: Pace, large: str) -> None:
        self.pace = pace
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(pace.first.replace(b"LARGE", large.encode()))
        self.socket.setblocking(False)
        self.watch = select.poll()
        self.watch.register(self.socket, select.POLLIN if b"POST" in pace.first else 0)
        self.received = b""

    def step(self) -> bool:
        """Do what is due; whether the connection goes on."""
        if self.watch.poll(0):  # an answer to a body that is not over, or the end
            return False
        with suppress(BlockingIOError):
            if self.pace.piece:
                self.socket.send(self.pace.piece)
            if self.pace.size:
                self.received += self.socket.recv(self.pace.size)
        return True


@pytest.fixture(scope="module", params=[("greenlets", "epoll"), ("threads", "watchers")], ids="-".join)
def measured(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker that bears a pause of two seconds, and expects 2000 bytes a second."""
    settings = {"body_timeout": 2, "write_timeout": 2, "min_body_rate": RATE, "min_write_rate": RATE}
    with working(request.param, **settings) as worker:
        yield worker


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that takes no room on the disk."""
    path = tmp_path_factory.mktemp("files") / "large"
    with path.open("wb") as file:
        os.truncate(file.fileno(), LARGE)
    return str(path)


def test_those_that_are_too_slow_go_and_those_that_are_just_fast_enough_stay(measured: Worker, large: str) -> None:
    with nothing_left(measured), ExitStack() as stack:
        clients = {name: Slow(measured.port, pace, large) for name, pace in {**ENDED, **STAY}.items()}
        for client in clients.values():
            stack.enter_context(client.socket)
        working_on = set(clients)
        end = time.monotonic() + 20
        least = time.monotonic() + 6  # those that stay do it for three times as long as anybody may pause
        while time.monotonic() < least or (working_on & set(ENDED) and time.monotonic() < end):
            working_on = {name for name in working_on if clients[name].step()}
            time.sleep(0.1)  # the pace
        assert working_on == set(STAY)
        with measured.connect() as other:
            other.ask("/release?name=quiet")
        wait_until(lambda: not clients["quiet stream"].step() or b"0\r\n\r\n" in clients["quiet stream"].received, 5)
        assert clients["quiet stream"].received.endswith(b"0\r\n\r\n")


@pytest.fixture
def narrow() -> Iterator[Worker]:
    """A worker with two slots and much patience."""
    with working(("greenlets", "epoll"), slots=2) as worker:
        yield worker


def test_readers_that_keep_slots_busy_have_little_time_while_others_wait(narrow: Worker) -> None:
    stream = request(f"/blocks?name=stream&count=1000&size={LARGE // 1000}")
    with nothing_left(narrow), ExitStack() as stack:
        deaf = [stack.enter_context(narrow.connect(receive_bytes=4096)) for _ in range(2)]
        for client in deaf:
            client.send(stream)
        wait_until(lambda: all(select.select([client.socket], [], [], 0)[0] for client in deaf), 5)
        with narrow.connect() as other:
            other.socket.settimeout(20)  # of the minute that they would have
            assert other.ask("/").status == 200


@pytest.mark.parametrize(("rate", "earned_s"), [(240, 1 / 240), (1, 1), (1_000_000, 0.000001)])
def test_a_byte_earns_the_time_that_it_takes(rate: int, earned_s: float) -> None:
    assert seconds_per_byte(rate) == earned_s


def test_without_a_least_rate_any_byte_is_enough() -> None:
    assert seconds_per_byte(0) > 86400


def test_the_kernel_tells_what_a_client_has_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as client:
        conn, _ = door.accept()
        with conn:
            assert untaken_bytes(conn.fileno()) == 0
            conn.setblocking(False)
            sent = conn.send(b"x" * 20_000_000)
            left = untaken_bytes(conn.fileno())
            assert 0 < left <= sent
            while client.recv(1 << 20) and untaken_bytes(conn.fileno()) == left:
                pass
            assert untaken_bytes(conn.fileno()) < left
    with open(os.devnull) as nothing:
        assert untaken_bytes(nothing.fileno()) == 0
