"""Pieces of a response body: bytes in memory, or a stretch of an open file that the kernel sends by itself.

Nothing here reads or sends. Whoever receives a ``FileSlice`` owns its descriptor and closes the slice once, whether it
was sent or not.
"""

from __future__ import annotations

from posix import close as close_now  # gevent's os.close waits for the loop to come round


class HeldFile:
    """An open file that several slices, and whoever remembers it, share: it is closed when the last of them is gone."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        close_now(self.fd)


class FileSlice:
    """``count`` bytes of the open file ``fd`` from ``offset`` on. The descriptor belongs to ``holder``; where there is
    none, to the slice."""

    __slots__ = ("corked", "count", "fd", "holder", "offset")

    def __init__(self, fd: int, offset: int, count: int, holder: HeldFile | None = None) -> None:
        self.fd = fd
        self.offset = offset
        self.count = count
        self.holder = holder
        self.corked = False
        """The connection holds back what fills no packet until the end of this."""

    def __len__(self) -> int:
        """The bytes that are still to be sent, as with the other segments."""
        return self.count

    def close(self) -> None:
        """Let go of the descriptor. A second call does nothing: its number may be somebody else's by then."""
        fd, self.fd = self.fd, -1
        if self.holder is not None:
            self.holder = None
        elif fd >= 0:
            close_now(fd)


Segment = bytes | memoryview | FileSlice
"""One piece of a body, in the order in which it is sent."""
