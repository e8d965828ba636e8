"""The promise to a newcomer: nothing but one line in INSTALLED_APPS, or nothing at all for Flask."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.server import free_port

from .sites import browser, fresh_project, manage, refusal, serving_django, serving_flask

HELLO = """
from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello():
    return "Hello, World!"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return fresh_project(tmp_path)


def test_a_fresh_django_project_is_served_at_once_with_a_plain_warning(project: Path) -> None:
    manage(project, "migrate", "-v0")
    with serving_django(project, "--workers", "1") as server, browser(server) as client:
        assert "The install worked successfully" in client.get("/").text
        assert client.get("/admin/login/").status_code == 200
        assert client.get("/static/admin/css/base.css").headers["content-type"].startswith("text/css")
        log = server.log()
    assert "mysite.settings (DEBUG=True)" in log
    assert "debug mode is on" in log


@pytest.mark.parametrize("address", ["0:{port}", "0.0.0.0:{port}", "[::]:{port}"])
def test_a_fresh_django_project_is_not_served_to_others(project: Path, address: str) -> None:
    command = [sys.executable, "manage.py", "prodserve", address.format(port=free_port())]
    said = refusal(command, project).stderr
    assert "debug mode" in said
    assert "--allow-debug" in said
    assert "Traceback" not in said


def test_a_flask_app_of_one_file_is_served_at_once(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(HELLO)
    with serving_flask(tmp_path, ["--app", "hello"], "--workers", "1") as server, browser(server) as client:
        assert client.get("/").text == "Hello, World!"
