"""What happens when something runs out: descriptors, slots, disk, patience. The server refuses, and recovers."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.server import free_port, running, wait_until

from .attack import (
    CHECKOUT,
    MODELS,
    assert_well,
    body,
    connect,
    cpu_s,
    descriptors,
    everything,
    exchange,
    get,
    last,
    memory_kib,
    request,
    serving,
    statuses,
    worker,
)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_worker_without_descriptors_does_not_turn_in_circles_and_recovers(model: str) -> None:
    with serving(model, before=["prlimit", "--nofile=160:160"]) as server:
        pid = worker(server)
        before = descriptors(pid)
        with ExitStack() as stack:
            keeper = stack.enter_context(connect(server))
            keeper.sendall(request(f"/hoard/{160 - before - 20}"))
            assert statuses(keeper.recv(1000)) == [200]
            for _ in range(100):
                stack.enter_context(connect(server))
            server.wait_for_log("no connection can be accepted for now")
            used = cpu_s(pid)
            time.sleep(1)  # the time over which the processor is measured
            assert cpu_s(pid) - used < 0.3
            assert get(server, "/hoard/0") == b"hello"  # in the place of one that is silent
        assert_well(server, pid, before)


def test_bodies_and_files_for_which_there_is_no_descriptor_are_refused_and_then_served_again(
    model: str, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(b"x" * 300_000)
    options = ("--static", f"/files/={tmp_path}", "--body-memory", "1000", "--access-logfile", "none")
    upload = request("/show", "Content-Length: 5000", method="POST", body=b"x" * 5000)
    with serving(model, *options, before=["prlimit", "--nofile=160:160"]) as server:
        pid = worker(server)
        with connect(server) as keeper, connect(server) as other, connect(server) as reader:
            for client in (other, reader):
                client.sendall(request("/"))
                assert statuses(client.recv(1000)) == [200]
            while descriptors(pid) < 160:
                keeper.sendall(request("/hoard/1"))
                assert statuses(keeper.recv(1000)) == [200]
            other.sendall(upload)
            assert statuses(everything(other)) == [503]
            while descriptors(pid) < 160:
                keeper.sendall(request("/hoard/1"))
                assert statuses(keeper.recv(1000)) == [200]
            reader.sendall(request("/files/large"))
            assert statuses(reader.recv(1000)) == [503]
            used = cpu_s(pid)
            time.sleep(0.5)  # the time over which the processor is measured
            assert cpu_s(pid) - used < 0.2
            keeper.sendall(request("/hoard/0"))
            assert statuses(keeper.recv(1000)) == [200]
        assert statuses(exchange(server, upload + last("/files/large"))) == [200, 200]
        assert get(server, "/") == b"hello"


def test_more_connections_than_allowed_wait_and_are_served_when_others_go(model: str) -> None:
    with serving(model, "--worker-connections", "20") as server:
        pid = worker(server)
        before = descriptors(pid)
        with ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(connect(server))
            wait_until(lambda: descriptors(pid) >= before + 19, 5, "it is full")  # one may have been there before
            assert descriptors(pid) <= before + 20
        assert_well(server, pid, before)


def test_clients_that_send_nothing_or_too_slowly_are_let_go_and_cost_no_processor_time(model: str) -> None:
    limits = ("--head-timeout", "2", "--body-timeout", "2", "--keep-alive", "2", "--write-timeout", "2")
    with serving(model, *limits) as server, ExitStack() as stack:
        pid = worker(server)
        before = descriptors(pid)
        post = request("/", "Content-Length: 5", method="POST")
        kinds = {b"": [], b"GET / HT": [408], post: [408], request("/"): [200]}
        clients = [(stack.enter_context(connect(server)), kind) for kind in kinds for _ in range(100)]
        for client, beginning in clients:
            client.sendall(beginning)
        deaf = stack.enter_context(connect(server, receive_bytes=4096))
        deaf.sendall(request("/endless"))
        used = cpu_s(pid)
        for client, beginning in clients:
            assert statuses(everything(client)) == kinds[beginning]
        assert cpu_s(pid) - used < 1.5
        wait_until(lambda: int(get(server, "/count/endless-ended")) == 1, 10, "the one that did not read is gone")
        assert_well(server, pid, before)


def test_a_slow_loris_is_ended_by_the_time_for_a_whole_head(model: str) -> None:
    with serving(model, "--head-timeout", "2") as server, connect(server) as loris:
        started = time.monotonic()
        loris.sendall(b"GET / HTTP/1.1\r\n")
        while not select.select([loris], [], [], 0.2)[0] and time.monotonic() - started < 8:
            loris.sendall(b"X: y\r\n")
        assert statuses(loris.recv(1000)) == [408]
        assert time.monotonic() - started < 5


def test_what_finds_no_place_in_the_queue_is_told_so_and_head_gets_no_body(model: str) -> None:
    with serving(model, "--slots", "1", "--queue-size", "1") as server, ExitStack() as stack:
        busy = [stack.enter_context(connect(server)) for _ in range(2)]
        for client in busy:
            client.sendall(request("/sleep/1"))
            time.sleep(0.1)
        for method in ("HEAD", "GET"):
            received = exchange(server, request("/", method=method) + last("/", method=method))
            assert statuses(received) == [503, 503]
            assert received.count(b"\n503 Service Unavailable\n") == (0 if method == "HEAD" else 2)
        post = request("/", "Content-Length: 5", "Connection: close", method="POST", body=b"hello")
        assert statuses(exchange(server, post)) == [503]
        for client in busy:
            assert statuses(client.recv(1000)) == [200]


def test_a_body_for_which_there_is_no_room_is_refused_and_the_server_goes_on(model: str) -> None:
    limit = ["prlimit", "--fsize=2000000:2000000"]
    with serving(model, "--body-memory", "1000", "--access-logfile", "none", before=limit) as server:
        pid = worker(server)
        before = descriptors(pid)
        for size in (2_000_001, 2_000_010, 2_008_192, 3_000_000):
            data = request("/show", f"Content-Length: {size}", "Connection: close", method="POST", body=b"x" * size)
            assert statuses(exchange(server, data)) == [503], size
            chunked = request("/show", "Transfer-Encoding: chunked", "Connection: close", method="POST")
            assert statuses(exchange(server, chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size))) == [503], size
        assert_well(server, pid, before)


def test_a_folder_for_bodies_that_has_gone_is_no_end(model: str, tmp_path: Path) -> None:
    folder = tmp_path / "bodies"
    folder.mkdir()
    with serving(model, "--body-memory", "1000", "--temp-dir", str(folder)) as server:
        data = request("/show", "Content-Length: 5000", "Connection: close", method="POST", body=b"x" * 5000)
        assert body(exchange(server, data)) == b"body=5000"
        folder.rmdir()
        assert statuses(exchange(server, data)) == [503]
        folder.mkdir()
        assert body(exchange(server, data)) == b"body=5000"


@pytest.mark.parametrize("options", [("--access-logfile", "/dev/full"), ("--error-logfile", "/dev/full")])
def test_a_log_that_is_full_harms_nobody(model: str, options: tuple[str, str]) -> None:
    with serving(model, *options) as server:
        pid = worker(server)
        before = descriptors(pid)
        for _ in range(300):
            exchange(server, request("/SystemExit") + last("/"))
        assert_well(server, pid, before)


def test_a_log_that_nobody_reads_any_more_harms_nobody(model: str) -> None:
    port = free_port()
    command = [sys.executable, "-m", "prodserve", "tests.engine.hostile:app", f"127.0.0.1:{port}", "--workers", "1"]
    script = f"{' '.join(command)} --worker-model {model} | head -c 1 > /dev/null; sleep 20"
    with running(["sh", "-c", f"{script} & wait"], port, cwd=CHECKOUT, leftovers_s=20) as server:
        pids = [pid for pid in server.pids() if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for _ in range(600):
            assert statuses(exchange(server, request("/") + last("/"))) == [200, 200]
        used = cpu_s(pids[0])
        time.sleep(0.5)  # the time over which the processor is measured
        assert cpu_s(pids[0]) - used < 0.2
        for pid in server.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, 15)


@pytest.fixture
def mixed() -> Iterator[bytes]:
    """Requests of all kinds, of which each is different from those of other connections."""
    yield b"".join(
        [
            request("/", "Cookie: {}"),
            request("/show/HTTP_COOKIE", "Cookie: {}", "X-{}: a", method="POST", body=b""),
            request("/blocks/3/100", "User-Agent: {}"),
            request(
                "/show?{}", "Transfer-Encoding: chunked", method="POST", body=b"5;{}\r\nhello\r\n0\r\nX: {}\r\n\r\n"
            ),
            request("/204", "{}: x", method="HEAD"),
            request("/nothing"),
        ]
    )


def test_memory_and_descriptors_do_not_grow_with_the_requests(model: str, mixed: bytes) -> None:
    with serving(model, "--error-logfile", "/dev/null", "--access-logfile", "none") as server:
        pid = worker(server)
        before = descriptors(pid)

        def rounds(number: int, tag: bytes) -> None:
            for i in range(number):
                name = b"v%d%b" % (i, tag)
                with connect(server) as client:
                    client.sendall(mixed.replace(b"{}", name) * 5 + last("/"))
                    assert len(statuses(everything(client))) == 31

        rounds(400, b"a")  # until what is remembered is full
        used = memory_kib(pid)
        rounds(400, b"b")
        assert memory_kib(pid) - used < 3000
        assert_well(server, pid, before)


def test_streams_to_readers_of_all_speeds_never_stall(model: str) -> None:
    code = """
