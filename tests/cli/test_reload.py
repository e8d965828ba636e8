"""A reload resolves the settings again: what may change does, what may not is named, what is wrong is refused."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.server import Server, free_port, running

PROGRAM = """
import contextlib, json, os, socket, sys
from prodserve.adapter import Facts
from prodserve.cli import in_generation, serve

class Adapter:
    def settings(self):
        with open("settings.json") as file:
            return json.load(file)["prodserve"]

    def debug(self):
        with open("settings.json") as file:
            return json.load(file)["debug"]

    def thread_reasons(self):
        return ()

    def facts(self):
        return Facts("stand-in", "program.py")

    def load(self):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [environ["PATH_INFO"].encode()]
        return app

    def static_roots(self, asked):
        return ()

    def media_roots(self):
        return ()

    def paths(self):
        return None

    def file_advice(self, static, media):
        return ()

    def check(self):
        return ()

    def host(self):
        return "localhost"

    def errors(self):
        return contextlib.nullcontext([])

    def nothing(self):
        pass

    before_fork = worker_started = slot_idle = slot_interrupted = worker_stopping = nothing

if not in_generation():
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        os.dup2(listener.fileno(), 50)
serve(Adapter(), {"addrport": "fd://50", "reload_trial": "0"}, "python program.py")
"""
"""It listens on an inherited descriptor: of all addresses on this machine, the one that counts as public."""


class Site:
    """The served project, and the file with its settings."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._folder = folder

    def reload(self, debug: bool = False, **prodserve: object) -> None:
        """Write new settings and reload."""
        write(self._folder, debug, **prodserve)
        self.server.send(signal.SIGHUP)

    def answers(self) -> bool:
        with urlopen(f"{self.server.url}/still-here") as response:
            return bool(response.read() == b"/still-here")


def write(folder: Path, debug: bool, **prodserve: object) -> None:
    (folder / "settings.json").write_text(json.dumps({"debug": debug, "prodserve": prodserve}))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "program.py").write_text(PROGRAM)
    write(tmp_path, debug=False, WORKERS=1)
    port = free_port()
    with running([sys.executable, "program.py", str(port)], port, cwd=tmp_path) as server:
        yield Site(server, tmp_path)


def test_what_only_a_restart_takes_over_is_named(site: Site) -> None:
    site.reload(WORKERS=3, KEEP_ALIVE=5)
    site.server.wait_for_log("changed, but only a restart takes it over: workers")
    site.server.wait_for_log("generation 2 serves now: 1 worker")
    assert site.answers()


def test_settings_that_became_wrong_leave_the_old_generation_serving(site: Site) -> None:
    site.reload(WORKERS=1, KEEP_ALIFE=5)
    site.server.wait_for_log("did you mean KEEP_ALIVE?")
    assert site.answers()
    site.reload(WORKERS=1, KEEP_ALIVE=5)
    site.server.wait_for_log("serves now: 1 worker")
    assert site.answers()


def test_debug_mode_is_refused_by_a_reload_as_by_the_start(site: Site) -> None:
    site.reload(debug=True, WORKERS=1)
    site.server.wait_for_log("fd://50 can be reached by others")
    assert site.answers()
