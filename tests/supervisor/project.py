"""A served project whose processes can be looked at: for the tests of everything that ends or replaces one."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tests.server import free_port, running

MODELS = ["greenlets", "threads"]

APP = """
import os, signal, subprocess, sys, threading, time

VERSION = "one"

def app(environ, start_response):
    path = environ["PATH_INFO"]
    body = f"{VERSION} {os.getpid()}"
    if path == "/wait":
        open("waiting", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
    elif path == "/spin":
        while True:
            pass
    elif path == "/orphan":
        code = "import subprocess; print(subprocess.Popen(['sleep', '0.2'], stdout=subprocess.DEVNULL).pid)"
        body = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    elif path == "/descriptors":
        body = subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True).stdout
    body = body.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


@contextmanager
def serving(folder, *options, model="greenlets", workers=2, env=None, command=(sys.executable,)):
    """A server of that project, whose reloads are on no trial unless ``options`` say so."""
    port = free_port()
    words = [*command, "-m", "prodserve", "wapp:app", str(port), "--workers", str(workers), "--worker-model", model]
    words += ["--reload-trial", "0", "--access-logfile", "none"]
    with running([*words, *options], port, cwd=folder, env=env) as server:
        server.wait_for_log("stop: Ctrl-C")
        yield server


def ask(server, path="/"):
    with urlopen(server.url + path, timeout=30) as response:
        return response.read().decode()


def children(pid):
    """The children of a process: PID and title of each."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found[int(entry.name)] = title
    return found


def generation_of(server):
    """The PID of its one generation process."""
    (pid,) = (pid for pid, title in children(server.process.pid).items() if "generation" in title)
    return pid


def workers_of(server):
    """The PIDs of its workers, wherever they are."""
    return sorted(
        pid
        for parent in (server.process.pid, *children(server.process.pid))
        for pid, title in children(parent).items()
        if "worker" in title
    )


class Requests:
    """Requests in a row from another thread, until the end of the ``with`` block; what was answered and what failed."""

    def __init__(self, server):
        self.bodies, self.failures = [], []
        self._server = server
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._end.is_set():
            try:
                self.bodies.append(ask(self._server).split()[0])
            except OSError as error:
                self.failures.append(error)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Send no more."""
        self._end.set()
        self._thread.join()
