"""``--reload``: the supervisor's side of the process that watches files (``prodserve.worker.watch``).

A change is a reload, on the same path as SIGHUP: what can't be loaded leaves the last good code serving, and its
traceback stands in the log.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prodserve.observe.log import Log
from prodserve.supervisor.channel import Channel
from prodserve.supervisor.nursery import become
from prodserve.supervisor.packets import decode
from prodserve.supervisor.workers import kill

WATCH = (
    "import sys; ''==sys.path[0] and sys.path.pop(0); sys.path.extend(sys.argv[2].split(':')); "
    "from prodserve.worker.watch import main; main(int(sys.argv[1]), sys.argv[3:])"
)


class Watcher:
    """Watches what it was told last; ``changed`` is called when a file has changed."""

    def __init__(
        self, record: Mapping[str, Any], selector: selectors.BaseSelector, changed: Callable[[], object], log: Log
    ) -> None:
        self._record = record
        self._selector = selector
        self._changed = changed
        self._log = log
        self._folders: Sequence[str] = ()
        self._channel: Channel | None = None
        self._pid = 0

    def watch(self, folders: Sequence[str]) -> None:
        """Watch these folders instead of those before."""
        if folders == self._folders:
            return
        self.close()
        self._folders = folders
        try:
            self._start(folders)
        except OSError as error:
            self._log.error(f"files can't be watched: {error}")

    def _start(self, folders: Sequence[str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        record = self._record
        command = [record["executable"], *record["program"]["flags"], "-c", WATCH]
        command += [str(theirs.fileno()), ":".join(record["roots"]), *folders]
        try:
            self._pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if self._pid == 0:
            become(command, record["environ"], record["program"]["cwd"], [theirs.fileno()], record["identity"])
        theirs.close()
        self._channel = Channel(ours)
        self._selector.register(self._channel, selectors.EVENT_READ, self._readable)

    def _readable(self) -> None:
        assert self._channel is not None
        channel = self._channel
        for packet in channel.packets():
            change = decode(packet)
            more = change["count"] - len(change["files"])
            self._log.info(f"changed: {', '.join(change['files'])}{f' and {more} more' if more else ''}")
            self._changed()
        if channel.closed:
            self._selector.unregister(channel)
            self._channel = None
            self._log.error("files are no longer watched: what watched them has ended")

    def close(self) -> None:
        """Watch nothing more."""
        if self._channel is not None:
            self._selector.unregister(self._channel)
            self._channel.close()
            self._channel = None
            kill(self._pid, signal.SIGTERM)
