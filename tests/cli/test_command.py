"""The command from outside: what it prints, how it exits, and that it serves."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.server import clean_environ, free_port, running

HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
BROKEN = "import json\n\njson.loads('{')\n"

MODULE = [sys.executable, "-m", "prodserve"]
SCRIPT = [str(Path(sysconfig.get_path("scripts")) / "prodserve")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a few apps."""
    (tmp_path / "hello.py").write_text(HELLO)
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "database.py").write_text("import sqlite3\n" + HELLO)
    (tmp_path / "debugged.py").write_text(HELLO + "app.debug = True\n")
    return tmp_path


def run(
    folder: Path, command: Sequence[str], env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command in that folder, to its end."""
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environ(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("start", [MODULE, SCRIPT], ids=["python -m prodserve", "prodserve"])
def test_explain_shows_values_with_their_source_and_starts_nothing(folder: Path, start: list[str]) -> None:
    done = run(folder, [*start, "hello:app", "81", "--explain"], {"PRODSERVE_WORKERS": "3"})
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert ["bind", "127.0.0.1:81", "command line: address"] in lines
    assert ["workers", "3", "environment: PRODSERVE_WORKERS"] in lines


def test_a_good_configuration_is_checked_without_serving(folder: Path) -> None:
    done = run(folder, [*MODULE, "hello:app", "--check-config"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "WSGI application hello:app can be loaded" in done.stdout
    assert done.stdout.endswith("the configuration is good\n")


def test_a_reason_for_threads_is_found_in_what_the_app_imports(folder: Path) -> None:
    assert "execution model: threads (SQLite)" in run(folder, [*MODULE, "database:app", "--check-config"]).stdout


def test_all_problems_are_reported_at_once_and_nothing_starts(folder: Path) -> None:
    done = run(folder, [*MODULE, "hello:app", ":80", "--workers", "two"], {"PRODSERVE_KEEPALIVE": "3"})
    assert (done.returncode, done.stdout) == (2, "")
    for text in ("for every IPv4 address: '0:80'", "--workers: 'two'", "did you mean PRODSERVE_KEEP_ALIVE?"):
        assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("more", [[], ["--check-config"], ["--worker-model", "threads"]])
def test_an_app_that_fails_at_import_shows_its_own_traceback_and_one_line(folder: Path, more: list[str]) -> None:
    done = run(folder, [*MODULE, "broken:app", *more])
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert lines[0] == "Traceback (most recent call last):"
    assert f'{folder / "broken.py"}", line 3' in lines[1]
    assert lines[-1] == "prodserve: the application can't be loaded: JSONDecodeError"
    assert "core/prodserve" not in done.stderr


@pytest.mark.parametrize("app", ["helo:app", "hello:ap", "hello:"])
def test_an_app_that_is_not_there_is_one_message(folder: Path, app: str) -> None:
    done = run(folder, [*MODULE, app])
    assert (done.returncode, done.stdout) == (2, "")
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_mode_is_refused_where_others_can_connect(folder: Path) -> None:
    done = run(folder, [*MODULE, "debugged:app", "0:0"])
    assert done.returncode == 2
    assert "0.0.0.0:0 can be reached by others" in done.stderr
    assert "--allow-debug" in done.stderr


def test_a_program_from_standard_input_can_not_be_run_again(folder: Path) -> None:
    done = run(folder, [sys.executable, "-"], stdin="from prodserve.__main__ import main\nmain(['hello:app', '0'])\n")
    assert done.returncode == 2
    assert "type it in a shell" in done.stderr


def test_from_a_python_prompt_it_says_what_to_type(folder: Path) -> None:
    code = "import sys; sys.ps1 = '>>> '; from prodserve.__main__ import main; main(['hello:app', '0'])"
    done = run(folder, [sys.executable, "-c", code])
    assert done.returncode == 2
    assert "type it in a shell: python -m prodserve hello:app" in done.stderr


def test_help_teaches_by_examples(folder: Path) -> None:
    done = run(folder, [*SCRIPT, "--help"])
    assert done.returncode == 0
    assert "usage: prodserve" in done.stdout
    assert "prodserve hello:app " in done.stdout
    assert "PRODSERVE_KEEP_ALIVE=20" in done.stdout


@pytest.mark.parametrize("model", ["greenlets", "threads"])
@pytest.mark.parametrize("start", [MODULE, SCRIPT], ids=["python -m prodserve", "prodserve"])
def test_it_serves_says_so_and_ends_when_told(folder: Path, start: list[str], model: str) -> None:
    port = free_port()
    command = [*start, "hello:app", f"127.0.0.1:{port}", "--workers", "1", "--worker-model", model]
    with running(command, port, cwd=folder) as server:
        with urlopen(f"{server.url}/") as response:
            assert response.read() == b"hello"
        server.wait_for_log(f"  address  http://127.0.0.1:{port}")
        server.wait_for_log(f"  model    {model}, ")
        assert server.stop() == 0


def test_debug_mode_on_this_machine_is_served_with_a_warning(folder: Path) -> None:
    port = free_port()
    with running([*MODULE, "debugged:app", str(port), "--workers", "1"], port, cwd=folder) as server:
        server.wait_for_log("  ! debug mode is on: fine on this machine")


def test_an_address_in_use_is_one_message(folder: Path) -> None:
    port = free_port()
    with running([*MODULE, "hello:app", str(port), "--workers", "1"], port, cwd=folder):
        done = run(folder, [*MODULE, "hello:app", str(port)])
    assert done.returncode not in (0, -15)
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
