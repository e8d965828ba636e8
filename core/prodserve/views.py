"""What a view may ask of the server that runs it: ``prodserve.deadline``.

Imports next to nothing. Where another server runs the view, or a test calls it, nothing happens.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])
Undo = Callable[[], None]

limit_setter: Callable[[float], Undo | None] | None = None
"""Set by a worker: gives the request that runs where it is called so many seconds, and tells how to take that back."""


def deadline(seconds: float) -> Deadline:
    """Give the running request ``seconds`` from now on, in place of ``--timeout``; 0: as long as it takes.

    Called in a view, or put before one as a decorator::

        @prodserve.deadline(120)
        def report(request): ...

    What is over its deadline is answered 503, and ``prodserve.RequestTimeout`` is raised in it where it runs in a
    greenlet. Raises ``ValueError`` for what is no time, and ``TypeError`` before an ``async`` view: those run in a
    thread of their own, out of reach; ``--timeout-for`` holds for them too."""
    return Deadline(seconds)


class Deadline:
    """What ``deadline`` returns: it holds for the running request already, and makes a decorator."""

    def __init__(self, seconds: float) -> None:
        if not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            raise ValueError(f"prodserve.deadline({seconds!r}): the seconds must be a number, 0 for no deadline")
        self.seconds = seconds
        self._undo = limit_setter(seconds) if limit_setter is not None else None

    def __call__(self, view: View) -> View:
        """``view`` with this deadline."""
        if inspect.iscoroutinefunction(view):
            raise TypeError("prodserve.deadline does not reach async views; use --timeout-for /prefix/=SECONDS")
        if self._undo is not None:  # the views are being imported by the first request: it is not the one that is meant
            self._undo()
            self._undo = None

        @wraps(view)
        def limited(*args: Any, **kwargs: Any) -> Any:
            if limit_setter is not None:
                limit_setter(self.seconds)
            return view(*args, **kwargs)

        return limited  # type: ignore[return-value]
