"""The server under test, and its project."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.load import FILE, FILE_NAME
from tests.chaos.processes import titled
from tests.server import Server, free_port, running

ROOT = Path(__file__).resolve().parents[2]
APP = Path(__file__).with_name("app.py").read_text()
WORKERS = 4
HANG_S = 3.0


@contextmanager
def serving(folder: Path, model: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """It, until the end of the ``with`` block."""
    (folder / "wapp.py").write_text(APP)
    (folder / "files").mkdir()
    (folder / "files" / FILE_NAME).write_bytes(FILE)
    port = free_port()
    command = [sys.executable, "-m", "prodserve", "wapp:app", str(port), "--workers", str(WORKERS)]
    command += ["--worker-model", model, "--static", f"/files/={folder / 'files'}", "--body-memory", "16K"]
    command += ["--hang-timeout", f"{HANG_S:g}", "--reload-trial", "1", "--access-logfile", "none"]
    command += ["--temp-dir", str(folder)]
    with running(command, port, cwd=folder, env=env) as server:
        server.wait_for_log("stop: Ctrl-C")
        yield server
        for pid in titled(server, "supervisor"):
            os.kill(pid, signal.SIGTERM)  # not always the process that was started
