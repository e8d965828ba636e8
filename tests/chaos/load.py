"""Steady load: clients that know what they sent, and what has to come back."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from random import Random

from tests.chaos.verdict import Request

UPLOAD_BYTES = 300_000
FILE_NAME = "big.bin"
FILE = Random(1).randbytes(400_000)
PAUSE_S = 0.05
"""Longest between two requests of a client: shorter than what a server that ends grants to idle connections."""
TIMEOUT_S = 30.0


@contextmanager
def loaded(port: int, number: int, seed: int) -> Iterator[list[Client]]:
    """The clients at work, until the end of the ``with`` block; then what they have seen can be read."""
    clients = [Client(at, seed, port) for at in range(number)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop()
        for client in clients:
            client.join()


class Client(threading.Thread):
    """One connection at a time, one request at a time; everything it chooses comes from its seed."""

    def __init__(self, number: int, seed: int, port: int) -> None:
        super().__init__(name=f"client {number}")
        self.requests: list[Request] = []
        self.versions: set[str] = set()
        self._random = Random(f"{seed}/{number}")
        self._port = port
        self._end = threading.Event()
        self._sock: socket.socket | None = None

    def run(self) -> None:
        """Until ``stop``."""
        while not self._end.is_set():
            self.requests.append(self._ask())
            if self._random.random() < 0.15:
                self._hang_up()
            self._end.wait(self._random.uniform(0, PAUSE_S))
        self._hang_up()

    def stop(self) -> None:
        """After the request that is running."""
        self._end.set()

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _ask(self) -> Request:
        kind, head, body, expected = self._choose()
        sent_s = time.monotonic()
        port = 0
        status, why = 0, ""
        reused = self._sock is not None
        try:
            if self._sock is None:
                self._sock = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT_S)
            port = self._sock.getsockname()[1]
            status, why = self._converse(self._sock, head, body, expected)
        except (OSError, HTTPException) as error:
            why = f"{type(error).__name__}: {error}"
        if why:
            self._hang_up()
        return Request(kind, port, sent_s, time.monotonic(), status, why, reused)

    def _converse(self, sock: socket.socket, head: str, body: bytes, expected: bytes) -> tuple[int, str]:
        """Status, and what is wrong with the answer."""
        lost: OSError | None = None
        try:
            sock.sendall(head.encode() + body)
        except (BrokenPipeError, ConnectionResetError) as error:
            lost = error  # refused before all was sent: the answer may be there
        response = HTTPResponse(sock)
        response.begin()
        got = response.read()
        self.versions.add(response.headers.get("X-Version", ""))
        if response.will_close or lost is not None:
            self._hang_up()
        if response.status != 200:
            return response.status, f"{response.status} {response.reason}: {got[:60]!r}"
        return 200, "" if got == expected else f"{len(got)} bytes that are not the right ones"

    def _choose(self) -> tuple[str, str, bytes, bytes]:
        """Kind, head, body, and the body of the right answer."""
        mark = f"{self.name}/{len(self.requests)}"
        kind = self._random.choices(("hello", "sleep", "upload", "file"), (60, 20, 10, 10))[0]
        body = b""
        target, expected = "/", mark.encode()
        if kind == "sleep":
            target = f"/sleep/{self._random.randrange(20, 300)}"
        elif kind == "file":
            target, expected = f"/files/{FILE_NAME}", FILE
        elif kind == "upload":
            body = self._random.randbytes(UPLOAD_BYTES)
            target, expected = "/sum", hashlib.sha256(body).hexdigest().encode()
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        method = "POST" if body else "GET"
        head = f"{method} {target} HTTP/1.1\r\nHost: chaos\r\nX-Id: {mark}\r\n{length}\r\n"
        return kind, head, body, expected
