"""Tasks: what slots run. A request of the application, or an errand of the server's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..h1.head import RequestLine
from .connection import Connection

NO_LINE = RequestLine("", b"", 1, {}, "")
"""The line of a task that is not a request."""


class Task(Protocol):
    """One request to run."""

    line: RequestLine

    def run(self) -> None: ...

    @property
    def connection(self) -> Connection: ...

    @property
    def is_answering(self) -> bool:
        """Whether the head of its response is out."""

    def cancel(self) -> Connection:
        """It will not run: give back what it holds, but the connection."""

    def give_up(self) -> tuple[Connection | None, bool]:
        """Whatever it says from now on does not reach the client. The connection, unless the whole response is out, and
        whether it was begun."""


class Errand:
    """A task that is not a request."""

    line = NO_LINE

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run

    @property
    def connection(self) -> Connection:
        """There is none."""
        raise TypeError("this task is not a request")

    is_answering = False

    def cancel(self) -> Connection:
        """There is nothing to give back."""
        return self.connection

    def give_up(self) -> tuple[Connection | None, bool]:
        """There is nobody to answer."""
        return None, False
