"""What the service manager hears, and the sockets that it passes: tables, and a live server whose manager we are."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import uuid
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from prodserve.config.addresses import Bind, parse_bind
from prodserve.config.resolve import trace
from prodserve.errors import ConfigError
from prodserve.observe.board import Board
from prodserve.supervisor.activation import Passed, activated, numbered, passed, unchanged
from prodserve.supervisor.fleet import Generation, Worker
from prodserve.supervisor.lifecycle import Generation as GenerationState
from prodserve.supervisor.lifecycle import Server
from prodserve.supervisor.lifecycle import Worker as WorkerState
from prodserve.supervisor.notify import TAKEOVER, Phase, Reporter, phase, ready_workers, status, transition, watchdog_s

from tests.server import free_port, running, wait_until

APP = """
import json, os

def app(environ, start_response):
    names = [name for name in os.environ if name.startswith(("NOTIFY", "WATCHDOG", "LISTEN"))]
    body = json.dumps({"names": names, "host": environ["HTTP_HOST"]}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def generations(*states, worker=WorkerState.READY):
    return [Generation(at, state=state, workers=[Worker(0, worker)]) for at, state in enumerate(states, 1)]


@pytest.mark.parametrize(
    ("server", "states", "expected"),
    [
        (Server.STARTING, [GenerationState.LOADING], Phase.STARTING),
        (Server.SERVING, [GenerationState.SERVING], Phase.RUNNING),
        (Server.SERVING, [GenerationState.SERVING, GenerationState.LOADING], Phase.RELOADING),
        (Server.SERVING, [GenerationState.SERVING, GenerationState.STARTING], Phase.RELOADING),
        (Server.SERVING, [GenerationState.SERVING, GenerationState.TRIAL], Phase.RELOADING),
        (Server.SERVING, [GenerationState.RETIRING, GenerationState.SERVING], Phase.RUNNING),
        (Server.STOPPING, [GenerationState.RETIRING], Phase.STOPPING),
        (Server.KILLING, [], Phase.STOPPING),
        (Server.STOPPED, [], Phase.STOPPING),
    ],
)
def test_a_phase_is_read_off_the_states(server, states, expected):
    assert phase(server, generations(*states)) is expected


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (Phase.STARTING, Phase.STARTING, ()),
        (Phase.STARTING, Phase.RUNNING, ("READY=1",)),
        (Phase.RUNNING, Phase.RUNNING, ()),
        (Phase.RUNNING, Phase.RELOADING, ("RELOADING=1", "MONOTONIC_USEC=12500000")),
        (Phase.RELOADING, Phase.RUNNING, ("READY=1",)),
        (Phase.RELOADING, Phase.STOPPING, ("STOPPING=1",)),
        (Phase.STARTING, Phase.STOPPING, ("STOPPING=1",)),
    ],
)
def test_a_change_of_phase_is_told_once(before, after, said):
    assert transition(before, after, 12.5) == said


def test_workers_count_while_they_accept():
    assert ready_workers(generations(GenerationState.SERVING, GenerationState.RETIRING)) == 2
    assert ready_workers(generations(GenerationState.SERVING, worker=WorkerState.HUNG)) == 0


@pytest.mark.parametrize(
    ("now", "workers", "text"),
    [
        (Phase.STARTING, 0, "loading the application"),
        (Phase.RUNNING, 4, "4 workers, generation 2, 120 requests/s"),
        (Phase.RUNNING, 1, "1 worker, generation 2, 120 requests/s"),
        (Phase.RELOADING, 4, "4 workers, generation 2 and the next one, 120 requests/s"),
        (Phase.STOPPING, 1, "stopping: 1 worker with requests left"),
        (Phase.STOPPING, 0, "stopping"),
    ],
)
def test_the_status_is_one_short_line(now, workers, text):
    assert status(now, 2, workers, 119.6) == text


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_a_sign_of_life_is_due_at_half_of_the_managers_patience(environ, expected):
    assert watchdog_s(environ, 7) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ()),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}, ((3, "web"), (4, "admin"))),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, ((3, ""), (4, ""))),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "2"}, ()),
        ({"LISTEN_FDS": "2"}, ()),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "two"}, ()),
    ],
)
def test_passed_sockets_are_those_for_this_process(environ, expected):
    assert passed(environ, 7) == expected


