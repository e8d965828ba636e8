"""Clients that hold keep-alive connections open: several processes, as each may only have so many files.

Each process has a source address of its own (127.0.0.2, 127.0.0.3, …), because one address has 28,000 ports, and obeys
lines on its standard input: ``open N``, ``again`` and ``close``; it answers each with one number. A connection counts
as opened, or as answered again, when a whole response with status 200 has come.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from benchmarks import browser

IP_BIND_ADDRESS_NO_PORT = 24  # Linux; the socket module does not name it
TIMEOUT_S = 5.0
FAILURES = 5


class Holders:
    """Some client processes; their connections are shared out evenly."""

    def __init__(self, processes: int, port: int, prefix: Sequence[str]) -> None:
        self._clients = [
            subprocess.Popen(
                [*prefix, sys.executable, "-m", "benchmarks.holders", str(port), f"127.0.0.{number + 2}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(processes)
        ]

    def __enter__(self) -> Holders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.kill()
            client.communicate()

    def open(self, count: int) -> int:
        """Open so many connections, ask once on each; how many were answered."""
        shares = [len(range(number, count, len(self._clients))) for number in range(len(self._clients))]
        return self._all([f"open {share}" for share in shares])

    def ask_again(self) -> int:
        """Ask on every connection that is held; how many were answered."""
        return self._all(["again"] * len(self._clients))

    def close(self) -> None:
        """Close all connections."""
        self._all(["close"] * len(self._clients))

    def _all(self, lines: Sequence[str]) -> int:
        for client, line in zip(self._clients, lines, strict=True):
            assert client.stdin is not None
            client.stdin.write(line + "\n")
            client.stdin.flush()
        return sum(int(client.stdout.readline() or 0) for client in self._clients if client.stdout is not None)


def connect(port: int, source: str) -> socket.socket:
    """A connection from the address ``source``; its port is chosen late, so that all 28,000 can be used."""
    conn = socket.socket()
    conn.settimeout(TIMEOUT_S)
    conn.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    conn.bind((source, 0))
    conn.connect(("127.0.0.1", port))
    return conn


def answered(conn: socket.socket, request: bytes) -> bool:
    """Send the request; whether a whole 200 came back (its body ends as the hello body does)."""
    try:
        conn.sendall(request)
        received = b""
        while not received.endswith((b"world!\n", b"world!\n\r\n0\r\n\r\n")):
            data = conn.recv(4096)
            if not data:
                return False
            received += data
        return received.startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def opened(count: int, port: int, source: str, held: list[socket.socket]) -> Iterator[socket.socket]:
    """So many connections, also put into ``held``; fewer where the server or this process has no room for more."""
    for _ in range(count):
        try:
            held.append(connect(port, source))
        except OSError:
            return
        yield held[-1]


def answers(held: Iterable[socket.socket], request: bytes) -> int:
    """Ask on each; how many were answered. Gives up after some failures: each may take the whole time limit."""
    good = failures = 0
    for conn in held:
        if answered(conn, request):
            good += 1
        else:
            failures += 1
            if failures == FAILURES:
                break
    return good


def main(port: int, source: str) -> None:
    """Obey the lines of standard input until it ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request = browser.request(port, "/")
    held: list[socket.socket] = []
    for line in sys.stdin:
        order, _, number = line.strip().partition(" ")
        if order == "open":
            result = answers(opened(int(number), port, source, held), request)
        elif order == "again":
            result = answers(held, request)
        else:
            for conn in held:
                conn.close()
            result, held = 0, []
        print(result, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
