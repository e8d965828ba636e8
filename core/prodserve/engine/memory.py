"""What a worker keeps in memory for its clients, all together, and temporary files for what is beyond its bound.

Bodies are counted to the byte. Heads that come in parts and responses that wait for slow readers are counted as they
come and found anew once a second (``Engine``): nothing has to be subtracted on the way.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections import deque
from typing import IO

from ..http.segments import FileSlice

SPOOLED_FROM_BYTES = 16384
"""Less than that is not worth a descriptor."""


class Memory:
    """The sum and its bound. All of it is called in the loop, but ``give_back``."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.others = 0
        """Bytes of heads and responses."""
        self._bodies = 0
        self._returned: deque[int] = deque()

    def room_for(self, size: int) -> bool:
        """Whether so many bytes more are within the bound."""
        returned = self._returned
        while returned:
            self._bodies -= returned.popleft()
        return self._bodies + self.others + size <= self.limit_bytes

    def take(self, size: int) -> bool:
        """Count bytes of a body, if there is room for them."""
        if not self.room_for(size):
            return False
        self._bodies += size
        return True

    def give_back(self, size: int) -> None:
        """They are free again. May be called in any thread."""
        self._returned.append(size)


class MemoryFile(io.BytesIO):
    """A body in memory. What it holds is given back when it is closed, or forgotten."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._held = 0

    def keep(self, piece: bytes) -> bool:
        """Append, if there is room for it."""
        if not self._memory.take(len(piece)):
            return False
        self._held += len(piece)
        self.write(piece)
        return True

    def close(self) -> None:
        """Free what it holds."""
        held, self._held = self._held, 0
        if held:
            self._memory.give_back(held)
        super().close()


def open_spool(temp_dir: str | None) -> IO[bytes]:
    """A temporary file without a name. Raises ``OSError``."""
    return tempfile.TemporaryFile(dir=temp_dir, prefix="prodserve-")


def spool(data: bytes | memoryview, temp_dir: str | None) -> FileSlice:
    """Put a part of a response into a temporary file. Raises ``OSError``."""
    with open_spool(temp_dir) as file:
        file.write(data)
        file.flush()
        return FileSlice(os.dup(file.fileno()), 0, len(data))