import socket, sys, random
port, seed = int(sys.argv[1]), int(sys.argv[2])
random.seed(seed)
for i in range(60):
    number, size = random.choice([(1, 300000), (300, 1000), (20, 70000), (3, 262144), (5, 262145), (50, 20000)])
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, random.choice([4096, 65536, 1 << 20]))
    s.settimeout(10)
    s.connect(("127.0.0.1", port))
    s.sendall(b"GET /blocks/%d/%d HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n" % (number, size))
    got = 0
    while data := s.recv(random.choice([1000, 10000, 100000])):
        got += data.count(b"x")
        if seed % 4 == 3 and got > size:
            break
    else:
        assert got == number * size, (got, number, size)
    s.close()
"""
    with serving(model, "--slots", "4", "--access-logfile", "none") as server:
        pid = worker(server)
        before = descriptors(pid)
        clients = [subprocess.Popen([sys.executable, "-c", code, str(server.port), str(i)]) for i in range(8)]
        try:
            assert [client.wait(60) for client in clients] == [0] * 8
        finally:
            for client in clients:
                client.kill()
        assert_well(server, pid, before)


def test_a_crowd_that_only_connects_is_no_burden(model: str) -> None:
    with serving(model) as server, ExitStack() as stack:
        pid = worker(server)
        before = descriptors(pid)
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(800)]
        wait_until(lambda: descriptors(pid) >= before + 799, 10)
        for client in crowd[::2]:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        used = cpu_s(pid)
        for _ in range(20):
            assert get(server, "/") == b"hello"
        time.sleep(1)  # the time over which the processor is measured
        assert cpu_s(pid) - used < 0.4
        stack.close()
        assert_well(server, pid, before)
