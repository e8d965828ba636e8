"""Processes of other users, for the tests that root runs: which interpreter they can start, and how."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
STRANGER = 54321
"""A user and group that this system has no entry for."""

ROOT = Path(__file__).resolve().parents[1]


def as_user(uid: int) -> list[str]:
    """What stands before the command that this user is to run."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


@functools.cache
def python_for_others() -> tuple[str, dict[str, str]] | None:
    """An interpreter that every user can run with all that is installed here, and the variables for it.

    That of the tests may lie in root's home; then one of the same version in /usr does, with the same packages.
    """
    packages = os.pathsep.join([str(ROOT / "core"), str(ROOT), *(path for path in sys.path if "site-packages" in path)])
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for program, environ in (
        (sys.executable, {}),
        (f"/usr/bin/{version}", {"PYTHONPATH": packages}),
        (f"/usr/local/bin/{version}", {"PYTHONPATH": packages}),
    ):
        imports = "import gevent, httptools, prodserve, flask, django"
        command = [*as_user(NOBODY), "sh", "-c", 'exec "$@"', "sh", program, "-c", imports]  # setpriv itself may more
        try:
            done = subprocess.run(
                command, env={**os.environ, **environ}, cwd="/", capture_output=True, timeout=60, check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return program, {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return None


def needed() -> tuple[str, dict[str, str]]:
    """``python_for_others``, or the test is skipped, and says why."""
    if os.geteuid() != 0:
        pytest.skip("only root can become other users")
    found = python_for_others()
    if found is None:
        pytest.skip("no interpreter here can be run by other users")
    return found


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every user can enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="test-others-") as name:
        os.chmod(name, 0o755)
        yield Path(name)