SOCKETS = (Passed(3, "web"), Passed(4, "web"), Passed(5, "admin"))


def test_a_name_stands_for_all_sockets_that_have_it():
    binds = [parse_bind("fd://web"), parse_bind("8000"), parse_bind("fd://5")]
    assert list(map(str, numbered(binds, SOCKETS))) == ["fd://3", "fd://4", "127.0.0.1:8000", "fd://5"]
    with pytest.raises(ConfigError, match=r"fd://shop: .* it passed: admin, web\n"):
        numbered([parse_bind("fd://shop")], SOCKETS)
    with pytest.raises(ConfigError, match="it passed: none at all"):
        numbered([parse_bind("fd://shop")], ())


def test_passed_sockets_are_served_where_no_address_was_given_and_a_reload_keeps_them():
    nothing_given, given = trace({}, {}), trace({"addrport": "8001"}, {})
    assert activated(nothing_given, ()) == nothing_given
    assert activated(given, SOCKETS) == given
    running_config = activated(nothing_given, SOCKETS).config
    assert running_config.bind == tuple(Bind("fd", fd=fd) for fd in (3, 4, 5))
    assert unchanged(nothing_given, running_config).bind == running_config.bind
    assert unchanged(given, running_config).bind == given.config.bind


class Manager:
    """The socket that a service manager listens on."""

    def __init__(self, sock, address):
        self._sock = sock
        self.address = address
        self.heard = []

    def read(self):
        """What arrived by now, all of it since the beginning: one list of assignments a datagram."""
        while True:
            try:
                self.heard.append(self._sock.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return self.heard

    def wait_for(self, assignment, times=1):
        """Return when it was heard that often."""
        wait_until(lambda: sum(assignment in one for one in self.read()) >= times, 20, f"{assignment} in {self.heard}")


@contextmanager
def manager(folder, abstract):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"@test-{uuid.uuid4().hex}" if abstract else str(folder / "notify")
        sock.bind("\0" + name[1:] if abstract else name)
        sock.setblocking(False)
        yield Manager(sock, name)


def wapp(folder, text=APP):
    (folder / "wapp.py").write_text(text)


def ask(url):
    with urlopen(url, timeout=30) as response:
        return json.load(response)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_manager_hears_of_a_start_a_reload_a_broken_reload_and_the_end(tmp_path, abstract):
    wapp(tmp_path)
    port = free_port()
    with manager(tmp_path, abstract) as told:
        env = {"NOTIFY_SOCKET": told.address, "WATCHDOG_USEC": "200000"}
        command = [sys.executable, "-m", "prodserve", "wapp:app", str(port), "--workers", "1", "--reload-trial", "0"]
        with running(command, port, cwd=tmp_path, env=env) as server:
            told.wait_for("READY=1")
            assert ask(server.url)["names"] == []
            told.wait_for("STATUS=1 worker, generation 1, 0 requests/s")
            told.wait_for("WATCHDOG=1", 3)
            server.send(signal.SIGHUP)
            told.wait_for("READY=1", 2)
            (reload,) = (one for one in told.heard if "RELOADING=1" in one)
            assert reload[1].startswith("MONOTONIC_USEC=")
            wapp(tmp_path, "from prodserve.worker.boot import role\nrole() and nowhere\n" + APP)
            server.send(signal.SIGHUP)
            told.wait_for("RELOADING=1", 2)
            told.wait_for("READY=1", 3)
            assert not any("STOPPING=1" in one for one in told.read())
            assert server.stop() == 0
        told.wait_for("STOPPING=1")
        phases = [one[0] for one in told.heard if one[0] in ("READY=1", "RELOADING=1", "STOPPING=1")]
        assert phases == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_there_is_no_sign_of_life_without_a_worker_that_lives(tmp_path):
    clock = [100.0]
    board = Board.create(1)
    with manager(tmp_path, True) as told:
        environ = {"NOTIFY_SOCKET": told.address, "WATCHDOG_USEC": "2000000"}
        reporter = Reporter(environ, board, lambda: clock[0], os.getpid())
        for state, signs, next_s in (
            (WorkerState.STARTING, 0, float("inf")),
            (WorkerState.READY, 1, 102.0),
            (WorkerState.HUNG, 1, float("inf")),
            (WorkerState.READY, 2, 104.0),
        ):
            reporter.look(Server.SERVING, generations(GenerationState.SERVING, worker=state))
            assert sum("WATCHDOG=1" in one for one in told.read()) == signs
            clock[0] += 1.0
            assert reporter.next_s() == next_s
        reporter.main_pid(77)
        assert told.read()[-1] == ["MAINPID=77"]
        reporter.close()
        reporter.look(Server.STOPPING, [])
        assert told.read()[-1] == ["MAINPID=77"]
    board.close()


def test_a_server_that_takes_over_is_silent_until_it_serves(tmp_path):
    board = Board.create(1)
    with manager(tmp_path, True) as told:
        environ = {"NOTIFY_SOCKET": told.address, "WATCHDOG_USEC": "2000000", TAKEOVER: "7"}
        reporter = Reporter(environ, board, lambda: 100.0, os.getpid())
        reporter.look(Server.STARTING, generations(GenerationState.STARTING))
        assert told.read() == []
        reporter.look(Server.SERVING, generations(GenerationState.SERVING))
        assert told.read()[0][:2] == ["READY=1", "WATCHDOG=1"]
        reporter.close()
    board.close()


def test_the_status_counts_requests_and_comes_once_in_some_seconds(tmp_path):
    clock = [100.0]
    board = Board.create(1)
    with manager(tmp_path, True) as told:
        reporter = Reporter({"NOTIFY_SOCKET": told.address}, board, lambda: clock[0], os.getpid())
        for requests in (0, 0, 0, 0, 0, 50, 50):
            board.write(0, 1, requests, 0, 0, 0)
            reporter.look(Server.SERVING, generations(GenerationState.SERVING))
            clock[0] += 1.0
        assert [one[-1] for one in told.read()] == [
            "STATUS=1 worker, generation 1, 0 requests/s",
            "STATUS=1 worker, generation 1, 10 requests/s",
        ]
        reporter.close()
    board.close()


def test_a_manager_that_has_gone_is_not_missed(tmp_path):
    wapp(tmp_path)
    port = free_port()
    env = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "100000"}
    command = [sys.executable, "-m", "prodserve", "wapp:app", str(port), "--workers", "1"]
    with running(command, port, cwd=tmp_path, env=env) as server:
        assert ask(server.url)["names"] == []
        assert "ERROR" not in server.log()


