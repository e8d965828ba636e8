"""Who listens on a port, for the message that it is in use: as far as ``/proc`` tells this user."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable

_LISTEN = "0A"


def listening_inodes(lines: Iterable[str], port: int) -> set[str]:
    """The inodes of the sockets that listen on ``port``, from the lines of ``/proc/net/tcp`` or ``tcp6``."""
    found = set()
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN and fields[1].endswith(f":{port:04X}"):
            found.add(fields[9])
    return found


def port_user(port: int) -> str:
    """``"python manage.py (pid 123)"``, or ``""`` where it isn't told."""
    inodes: set[str] = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(name, encoding="ascii") as file:
                inodes |= listening_inodes(file, port)
        except OSError:
            continue
    wanted = {f"socket:[{inode}]" for inode in inodes}
    pids = [pid for pid in _processes() if wanted and wanted & set(_links(pid))]
    if not pids:
        return ""
    pid = min(pids, key=int)  # workers share the socket of their parent
    return f"{_command(pid)} (pid {pid})"


def _processes() -> list[str]:
    return [os.path.basename(path) for path in glob.glob("/proc/[0-9]*")]


def _links(pid: str) -> Iterable[str]:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return [os.readlink(entry.path) for entry in entries]
    except OSError:
        return []


def _command(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return "a process"
    text = b" ".join(words).decode("utf-8", "replace").strip()
    return "".join(char for char in text if char.isprintable())[:60] or "a process"
