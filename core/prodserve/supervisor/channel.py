"""The supervisor's end of the control socket of one generation process. It never blocks."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

from prodserve.supervisor.packets import LIMIT_BYTES, encode


class Channel:
    """Packets from and to one process, until it closes its end."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.closed = False

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def packets(self) -> Iterator[bytes]:
        """Every packet that has arrived. Closes the channel where no more can come."""
        while not self.closed:
            try:
                packet = self._socket.recv(LIMIT_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if packet:
                yield packet
            else:
                self.close()

    def send(self, message: Mapping[str, Any]) -> bool:
        """Send a message; whether the process can be expected to read it. It can't if it has left many unread."""
        if self.closed:
            return False
        try:
            self._socket.send(encode(message))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close this end: the process then ends, unless it is a worker."""
        self.closed = True
        self._socket.close()
