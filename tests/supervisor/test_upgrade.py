"""SIGUSR2: a new server takes the sockets over from the running one, and no request notices."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest
from prodserve.supervisor.notify import TAKEOVER
from prodserve.supervisor.upgrade import variables

from tests.server import wait_until
from tests.supervisor.project import APP, Requests, ask, serving


def supervisor_in(path: Path) -> int:
    return int(path.read_text())


def test_a_new_server_takes_over_without_a_failed_request(folder):
    with serving(folder, "--pid", "pid", "--bind", "unix:app.sock") as server, Requests(server) as requests:
        old = server.process.pid
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        server.send(signal.SIGUSR2)
        server.wait_for_log("has taken over; this one finishes its requests and ends")
        assert server.wait() == 0
        new = supervisor_in(folder / "pid")
        assert new != old
        wait_until(lambda: requests.bodies[-3:] == ["two"] * 3)
        assert (folder / "app.sock").exists()
        count = len(requests.bodies)
        os.kill(new, signal.SIGUSR2)
        wait_until(lambda: supervisor_in(folder / "pid") != new)
        wait_until(lambda: len(requests.bodies) > count + 3)
        requests.stop()
        assert requests.failures == []
        os.kill(supervisor_in(folder / "pid"), signal.SIGTERM)
        wait_until(lambda: not server.pids())
        assert not (folder / "app.sock").exists()
        assert not (folder / "pid").exists()


def test_a_running_request_is_finished_by_the_old_server(folder):
    with serving(folder, "--pid", "pid", workers=1) as server:
        answers = []
        client = threading.Thread(target=lambda: answers.append(ask(server, "/wait")))
        client.start()
        wait_until((folder / "waiting").exists)
        server.send(signal.SIGUSR2)
        server.wait_for_log("has taken over")
        (folder / "go").touch()
        client.join()
        assert answers[0].startswith("one")
        assert server.wait() == 0
        os.kill(supervisor_in(folder / "pid"), signal.SIGTERM)
        wait_until(lambda: not server.pids())


@pytest.mark.parametrize(
    "text",
    ["import nowhere\n" + APP, "import sys\nfrom prodserve.worker.boot import role\nrole() and nowhere\n" + APP],
    ids=["in its first process", "in its generation"],
)
def test_a_new_server_that_fails_changes_nothing(folder, text):
    with (
        serving(folder, "--pid", "pid", "--bind", "unix:app.sock", workers=1) as server,
        Requests(server) as requests,
    ):
        (folder / "wapp.py").write_text(text)
        server.send(signal.SIGUSR2)
        server.wait_for_log("could not take over, this one goes on")
        assert "Error: " in server.log()
        assert supervisor_in(folder / "pid") == server.process.pid
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.relpath(folder / "app.sock"))
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        server.send(signal.SIGHUP)
        server.wait_for_log("generation 2 serves now")
    assert requests.failures == []


def test_a_server_that_is_stopped_meanwhile_takes_the_new_one_with_it(folder):
    with serving(folder, workers=1) as server:
        (folder / "wapp.py").write_text("import time\nopen('loading', 'w').close()\ntime.sleep(99)\n" + APP)
        server.send(signal.SIGUSR2)
        wait_until((folder / "loading").exists)
        server.send(signal.SIGUSR2)
        server.wait_for_log("is about to take over already")
        assert server.stop() == 0
        wait_until(lambda: not server.pids())


def test_what_the_service_manager_said_to_one_process_is_said_to_the_next():
    service = {"LISTEN_PID": "7", "LISTEN_FDS": "1", "WATCHDOG_PID": "8", "NOTIFY_SOCKET": "/n", TAKEOVER: "9"}
    expected = {"LISTEN_PID": "10", "LISTEN_FDS": "1", "WATCHDOG_PID": "8", "NOTIFY_SOCKET": "/n"}
    assert variables(service, 7, 10) == expected


def test_the_next_server_is_of_the_command_that_was_typed(folder):
    with serving(folder, "--pid", "pid", workers=1, command=(sys.executable, "-W", "ignore")) as server:
        server.send(signal.SIGUSR2)
        assert server.wait() == 0
        new = supervisor_in(folder / "pid")
        wait_until(lambda: b"supervisor (python -m prodserve wapp:app)" in Path(f"/proc/{new}/cmdline").read_bytes())
        assert ask(server).startswith("one")
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: not server.pids())
