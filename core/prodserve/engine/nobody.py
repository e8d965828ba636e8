"""The connection of requests that have been given up."""

from __future__ import annotations

from typing import Any

from ..errors import ClientGone
from ..http.segments import Segment
from .connection import CLOSED


class Nobody:
    """The connection of a request that has been given up: what is sent to it reaches nobody."""

    state = CLOSED
    last = True
    line = None
    keep = False
    backlog = ahead = taken = status = sent = 0
    started = 0.0
    waiter = None

    def ending(self, dated: bool = False) -> bytes:
        """The end of a head that nobody reads."""
        return b""

    def transmit(self, segment: Segment, final: bool) -> None:
        """Raises ``ClientGone``, as a closed connection does."""
        raise ClientGone

    def abort(self) -> None:
        """There is nothing to close."""

    def is_left(self) -> bool:
        """True: nobody is there."""
        return True


NOBODY: Any = Nobody()
