"""A PostgreSQL server of its own for a test, in a folder of its own, on a free port; gone at the end.

Needs the Debian package ``postgresql``; as root it runs as the user ``postgres`` (or ``nobody``), for it refuses root.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server import free_port, wait_until

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
SETTINGS = {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "shared_buffers": "16MB"}


def somebody() -> pwd.struct_passwd | None:
    """Whom the database runs as where we are root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


@contextmanager
def postgresql() -> Iterator[Mapping[str, str]]:
    """A running server; its address as libpq's variables name it. Skips the test where there is no PostgreSQL."""
    if not FOLDERS:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder, served(Path(folder), FOLDERS[-1]) as address:
        yield address


@contextmanager
def served(folder: Path, programs: Path) -> Iterator[Mapping[str, str]]:
    """The same, with its data and its log in ``folder``."""
    as_user: dict[str, Any] = {}
    user = somebody()
    if user is not None:
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)
    data, port = folder / "data", str(free_port())
    initdb = [programs / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **as_user)
    command = [programs / "postgres", "-D", data, "-p", port]
    for name, value in SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **as_user)
    try:
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", port, "-U", "test", "-d", "postgres"]
        wait_until(
            lambda: process.poll() is not None or subprocess.run(ready, check=False).returncode == 0, 30, "it answers"
        )
        assert process.poll() is None, (folder / "log").read_text()
        yield {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "test", "PGDATABASE": "postgres"}
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
