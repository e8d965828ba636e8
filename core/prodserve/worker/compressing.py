"""Starts the process that makes encoded copies of the static files, once a generation (``prodserve.compress.process``).

A fresh interpreter, not a fork: it holds no connection of the app, no memory of it and no gevent, and it may be started
where a fork would be unsafe. It dies with the process that started it.
"""

from __future__ import annotations

import os
import posix
import sys
from collections.abc import Sequence
from contextlib import suppress

from ..adapter import StaticRoot
from ..compress.errand import CODE, record
from ..compress.folder import cache_folder
from ..config.options import Config
from ..files.encoded import EncodedCopies
from ..observe.log import Log
from ..observe.memory_file import write_json
from ..supervisor.cpus import cgroup_quota, read_text
from ..supervisor.launch import package_root


def encoded_copies(config: Config) -> EncodedCopies | None:
    """What a worker asks for copies; ``None`` where there is no cache."""
    folder = cache_folder(config)
    return None if folder is None else EncodedCopies(folder)


class Compressing:
    """The process for the static files of ``roots``, started once."""

    def __init__(self, roots: Sequence[StaticRoot], config: Config, log_fd: int, log: Log) -> None:
        self._roots = [root for root in roots if not root.uploads]
        self._config = config
        self._log_fd = log_fd
        self._log = log
        self.due = bool(self._roots) and config.compress

    def start(self) -> int:
        """The PID of the process, whose end the caller waits for; 0: there is none."""
        self.due = False
        config = self._config
        folder = cache_folder(config)
        if folder is None:
            self._say_why()
            return 0
        plain = record(
            self._roots,
            folder=folder,
            limit_bytes=config.cache_size,
            log_level=config.log_level,
            path=sys.path,
            follow_links=config.follow_symlinks,
            rests=cgroup_quota(read_text) is not None,
        )
        try:
            fd = write_json("prodserve-compress", plain)
            try:
                return posix.posix_spawn(
                    sys.executable,
                    [sys.executable, "-I", "-S", "-c", CODE, package_root(), str(os.getpid())],
                    os.environ,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, fd, 0),
                        (os.POSIX_SPAWN_DUP2, self._log_fd, 2),
                        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    ],
                )
            finally:
                os.close(fd)
        except OSError as error:
            self._log.warning(f"static files are not compressed, no process can be started: {error}")
            return 0

    def start_aside(self) -> None:
        """Start it where nobody has the time to wait for it: a thread does. (It is the system's, not gevent's.)"""
        pid = self.start() if self.due else 0
        if pid:
            from gevent.monkey import get_original

            get_original("_thread", "start_new_thread")(_wait, (pid,))

    def _say_why(self) -> None:
        if self._config.cache_dir is None:
            self._log.debug(
                "static files are not compressed: there is no folder to keep the copies in; see --cache-dir"
            )
        else:
            self._log.warning(
                f"static files are not compressed: {self._config.cache_dir} can't be written, belongs to another user, "
                "or others may write to it\n"
                f"fix: install -d -m 700 -o $USER {self._config.cache_dir}, or leave --cache-dir out"
            )


def _wait(pid: int) -> None:
    with suppress(ChildProcessError):  # the app waited for every child
        posix.waitpid(pid, 0)
