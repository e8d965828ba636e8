"""Crowds of slow and hostile clients: others are served as if there were none, and each is gone when its time is over.

``TEST_CROWD=5000`` makes them larger than the 1,000 of a usual run. What was measured is printed (``pytest -rP``).
"""

from __future__ import annotations

import os
import resource
import select
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.server import Server, wait_until

from .attack import (
    assert_well,
    connect,
    cpu_s,
    descriptors,
    get,
    memory_kib,
    request,
    reset,
    serving,
    statuses,
    worker,
)

PATIENCE_S = 2
"""Of the server, in every respect, for each thousand of a crowd."""
LARGE_BYTES = 64 << 20
CLIENT_MEMORY_KIB = 32 << 10
WATCHED_S = 1.0
"""How long others ask while the crowd is there."""
BYTES_EACH = 6000
"""A connection costs the worker so much at most, beside what it keeps for it."""


@dataclass
class Kind:
    """What each of a crowd sends first, and then sends or reads a few times a second."""

    first: bytes = b""
    piece: bytes = b""
    read: int = 0


UPLOAD = request("/show", "Content-Length: 200000", method="POST")
KINDS = {
    "silent": Kind(),
    "half a head": Kind(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: "),
    "half a body": Kind(UPLOAD + b"x" * 100_000),
    "not reading": Kind(request("/files/large")),
    "a head byte by byte": Kind(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", piece=b"x"),
    "a body byte by byte": Kind(UPLOAD, piece=b"x"),
    "reading byte by byte": Kind(request("/files/large"), read=1),
}


class Crowd:
    """Many clients of one kind. Leave it to let them all go."""

    def __init__(self, server: Server, size: int, kind: Kind) -> None:
        self.kind = kind
        self.ended = select.epoll()
        self.here: dict[int, socket.socket] = {}
        for _ in range(size):
            client = connect(server, receive_bytes=4096)
            self.here[client.fileno()] = client
            client.sendall(kind.first)
            client.setblocking(False)
            self.ended.register(client, select.EPOLLRDHUP)

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.here.values():
            client.close()
        self.ended.close()

    def step(self) -> int:
        """Let each do what it does; how many are there still."""
        for fd, _ in self.ended.poll(0, len(self.here) + 1):
            self.here.pop(fd).close()
        for client in self.here.values():
            with suppress(OSError):
                if self.kind.piece:
                    client.send(self.kind.piece)
                if self.kind.read:
                    client.recv(self.kind.read)
        return len(self.here)


@pytest.fixture(scope="module")
def size() -> int:
    """How many a crowd are; the limit of open files is raised for them."""
    wanted = int(os.environ.get("TEST_CROWD", "1000"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * wanted + 1000:
        pytest.skip(f"a crowd of {wanted} needs more open files than {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * wanted + 1000), hard))
    return wanted


@pytest.fixture(scope="module")
def patience_s(size: int) -> int:
    """How long the server waits for anybody."""
    return max(PATIENCE_S, PATIENCE_S * size // 1000)


@pytest.fixture(scope="module")
def site(patience_s: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a large file, and little patience."""
    folder = tmp_path_factory.mktemp("files")
    with (folder / "large").open("wb") as file:
        os.truncate(file.fileno(), LARGE_BYTES)
    (folder / "small").write_text("small")
    times = [(f"--{name}", str(patience_s)) for name in ("keep-alive", "head-timeout", "body-timeout", "write-timeout")]
    options = [text for pair in times for text in pair]
    options += ["--static", f"/files/={folder}", "--access-logfile", "none", "--client-memory", f"{CLIENT_MEMORY_KIB}K"]
    with serving("greenlets", *options) as server:
        get(server, "/files/small")
        yield server


def asked(server: Server, path: str) -> float:
    """How long a request on a connection of its own takes, in seconds."""
    started = time.monotonic()
    get(server, path)
    return time.monotonic() - started


@pytest.mark.parametrize("name", KINDS)
def test_a_crowd_of_slow_clients_is_no_burden_for_others_and_goes(
    site: Server, size: int, patience_s: int, name: str
) -> None:
    pid = worker(site)
    before, memory, used = descriptors(pid), memory_kib(pid), cpu_s(pid)
    with Crowd(site, size, KINDS[name]) as crowd:
        wait_until(lambda: descriptors(pid) >= before + len(crowd.here), 10, "all are accepted")
        times = []
        end = time.monotonic() + WATCHED_S
        while time.monotonic() < end:
            crowd.step()
            times += [asked(site, "/"), asked(site, "/files/small")]
            time.sleep(0.005)  # each of these leaves a port that can't be used for a minute
        kept = memory_kib(pid) - memory
        print(
            f"{name}, {crowd.step()} of {size}: a request took {max(times) * 1000:.1f} ms at most, "
            f"{statistics.median(times) * 1000:.1f} ms in the median of {len(times)}; "
            f"{kept / size:.1f} KiB of memory and {(cpu_s(pid) - used) * 1e6 / size:.0f} us of CPU for each"
        )
        assert statistics.median(times) < 0.2
        assert max(times) < 2  # 0.2 on a machine that has nothing else to do
        assert kept < CLIENT_MEMORY_KIB * 1.5 * ("body" in name) + size * BYTES_EACH / 1024 + 4000
        wait_until(lambda: not crowd.step(), 5 * patience_s + 5, "all of them are gone")
    assert_well(site, pid, before)


def test_thousands_that_connect_and_close_without_a_byte_are_no_burden(site: Server, size: int) -> None:
    pid = worker(site)
    before, used = descriptors(pid), cpu_s(pid)
    times = []
    for number in range(2 * size):
        client = connect(site)
        if number % 2:
            reset(client)
        client.close()
        if not number % 50:
            times.append(asked(site, "/"))
    print(f"{max(times) * 1000:.1f} ms at most; {(cpu_s(pid) - used) * 1e6 / size / 2:.0f} us of CPU for each")
    assert statistics.median(times) < 0.2
    assert_well(site, pid, before)


def test_resets_in_the_middle_of_answers_are_no_burden(site: Server) -> None:
    pid = worker(site)
    before = descriptors(pid)
    for number in range(300):
        client = connect(site, receive_bytes=4096)
        client.sendall(request(("/files/large", "/endless", "/big/3000000")[number % 3]))
        assert client.recv(100)
        reset(client)
    assert_well(site, pid, before)


def test_a_client_that_has_no_window_for_a_while_gets_the_rest(site: Server) -> None:
    with connect(site, receive_bytes=4096) as client:
        client.sendall(request("/files/large", "Connection: close"))
        client.shutdown(socket.SHUT_WR)
        time.sleep(1)  # the window is closed, and the system asks for another
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        received = client.recv(4096)
        assert statuses(received) == [200]
        count = len(received.partition(b"\r\n\r\n")[2])
        while piece := client.recv(1 << 20):
            count += len(piece)
        assert count == LARGE_BYTES
