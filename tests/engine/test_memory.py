"""What all clients together may have a worker keep in memory, and where the rest goes."""

from __future__ import annotations

import gc
import hashlib
import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prodserve.engine.memory import Memory, MemoryFile, spool

from tests.server import wait_until

from .client import request
from .conftest import Worker, nothing_left, working

LIMIT = 2_000_000


def test_memory_is_counted_and_given_back() -> None:
    memory = Memory(100)
    first, second = MemoryFile(memory), MemoryFile(memory)
    assert first.keep(b"x" * 60)
    assert not second.keep(b"x" * 41)
    assert second.keep(b"x" * 40)
    assert not memory.room_for(1)
    assert first.getvalue() == b"x" * 60
    first.close()
    first.close()
    assert memory.room_for(60) and not memory.room_for(61)


def test_a_file_that_is_forgotten_gives_its_memory_back() -> None:
    memory = Memory(100)
    file = MemoryFile(memory)
    assert file.keep(b"x" * 100)
    del file
    gc.collect()
    assert memory.room_for(100)


def test_files_may_be_closed_in_any_thread() -> None:
    memory = Memory(1_000_000)
    files = [MemoryFile(memory) for _ in range(1000)]
    for file in files:
        assert file.keep(b"x" * 1000)
    assert not memory.room_for(1)
    parts = [files[number::8] for number in range(8)]
    threads = [threading.Thread(target=lambda part=part: [file.close() for file in part]) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.room_for(1_000_000) and not memory.room_for(1_000_001)


def test_heads_and_responses_count_too() -> None:
    memory = Memory(100)
    memory.others = 70
    assert not MemoryFile(memory).keep(b"x" * 31)
    memory.others = 0
    assert memory.room_for(100)


def test_a_response_is_stored_without_a_name(tmp_path: Path) -> None:
    piece = spool(memoryview(b"abcdef")[2:], str(tmp_path))
    try:
        assert Path(f"/proc/self/fd/{piece.fd}").read_bytes() == b"cdef"
        assert (piece.offset, len(piece)) == (0, 4)
        assert not list(tmp_path.iterdir())
    finally:
        piece.close()


@pytest.fixture(scope="module", params=[("greenlets", "epoll"), ("threads", "watchers")], ids="-".join)
def poor(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker that keeps two megabytes for all clients."""
    with working(request.param, client_memory=LIMIT) as worker:
        yield worker


def test_bodies_of_many_clients_go_to_files_when_there_is_no_room(poor: Worker) -> None:
    with nothing_left(poor), ExitStack() as stack:
        before = poor.memory_bytes()
        half = b"x" * 100_000
        clients = [stack.enter_context(poor.connect()) for _ in range(100)]
        for client in clients:
            client.send(request("/echo", "Content-Length: 200000", method="POST") + half)
        wait_until(lambda: len(poor.descriptors()) >= len(poor.at_rest) + 100 + 80, 10, "eighty of them in files")
        assert poor.memory_bytes() - before < 2 * LIMIT
        with poor.connect() as other:
            assert other.ask("/echo", method="POST", body=b"hello").json["length"] == 5
        for client in clients:
            client.send(half)
            assert client.reply().json["sha256"] == hashlib.sha256(half * 2).hexdigest()
    with poor.connect() as other:  # there is room again
        other.send(request("/echo", "Content-Length: 200000", method="POST") + half)
        time.sleep(0.2)  # for a file that must not come
        assert len(poor.descriptors()) <= len(poor.at_rest) + 1
        other.send(half)
        assert other.reply().json["length"] == 200_000


@pytest.mark.parametrize("target", ["/whole?size=10000000", "/blocks?count=1&size=10000000&length=10000000"])
def test_responses_that_many_clients_do_not_read_go_to_files(poor: Worker, target: str) -> None:
    with nothing_left(poor), ExitStack() as stack:
        clients = [stack.enter_context(poor.connect(receive_bytes=4096)) for _ in range(20)]
        poor.state()
        before = poor.memory_bytes()
        for client in clients:
            client.send(request(target))
        wait_until(lambda: len(poor.descriptors()) >= len(poor.at_rest) + 20 + 15, 10, "fifteen of them in files")
        wait_until(lambda: poor.memory_bytes() - before < 40_000_000, 5, "they are not in memory")
        with poor.connect() as other:
            assert other.ask("/").status == 200
        for client in clients[:4]:
            reply = client.reply()
            assert (len(reply.body), reply.cut) == (10_000_000, False)
            assert client.ask("/").status == 200


def test_long_heads_that_come_in_parts_are_refused_when_there_is_no_room(poor: Worker) -> None:
    with nothing_left(poor), ExitStack() as stack:
        lines = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 8000) for number in range(7))
        clients = [stack.enter_context(poor.connect()) for _ in range(60)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + lines)
        waiting = {client.socket.fileno(): client for client in clients}
        refused = 0
        while answered := select.select(list(waiting), [], [], 1.0)[0]:  # nothing more for a second: those may stay
            refused += sum(waiting.pop(number).reply().status == 503 for number in answered)
        assert 15 < refused < 60
        with poor.connect() as other:
            assert other.ask("/").status == 200
