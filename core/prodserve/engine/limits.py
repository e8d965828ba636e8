"""What requests may take, as it is configured. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .connection import NEVER

LEFT_S = 1.0
"""A client that ended its input while its request waited so long is taken to be gone."""


@dataclass(frozen=True)
class Limits:
    """What requests may take, in seconds; 0: for ever."""

    run_s: float = 0.0
    prefixes: tuple[tuple[str, float], ...] = ()
    """URL prefixes with limits of their own, in place of ``run_s``; the longest that fits counts."""
    slow_s: float = 0.0
    """A request that runs so long is named in the log."""
    queue_s: float = 0.0
    cancel: bool = False
    """Interrupt GET and HEAD of clients that are gone."""

    def of(self, path: str) -> float:
        """What a request for ``path`` may take; infinite: for ever."""
        fitting = [pair for pair in self.prefixes if path.startswith(pair[0])]
        seconds = max(fitting, key=lambda pair: len(pair[0]))[1] if fitting else self.run_s
        return seconds or NEVER

    @property
    def soonest_s(self) -> float:
        """No request younger than this has to be looked at."""
        every = (self.run_s, self.slow_s, *(seconds for _, seconds in self.prefixes))
        return min((seconds for seconds in every if seconds), default=NEVER)
