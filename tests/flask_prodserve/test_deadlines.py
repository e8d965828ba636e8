"""Deadlines in a Flask app: the server's, a prefix's, and those that views set for themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.server import Server, free_port, running

SITE = '''
import time

import flask
import prodserve

app = flask.Flask(__name__)
app.config["PRODSERVE"] = {"WORKERS": 1, "SLOTS": 8, "TIMEOUT": 0.6, "TIMEOUT_FOR": {"/patient/": "30s"}}
ENDED = {}


@app.errorhandler(Exception)
def error(raised):
    ENDED[flask.request.path] = type(raised).__name__
    return "a page of the application", 500


@app.route("/short")
@app.route("/patient/short")
def short():
    time.sleep(1.3)
    return "done"


@app.route("/long")
@prodserve.deadline(30)
def long():
    return short()


@app.route("/called")
def called():
    prodserve.deadline(30)
    return short()


@app.route("/first")
def first():
    """A module with views is imported by the first request for one of them: its decorators do not mean that one."""
    prodserve.deadline(30)
    import lazy
    return short()


@app.route("/here")
def here():
    return str(flask.request.environ["prodserve.client_disconnected"]())


@app.route("/")
def ended():
    return ENDED
'''
LAZY = """
import prodserve


@prodserve.deadline(0.2)
def hasty():
    return "done"
"""


@pytest.fixture(scope="module", params=["greenlets", "threads"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """The site and the model in which it is served."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "site_with_deadlines.py").write_text(SITE)
    (folder / "lazy.py").write_text(LAZY)
    flask = str(Path(sys.executable).with_name("flask"))
    port = free_port()
    command = [flask, "--app", "site_with_deadlines", "prodserve", str(port), "--worker-model", request.param]
    with running(command, port, cwd=folder) as server:
        yield server, request.param


def test_views_prefixes_and_calls_have_deadlines_of_their_own(site: tuple[Server, str]) -> None:
    server, model = site
    expected = {"/short": 503, "/patient/short": 200, "/long": 200, "/called": 200, "/first": 200}
    with ThreadPoolExecutor(len(expected)) as pool:
        replies = pool.map(lambda path: httpx.get(server.url + path, timeout=20, trust_env=False), expected)
        assert {reply.url.path: reply.status_code for reply in replies} == expected
    ended = httpx.get(server.url, trust_env=False).json()
    assert ended == ({"/short": "RequestTimeout"} if model == "greenlets" else {})


def test_a_view_can_ask_whether_its_client_is_there(site: tuple[Server, str]) -> None:
    assert httpx.get(site[0].url + "/here", trust_env=False).text == "False"
