"""``flask prodserve`` as users type it: every way to name an app, and what they read when it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.sites import FLASK, browser, refusal, serving_flask
from tests.server import clean_environ, free_port, running

HELLO = '''
import os
import sys

from flask import Flask


def create_app(first="no", second="arguments"):
    app = Flask(__name__)

    @app.route("/")
    def who():
        """What a process of the app looks like from inside."""
        return {
            "arguments": [first, second],
            "greeting": os.environ.get("GREETING"),
            "from_cli": os.environ.get("FLASK_RUN_FROM_CLI"),
            "debug": app.debug,
            "dev_mode": sys.flags.dev_mode,
            "cwd": os.getcwd(),
            "made": os.getpid(),
        }

    return app


def make():
    return create_app("made", "twice")
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One file with factories, and files with variables."""
    (tmp_path / "hello.py").write_text(HELLO)
    (tmp_path / "app.py").write_text("from hello import create_app\napp = create_app('found', 'alone')\n")
    (tmp_path / "one.env").write_text("GREETING=one\nFLASK_APP=hello:make\nPRODSERVE_KEEP_ALIVE=12\n")
    return tmp_path


@pytest.mark.parametrize(
    ("app", "env", "expected"),
    [
        (["--app", "hello"], {}, {"arguments": ["no", "arguments"]}),
        (["--app", "hello.py"], {}, {"arguments": ["no", "arguments"]}),
        (["-A", "hello:create_app('a', second='b c')"], {}, {"arguments": ["a", "b c"]}),
        (["--app", "hello:make"], {}, {"arguments": ["made", "twice"]}),
        ([], {"FLASK_APP": "hello:make()"}, {"arguments": ["made", "twice"]}),
        ([], {}, {"arguments": ["found", "alone"]}),
        (["--env-file", "one.env"], {}, {"arguments": ["made", "twice"], "greeting": "one"}),
    ],
    ids=str,
)
def test_an_app_is_found_as_flask_run_finds_it(
    project: Path, app: list[str], env: dict[str, str], expected: dict[str, object]
) -> None:
    with serving_flask(project, app, "--workers", "1", env=env) as server, browser(server) as client:
        seen = client.get("/").json()
    wanted = {"from_cli": "true", "debug": False, "cwd": str(project), **expected}
    assert {name: seen[name] for name in wanted} == wanted


def test_a_flaskenv_file_is_read_as_always(project: Path) -> None:
    (project / ".flaskenv").write_text("FLASK_APP=hello:make\nGREETING=flaskenv\n")
    with serving_flask(project, [], "--workers", "1") as server, browser(server) as client:
        seen = client.get("/").json()
    assert (seen["arguments"], seen["greeting"]) == (["made", "twice"], "flaskenv")


def test_the_module_and_the_interpreters_flags_work_too(project: Path) -> None:
    port = free_port()
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "flask", "--app", "hello", "prodserve", str(port)]
    with running(command, port, cwd=project) as server, browser(server) as client:
        assert client.get("/").json()["dev_mode"] is True


@pytest.mark.parametrize("words", [["prodserve", "--debug"], ["--debug", "prodserve"]], ids=" ".join)
def test_debug_mode_is_served_on_this_machine_only_and_never_with_a_debugger(project: Path, words: list[str]) -> None:
    (project / "hello.py").write_text(
        HELLO.replace("    return app\n", "    app.add_url_rule('/bug', view_func=lambda: 1 / 0)\n    return app\n", 1)
    )
    port = free_port()
    command = [FLASK, "--app", "hello", *words, f"127.0.0.1:{port}", "--workers", "1"]
    with running(command, port, cwd=project) as server, browser(server) as client:
        assert client.get("/").json()["debug"] is True
        assert "debug mode is on" in server.log()
        bug = client.get("/bug")
        console = client.get("/?__debugger__=yes&cmd=resource&f=debugger.js")
    assert bug.status_code == 500
    assert "Werkzeug" not in bug.text
    assert console.headers["content-type"] == "application/json"
    said = refusal([FLASK, "--app", "hello", *words, f"0:{port}"], project).stderr
    assert "debug mode" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("source", "app", "said"),
    [
        (HELLO, "absent", "Could not import 'absent'"),
        (HELLO, "hello:absent", "absent"),
        ("import absent\n", "hello", "No module named 'absent'"),
        ("1 / 0\n", "hello", "ZeroDivisionError: division by zero"),
        ("def create_app(:\n", "hello", "SyntaxError"),
        ("from flask import Flask\napp = Flask('x')\napp.config['PRODSERVE'] = {'WORKRES': 1}\n", "hello", "WORKERS"),
    ],
)
def test_an_app_that_cannot_be_loaded_is_told_without_our_frames(
    project: Path, source: str, app: str, said: str
) -> None:
    (project / "hello.py").write_text(source)
    done = refusal([FLASK, "--app", app, "prodserve", str(free_port())], project)
    assert said in done.stderr
    for ours in ("core/prodserve", "flask_prodserve"):
        assert ours not in done.stderr


def test_a_bad_option_is_one_message(project: Path) -> None:
    done = refusal([FLASK, "--app", "hello", "prodserve", "--wokers", "2"], project)
    assert "--workers" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_the_app_and_of_env_files_are_taken(project: Path) -> None:
    (project / "app.py").write_text(
        "from hello import create_app\nfrom flask_prodserve import ProdServe\n"
        "app = create_app()\nProdServe(app, WORKERS=1, WORKER_MODEL='threads', SLOTS=3)\n"
    )
    command = ["--env-file", "one.env", "--app", "app"]
    with serving_flask(project, command, "--log-level", "info") as server, browser(server) as client:
        assert client.get("/").json()["greeting"] == "one"
        log = server.log()
    assert "threads, 3 requests at a time" in log


@pytest.mark.parametrize(
    ("words", "said"), [(["--help"], "Run a production server."), (["prodserve", "--help"], "--keep-alive SECONDS")]
)
def test_help_lists_the_command_with_its_options(project: Path, words: list[str], said: str) -> None:
    done = subprocess.run([FLASK, *words], cwd=project, env=clean_environ(), capture_output=True, text=True, check=True)
    assert said in done.stdout
