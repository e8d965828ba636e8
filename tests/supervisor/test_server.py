"""The processes of a running server: what ends them, what replaces them, and that no request notices."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.server import clean_environ, wait_until
from tests.supervisor.project import APP, MODELS, Requests, ask, children, generation_of, serving, workers_of


@pytest.mark.parametrize("model", MODELS)
def test_a_worker_that_is_killed_is_replaced_at_once(folder, model):
    with serving(folder, model=model) as server:
        before = workers_of(server)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(workers_of(server)) == 2 and workers_of(server) != before)
        assert before[1] in workers_of(server)
        server.wait_for_log(f"(pid {before[0]}) was killed by SIGKILL")
        assert ask(server).startswith("one")


def test_a_worker_that_keeps_dying_is_started_again_ever_more_slowly_and_never_given_up(folder):
    crash = "import os\nos.register_at_fork(after_in_child=lambda: os.path.exists('crash') and os._exit(9))\n"
    (folder / "wapp.py").write_text(crash + APP)
    with serving(folder) as server:
        (folder / "crash").touch()
        victim, other = workers_of(server)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: server.log().count("ended with exit code 9") >= 3)
        assert ask(server) == f"one {other}"
        (folder / "crash").unlink()
        wait_until(lambda: len(workers_of(server)) == 2, 15)


@pytest.mark.parametrize("model", MODELS)
def test_a_reload_takes_new_code_without_a_failed_request(folder, model):
    with serving(folder, model=model) as server, Requests(server) as requests:
        wait_until(lambda: "one" in requests.bodies)
        first = generation_of(server)
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        server.send(signal.SIGHUP)
        server.wait_for_log("generation 2 serves now: 2 workers")
        wait_until(lambda: first not in children(server.process.pid))
        wait_until(lambda: requests.bodies[-3:] == ["two"] * 3)
    assert requests.failures == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def app(:\n", "SyntaxError"),
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'"),
        ("import os\nos._exit(3)\n", "ended with exit code 3"),
        ("import os\nos.register_at_fork(after_in_child=lambda: os._exit(4))\n" + APP, "die before they are ready"),
    ],
    ids=["syntax", "import", "exit", "fork"],
)
def test_a_reload_onto_broken_code_leaves_the_old_serving(folder, text, why):
    with serving(folder) as server, Requests(server) as requests:
        wait_until(lambda: requests.bodies)
        workers = workers_of(server)
        (folder / "wapp.py").write_text(text)
        server.send(signal.SIGHUP)
        server.wait_for_log("the new code is not used, the old goes on serving: ")
        assert why in server.log()
        assert workers == workers_of(server)[: len(workers)]
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        server.send(signal.SIGHUP)
        server.wait_for_log("generation 3 serves now")
        wait_until(lambda: requests.bodies[-1] == "two")
    assert requests.failures == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("model", MODELS)
def test_the_end_waits_for_running_requests(folder, model, number):
    with serving(folder, model=model) as server:
        answers = []
        client = threading.Thread(target=lambda: answers.append(ask(server, "/wait")))
        client.start()
        wait_until((folder / "waiting").exists)
        server.send(number)
        server.wait_for_log(f"{number.name} received")
        (folder / "go").touch()
        client.join()
        assert answers[0].startswith("one")
        assert server.wait() == 0


@pytest.mark.parametrize("numbers", [[signal.SIGINT, signal.SIGINT], [signal.SIGQUIT]], ids=["Ctrl-C twice", "SIGQUIT"])
def test_the_end_can_be_had_at_once(folder, numbers):
    with serving(folder) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until((folder / "waiting").exists)
        for number in numbers:
            server.send(number)
            server.wait_for_log(f"{number.name} received")
        assert server.wait(5) == 0
        assert client.recv(100) == b""
        client.close()


def test_a_request_that_does_not_end_is_cut_when_the_graceful_time_is_over(folder):
    with serving(folder, "--graceful-timeout", "0.5", workers=1) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until((folder / "waiting").exists)
        assert server.stop(timeout_s=10) == 0
        client.close()


def test_ctrl_c_in_a_terminal_ends_the_server_without_a_traceback(folder):
    with serving(folder) as server:
        server.send_to_group(signal.SIGINT)
        assert server.wait() == 0
        assert "Traceback" not in server.log()
        assert "KeyboardInterrupt" not in server.log()


@pytest.mark.parametrize("model", MODELS)
def test_a_supervisor_that_is_killed_leaves_no_process_behind(folder, model):
    with serving(folder, model=model) as server:
        server.send(signal.SIGKILL)
        server.wait()
        wait_until(lambda: not server.pids())


@pytest.mark.parametrize("threads", [False, True], ids=["forked", "by itself"])
def test_a_worker_that_has_just_begun_hears_of_the_end_too(folder, threads):
    slow = (
        "import os, threading, time\n"
        "def slowly():\n"
        "    if os.path.exists('slow'):\n        open('begun', 'w').close()\n        time.sleep(0.5)\n"
        "os.register_at_fork(after_in_child=slowly)\n"
    )
    if threads:
        slow += "slowly()\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
    (folder / "wapp.py").write_text(slow + APP)
    with serving(folder, model="threads", workers=1) as server:
        (folder / "slow").touch()
        os.kill(workers_of(server)[0], signal.SIGKILL)
        wait_until((folder / "begun").exists)
        assert server.stop(timeout_s=15) == 0


def test_a_supervisor_that_is_killed_while_a_generation_loads_leaves_no_process_behind(folder):
    with serving(folder) as server:
        (folder / "wapp.py").write_text("import time\nopen('loading', 'w').close()\ntime.sleep(1)\n" + APP)
        server.send(signal.SIGHUP)
        wait_until((folder / "loading").exists)
        server.send(signal.SIGKILL)
        server.wait()
        wait_until(lambda: not server.pids())


@pytest.mark.parametrize("model", MODELS)
def test_a_generation_process_that_is_killed_is_healed_and_no_request_fails(folder, model):
    with serving(folder, model=model) as server, Requests(server) as requests:
        first, workers = generation_of(server), workers_of(server)
        os.kill(first, signal.SIGKILL)
        server.wait_for_log("generation 2 serves now")
        wait_until(lambda: not set(workers) & set(workers_of(server)))
        os.kill(workers_of(server)[0], signal.SIGKILL)
        server.wait_for_log("was killed by SIGKILL")
        wait_until(lambda: len(workers_of(server)) == 2)
        count = len(requests.bodies)
        wait_until(lambda: len(requests.bodies) > count + 2)
    assert len(requests.failures) <= 1  # the one that the killed worker had in hand


@pytest.mark.parametrize("model", MODELS)
def test_a_worker_that_hangs_is_replaced_and_the_log_says_where_it_hung(folder, model):
    with serving(folder, "--hang-timeout", "1.5", model=model, workers=1) as server:
        (worker,) = workers_of(server)
        client = None
        if model == "greenlets":
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(b"GET /spin HTTP/1.1\r\nHost: a\r\n\r\n")
        else:
            os.kill(worker, signal.SIGSTOP)
        server.wait_for_log(f"worker 0 (pid {worker}) shows no life for 1.5 s")
        wait_until(lambda: workers_of(server) not in ([], [worker]))
        assert ask(server).startswith("one")
        if client is not None:
            client.close()
            assert re.search(r'wapp\.py", line \d+ in app', server.log())


def test_a_hang_that_is_allowed_is_left_alone(folder):
    with serving(folder, "--hang-timeout", "0", workers=1) as server:
        (worker,) = workers_of(server)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(1.5)  # nothing happens: there is no state to wait for
        assert workers_of(server) == [worker]
        os.kill(worker, signal.SIGCONT)
        assert ask(server) == f"one {worker}"


THREAD = "threading.Thread(target=time.sleep, args=(99,), daemon=True, name='poller').start()"
GREENLET = "import gevent; gevent.spawn(time.sleep, 99)"
SOCKET = "import socket; S = socket.create_connection(('127.0.0.1', int(os.environ['OTHER'])))"


@pytest.mark.parametrize(
    ("line", "name", "model"),
    [(THREAD, "thread poller", "threads"), (GREENLET, "greenlet ", "greenlets"), (SOCKET, "socket ", "threads")],
    ids=["thread", "greenlet", "socket"],
)
def test_an_app_that_must_not_be_forked_is_loaded_by_each_worker(folder, line, name, model):
    (folder / "wapp.py").write_text(APP.replace("\ndef app", f"\n{line}\n\ndef app"))
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        serving(folder, model=model, env={"OTHER": str(other.getsockname()[1])}) as server,
    ):
        server.wait_for_log(f"memory is not shared: {name}")
        workers = workers_of(server)
        assert sorted(children(server.process.pid)) == workers
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: len(workers_of(server)) == 2 and workers_of(server) != workers)
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        server.send(signal.SIGHUP)
        server.wait_for_log("generation 2 serves now")
        wait_until(lambda: ask(server).startswith("two"))


def test_what_a_syslog_socket_and_a_lock_do_at_import_does_not_matter(folder):
    lines = (
        "import socket\nS = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nS.connect(('127.0.0.1', 9))\n"
        "time.sleep(0.001)\nsocket.getaddrinfo('localhost', 80)\n"
    )
    (folder / "wapp.py").write_text(APP.replace("\ndef app", f"\n{lines}\ndef app"))
    with serving(folder, workers=1) as server:
        assert "not shared" not in server.log()
        assert ask(server).startswith("one")


def test_a_temporary_folder_of_the_import_lives_as_long_as_the_generation(folder):
    (folder / "wapp.py").write_text("import tempfile\nT = tempfile.TemporaryDirectory(dir='.', prefix='kept-')\n" + APP)
    with serving(folder) as server:
        os.kill(workers_of(server)[0], signal.SIGTERM)
        server.wait_for_log("ended with exit code 0")
        assert len(list(folder.glob("kept-*"))) == 1
    assert not list(folder.glob("kept-*"))


def test_exit_handlers_of_the_app_run_in_the_worker(folder):
    (folder / "wapp.py").write_text(
        "import atexit, os\natexit.register(lambda: open(f'bye-{os.getpid()}', 'w').close())\n" + APP
    )
    with serving(folder, workers=1) as server:
        (worker,) = workers_of(server)
    assert (folder / f"bye-{worker}").exists()


def test_programs_that_the_app_starts_inherit_nothing_of_the_server(folder):
    with serving(folder) as server:
        assert "socket" not in ask(server, "/descriptors")
        assert "prodserve" not in ask(server, "/descriptors")


def zombies_of(pid):
    """Ended children that a process did not wait for."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state == "Z" and int(parent) == pid:
                found.append(int(entry.name))
    return found


