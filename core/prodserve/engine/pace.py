"""How slow a client may be: each byte that it moves earns it time, up to the time that it may pause.

So a client that keeps the least rate may pause now and then, one that sends or reads byte by byte is let go as if it
paused, and nobody can earn hours in advance. What a client has sent is counted by whoever reads it; what it has *read*
only the kernel knows: megabytes may stand in its buffers after our write.
"""

from __future__ import annotations

from fcntl import ioctl
from termios import TIOCOUTQ

ENOUGH_S = 1e6
"""What one byte earns where no rate is asked for."""

_NOTHING = bytes(4)


def seconds_per_byte(rate: float) -> float:
    """What one byte earns at a least rate of so many bytes a second; 0: none is asked for."""
    return 1 / rate if rate else ENOUGH_S


def untaken_bytes(fd: int) -> int:
    """What was written to this socket and is not in the client's kernel yet (SIOCOUTQ: tcp(7), unix(7)); 0 where the
    system does not tell."""
    try:
        return int.from_bytes(ioctl(fd, TIOCOUTQ, _NOTHING), "little")
    except OSError:
        return 0
