"""Sockets that the service manager opened and passed: sd_listen_fds(3).

They begin at descriptor 3 and may have names (``FileDescriptorName=`` of a ``.socket`` unit; several sockets of one
unit share its name). Without any address given they are what is served; ``fd://NAME`` picks those of one name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from prodserve.config.addresses import Bind
from prodserve.config.options import Config
from prodserve.config.resolve import DEFAULT, ENVIRONMENT, Resolution, Source
from prodserve.errors import ConfigError, Problem

FIRST_FD = 3


class Passed(NamedTuple):
    """One socket."""

    fd: int
    name: str


def passed(environ: Mapping[str, str], pid: int) -> tuple[Passed, ...]:
    """The sockets that were passed to process ``pid``; none where the variables were meant for another one."""
    if environ.get("LISTEN_PID") != str(pid):
        return ()
    number = environ.get("LISTEN_FDS", "")
    count = int(number) if number.isascii() and number.isdigit() else 0
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    return tuple(Passed(FIRST_FD + at, names[at] if at < len(names) else "") for at in range(count))


def activated(resolution: Resolution, sockets: Sequence[Passed]) -> Resolution:
    """Where nobody typed an address, the passed sockets are what is served."""
    if not sockets or resolution.sources["bind"].layer != DEFAULT:
        return resolution
    config = replace(resolution.config, bind=tuple(Bind("fd", fd=socket.fd) for socket in sockets))
    return Resolution(config, {**resolution.sources, "bind": Source(ENVIRONMENT, "LISTEN_FDS")})


def unchanged(resolution: Resolution, running: Config) -> Config:
    """The configuration of a reload, which does not see the variables of the service manager any more."""
    if resolution.sources["bind"].layer != DEFAULT:
        return resolution.config
    return replace(resolution.config, bind=running.bind)


def numbered(binds: Sequence[Bind], sockets: Sequence[Passed]) -> list[Bind]:
    """``binds`` with a descriptor in the place of each name. ``ConfigError`` for names that were not passed."""
    found: list[Bind] = []
    problems: list[Problem] = []
    for bind in binds:
        fds = [socket.fd for socket in sockets if bind.name == socket.name]
        if not bind.name:
            found.append(bind)
        elif fds:
            found += [Bind("fd", fd=fd) for fd in fds]
        else:
            names = ", ".join(sorted({socket.name for socket in sockets})) or "none at all"
            what = f"the service manager passed no socket of this name; it passed: {names}"
            problems.append(Problem(str(bind), what, "FileDescriptorName= in the .socket unit names its sockets"))
    if problems:
        raise ConfigError(problems)
    return found


def keep(sockets: Sequence[Passed]) -> None:
    """The programs that this process starts don't inherit them, unless they are told to."""
    for socket in sockets:
        try:
            os.set_inheritable(socket.fd, False)
        except OSError:
            continue  # not open; whoever wants to serve it hears of it
