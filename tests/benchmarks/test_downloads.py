"""The client that drops what it downloads counts whole responses, and only the right ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.downloads import Tally, download, in_a_process

REQUEST = b"GET /film HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = 3_000_000


def right(length: int = LENGTH, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (status, length) + bytes(length)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that gives this answer to every request, until its client is gone."""

    def serve(conn: socket.socket) -> None:
        with conn:
            try:
                while conn.recv(4096):
                    conn.sendall(answer)
                    if not answer.endswith(b"\0"):
                        return
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def accept() -> None:
            try:
                serve(listener.accept()[0])
            except OSError:
                return

        server = threading.Thread(target=accept)
        server.start()
        yield listener.getsockname()[1]
        server.join(10)


def test_whole_responses_are_counted_and_nothing_is_started_after_the_end() -> None:
    with answering(right()) as port:
        tally = in_a_process(port, [REQUEST], 1, 0.2, 200, LENGTH, ())
    assert tally.problem is None
    assert tally.responses >= 1
    assert tally.body_bytes == tally.responses * LENGTH
    assert 0.2 <= tally.duration_s < 10


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (right(status=404), "wrong head: b'HTTP/1.1 404 "),
        (right(LENGTH - 1), "wrong head: b'HTTP/1.1 200 "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nshort" % LENGTH, f"closed {LENGTH - 5} bytes before the end"),
        (b"HTTP/1.1 200 OK\r\n", "closed in the head"),
    ],
    ids=["status", "length", "cut", "head"],
)
def test_a_wrong_response_makes_the_run_not_count(answer: bytes, problem: str) -> None:
    with answering(answer) as port:
        tally: Tally = download(port, [REQUEST], 1, 0.2, 200, LENGTH)
    assert tally.problem is not None
    assert tally.problem.startswith(problem)
