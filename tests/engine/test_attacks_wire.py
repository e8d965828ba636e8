"""Clients that break the rules of HTTP and of TCP, against the live server in both models."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.server import Server, wait_until

from .attack import (
    MODELS,
    body,
    connect,
    cpu_s,
    descriptors,
    everything,
    exchange,
    get,
    last,
    leaving_nothing,
    request,
    reset,
    serving,
    statuses,
    worker,
)


@pytest.fixture(
    scope="module", params=[(model, poller) for model in MODELS for poller in ("epoll", "watchers")], ids="-".join
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    model, poller = request.param
    with serving(model, "--poller", poller, "--body-memory", "65536", "--limit-request-body", "1M") as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left(server: Server) -> Iterator[None]:
    with leaving_nothing(server):
        yield


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /show HTTP/1.1\r\nHost: a\r\n"
REFUSED = {
    "CL.TE": (POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "TE.CL": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + SMUGGLED, 400),
    "TE.TE": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "TE twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "TE identity": (POST + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED, 501),
    "TE with a tab": (POST + b"Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "TE spelt wrong": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "TE in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "TE folded": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "CL folded": (POST + b"Content-Length:\r\n 5\r\n\r\nhello" + SMUGGLED, 400),
    "CL twice": (POST + b"Content-Length: 0\r\nContent-Length: 41\r\n\r\n" + SMUGGLED, 400),
    "CL twice the same": (POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SMUGGLED, 400),
    "CL list": (POST + b"Content-Length: 0, 0\r\n\r\n" + SMUGGLED, 400),
    "CL signed": (POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED, 400),
    "CL hexadecimal": (POST + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED, 400),
    "CL empty": (POST + b"Content-Length: \r\n\r\n" + SMUGGLED, 400),
    "CL enormous": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n" + SMUGGLED, 400),
    "CL over the limit": (POST + b"Content-Length: 1048577\r\n\r\n" + SMUGGLED, 413),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n" + SMUGGLED, 400),
    "bare LF in a field": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n" + SMUGGLED, 400),
    "bare CR": (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n" + SMUGGLED, 400),
    "NUL": (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n" + SMUGGLED, 400),
    "leading space": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, 400),
    "leading empty lines": (b"\r\n\r\n\r\n" + SMUGGLED, 400),
    "space before the first field": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n" + SMUGGLED, 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + SMUGGLED, 400),
    "two equal Hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" + SMUGGLED, 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n" + SMUGGLED, 400),
    "Host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + SMUGGLED, 400),
    "Host list": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n" + SMUGGLED, 400),
    "user in the target": (b"GET http://me@a/ HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, 400),
    "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + SMUGGLED, 501),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED, 505),
    "HTTP/0.9": (b"GET /\r\n\r\n" + SMUGGLED, 400),
    "unknown method": (b"SMUGGLE / HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, 501),
    "chunk size overflow": (POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + SMUGGLED, 400),
    "chunk size signed": (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + SMUGGLED, 400),
    "chunk size with 0x": (POST + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + SMUGGLED, 400),
    "chunk size with a space": (POST + b"Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n" + SMUGGLED, 400),
    "chunk with bare LF": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n" + SMUGGLED, 400),
    "chunk too long": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" + SMUGGLED, 400),
    "extension with CR": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;\ra\r\na\r\n0\r\n\r\n" + SMUGGLED, 400),
    "extension without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 9000, 400),
    "trailer with bare LF": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\nY: b\r\n\r\n" + SMUGGLED, 400),
    "trailer folded": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n" + SMUGGLED, 400),
    "trailer without name": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n: a\r\n\r\n" + SMUGGLED, 400),
    "trailers without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a:\r\n" * 9000, 431),
    "unknown expectation": (
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 41\r\n\r\n" + SMUGGLED,
        417,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_once_and_nothing_behind_it_is_read(server: Server, name: str) -> None:
    data, status = REFUSED[name]
    for _ in range(2):
        assert statuses(exchange(server, data)) == [status]
        assert statuses(exchange(server, request("/show") + data)) == [200, status]
    with connect(server) as slow:  # in small pieces, and on a connection that has been used
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for at in range(0, min(len(data), 300), 7):
                slow.sendall(data[at : at + 7])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer came before the end
        if len(data) < 300:
            assert statuses(everything(slow))[:1] in ([status], [])


def test_a_client_that_sends_no_more_gets_its_answers_and_then_the_end_at_once(server: Server) -> None:
    for requests in (1, 2, 5):
        for pause_s in (0, 0.05):
            with connect(server) as half:
                half.sendall(request("/") * requests)
                time.sleep(pause_s)
                half.shutdown(socket.SHUT_WR)
                started = time.monotonic()
                assert statuses(everything(half)) == [200] * requests
                assert time.monotonic() - started < 5


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", POST + b"Content-Length: 5\r\n\r\nhe"])
def test_a_client_that_sends_no_more_in_the_midst_of_a_request_is_let_go_at_once(
    server: Server, beginning: bytes
) -> None:
    with connect(server) as half:
        half.sendall(beginning)
        half.shutdown(socket.SHUT_WR)
        started = time.monotonic()
        everything(half)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET", POST + b"Content-Length: 5\r\n\r\nhe", request("/sleep/0.2"), request("/endless"), request("/") * 50],
    ids=["nothing", "a part of a head", "a part of a body", "running", "streaming", "pipelined"],
)
@pytest.mark.parametrize("pause_s", [0, 0.05])
def test_a_reset_in_any_state_gives_everything_back(server: Server, beginning: bytes, pause_s: float) -> None:
    pid = worker(server)
    before = descriptors(pid)
    for _ in range(20):
        sock = connect(server)
        sock.sendall(beginning)
        time.sleep(pause_s)
        reset(sock)
    wait_until(lambda: descriptors(pid) <= before, 10, "all descriptors are given back")
    assert get(server, "/") == b"hello"


def test_a_client_that_never_reads_holds_one_slot_and_little_memory(server: Server) -> None:
    before = int(get(server, "/count/endless-ended"))
    with ExitStack() as stack:
        for _ in range(3):
            deaf = stack.enter_context(connect(server, receive_bytes=4096))
            deaf.sendall(request("/endless"))
        for _ in range(10):
            assert get(server, "/") == b"hello"
        pid = worker(server)
        used = cpu_s(pid)
        time.sleep(0.5)  # the time over which the processor is measured
        assert cpu_s(pid) - used < 0.2
    wait_until(lambda: int(get(server, "/count/endless-ended")) == before + 3, 10, "all three iterators have ended")


def test_a_long_response_with_requests_behind_it_reaches_a_slow_reader_in_order(server: Server) -> None:
    with connect(server, receive_bytes=4096) as slow:
        slow.sendall(request("/big/3000000") + request("/blocks/100/20000") + last("/show"))
        received = bytearray()
        while data := slow.recv(10000):
            received += data
    assert statuses(bytes(received)) == [200, 200, 200]
    assert received.count(b"x") == 3000000 + 2000000 + bytes(received).count(b"text/plain")
    assert received.endswith(b"body=0")


def test_trailers_are_read_in_time_that_does_not_grow_with_their_square(server: Server) -> None:
    pid = worker(server)
    before = cpu_s(pid)
    for _ in range(10):
        data = request("/show", "Transfer-Encoding: chunked", "Connection: close", method="POST")
        assert statuses(exchange(server, data + b"0\r\n" + b"a:\r\n" * 4000 + b"\r\n")) == [200]
    assert cpu_s(pid) - before < 1


def test_a_body_just_at_the_limits_arrives_whole(server: Server) -> None:
    for size in (65535, 65536, 65537, 1 << 20):
        data = b"x" * size
        received = exchange(
            server, request("/show", f"Content-Length: {size}", "Connection: close", method="POST", body=data)
        )
        assert body(received) == b"body=%d" % size
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(data[i : i + 9999]), data[i : i + 9999]) for i in range(0, size, 9999))
        chunked = request("/show", "Transfer-Encoding: chunked", "Connection: close", method="POST")
        assert body(exchange(server, chunked + chunks + b"0\r\nX-Trailer: a\r\n\r\n")) == b"body=%d" % size


@pytest.mark.parametrize("value", ["100-continue", "100-Continue", "100-CONTINUE"])
def test_a_body_is_asked_for_once_and_only_while_it_is_missing(server: Server, value: str) -> None:
    head = request("/show", f"Expect: {value}", "Content-Length: 5", "Connection: close", method="POST")
    assert statuses(exchange(server, head + b"hello")) == [200]
    with connect(server) as waiting:
        waiting.sendall(head)
        assert waiting.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        waiting.sendall(b"he")
        time.sleep(0.05)
        waiting.sendall(b"llo")
        assert statuses(everything(waiting)) == [200]
    old = request("/show", "Expect: 100-continue", "Content-Length: 5", method="POST", version="1.0")
    assert statuses(exchange(server, old + b"hello")) == [200]


def test_no_line_of_the_access_log_can_be_forged(server: Server) -> None:
    exchange(server, last('/%0d%0a127.0.0.1"%22\\"', "User-Agent: a%0d%0ab", 'X: " 200 5 0.1ms'))
    server.wait_for_log("%0d%0a127")
    line = next(line for line in server.log().splitlines() if "%0d%0a127" in line)
    assert line.count('"') == 2


def test_repeated_fields_of_which_one_changes_stay_merged(server: Server) -> None:
    with connect(server) as sock:
        for value in ("b=2", "b=3", "b=4"):
            sock.sendall(request("/show/HTTP_COOKIE/HTTP_X_FORWARDED_FOR", "Cookie: a=1", f"Cookie: {value}"))
            time.sleep(0.05)
            assert f"HTTP_COOKIE='a=1; {value}'".encode() in sock.recv(65536)
