"""What the WSGI linters say of the server, with an app inside them that is served live: nothing."""

from __future__ import annotations

import pytest

from tests.engine.client import request
from tests.engine.conftest import working

LINTERS = {
    "wsgiref": "wsgiref.validate",
    "webtest_lint": "webtest.lint",
    "paste_lint": "paste.lint",
    "werkzeug_lint": "werkzeug.middleware.lint",
}

REQUESTS: list[tuple[str, bytes, int]] = [
    ("GET", request("/"), 200),
    ("GET", request("/echo?a=b&c=%20", "Cookie: a=1", "Cookie: b=2", "X-Empty:"), 200),
    ("GET", request("/caf%C3%A9/%2F//"), 200),
    ("GET", request("http://other.example/echo"), 200),
    ("HEAD", request("/", method="HEAD"), 200),
    ("HEAD", request("/blocks", method="HEAD"), 200),
    ("POST", request("/echo", "Content-Type: a/b", method="POST", body=b"hello" * 1000), 200),
    ("POST", request("/echo", method="POST", body=b"x" * 400_000), 200),
    ("POST", request("/echo", "Content-Length: 0", method="POST"), 200),
    ("POST", request("/echo", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n0\r\n\r\n", 200),
    ("POST", request("/", method="POST", body=b"not read"), 200),
    ("PUT", request("/echo", "Expect: 100-continue", method="PUT", body=b"hello"), 200),
    ("DELETE", request("/", method="DELETE"), 200),
    ("GET", request("/blocks?count=5"), 200),
    ("GET", request("/blocks?length=30"), 200),
    ("GET", request("/pieces?kind=list"), 200),
    ("GET", request("/pieces?kind=generator"), 200),
    ("GET", request("/pieces?kind=empty"), 200),
    ("GET", request("/status?code=204&size=0"), 204),
    ("GET", request("/status?code=304&size=0"), 304),
    ("GET", request("/status?code=404"), 404),
    ("GET", request("/write"), 200),
    ("GET", request("/exc-info"), 503),
    ("GET", request("/file"), 200),
    ("GET", request("/file?memory=1"), 200),
    ("GET", request("/echo", "Connection: keep-alive", version="1.0"), 200),
]


@pytest.mark.parametrize("kind", [("greenlets", "epoll"), ("threads", "watchers")], ids="-".join)
@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_finds_nothing_to_complain_of(linter: str, kind: tuple[str, str]) -> None:
    pytest.importorskip(LINTERS[linter], exc_type=ImportError)
    with working(kind, f"tests.apps.linted:{linter}", log_level="info") as worker, worker.connect() as client:
        for _ in range(2):
            for method, raw, status in REQUESTS:
                client.send(raw)
                reply = client.reply(method)
                assert (reply.status, reply.cut) == (status, False), raw[:100]
        log = worker.server.log()
        for complaint in ("unhandled", "Warning", "Traceback"):
            assert complaint not in log
