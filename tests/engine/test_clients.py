"""Clients that read slowly, stop half-way or vanish: what they get, and what they leave behind, which is nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.server import wait_until

from .client import Client, request
from .conftest import Worker, nothing_left, working

BLOCK_BYTES = 60000
BLOCKS = 1000
UNREAD_BYTES = 12_000_000
"""More than kernel buffers and the high-water mark together ever hold of one response here."""


def named(worker: Worker, name: str) -> str:
    """A name that no other worker's test uses."""
    return f"{name}-{worker.model}-{worker.poller}"


def settled(worker: Worker, name: str) -> int:
    """How many blocks were taken from a response, once no more are."""
    seen = [-1, -2, -3]
    wait_until(lambda: seen.append(worker.state()["yielded"].get(name, -len(seen))) or len(set(seen[-10:])) == 1, 10)
    return seen[-1]


def closed(worker: Worker, name: str) -> int:
    """How often the response of that name was closed, once it was."""
    wait_until(lambda: worker.state()["closed"].get(name), 10, f"{name} is closed")
    count: int = worker.state()["closed"][name]
    return count


@pytest.mark.parametrize("length", ["", f"&length={BLOCK_BYTES * BLOCKS}"])
def test_an_app_waits_for_a_slow_client(worker: Worker, length: str) -> None:
    name = named(worker, f"slow{bool(length)}")
    before = worker.memory_bytes()
    with worker.connect(receive_bytes=4096) as client:
        client.send(request(f"/blocks?name={name}&count={BLOCKS}&size={BLOCK_BYTES}{length}"))
        assert 0 < settled(worker, name) * BLOCK_BYTES < UNREAD_BYTES
        assert worker.memory_bytes() - before < UNREAD_BYTES
        with worker.connect() as other:
            assert other.ask("/").status == 200
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        reply = client.reply()
        assert (len(reply.body), reply.cut) == (BLOCK_BYTES * BLOCKS, False)
        assert client.ask("/").status == 200
    assert closed(worker, name) == 1


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_client_that_goes_away_ends_its_response(worker: Worker, way: str) -> None:
    name = named(worker, way)
    with worker.connect(receive_bytes=4096) as client:
        client.send(request(f"/blocks?name={name}&count={BLOCKS}&size={BLOCK_BYTES}"))
        assert settled(worker, name) < BLOCKS
        if way == "reset":
            client.reset()
    assert closed(worker, name) == 1
    assert worker.state()["yielded"][name] < BLOCKS


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_client_that_goes_away_while_the_app_works_harms_nobody(worker: Worker, way: str) -> None:
    name = named(worker, f"{way}-held")
    with worker.connect() as client:
        client.send(request(f"/blocks?name={name}&count=4&size=100&gate={name}"))
        wait_until(lambda: name in worker.state()["yielded"], 5)
        if way == "reset":
            client.reset()
    with worker.connect() as other:
        assert other.ask(f"/release?name={name}").status == 200
    assert closed(worker, name) == 1


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" + b"x" * 300000,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"rubbish\r\n\r\n",
    ],
    ids=["nothing", "byte", "head", "request", "body", "chunk", "rubbish"],
)
@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_client_may_go_away_at_any_time(worker: Worker, part: bytes, way: str) -> None:
    for _ in range(3):
        with worker.connect() as client:
            client.send(part)
            if way == "reset":
                client.reset()
    with worker.connect() as client:
        assert client.ask("/").status == 200


@pytest.mark.parametrize("target", ["/", "/blocks", "/blocks?count=100&size=60000", "/echo"])
def test_a_client_that_has_no_more_to_say_still_gets_its_answer(worker: Worker, target: str) -> None:
    with worker.connect() as client:
        client.send(request(target) + request(target, method="POST", body=b"hello"))
        client.socket.shutdown(socket.SHUT_WR)
        replies = [client.reply(), client.reply()]
        assert [(reply.status, reply.cut) for reply in replies] == [(200, False)] * 2
        assert client.at_end()


def test_a_client_that_has_no_more_to_say_while_the_app_works_gets_its_answer(worker: Worker) -> None:
    name = named(worker, "half")
    with worker.connect() as client:
        client.send(request(f"/hold?name={name}"))
        client.socket.shutdown(socket.SHUT_WR)
        wait_until(lambda: "/hold" in worker.state()["running"], 5)
        with worker.connect() as other:
            other.ask(f"/release?name={name}")
        assert client.reply().body == b"held\n"
        assert client.at_end()


