"""SIGUSR2: another server, of another version perhaps, takes the listening sockets over, and this one drains.

The old supervisor starts the user's own command again, as it was typed, with the sockets as inherited descriptors and a
note (a memory file) that says which is which. ``Upgrade`` is its side. ``Takeover`` is that of the new one, which
writes ``up`` into a pipe as soon as it serves: only then the old one drains. If the pipe closes without that word, the
new one has failed, its reason stands in the log, and the old one goes on as if nothing had been.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

from prodserve.observe.log import Log
from prodserve.observe.memory_file import read_json, write_json
from prodserve.supervisor.listeners import Listener, adopt
from prodserve.supervisor.notify import TAKEOVER
from prodserve.supervisor.nursery import become, start_apart
from prodserve.supervisor.workers import kill

UP = b"up"


class Takeover:
    """What a server was given by the one that it takes over from. ``listeners`` by the address they were bound to."""

    def __init__(self, note: Mapping[str, Any]) -> None:
        self.pid = int(note["pid"])
        self._word_fd = int(note["word_fd"])
        os.set_inheritable(self._word_fd, False)
        self.listeners: dict[str, list[Listener]] = {}
        self._paths: dict[int, tuple[str | None, int]] = {}
        for bind, fd, url, path, inode in note["listeners"]:
            listener = adopt(fd, url, bind)
            self.listeners.setdefault(bind, []).append(listener)
            self._paths[fd] = (path, inode)

    @classmethod
    def of(cls, service: Mapping[str, str]) -> Takeover | None:
        """The one that the variables speak of; ``None``: this server begins by itself."""
        number = service.get(TAKEOVER, "")
        return cls(read_json(int(number))) if number.isdigit() else None

    def close_unused(self, used: list[Listener]) -> None:
        """Let go of the sockets that this server does not serve."""
        fds = {listener.socket.fileno() for listener in used}
        for listener in (one for group in self.listeners.values() for one in group):
            if listener.socket.fileno() not in fds:
                listener.close()

    def up(self, listeners: list[Listener]) -> None:
        """This server serves: the files of Unix sockets are its own from now on, and the old one may end."""
        for at, listener in enumerate(listeners):
            path, inode = self._paths.get(listener.socket.fileno(), (listener.path, listener.inode))
            listeners[at] = replace(listener, path=path, inode=inode)
        with suppress(OSError):  # the old one has gone already
            os.write(self._word_fd, UP)
        os.close(self._word_fd)


def variables(service: Mapping[str, str], old_pid: int, pid: int) -> dict[str, str]:
    """What the service manager told process ``old_pid``, for process ``pid``."""
    return {
        name: str(pid) if name in ("LISTEN_PID", "WATCHDOG_PID") and value == str(old_pid) else value
        for name, value in service.items()
        if name != TAKEOVER
    }


class Upgrade:
    """At most one at a time. ``handed_over`` is called with the PID of the server that has taken over."""

    def __init__(
        self,
        record: Mapping[str, Any],
        listeners: list[Listener],
        selector: selectors.BaseSelector,
        limit_s: float,
        now: Callable[[], float],
        handed_over: Callable[[int], None],
        log: Log,
    ) -> None:
        self._record = record
        self._listeners = listeners
        self._selector = selector
        self._limit_s = limit_s
        self._now = now
        self._handed_over = handed_over
        self._log = log
        self._pid = 0
        self._word_fd = -1
        self._due_s = float("inf")

    def start(self) -> None:
        """Start the new server."""
        if self._pid:
            self._log.warning(f"process {self._pid} is about to take over already")
            return
        if os.getpid() == 1:
            self._log.error(
                "process 1 can't hand over: its end would be the end of this container; for new code, reload; for a "
                "new version of prodserve, start a new container"
            )
            return
        try:
            self._start()
        except OSError as error:
            self._log.error(f"no server can be started to take over: {error}")

    def _start(self) -> None:
        word_fd, their_fd = os.pipe()
        sockets = [[one.bind, one.socket.fileno(), one.url, one.path, one.inode] for one in self._listeners]
        note = {"pid": os.getpid(), "word_fd": their_fd, "listeners": sockets}
        try:
            note_fd = write_json("prodserve-takeover", note)
            old_pid = os.getpid()
            fds = [note_fd, their_fd, *(one.socket.fileno() for one in self._listeners)]
            self._pid = start_apart(lambda: self._become_new(old_pid, fds))
            os.close(note_fd)
        except OSError:
            os.close(word_fd)
            raise
        finally:
            os.close(their_fd)
        os.set_blocking(word_fd, False)
        self._word_fd = word_fd
        self._due_s = self._now() + self._limit_s
        self._selector.register(word_fd, selectors.EVENT_READ, self._heard)
        self._log.info(f"process {self._pid} is started to take over")

    def _become_new(self, old_pid: int, fds: list[int]) -> NoReturn:
        """In the new process."""
        record = self._record
        mine = {**variables(record["service"], old_pid, os.getpid()), TAKEOVER: str(fds[0])}
        command = [record["executable"], *record["orig_argv"][1:]]
        become(command, {**record["first_environ"], **mine}, record["program"]["cwd"], fds)

    def _heard(self) -> None:
        word = os.read(self._word_fd, len(UP))
        pid = self._pid
        self._forget()
        if word == UP:
            self._log.info(f"process {pid} has taken over; this one finishes its requests and ends")
            self._listeners[:] = [replace(listener, path=None) for listener in self._listeners]
            self._handed_over(pid)
        else:
            self._log.error(f"process {pid} could not take over, this one goes on; why stands above")

    def look(self) -> None:
        """At the time: one that does not come up is ended."""
        if self._now() >= self._due_s:
            self._log.error(f"process {self._pid} has not taken over within {self._limit_s:g} s and is killed")
            self._due_s = float("inf")
            kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """This server ends: one that has not taken over yet must not."""
        if self._pid:
            kill(self._pid, signal.SIGTERM)
            self._forget()

    def _forget(self) -> None:
        self._selector.unregister(self._word_fd)
        os.close(self._word_fd)
        self._pid, self._word_fd, self._due_s = 0, -1, float("inf")
