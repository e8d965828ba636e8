"""Ports that only root may listen on, and the ways around that which this machine has."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prodserve.supervisor.privileges import in_container, user_name

FIRST_FREE = 1024
"""Where Linux has it, unless an administrator moved it."""
SETTING = "net.ipv4.ip_unprivileged_port_start"


class Surroundings(NamedTuple):
    """What decides which ways there are."""

    first_free: int
    """The lowest port that everybody may listen on."""
    user: str
    systemd: bool
    container: bool
    setcap: bool
    program: str
    """The interpreter, links followed: file capabilities belong to files."""


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """Those of this process."""
    return Surroundings(
        first_free=_first_free(),
        user=user_name(),
        systemd=os.path.isdir("/run/systemd/system"),
        container=in_container(environ),
        setcap=shutil.which("setcap", path=f"{environ.get('PATH', '')}:/usr/sbin:/sbin") is not None,
        program=os.path.realpath(sys.executable),
    )


def _first_free() -> int:
    try:
        with open(f"/proc/sys/{SETTING.replace('.', '/')}", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return FIRST_FREE


def ways(port: int, here: Surroundings) -> Iterator[str]:
    """What may be done to serve on ``port``, the least change to the system first."""
    yield f"use a port from {here.first_free} on, such as {port + 8000 if port + 8000 > here.first_free else 8000}"
    if here.container:
        yield f"start the container with --sysctl {SETTING}=0"
        return
    yield f"start it as root, with --user {here.user}"
    if here.systemd:
        yield 'let systemd bind it: the command "prodserve unit" prints the files'
    yield f"sudo sysctl {SETTING}={port}  (for everybody here, until the next boot)"
    if here.setcap:
        yield f"sudo setcap cap_net_bind_service=+ep {here.program}  (for everything that this Python runs)"
