"""What the attacks share: a server of its own around ``hostile.py``, raw connections, and a look at the worker."""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.server import Server, free_port, running, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
MODELS = ("greenlets", "threads")


@contextmanager
def serving(
    model: str, *options: str, before: Sequence[str] = (), env: dict[str, str] | None = None
) -> Iterator[Server]:
    """One worker with the hostile app; ``before`` is put before the command (``prlimit``, …)."""
    port = free_port()
    command = [
        *before,
        sys.executable,
        *("-m", "prodserve", "tests.engine.hostile:app", f"127.0.0.1:{port}"),
        *("--workers", "1", "--worker-model", model),
        *options,
    ]
    with running(command, port, cwd=CHECKOUT, env=env) as server:
        yield server


def worker(server: Server) -> int:
    """The process ID of its one worker: the last one that was forked."""
    return max(pid for pid in server.pids() if pid != server.process.pid)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kib(pid: int) -> int:
    """Its resident memory."""
    match = re.search(r"VmRSS:\s+([0-9]+)", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1])


def connect(server: Server, receive_bytes: int | None = None) -> socket.socket:
    sock = socket.socket()
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(15)
    sock.connect(("127.0.0.1", server.port))
    return sock


def reset(sock: socket.socket) -> None:
    """Close with RST."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def request(path: str, *fields: str, method: str = "GET", version: str = "1.1", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: a", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def everything(sock: socket.socket) -> bytes:
    """All that comes until the server closes."""
    received = b""
    with suppress(ConnectionResetError):
        while data := sock.recv(65536):
            received += data
    return received


def exchange(server: Server, data: bytes) -> bytes:
    """Send it and give back all that comes until the server closes (within the time-out of ``connect``)."""
    with connect(server) as sock:
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        return everything(sock)


def last(path: str, *fields: str, method: str = "GET") -> bytes:
    """A request after which the server closes."""
    return request(path, *fields, "Connection: close", method=method)


def statuses(received: bytes) -> list[int]:
    """The statuses of all that looks like a response."""
    return [int(number) for number in re.findall(rb"HTTP/1\.1 ([0-9]{3})", received)]


def body(received: bytes) -> bytes:
    return received.partition(b"\r\n\r\n")[2]


def get(server: Server, path: str) -> bytes:
    """The body of a GET on a connection of its own."""
    received = exchange(server, last(path))
    assert statuses(received)[:1] == [200], received[:200]
    content = body(received)
    if b"chunked" in received.partition(b"\r\n\r\n")[0]:
        content = re.sub(rb"(?:\r\n)?[0-9a-f]+\r\n(?:\r\n)?", b"", content)
    return content


def assert_well(server: Server, pid: int, descriptors_before: int) -> None:
    """It answers, nothing is left open, and it does not turn in circles."""
    assert get(server, "/") == b"hello"
    wait_until(lambda: descriptors(pid) <= descriptors_before, 10, "the descriptors are given back")
    before = cpu_s(pid)
    started = time.monotonic()
    time.sleep(0.5)  # not for a state: this is the time over which the processor is measured
    assert cpu_s(pid) - before < 0.3 * (time.monotonic() - started), "the idle server is busy"


@contextmanager
def leaving_nothing(server: Server) -> Iterator[None]:
    """Whatever is done to the server meanwhile, it is well afterwards."""
    pid = worker(server)
    before = descriptors(pid)
    yield
    assert_well(server, pid, before)
