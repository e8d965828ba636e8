"""Workers that have served enough, grown too large or died: another one takes their place, and the log says why."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest
from prodserve.supervisor.workers import resident_bytes, spread

from tests.server import wait_until
from tests.supervisor.project import APP, MODELS, Requests, ask, serving, workers_of

LEAK = APP.replace(
    '    elif path == "/spin":',
    '    elif path == "/leak":\n        LEAKED.append(b"x" * (60 << 20))\n    elif path == "/spin":',
)
CRASH = APP.replace(
    '    elif path == "/spin":', '    elif path == "/crash":\n        os._exit(3)\n    elif path == "/spin":'
)


@pytest.mark.parametrize("model", MODELS)
def test_after_enough_requests_a_successor_serves_before_the_worker_ends(folder, model):
    with serving(folder, "--max-requests", "100", model=model, workers=1) as server, Requests(server) as requests:
        first = workers_of(server)
        server.wait_for_log("is replaced: it has answered ")
        wait_until(lambda: len(workers_of(server)) == 1 and workers_of(server) != first)
        count = len(requests.bodies)
        wait_until(lambda: len(requests.bodies) > count + 10)
    assert requests.failures == []


def test_a_worker_that_has_grown_too_large_is_replaced(folder):
    (folder / "wapp.py").write_text("LEAKED = []\n" + LEAK)
    with serving(folder, "--max-memory", "80M", workers=2) as server:
        before = workers_of(server)
        ask(server, "/leak")
        server.wait_for_log("MiB of memory")
        wait_until(lambda: len(workers_of(server)) == 2 and len(set(workers_of(server)) - set(before)) == 1)
        time.sleep(1.2)  # the others are small: nothing more happens
        assert server.log().count("is replaced") == 1


@pytest.mark.parametrize("model", MODELS)
def test_a_crash_is_healed_within_a_second_and_the_log_names_what_was_lost(folder, model):
    (folder / "wapp.py").write_text(CRASH)
    with serving(folder, model=model, workers=1) as server:
        (worker,) = workers_of(server)
        with socket.create_connection(("127.0.0.1", server.port)) as waiting:
            waiting.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until((folder / "waiting").exists)
            with pytest.raises(ConnectionError):
                ask(server, "/crash?why=not")
            began = time.monotonic()
            wait_until(lambda: workers_of(server) not in ([], [worker]))
            assert ask(server).startswith("one")
            assert time.monotonic() - began < 5  # a loaded machine; measured: 0.1 s
        server.wait_for_log(f"(pid {worker}) ended with exit code 3; 2 requests were lost, which it was running:")
        assert "GET /wait HTTP/1.1 (" in server.log()
        assert "GET /crash?why=not HTTP/1.1 (" in server.log()
        os.kill(workers_of(server)[0], signal.SIGKILL)
        server.wait_for_log("was killed by SIGKILL\n")


def test_connections_are_taken_and_closed_for_a_while_after_a_stop_if_it_is_told_to(folder):
    with serving(folder, "--shutdown-delay", "2", workers=1) as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"Connection: close" not in idle.recv(1000)
        began = time.monotonic()
        server.send(signal.SIGTERM)
        server.wait_for_log("SIGTERM received")
        wait_until(lambda: b"Connection: close" in answer(server))
        assert server.wait() == 0
        assert time.monotonic() - began > 1.9
        idle.close()


def answer(server):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.recv(1000)


def test_a_reload_does_not_wait_for_that_delay(folder):
    with serving(folder, "--shutdown-delay", "60", workers=1) as server:
        first = workers_of(server)
        server.send(signal.SIGHUP)
        server.wait_for_log("generation 2 serves now")
        wait_until(lambda: not set(first) & set(workers_of(server)))
        server.send(signal.SIGQUIT)
        server.wait()


def test_the_number_of_requests_is_spread():
    assert spread(0, 100) == 0
    assert spread(100, 0) == 100
    found = {spread(100, 3) for _ in range(200)}
    assert found == {100, 101, 102, 103}


def test_the_memory_of_a_process_is_known_or_zero():
    assert 1 << 20 < resident_bytes(os.getpid()) < 1 << 40
    assert resident_bytes(2**31 - 1000) == 0