ACTIVATE = """
import os, sys
fds = [os.dup(int(word)) for word in sys.argv[1].split(",")]
for number, fd in enumerate(fds, 3):
    os.dup2(fd, number)
    os.set_inheritable(number, True)
os.execvpe(sys.argv[2], sys.argv[2:], {**os.environ, "LISTEN_PID": str(os.getpid())})
"""


@pytest.mark.parametrize(("words", "served"), [([], (True, True)), (["fd://admin"], (False, True))])
def test_sockets_of_the_manager_are_served_all_of_them_or_by_name(tmp_path, words, served):
    wapp(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as web, socket.create_server(("127.0.0.1", 0)) as admin:
        ports = [sock.getsockname()[1] for sock in (web, admin)]
        fds = [web.fileno(), admin.fileno()]
        command = [sys.executable, "-c", ACTIVATE, ",".join(map(str, fds))]
        command += [sys.executable, "-m", "prodserve", "wapp:app", *words, "--reload-trial", "0"]
        env = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}
        with running(command, ports[1], cwd=tmp_path, env=env, pass_fds=fds) as server:
            server.wait_for_log("stop: Ctrl-C")
            for port, is_served in zip(ports, served, strict=True):
                assert (f"http://127.0.0.1:{port}\n" in server.log()) is is_served
                if is_served:
                    assert ask(f"http://127.0.0.1:{port}/") == {"names": [], "host": f"127.0.0.1:{port}"}
            server.send(signal.SIGHUP)
            server.wait_for_log("generation 2 serves now")
            assert "only a restart" not in server.log()
            assert ask(server.url)["names"] == []
