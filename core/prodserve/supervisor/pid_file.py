"""The PID file: written before anything is served, refused where another server lives, removed by its owner."""

from __future__ import annotations

import os
from types import TracebackType

from prodserve.errors import ConfigError, Problem
from prodserve.supervisor.workers import alive


class PidFile:
    """Holds ``path`` while its ``with`` block runs; ``None``: no file is wanted."""

    def __init__(self, path: str | None) -> None:
        self.path = None if path is None else os.path.abspath(path)

    def __enter__(self) -> PidFile:
        if self.path is not None:
            other = self._owner()
            if other and other != os.getpid() and alive(other):
                raise ConfigError(
                    [Problem("pid", f"{self.path} belongs to process {other}, which runs", "stop it, or name another")]
                )
            try:
                with open(self.path, "w", encoding="ascii") as file:
                    file.write(f"{os.getpid()}\n")
            except OSError as error:
                raise ConfigError([Problem("pid", f"can't write {self.path}: {error.strerror}")]) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path is not None and self._owner() == os.getpid():
            os.unlink(self.path)

    def _owner(self) -> int:
        """The PID in the file; 0: there is none."""
        assert self.path is not None
        try:
            with open(self.path, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0
