"""A server in a subprocess, for the tests that look at it from outside.

``running`` starts a command, hands it over when it answers over HTTP, stops it by a signal at the end, and fails when a
process of it is left behind. Its log (stdout and stderr in one) is printed at the end: pytest shows that of a failing
test only. Nothing here knows prodserve; peers are started the same way.

    port = free_port()
    with running([sys.executable, "manage.py", "prodserve", f"127.0.0.1:{port}"], port, cwd=site) as server:
        assert httpx.get(server.url + "/").status_code == 200
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

MARK = "TEST_SERVER_MARK"
"""Environment variable that every process of one server inherits: that is how the ones left behind are found."""

FOREIGN = ("PRODSERVE", "DJANGO_", "FLASK_")
"""Beginnings of environment variables that a test's server does not inherit."""

SHOWN_LINES = 100
"""How much of a log is shown, from its beginning and from its end."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would configure a server, with ``extra``; output is unbuffered."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}


def wait_until(true: Callable[[], object], timeout_s: float = 10.0, what: str = "") -> None:
    """Return as soon as ``true()`` is; AssertionError after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what or true}"
        time.sleep(0.02)


def answers(port: int, host: str = "127.0.0.1", path: str = "/") -> bool:
    """Whether something on that port begins an HTTP response."""
    try:
        with socket.create_connection((host, port), timeout=5) as conn:
            conn.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            return conn.recv(5) == b"HTTP/"
    except OSError:
        return False


def processes_with(mark: str) -> list[int]:
    """The living processes that were started with this mark in their environment (zombies are not living)."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return sorted(found)


class Server:
    """One running server: ``url`` without a slash at its end, ``port``, ``process`` and what can be asked of it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, host: str, log_path: Path, mark: str) -> None:
        self.process = process
        self.port = port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._log_path = log_path
        self._mark = mark

    def log(self) -> str:
        """Everything it wrote to stdout and stderr so far."""
        return self._log_path.read_text(errors="replace")

    def wait_for_log(self, text: str, timeout_s: float = 15.0) -> None:
        """Return when ``text`` stands in the log."""
        wait_until(lambda: text in self.log(), timeout_s, f"{text!r} in the log")

    def pids(self) -> list[int]:
        """All its living processes, the first one included."""
        return processes_with(self._mark)

    def send(self, number: int) -> None:
        """Send a signal to the first process, as an init system does."""
        self.process.send_signal(number)

    def send_to_group(self, number: int) -> None:
        """Send a signal to all its processes, as a terminal does for Ctrl-C."""
        os.killpg(self.process.pid, number)

    def wait(self, timeout_s: float = 30.0) -> int:
        """The exit code of the first process (negative: ended by that signal)."""
        return self.process.wait(timeout_s)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Signal the first process and return its exit code."""
        self.send(number)
        return self.wait(timeout_s)


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    *,
    host: str = "127.0.0.1",
    path: str = "/",
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
    leftovers_s: float = 10.0,
    pass_fds: Sequence[int] = (),
) -> Iterator[Server]:
    """Start ``command`` and hand it over when ``path`` answers on ``host:port``; stop it at the end.

    ``env`` is added to ``clean_environ()`` and to a cache folder of its own. At the end the first process is stopped
    by SIGTERM (if it still runs) and every process it started must be gone within ``leftovers_s``; else they are killed
    and the test fails.
    """
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="test-server-") as folder:
        log_path = Path(folder) / "log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=clean_environ({"XDG_CACHE_HOME": f"{folder}/cache", **(env or {}), MARK: mark}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        server = Server(process, port, host, log_path, mark)
        try:
            wait_until(
                lambda: process.poll() is not None or answers(port, host, path), timeout_s, f"{server.url} answers"
            )
            assert process.poll() is None, f"{command} ended with {process.returncode} instead of serving"
            yield server
            if process.poll() is None:
                server.stop()
            wait_until(lambda: not server.pids(), leftovers_s, "every process of the server is gone")
        finally:
            for pid in server.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.kill()
            process.wait()
            lines = server.log().splitlines()
            shown = lines if len(lines) < 2 * SHOWN_LINES else [*lines[:SHOWN_LINES], "…", *lines[-SHOWN_LINES:]]
            print("", f"--- {' '.join(map(str, command))} ---", *shown, "--- end of log ---", sep="\n")
