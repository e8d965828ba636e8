"""When something last appeared in a folder, or went from it: one look a second for all the files in it.

A folder's own time changes with its entries, not with their contents. That time counts in ticks of the system's clock
(some file systems: whole seconds), so a folder that has just changed may change again and show the same time: until it
has settled, its version is ``None``, and nothing can be concluded from it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

SETTLED_S = 3
FOLDERS_MAX = 4096
MISSING = "missing"


class Folders:
    """What was seen of folders in this tick. ``clock``: the time of day in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, object] = {}
        self._tick_s = -1

    def version(self, path: str, tick_s: int) -> object:
        """Equal to an earlier one if nothing has appeared in, or gone from, the folder in between; ``None``: unknown.

        Who looks for entries afterwards, and finds this version again later, has missed nothing.
        """
        if tick_s != self._tick_s or len(self._seen) >= FOLDERS_MAX:
            self._tick_s = tick_s
            self._seen.clear()
        try:
            return self._seen[path]
        except KeyError:
            seen = self._seen[path] = self._look(path)
            return seen

    def _look(self, path: str) -> object:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return MISSING
        except OSError:
            return None
        if not found.st_mtime <= self._clock() - SETTLED_S:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
