"""Applications that break the contract of WSGI: whatever they do, the next request on the connection gets its answer,
or the connection is cut; nothing hangs, and no response gets into another one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.server import Server

from .attack import (
    MODELS,
    body,
    connect,
    exchange,
    get,
    last,
    leaving_nothing,
    request,
    serving,
    statuses,
)


@pytest.fixture(scope="module", params=MODELS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(request.param) as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left(server: Server) -> Iterator[None]:
    with leaving_nothing(server):
        yield


REFUSED = [
    *("text", "no-text", "number", "stream-text", "bytes-themselves"),
    *("crlf", "lf", "nul", "bad-name", "bad-status", "two-lengths", "huge-length", "negative", "continue"),
    *("SystemExit", "KeyboardInterrupt", "StopIteration", "MemoryError", "GreenletExit", "Unprintable"),
    *("nothing", "twice", "write-after-error"),
]
SERVED = [
    "wide",
    "array-of-bytes",
    "own-chunks",
    "both",
    "long",
    "long-stream",
    "no-close",
    "close-fails",
    "write-after-end",
]
EMPTY = {"204": 204, "304": 304, "204-stream": 204}
CUT = ["stream-late-text", "stream-late-number", "short", "late-SystemExit", "late-error"]


@pytest.mark.parametrize("path", REFUSED)
def test_an_app_that_fails_before_its_first_byte_is_answered_with_500_and_the_connection_goes_on(
    server: Server, path: str
) -> None:
    for _ in range(3):  # an unknown head, a known one, a remembered one
        received = exchange(server, request(f"/{path}") + last("/show"))
        assert statuses(received) == [500, 200]
        assert b"Forged" not in received
        assert received.endswith(b"body=0")


@pytest.mark.parametrize("path", SERVED)
def test_what_an_app_does_wrong_never_reaches_the_next_response(server: Server, path: str) -> None:
    for _ in range(3):
        received = exchange(server, request(f"/{path}") + last("/show"))
        assert statuses(received) == [200, 200]
        assert b"Forged" not in received
        assert received.endswith(b"body=0")


@pytest.mark.parametrize(("path", "status"), EMPTY.items())
def test_a_response_without_a_body_has_none_whatever_the_app_yields(server: Server, path: str, status: int) -> None:
    for _ in range(3):
        first, _, rest = exchange(server, request(f"/{path}") + last("/show")).partition(b"\r\n\r\n")
        assert statuses(first) == [status]
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("path", CUT)
def test_a_response_that_breaks_off_ends_the_connection(server: Server, path: str) -> None:
    for _ in range(3):
        received = exchange(server, request(f"/{path}") + last("/show"))
        assert statuses(received) == [200]
        assert not received.endswith(b"0\r\n\r\n")


def test_a_length_is_that_of_the_bytes_not_of_the_items(server: Server) -> None:
    received = exchange(server, last("/wide"))
    assert b"Content-Length: 3\r\n" in received
    assert len(body(received)) == 3
    assert len(body(exchange(server, last("/stream-wide")))) == 3


@pytest.mark.parametrize("path", ["sly", "sly-status"])
def test_a_header_that_formats_itself_as_something_else_is_sent_as_it_was_checked(server: Server, path: str) -> None:
    assert b"Forged" not in exchange(server, last(f"/{path}"))


def test_a_header_that_is_a_member_of_an_enumeration_is_sent_with_its_text(server: Server) -> None:
    assert b"X-A: red\r\n" in exchange(server, last("/enum"))


def test_a_compressed_file_is_sent_as_it_reads_not_as_it_is_stored(server: Server) -> None:
    received = exchange(server, last("/unzipped"))
    assert statuses(received) == [200]
    assert received.count(b"plain text ") == 1000


def test_a_file_is_sent_from_where_it_stands(server: Server) -> None:
    assert get(server, "/file") == b"0123456789" * 19999


def test_a_closed_input_is_no_harm(server: Server) -> None:
    received = exchange(server, request("/closes", "Content-Length: 3", method="POST", body=b"abc") + last("/show"))
    assert statuses(received) == [200, 200]


def test_close_of_a_response_is_called_once_whoever_fails(server: Server) -> None:
    before = int(get(server, "/count/closed"))
    for path in ("write-after-end", "write-after-error", "close-fails"):
        exchange(server, last(f"/{path}"))
    assert int(get(server, "/count/closed")) == before + 3


def test_head_of_a_response_that_never_ends_is_its_head(server: Server) -> None:
    received = exchange(server, request("/endless", method="HEAD") + last("/show"))
    assert statuses(received) == [200, 200]
    assert received.count(b"\r\n\r\n") == 2


def test_a_descriptor_that_a_child_of_the_app_keeps_does_not_harm_later_connections(server: Server) -> None:
    with connect(server) as first:
        first.sendall(request("/fork/2"))
        assert statuses(first.recv(65536)) == [200]
        first.sendall(last("/"))
        while first.recv(65536):
            pass
        with connect(server) as second:  # gets the number of the one that is closed here and open in the child
            second.sendall(request("/"))
            assert statuses(second.recv(65536)) == [200]
            first.close()
            for _ in range(5):
                second.sendall(request("/sleep/0.1"))
                assert statuses(second.recv(65536)) == [200]
    time.sleep(2)  # until the child, which holds a copy of everything, is gone


def test_a_child_that_the_app_forks_can_be_terminated(server: Server) -> None:
    assert get(server, "/terminate") == b"-15"
