"""Clients that download a large file again and again, at hardly any cost: the kernel drops what they receive.

wrk copies every byte, 8 KB at a time, and is slower than the servers when responses are large. Here only the heads are
read; the rest is counted and dropped (``MSG_TRUNC`` of tcp(7)), so that the server is what limits the run.

``python -m benchmarks.downloads PORT CONNECTIONS SECONDS STATUS LENGTH`` takes the requests as a JSON list on its
standard input; one of them is sent at a time, in an order that is random and always the same. Each connection asks
until the time is over, and receives its last response whole. One JSON object is printed.
"""

from __future__ import annotations

import json
import random
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

HEAD_BYTES = 4096
CHUNK_BYTES = 1 << 20
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE).search


@dataclass(frozen=True)
class Tally:
    """Whole responses and the bytes of their bodies; ``problem`` where one was not the right one."""

    responses: int
    body_bytes: int
    duration_s: float
    problem: str | None


class Download:
    """One connection; the response that runs has ``left`` bytes to come."""

    def __init__(self, port: int, status: int, length: int) -> None:
        self.conn = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._status = b" %d " % status
        self._length = length
        self._head = b""
        self.left = 0

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._head = b""
        self.conn.sendall(request)

    def receive(self, buffer: bytearray) -> bool:
        """Take in what is there, once; whether the response is whole. ValueError where it is not the right one."""
        if self.left:
            count = self.conn.recv_into(buffer, min(self.left, len(buffer)), socket.MSG_TRUNC)
            self.left -= count
            if not count:
                raise ValueError(f"closed {self.left} bytes before the end")
            return self.left == 0
        data = self.conn.recv(HEAD_BYTES)
        self._head += data
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not data:
            raise ValueError(f"closed in the head: {self._head[:100]!r}")
        if not end:
            return False
        found = LENGTH(head + b"\r\n")
        if head[8:13] != self._status or found is None or int(found[1]) != self._length:
            raise ValueError(f"wrong head: {head[:300]!r}")
        self.left = self._length - len(body)
        return self.left == 0


def download(port: int, requests: Sequence[bytes], connections: int, seconds: float, status: int, length: int) -> Tally:
    """Download on so many connections at once."""
    buffer, responses, problem, order = bytearray(CHUNK_BYTES), 0, None, random.Random(1)
    downloads = [Download(port, status, length) for _ in range(connections)]
    running = {each.conn.fileno(): each for each in downloads}
    with select.epoll() as poller:
        started = time.monotonic()
        for fd, each in running.items():
            poller.register(fd, select.EPOLLIN)
            each.ask(order.choice(requests))
        try:
            while running:
                events = poller.poll(10)
                if not events:
                    raise ValueError("nothing came for 10 s")
                for fd, _ in events:
                    if not running[fd].receive(buffer):
                        continue
                    responses += 1
                    if time.monotonic() < started + seconds:
                        running[fd].ask(order.choice(requests))
                    else:
                        poller.unregister(fd)
                        del running[fd]
        except (OSError, ValueError) as error:
            problem = str(error)
        duration_s = time.monotonic() - started
    for each in downloads:
        each.conn.close()
    return Tally(responses, responses * length, duration_s, problem)


def in_a_process(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    status: int,
    length: int,
    prefix: Sequence[str],
) -> Tally:
    """The same in a process of its own, which ``prefix`` pins to its core."""
    numbers = (port, connections, seconds, status, length)
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "benchmarks.downloads", *map(str, numbers)],
        input=json.dumps([request.decode("latin-1") for request in requests]).encode(),
        capture_output=True,
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.decode(errors="replace").strip()[-300:])
    return Tally(**json.loads(done.stdout))


if __name__ == "__main__":
    tally = download(
        int(sys.argv[1]),
        [request.encode("latin-1") for request in json.load(sys.stdin)],
        int(sys.argv[2]),
        float(sys.argv[3]),
        int(sys.argv[4]),
        int(sys.argv[5]),
    )
    print(json.dumps(tally.__dict__))
