"""``prodserve reload`` and ``prodserve stop``: the right server is found, does it, and what comes of it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from prodserve.cli.orders import choose
from prodserve.errors import ConfigError
from prodserve.supervisor.control import paths

from tests.server import clean_environ, wait_until
from tests.supervisor.project import APP, ask, serving


def server(pid: int, cwd: str, command: str = "python manage.py prodserve", **more: Any) -> dict[str, Any]:
    program = {"kind": "file", "target": "manage.py", "cwd": cwd}
    return {"pid": pid, "cwd": cwd, "command": command, "program": program, "urls": ["http://x"], "binds": [], **more}


SHOP, BLOG = server(1, "/srv/shop", binds=["127.0.0.1:8000"]), server(2, "/srv/blog", binds=["127.0.0.1:8001"])
API = server(3, "/srv/shop", "python -m prodserve api:app")
ELSEWHERE = {"cwd": "/", "program": {"kind": "file", "target": "/srv/blog/manage.py", "cwd": "/"}}
DJANGO = "python manage.py prodserve"


@pytest.mark.parametrize(
    ("mine", "command", "more", "pid"),
    [
        (server(0, "/srv/shop"), DJANGO, {}, 1),
        (server(0, "/srv/blog"), DJANGO, {}, 2),
        (ELSEWHERE, DJANGO, {}, 2),
        (server(0, "/srv/shop"), "prodserve api:app", {}, 3),
        (server(0, "/"), DJANGO, {"binds": ["127.0.0.1:8001"]}, 2),
        (server(0, "/"), DJANGO, {"pid": 3}, 3),
    ],
    ids=["this folder", "another folder", "by the script", "by the app", "by address", "by the PID file"],
)
def test_the_server_of_this_project_is_meant(mine, command, more, pid) -> None:
    assert choose([SHOP, BLOG, API], mine, command, **more)["pid"] == pid


@pytest.mark.parametrize(
    ("running", "mine", "what"),
    [
        ([], server(0, "/srv/shop"), "no server of this project runs here\n"),
        ([BLOG], server(0, "/srv/shop"), "process 2: python manage.py prodserve, in /srv/blog, http://x"),
        ([SHOP, server(4, "/srv/shop")], server(0, "/srv/shop"), "several servers of this project run"),
    ],
    ids=["none", "only others", "two"],
)
def test_where_it_is_not_clear_the_others_are_named(running, mine, what) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(running, mine, DJANGO)
    assert what in f"{caught.value}\n"


def command(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "prodserve", *words],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_reload_waits_for_the_new_code_and_stop_for_the_end(folder) -> None:
    with serving(folder, workers=1) as running:
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        done = command(folder, "reload")
        assert (done.returncode, done.stderr) == (0, "")
        assert "generation 2 serves now: 1 worker" in done.stdout
        assert ask(running).startswith("two")
        done = command(folder, "wapp:app", "stop")
        assert (done.returncode, done.stderr) == (0, "")
        assert running.wait() == 0


def test_reload_of_broken_code_fails_with_its_traceback(folder) -> None:
    with serving(folder, workers=1) as running:
        (folder / "wapp.py").write_text("import nowhere\n" + APP)
        done = command(folder, "reload")
        assert done.returncode == 1
        assert "the new code is not used" in done.stderr
        assert "ModuleNotFoundError: No module named 'nowhere'" in done.stderr
        assert ask(running).startswith("one")


def test_a_reload_that_another_one_overtakes_says_so(folder) -> None:
    with serving(folder, workers=1):
        (folder / "wapp.py").write_text("import time\nopen('loading', 'w').close()\ntime.sleep(99)\n" + APP)
        words = [sys.executable, "-m", "prodserve", "reload"]
        with subprocess.Popen(words, cwd=folder, env=clean_environ(), stderr=subprocess.PIPE, text=True) as first:
            wait_until((folder / "loading").exists)
            (folder / "wapp.py").write_text(APP)
            assert command(folder, "reload").returncode == 0
            _, errors = first.communicate(timeout=30)
        assert first.returncode == 1
        assert "given up for another reload" in errors


def test_without_a_server_the_command_says_how_to_start_one(folder) -> None:
    done = command(folder, "wapp:app", "reload")
    assert done.returncode == 2
    assert "no server of this project runs here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_leaves_no_control_socket_behind(folder) -> None:
    with serving(folder, workers=1) as running:
        places = list(paths(running.process.pid, os.geteuid()))
        assert any(map(os.path.exists, places))
    assert not any(map(os.path.exists, places))
