"""What the access log says of live requests: one line for each, with what the client was told."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.server import wait_until

from .client import request
from .conftest import KINDS, working

LINE = re.compile(r'127\.0\.0\.1 - - \[[^]"]+\] "([^"]*)" ([0-9]{3}) ([0-9]+) [0-9]+\.[0-9]ms').fullmatch

SERVED: list[tuple[str, bytes, tuple[str, int, int]]] = [
    ("GET", request("/"), ("GET / HTTP/1.1", 200, 6)),
    ("GET", request("/"), ("GET / HTTP/1.1", 200, 6)),
    ("HEAD", request("/", method="HEAD"), ("HEAD / HTTP/1.1", 200, 0)),
    ("GET", request("/blocks"), ("GET /blocks HTTP/1.1", 200, 30)),
    ("GET", request("/blocks?length=20"), ("GET /blocks?length=20 HTTP/1.1", 200, 20)),
    ("GET", request("/file?offset=48576"), ("GET /file?offset=48576 HTTP/1.1", 200, 1_000_000)),
    ("POST", request("/status?code=404", method="POST", body=b"x"), ("POST /status?code=404 HTTP/1.1", 404, 5)),
    ("GET", request("/status?code=204"), ("GET /status?code=204 HTTP/1.1", 204, 0)),
    ("GET", request("/raise"), ("GET /raise HTTP/1.1", 500, 26)),
    ("GET", request('/"%0A?\\"'), ("GET /\\x22%0A?\\x5c\\x22 HTTP/1.1", 200, -1)),
    ("GET", request("/", version="1.0"), ("GET / HTTP/1.0", 200, 6)),
]
REFUSED: list[tuple[bytes, tuple[str, int, int]]] = [
    (b"GET / HTTP/1.1\r\nHost: a\nb\r\n\r\n", ("-", 400, 16)),
    (b'GET /"\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n', ("-", 400, 16)),
    (b"GET / HTTP/3.0\r\n\r\n", ("-", 505, 31)),
    (request("/", "Transfer-Encoding: chunked", method="POST") + b"x\r\n", ("POST / HTTP/1.1", 400, 16)),
]


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_each_request_is_one_line_that_tells_what_the_client_was_told(kind: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with working(kind, access_logfile=str(path)) as worker:
        wait_until(lambda: path.exists() and path.read_bytes(), 5)
        before = len(path.read_text().splitlines())  # of the look whether it serves
        with worker.connect() as client:
            for method, raw, _ in SERVED:
                client.send(raw)
                assert not client.reply(method).cut
        for raw, _ in REFUSED:
            with worker.connect() as client:
                client.send(raw)
                client.reply()
                client.socket.shutdown(1)
                assert client.at_end()
        with worker.connect(receive_bytes=4096) as client:
            client.send(request("/blocks?name=gone&count=500&size=60000"))
            client.until(b"aaaa")
            client.reset()
        wait_until(lambda: worker.state()["closed"].get("gone"), 5)
        assert worker.server.stop(signal.SIGTERM) == 0
    lines = [match.groups() for match in map(LINE, path.read_text().splitlines()) if match]
    assert len(lines) == len(path.read_text().splitlines())
    told = [(line, int(status), int(sent)) for line, status, sent in lines[before:] if "/state" not in line]
    expected = [wanted for *_, wanted in SERVED + REFUSED]
    for (line, status, sent), wanted in zip(told, expected, strict=False):
        assert (line, status, sent if wanted[2] >= 0 else -1) == wanted
    assert len(told) == len(expected) + 1
    line, status, sent = told[-1]
    assert (line, status) == ("GET /blocks?name=gone&count=500&size=60000 HTTP/1.1", 200)
    assert 0 < sent < 30_000_000
