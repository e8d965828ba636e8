"""Reloads of a Flask app: its front page decides whether new code serves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_prodserve.adapter import FlaskAdapter
from tests.examples.sites import FLASK
from tests.server import clean_environ, free_port, running

APP = """
from flask import Flask

app = Flask(__name__)

@app.get("/")
def front():
    {body}
"""


def test_only_code_that_answers_is_used(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(body='return "one"'))
    port = free_port()
    command = [FLASK, "prodserve", str(port), "--workers", "1", "--reload-trial", "0"]
    with running(command, port, cwd=tmp_path) as server:
        server.wait_for_log("stop: Ctrl-C")
        (tmp_path / "app.py").write_text(APP.format(body='raise LookupError("no stock")'))
        done = reload(tmp_path)
        assert done.returncode == 1
        assert 'app.py", line 8, in front' in done.stderr
        assert "LookupError: no stock" in done.stderr
        assert httpx.get(server.url, trust_env=False).text == "one"
        (tmp_path / "app.py").write_text(APP.format(body='return "two"'))
        done = reload(tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "generation 3 serves now: 1 worker, Flask " in done.stdout
        assert httpx.get(server.url, trust_env=False).text == "two"


def reload(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [FLASK, "prodserve", "reload"]
    return subprocess.run(
        command, cwd=folder, env=clean_environ(), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({}, "localhost"),
        ({"SERVER_NAME": "shop.example:8000"}, "shop.example:8000"),
        ({"TRUSTED_HOSTS": [".shop.example"]}, "shop.example"),
    ],
)
def test_the_warm_up_request_is_for_a_host_that_the_app_trusts(config: dict[str, object], host: str) -> None:
    app = Flask("shop")
    app.config.update(config)
    assert FlaskAdapter(ScriptInfo(create_app=lambda: app)).host() == host
