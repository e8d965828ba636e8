"""Files over real connections: large ones, slow and vanishing clients, files that shrink while they are sent."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server, free_port, running, wait_until

from .files import make_tree, write

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"app"]
"""
BIG = os.urandom(1 << 20) * 24


@pytest.fixture(scope="module", params=[("greenlets", "epoll"), ("threads", "watchers")], ids="-".join)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server for a tree of files, in each execution model and with each poller."""
    model, poller = request.param
    folder = tmp_path_factory.mktemp("live")
    root = make_tree(folder / "root")
    write(root / "big.bin", BIG)
    (folder / "three_letters.py").write_text(APP)
    port = free_port()
    command = [sys.executable, "-m", "prodserve", "three_letters:app", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--worker-model", model, "--poller", poller, "--static", f"/s={root}", "--no-compress"]
    command += ["--access-logfile", "none"]
    with running(command, port, cwd=folder) as server:
        yield server, root


def connect(server: Server, receive_bytes: int = 0) -> socket.socket:
    """A connection; ``receive_bytes`` bounds what the kernel takes in before it is read."""
    conn = socket.socket()
    if receive_bytes:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    conn.settimeout(20)
    conn.connect(("127.0.0.1", server.port))
    return conn


def request(target: str, method: str = "GET", **fields: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def holders(server: Server, path: Path) -> int:
    """How many descriptors of the server lead to ``path``."""
    count = 0
    for pid in server.pids():
        folder = Path(f"/proc/{pid}/fd")
        for entry in folder.iterdir():
            try:
                count += os.readlink(entry) == str(path)
            except FileNotFoundError:
                continue
    return count


def head_of(server: Server, target: str) -> bytes:
    """The answer to a HEAD."""
    with connect(server) as conn:
        conn.sendall(request(target, "HEAD", Connection="close"))
        return conn.recv(4096)


def test_a_large_file_arrives_whole_and_in_parts(site: tuple[Server, Path]) -> None:
    server, root = site
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for wanted, expected in (
        (None, BIG),
        ("bytes=1000000-20000000", BIG[1_000_000:20_000_001]),
        ("bytes=-10", BIG[-10:]),
    ):
        client.request("GET", "/s/big.bin", headers={"Range": wanted} if wanted else {})
        reply = client.getresponse()
        assert reply.read() == expected
    client.request("GET", "/s/big.bin", headers={"Range": "bytes=5-9,1000000-2000000,-3"})
    reply = client.getresponse()
    body = reply.read()
    boundary = reply.headers["Content-Type"].partition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n")[2] for part in body.split(b"\r\n--" + boundary)[1:-1]]
    assert parts == [BIG[5:10], BIG[1_000_000:2_000_001], BIG[-3:]]
    client.close()
    wait_until(lambda: holders(server, root / "big.bin") == 0, timeout_s=20)


def test_answers_to_pipelined_requests_come_in_order(site: tuple[Server, Path]) -> None:
    server, _ = site
    asked = [
        (request("/s/big.bin", "HEAD"), 200, b""),
        (request("/s/a.txt"), 200, b"0123456789" * 10),
        (request("/s/a.txt", If_None_Match="*"), 304, b""),
        (request("/s/big.bin", Range="bytes=100000-299999"), 206, BIG[100_000:300_000]),
        (request("/s/absent"), 404, b"404 Not Found\n"),
        (request("/s/a.txt", "OPTIONS"), 204, b""),
        (request("/app"), 200, b"app"),
        (request("/s/a.txt", "POST", Content_Length="5") + b"GET /", 405, b"405 Method Not Allowed\n"),
        (request("/s/empty.txt"), 200, b""),
        (request("/s/a.txt", Range="bytes=0-0"), 206, b"0"),
    ]
    with connect(server) as conn:
        conn.sendall(b"".join(sent for sent, _, _ in asked))
        stream = conn.makefile("rb")
        for sent, status, body in asked:
            assert stream.readline().split(b" ")[1] == str(status).encode(), sent
            length = 0
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.partition(b": ")
                if name == b"Content-Length" and not sent.startswith(b"HEAD"):
                    length = int(value)
            assert stream.read(length) == body


@pytest.mark.parametrize("target", ["/s/a.txt", "/s/big.bin", "/s/absent"])
def test_a_connection_that_is_to_be_closed_is_closed_at_once(site: tuple[Server, Path], target: str) -> None:
    server, _ = site
    slowest_s = 0.0
    for _ in range(3):
        with connect(server) as conn:
            conn.sendall(request(target, Connection="close"))
            began = time.monotonic()
            while conn.recv(1 << 20):
                pass
            slowest_s = max(slowest_s, time.monotonic() - began)
    assert slowest_s < 0.5


def test_a_client_that_leaves_in_the_middle_leaves_nothing_open(site: tuple[Server, Path]) -> None:
    server, root = site
    for wanted in ({}, {"Range": "bytes=0-9,1000000-9000000,10000000-"}):
        with connect(server, receive_bytes=4096) as conn:
            conn.sendall(request("/s/big.bin", **wanted))
            conn.recv(1000)
            wait_until(lambda: holders(server, root / "big.bin") > 0)
        wait_until(lambda: holders(server, root / "big.bin") == 0, timeout_s=20)


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(site: tuple[Server, Path]) -> None:
    server, root = site
    path = write(root / "shrinking.bin", BIG)
    with connect(server, receive_bytes=4096) as conn:
        conn.sendall(request("/s/shrinking.bin"))
        stream = conn.makefile("rb")
        while stream.readline() != b"\r\n":
            pass
        start = stream.read(1000)
        os.truncate(path, 20_000_000)
        received = start + stream.read()
    assert len(received) < len(BIG)
    assert received == BIG[: len(received)]
    wait_until(lambda: holders(server, path) == 0)
    wait_until(lambda: b"Content-Length: 20000000\r\n" in head_of(server, "/s/shrinking.bin"), 3)


def test_a_file_that_is_replaced_while_it_is_sent_arrives_as_it_was(site: tuple[Server, Path]) -> None:
    server, root = site
    path = write(root / "replaced.bin", BIG)
    with connect(server, receive_bytes=4096) as conn:
        conn.sendall(request("/s/replaced.bin", Connection="close"))
        stream = conn.makefile("rb")
        while stream.readline() != b"\r\n":
            pass
        os.replace(write(root / "new.bin", b"new" * 1000), path)
        assert stream.read() == BIG
