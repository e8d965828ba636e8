"""What a worker does at its limits, and how it ends: nothing that it has taken on is lost without a word."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.server import wait_until

from .client import Client, request
from .conftest import KINDS, Worker, nothing_left, working


@pytest.fixture(params=KINDS, ids="-".join)
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    """An execution model and a poller."""
    chosen: tuple[str, str] = request.param
    return chosen


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def narrow(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker with room for little of everything."""
    limits = {"slots": 2, "queue_size": 3, "limit_request_body": 1000, "body_memory": 100, "limit_request_head": 600}
    more = {"limit_request_line": 300, "limit_request_field_size": 300, "limit_request_fields": 5}
    with working(request.param, **limits, **more) as worker:
        yield worker


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_finds_no_room_is_told_to_come_later(narrow: Worker, method: str) -> None:
    with nothing_left(narrow), ExitStack() as stack:
        door = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        door.settimeout(5)
        body = b"x" * 500 if method == "POST" else b""
        call = request(f"/call?port={door.getsockname()[1]}", method=method, body=body)
        clients = [stack.enter_context(narrow.connect()) for _ in range(9)]
        for client in clients[:2]:
            client.send(call)
        running = [door.accept()[0] for _ in range(2)]
        for client in clients[2:]:
            client.send(call)
        refused: set[Client] = set()
        while len(refused) < 4:  # two run, three wait
            ready = select.select([client.socket for client in clients if client not in refused], (), (), 5)[0]
            assert ready, f"{len(refused)} were refused"
            for client in clients:
                if client.socket in ready:
                    reply = client.reply(method)
                    assert (reply.status, reply["retry-after"], reply["connection"]) == (503, "5", None)
                    refused.add(client)
        taken = [client for client in clients if client not in refused]
        for conn in running:
            conn.close()
        for _ in range(3):
            door.accept()[0].close()
        assert [client.reply(method).status for client in taken] == [200] * 5
        for client in clients:
            assert client.ask("/").body == b"hello\n"


@pytest.mark.parametrize("size", [100, 101, 999, 1000])
def test_a_body_up_to_the_limit_is_taken(narrow: Worker, size: int) -> None:
    with nothing_left(narrow), narrow.connect() as client:
        assert client.ask("/echo", method="POST", body=b"x" * size).json["length"] == size
        chunks = b"1\r\nx\r\n" * size
        client.send(request("/echo", "Transfer-Encoding: chunked", method="POST") + chunks + b"0\r\n\r\n")
        assert client.reply().json["length"] == size


TOO_LARGE = [
    (request("/echo", "Content-Length: 1001", method="POST"), 413),
    (request("/echo", "Transfer-Encoding: chunked", method="POST") + b"3e9\r\n" + b"x" * 1001, 413),
    (
        request("/echo", "Transfer-Encoding: chunked", method="POST") + b"64\r\n" + (b"x" * 100 + b"\r\n64\r\n") * 11,
        413,
    ),
    (request("/" + "x" * 300), 414),
    (request("/", "X-A: " + "x" * 300), 431),
    (request("/", *["X-A: 1"] * 5), 431),
    (request("/", *["X-A: " + "x" * 200] * 3), 431),
]


@pytest.mark.parametrize(("raw", "status"), TOO_LARGE, ids=range(len(TOO_LARGE)))
def test_what_is_over_a_limit_is_refused_and_the_connection_ends(narrow: Worker, raw: bytes, status: int) -> None:
    with nothing_left(narrow):
        for pieces in ([raw], [raw[at : at + 7] for at in range(0, len(raw), 7)]):
            with narrow.connect() as client:
                for piece in pieces:
                    try:
                        client.send(piece)
                    except OSError:
                        break
                reply = client.reply()
                assert (reply.status, reply["connection"]) == (status, "close")
                assert client.at_end()


def test_a_worker_that_is_to_end_answers_what_it_has_begun(kind: tuple[str, str]) -> None:
    with working(kind) as worker, ExitStack() as stack:
        running = stack.enter_context(worker.connect())
        running.send(request("/blocks?count=4&size=10&gate=end") + request("/"))
        idle = stack.enter_context(worker.connect())
        assert idle.ask("/").status == 200
        sending = stack.enter_context(worker.connect())
        sending.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel")
        wait_until(lambda: "blocks" in worker.state()["yielded"], 5)
        worker.server.send(signal.SIGTERM)
        wait_until(lambda: refuses_connections(worker), 5, "no more connections")
        # A client may send its next request just then: it is answered, and told that it was the last.
        reply = idle.ask("/release?name=end")
        assert (reply.status, reply["connection"]) == (200, "close")
        assert idle.at_end()
        sending.send(b"lo")
        reply = sending.reply()
        assert (reply.json["length"], reply["connection"]) == (5, "close")
        assert len(running.reply().body) == 40
        assert running.reply()["connection"] == "close"
        assert running.at_end()
        assert worker.server.wait(10) == 0


def refuses_connections(worker: Worker) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", worker.port), timeout=1) as conn:
            conn.settimeout(0.1)
            conn.sendall(request("/"))
            return not conn.recv(1)
    except TimeoutError:
        return True  # the system has taken it into the backlog, the worker does not
    except OSError:
        return True


def test_idle_connections_do_not_keep_a_worker_from_ending(kind: tuple[str, str]) -> None:
    for settings in ({}, {"keep_alive": 5}):
        with working(kind, **settings) as worker, worker.connect() as used, worker.connect() as silent:
            assert used.ask("/").status == 200
            worker.server.send(signal.SIGTERM)
            assert worker.server.wait(4) == 0
            assert used.at_end() and silent.at_end()


def test_what_takes_longer_than_the_graceful_time_is_cut_and_named(kind: tuple[str, str]) -> None:
    with working(kind, graceful_timeout=1) as worker, worker.connect() as client:
        client.send(request("/hold?name=stuck"))
        wait_until(lambda: "/hold" in worker.state()["running"], 5)
        worker.server.send(signal.SIGTERM)
        assert client.at_end()
        assert worker.server.wait(6) == 0
        assert "1 requests were cut" in worker.server.log()
        assert "GET /hold?name=stuck" in worker.server.log()


def test_a_worker_that_is_to_end_at_once_does(kind: tuple[str, str]) -> None:
    with working(kind) as worker, worker.connect() as client:
        client.send(request("/hold?name=stuck"))
        wait_until(lambda: "/hold" in worker.state()["running"], 5)
        worker.server.send(signal.SIGQUIT)
        assert client.at_end()
        assert worker.server.wait(3) == 0


def test_a_worker_leaves_ctrl_c_to_the_supervisor(kind: tuple[str, str]) -> None:
    with working(kind) as worker, worker.connect() as client:
        worker.server.send(signal.SIGINT)
        for _ in range(3):
            assert client.ask("/").status == 200
