"""The PID file: written before anything is served, refused where another server lives, removed by its owner.

A server that was killed, or a machine that lost its power, leaves one behind, and its number may belong to any process
since: only one that looks like a server of ours counts. It is written aside and renamed, so that nobody reads half of
it, and no link that stands there is followed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType

from prodserve.errors import ConfigError, Problem
from prodserve.supervisor.workers import alive


class PidFile:
    """Holds ``path`` while its ``with`` block runs; ``None``: no file is wanted. ``heir_of``: the server that this one
    takes over from; its number stands there until ``inherit`` is called."""

    def __init__(self, path: str | None, heir_of: int = 0) -> None:
        self.path = None if path is None else os.path.abspath(path)
        self._heir_of = heir_of

    def __enter__(self) -> PidFile:
        if self.path is not None:
            other = self._owner()
            if other and other == self._heir_of:
                return self
            if other and other != os.getpid() and alive(other) and looks_like_server(_command(other)):
                what = f"{self.path} belongs to process {other}, which runs"
                raise ConfigError([Problem("pid", what, f"kill {other}, or name another file")])
            try:
                self._write()
            except OSError as error:
                fix = "name one in a folder that this user may write to, such as RuntimeDirectory= of systemd"
                raise ConfigError([Problem("pid", f"can't write {self.path}: {error.strerror}", fix)]) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path is not None and self._owner() == os.getpid():
            os.unlink(self.path)

    def inherit(self) -> None:
        """This server has taken over. ``OSError`` where the file can't be written any more."""
        if self.path is not None:
            self._write()

    def _write(self) -> None:
        aside = f"{self.path}.{os.getpid()}"
        with suppress(FileNotFoundError):
            os.unlink(aside)  # of a server that was killed just then; in containers PIDs are the same each time
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with open(fd, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
            os.rename(aside, str(self.path))
        except OSError:
            os.unlink(aside)
            raise

    def _owner(self) -> int:
        """The PID in the file; 0: there is none."""
        assert self.path is not None
        try:
            with open(self.path, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0


def looks_like_server(command: bytes | None) -> bool:
    """By a process's command line, as ``/proc`` has it; ``None``: it isn't told, and then it may be one."""
    return command is None or b"prodserve" in command


def _command(pid: int) -> bytes | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return None
