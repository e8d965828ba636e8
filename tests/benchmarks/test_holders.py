"""Clients that hold connections: they count what was answered, not what was opened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.holders import Holders


class Hello(BaseHTTPRequestHandler):
    """Keeps connections; a server whose ``status`` is changed answers with that from then on."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "14")
        self.end_headers()
        self.wfile.write(b"Hello, world!\n")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    status = 200


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Hello) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_connections_are_shared_out_opened_and_asked_again(server: Server) -> None:
    with Holders(2, server.server_port, ()) as clients:
        assert clients.open(7) == 7
        assert clients.ask_again() == 7
        clients.close()
        assert clients.ask_again() == 0


def test_a_connection_that_is_not_answered_with_200_does_not_count(server: Server) -> None:
    with Holders(1, server.server_port, ()) as clients:
        assert clients.open(3) == 3
        server.status = 503
        assert clients.ask_again() == 0
        assert clients.open(2) == 0


def test_a_server_that_is_gone_answers_nothing(server: Server) -> None:
    port = server.server_port
    server.server_close()
    with Holders(1, port, ()) as clients:
        assert clients.open(3) == 0