def test_orphans_of_the_app_are_waited_for(folder):
    with serving(folder) as server:
        orphan = int(ask(server, "/orphan"))
        wait_until(lambda: not Path(f"/proc/{orphan}").exists())
        assert not zombies_of(server.process.pid)


def namespaces():
    """Whether this user may make a PID namespace."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--fork", "--pid", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not namespaces(), reason="no PID namespaces here")
def test_it_runs_as_process_1_of_a_container(folder):
    command = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child", sys.executable)
    with serving(folder, command=command) as server:
        (first,) = children(server.process.pid)
        assert ask(server).startswith("one")
        ask(server, "/orphan")
        wait_until(lambda: not zombies_of(first))
        os.kill(first, signal.SIGTERM)
        assert server.wait() == 0
        assert "[1] [INFO] SIGTERM received" in server.log()


def run(folder, *words, timeout=30):
    return subprocess.run(
        [sys.executable, "-m", "prodserve", *words],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_a_port_in_use_is_one_clear_message(folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(folder, "wapp:app", str(port))
    assert done.returncode == 2
    assert f"port {port} is in use by" in done.stderr
    assert "fix: stop that program, or choose another port" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_app_that_can_not_be_loaded_ends_the_server_with_its_own_traceback_once(folder):
    (folder / "wapp.py").write_text("import sys\nfrom prodserve.worker.boot import role\nrole() and nowhere\n" + APP)
    done = run(folder, "wapp:app", "0")
    assert done.returncode == 1
    assert done.stderr.count("NameError: name 'nowhere' is not defined") == 1
    assert "prodserve/" not in done.stderr.replace("prodserve/pytest", "")


def test_the_pid_file_names_the_process_to_signal(folder):
    with serving(folder, "--pid", "pid") as server:
        assert int((folder / "pid").read_text()) == server.process.pid
    assert not (folder / "pid").exists()


def test_an_inherited_socket_is_served(folder):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, fd = listening.getsockname()[1], listening.fileno()
        command = [sys.executable, "-m", "prodserve", "wapp:app", f"fd://{fd}", "--workers", "1"]
        with subprocess.Popen(
            command, cwd=folder, env=clean_environ(), pass_fds=[fd], stderr=subprocess.PIPE, text=True
        ) as process:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=30) as response:
                assert response.read().startswith(b"one")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
            assert process.returncode == 0


def test_a_unix_socket_is_served_and_removed(folder):
    command = [sys.executable, "-m", "prodserve", "wapp:app", "unix:app.sock", "--workers", "1"]
    path = folder / "app.sock"
    with subprocess.Popen(command, cwd=folder, env=clean_environ(), stderr=subprocess.PIPE, text=True) as process:
        wait_until(path.exists)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(os.path.relpath(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert not path.exists()


def test_lists_of_processes_show_what_each_one_is(folder):
    with serving(folder) as server:
        title = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().rstrip(b"\0").decode()
        assert title == "prodserve: supervisor (python -m prodserve wapp:app)"
        assert children(server.process.pid)[generation_of(server)].startswith("prodserve: generation 1 (")
        assert len(workers_of(server)) == 2


def test_a_reload_reads_the_env_file_again(folder):
    setdefault = "import os\nos.environ.setdefault('NAME', open('.env').read())\nVERSION = os.environ['NAME']\n"
    (folder / ".env").write_text("one")
    (folder / "wapp.py").write_text(APP.replace('VERSION = "one"', setdefault))
    with serving(folder) as server:
        (folder / ".env").write_text("two")
        server.send(signal.SIGHUP)
        server.wait_for_log("generation 2 serves now")
        wait_until(lambda: ask(server).startswith("two"))


def test_a_server_that_still_loads_ends_when_it_is_told_to(folder):
    slow = (
        "import time\nfrom prodserve.worker.boot import role\nif role(): open('loading', 'w').close(); time.sleep(99)\n"
    )
    (folder / "wapp.py").write_text(slow + APP)
    command = [sys.executable, "-m", "prodserve", "wapp:app", "0"]
    with subprocess.Popen(command, cwd=folder, env=clean_environ(), stderr=subprocess.PIPE, text=True) as process:
        wait_until((folder / "loading").exists)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_second_reload_gives_up_the_first_that_still_loads(folder):
    with serving(folder) as server:
        (folder / "wapp.py").write_text("import time\nopen('loading', 'w').close()\ntime.sleep(99)\n" + APP)
        server.send(signal.SIGHUP)
        wait_until((folder / "loading").exists)
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        server.send(signal.SIGHUP)
        server.wait_for_log("generation 3 serves now")
        wait_until(lambda: ask(server).startswith("two"))
        assert "not used" not in server.log()
