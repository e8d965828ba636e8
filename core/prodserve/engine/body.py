"""Bodies of requests, collected by the loop before a slot is taken: the app never waits for a slow client.

Up to a limit in memory, beyond it, or where other clients have taken up the room (``memory``), in a temporary file
without a name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO

from ..errors import ContentTooLarge
from ..h1.chunked import ChunkedReader
from .memory import Memory, MemoryFile, open_spool


class Body:
    """Collects one body, by length or chunked. ``feed`` it until it is ``complete``."""

    __slots__ = ("_chunked", "_expected", "_file", "_limit", "_memory", "_temp_dir", "complete", "length")

    def __init__(
        self,
        expected: int | None,
        check_trailers: Callable[[Sequence[bytes]], None],
        *,
        limit_bytes: int,
        memory_bytes: int,
        memory: Memory,
        temp_dir: str | None,
    ) -> None:
        """``expected`` is the Content-Length; None: chunked."""
        self._expected = expected
        self._chunked = ChunkedReader(check_trailers) if expected is None else None
        self._limit = limit_bytes
        self._memory = memory_bytes
        self._temp_dir = temp_dir
        self._file: IO[bytes] = MemoryFile(memory)
        self.length = 0
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; gives back what does not, or not yet.

        Raises a ``ProtocolError``, or ``OSError`` where the temporary file can't be written."""
        if self._chunked is not None:
            payload, used = self._chunked.feed(data)
            for piece in payload:
                self._keep(piece)
            self.complete = self._chunked.done
            if self.complete:
                self._file.flush()  # here, where it may still fail
            return data[used:]
        assert self._expected is not None
        missing = self._expected - self.length
        self._keep(data if len(data) <= missing else data[:missing])
        self.complete = self.length == self._expected
        if self.complete:
            self._file.flush()
        return data[missing:]

    def _keep(self, piece: bytes) -> None:
        self.length += len(piece)
        if self.length > self._limit:
            raise ContentTooLarge("body")
        file = self._file
        if isinstance(file, MemoryFile):
            if self.length <= self._memory and file.keep(piece):
                return
            self._file = open_spool(self._temp_dir)
            self._file.write(file.getbuffer())
            file.close()
        self._file.write(piece)

    def take(self) -> IO[bytes]:
        """The whole body as a seekable file at its beginning; it now belongs to the caller."""
        self._file.seek(0)
        return self._file

    def discard(self) -> None:
        """Free what was collected."""
        try:
            self._file.close()
        except OSError:
            return  # it flushes what there was no room for, but it is closed
