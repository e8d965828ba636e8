"""What must hold before anything is started: found in the first process, where the user still looks.

``debug_problems`` and ``debug_advice`` are the rule about debug mode. The rest looks at folders, so that a server does
not find out in an hour that it can't write its log.
"""

from __future__ import annotations

import importlib.util
import os
import select
import sys
from collections.abc import Iterator

from ..adapter import Advice
from ..config.options import OPTION, Config
from ..errors import ConfigError, Problem
from ..files.roots import configured_roots
from ..handlers.places import internal_problems
from ..supervisor.privileges import ROOT, likely_user

FILES = ("pid", "access_logfile", "error_logfile")
NO_FILES = (None, "-", "none")


def debug_problems(debug: bool, config: Config) -> list[Problem]:
    """Debug mode shows source code and settings to whoever causes an error: only to this machine, unless allowed."""
    public = [bind for bind in config.bind if not bind.loopback]
    if not debug or config.allow_debug or not public:
        return []
    where = ", ".join(map(str, public))
    port = public[0].port or 8000
    fix = f"switch debug mode off; or listen on 127.0.0.1:{port}; or, if everybody may see them, add --allow-debug"
    what = f"it is on, and {where} can be reached by others: error pages would show them source code and settings"
    return [Problem("debug mode", what, fix)]


def debug_advice(debug: bool, config: Config) -> tuple[Advice, ...]:
    """The warning in the banner."""
    if not debug:
        return ()
    if all(bind.loopback for bind in config.bind):
        return (Advice("debug mode is on: fine on this machine; other addresses are refused until it is off"),)
    fix = "switch debug mode off, and leave --allow-debug out"
    return (Advice("debug mode is on and others can connect: error pages show them source and settings", fix),)


def root_advice(config: Config, *, container: bool) -> tuple[Advice, ...]:
    """The warning about root, unless somebody typed ``--user root`` or the root of a container is meant."""
    if os.geteuid() != ROOT or config.user is not None or container:
        return ()
    what = "the project's code runs as root: whoever finds a hole in it owns this machine"
    return (Advice(what, f"--user {likely_user(os.getcwd())}"),)


def folder_problems(config: Config) -> Iterator[Problem]:
    """Files that could not be written, folders that are not there."""
    for name in FILES:
        path = getattr(config, name)
        folder = os.path.dirname(os.path.abspath(path)) if path not in NO_FILES else None
        if folder is not None and not os.path.isdir(folder):
            yield Problem(OPTION[name].flag, f"the folder {folder} does not exist", f"mkdir -p {folder}")
        elif folder is not None and os.path.isdir(path):
            yield Problem(OPTION[name].flag, f"{path} is a folder", f"{OPTION[name].flag} {os.path.join(path, name)}")
    if config.temp_dir is not None and not os.path.isdir(config.temp_dir):
        yield Problem("--temp-dir", f"the folder {config.temp_dir} does not exist", f"mkdir -p {config.temp_dir}")
    try:
        configured_roots(config)
    except ConfigError as error:
        yield from error.problems
    yield from internal_problems(config.internal)


def poller_problems(poller: str) -> Iterator[Problem]:
    """A poller that this system does not have. Asked in patched processes too, where gevent hides ``select.epoll``."""
    if poller == "epoll" and not hasattr(select, "EPOLLIN"):
        yield Problem("--poller", "this system has no epoll", "--poller watchers")


def watcher_problems(wanted: bool) -> list[Problem]:
    """``--reload`` without what watches the files."""
    if not wanted or importlib.util.find_spec("watchfiles") is not None:
        return []
    what = "watchfiles, which watches the files, is not installed"
    return [Problem("--reload", what, f"{sys.executable} -m pip install 'prodserve[reload]'")]


def preflight(debug: bool, config: Config) -> None:
    """``ConfigError`` with everything that stands in the way."""
    problems = [
        *debug_problems(debug, config),
        *folder_problems(config),
        *poller_problems(config.poller),
        *watcher_problems(config.reload),
    ]
    if problems:
        raise ConfigError(problems)