@pytest.mark.parametrize(
    "more", [b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" + b"x" * 150_000]
)
def test_the_end_of_what_a_client_says_is_seen_behind_all_that_came_while_the_app_worked(
    worker: Worker, more: bytes
) -> None:
    name = named(worker, f"behind{len(more)}")
    hold = request(f"/hold?name={name}")
    with worker.connect() as client:
        client.send(hold)
        wait_until(lambda: "/hold" in worker.state()["running"], 5)
        client.send(hold + more)  # the same head again is read by a shorter way
        client.socket.shutdown(socket.SHUT_WR)
        with worker.connect() as other:
            other.ask(f"/release?name={name}")
        assert [client.reply().body, client.reply().body] == [b"held\n"] * 2
        assert client.at_end()


def test_half_a_request_is_no_request(worker: Worker) -> None:
    for part in (b"GET / HTTP/1.1\r\nHost: x\r\n", request("/", "Content-Length: 5", method="POST") + b"hel"):
        with worker.connect() as client:
            client.send(part)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.at_end()


def test_an_answer_to_a_bad_request_is_read_though_more_was_sent(worker: Worker) -> None:
    with worker.connect() as client:
        client.send(request("/echo", "Content-Length: 2000000000", method="POST") + b"x" * 500_000)
        assert client.reply().status == 413
        assert client.at_end()


def test_many_clients_at_once_each_get_their_own(worker: Worker) -> None:
    clients = [worker.connect() for _ in range(200)]
    try:
        for _ in range(3):
            for number, client in enumerate(clients):
                client.send(request(f"/echo?n={number}"))
            for number, client in enumerate(clients):
                assert client.reply().json["environ"]["QUERY_STRING"] == f"n={number}"
    finally:
        for client in clients:
            client.socket.close()


@pytest.fixture(scope="module", params=[("greenlets", "epoll"), ("threads", "watchers")], ids="-".join)
def hasty(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker that has one second of patience for anything."""
    times = dict.fromkeys(("keep_alive", "head_timeout", "body_timeout", "write_timeout"), 1)
    with working(request.param, **times) as worker:
        yield worker


PARTS = {
    "head": (b"GET / HTTP/1.1\r\nHost: x\r\n", 408),
    "first byte": (b"G", 408),
    "body": (request("/", "Content-Length: 5", method="POST") + b"hel", 408),
    "chunk": (request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhel", 408),
    "silence": (b"", None),
    "idle": (request("/"), None),
}


def test_a_client_that_is_late_is_told_so_or_closed(hasty: Worker) -> None:
    with nothing_left(hasty):
        clients: dict[str, Client] = {name: hasty.connect() for name in PARTS}
        for name, client in clients.items():
            client.send(PARTS[name][0])
        assert clients["idle"].reply().status == 200
        for name, client in clients.items():
            with client:
                status = PARTS[name][1]
                assert status is None or client.reply().status == status, name
                assert client.at_end(), name


def test_a_client_that_sends_a_head_byte_by_byte_for_ever_is_late_too(hasty: Worker) -> None:
    with nothing_left(hasty), hasty.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nX: ")
        client.socket.settimeout(0.1)
        for _ in range(60):
            try:
                client.send(b"x")
                if client.more():
                    break
            except TimeoutError:
                continue
        assert client.reply().status == 408


def test_a_client_that_does_not_read_is_given_up(hasty: Worker) -> None:
    for query in ("", f"&length={BLOCK_BYTES * BLOCKS}"):
        name = f"unread{bool(query)}"
        with nothing_left(hasty), hasty.connect(receive_bytes=4096) as client:
            client.send(request(f"/blocks?name={name}&count={BLOCKS}&size={BLOCK_BYTES}{query}"))
            assert closed(hasty, name) == 1
            assert hasty.state()["yielded"][name] < BLOCKS
            assert client.reply().cut


def test_a_request_that_takes_long_is_not_the_fault_of_the_client(hasty: Worker) -> None:
    with nothing_left(hasty), hasty.connect() as client:
        client.send(request("/hold?name=long"))
        with hasty.connect() as idle:
            assert idle.at_end()  # a deadline has passed
        with hasty.connect() as other:
            other.ask("/release?name=long")
        assert client.reply().body == b"held\n"
