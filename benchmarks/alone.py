"""The application without a server: what it costs by itself, below which no server can get.

``python -m benchmarks.alone module:callable PATH SECONDS`` calls it with a browser's environ, one request after the
other, and prints its CPU time per request in microseconds.
"""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import browser
from benchmarks.processes import ServerFailed
from benchmarks.workloads import App


def cpu_us(app: App, path: str, seconds: float, *, cwd: Path, env: dict[str, str], prefix: Sequence[str]) -> float:
    """Measure it in a process of its own; ServerFailed where that goes wrong."""
    words = ["-m", "benchmarks.alone", f"{app.module}:{app.name}", path, str(seconds)]
    done = subprocess.run(
        [*prefix, sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise ServerFailed(" | ".join(done.stderr.strip().splitlines()[-3:]))
    return float(done.stdout)


def environ(path: str) -> dict[str, Any]:
    """What a server would make of the browser's request."""
    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in browser.FIELDS}
    return {
        **fields, "HTTP_HOST": "127.0.0.1:8000", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path,
        "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
    }  # fmt: skip


def main(target: str, path: str, seconds: float) -> float:
    """Call the app for ``seconds`` after a warm-up of 100 requests."""
    module, _, name = target.partition(":")
    app = getattr(importlib.import_module(module), name)
    base = environ(path)

    def request() -> None:
        response = app({**base, "wsgi.input": io.BytesIO()}, lambda status, fields, exc_info=None: None)
        for _ in response:
            pass
        if hasattr(response, "close"):
            response.close()

    for _ in range(100):
        request()
    count, started, deadline = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        for _ in range(20):
            request()
        count += 20
    return (time.process_time() - started) * 1e6 / count


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
