"""The control socket: how commands (``prodserve reload``, ``stop``) speak to a running server.

One line of JSON from the caller, ``{"do": "reload"}``; lines of JSON back until the connection closes. A Unix socket in
a folder that only its owner (and root) may enter: who may signal the server may use it. Where none can be made the
server does without. It never blocks: a caller that does not read what it is told is dropped.

The names say where a process's socket is: ``paths`` gives, for a PID, the places where it may be.
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prodserve.observe.log import Log
from prodserve.supervisor.packets import decode, encode

LINE_BYTES = 4096
"""Longest request."""
MOST_CALLERS = 16
_NAME = re.compile(r"(\d+)-(\d+)\.sock")


def folders(uid: int) -> tuple[str, ...]:
    """Where a server of this user may have its socket, best first. Not by environment variables: a service and the
    shell of its owner have different ones."""
    above = ("/run" if uid == 0 else f"/run/user/{uid}", "/tmp", "/var/tmp", "/dev/shm")
    return tuple(f"{folder}/prodserve-{uid}" for folder in above)


def namespace_of(pid: int | str) -> int:
    """The PID namespace of a process: PIDs of two containers that share a folder are not the same. 0: not known."""
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return 0


def paths(pid: int, uid: int) -> Iterator[str]:
    """Where the socket of that process may be, as seen by that process."""
    for folder in folders(uid):
        yield f"{folder}/{pid}-{namespace_of(pid)}.sock"


def is_private(folder: str) -> bool:
    """Whether it is a folder of ours that nobody else may enter."""
    state = os.lstat(folder)
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o077


Command = Callable[[Mapping[str, Any], "Caller"], None]
"""Answers one request; it may keep the caller, to tell it more later."""


class Caller:
    """A connection: one request, then what it is told."""

    def __init__(self, control: Control, sock: socket.socket) -> None:
        self._control = control
        self.socket = sock
        self._line = b""
        self.asked = False

    def readable(self) -> None:
        """Take what has come: the request, or the end."""
        try:
            data = self.socket.recv(LINE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._line += data
        if not data or self.asked or len(self._line) > LINE_BYTES:
            self.close()
        elif b"\n" in self._line:
            self.asked = True
            self._control.answer(self._line, self)

    def say(self, message: Mapping[str, Any], last: bool = False) -> None:
        """Tell it something; ``last``: and no more."""
        line = encode(message) + b"\n"
        try:
            sent = self.socket.send(line)
        except OSError:
            sent = 0
        if last or sent < len(line):
            self.close()

    def close(self) -> None:
        """End the conversation."""
        self._control.forget(self)


class Control:
    """The listening end. Registers itself and its callers with ``selector``: ``data`` is what is to be called."""

    def __init__(self, selector: selectors.BaseSelector, commands: Mapping[str, Command], log: Log) -> None:
        self._selector = selector
        self._commands = commands
        self._log = log
        self._callers: list[Caller] = []
        self._socket: socket.socket | None = None
        self._path = ""
        self._spare_fd = os.open(os.devnull, os.O_RDONLY)
        for path in paths(os.getpid(), os.geteuid()):
            try:
                self._socket = self._listen(path)
            except OSError as error:
                log.debug(f"no control socket {path}: {error.strerror}")
                continue
            self._path = path
            break

    def _listen(self, path: str) -> socket.socket:
        folder = os.path.dirname(path)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            if not is_private(folder):
                raise
        _remove_stale(folder)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(path)
            os.chmod(path, 0o600)
            sock.listen(MOST_CALLERS)
        except OSError:
            sock.close()
            raise
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, self._accept)
        return sock

    def _accept(self) -> None:
        assert self._socket is not None
        try:
            sock, _ = self._socket.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._turn_away()
            return
        sock.setblocking(False)
        if len(self._callers) >= MOST_CALLERS:
            next((caller for caller in self._callers if not caller.asked), self._callers[0]).close()
        caller = Caller(self, sock)
        self._callers.append(caller)
        self._selector.register(sock, selectors.EVENT_READ, caller.readable)

    def _turn_away(self) -> None:
        """No descriptor is left for a caller: one is kept for this, else the loop would come back to it for ever."""
        assert self._socket is not None
        os.close(self._spare_fd)
        try:
            self._socket.accept()[0].close()
        except OSError as error:
            self._log.debug(f"a caller was not turned away: {error}")
        self._spare_fd = os.open(os.devnull, os.O_RDONLY)

    def answer(self, line: bytes, caller: Caller) -> None:
        """Carry one request out."""
        try:
            request = decode(line)
            command = self._commands[request["do"]]
        except (ValueError, KeyError, TypeError):
            caller.say({"ok": False, "why": f"commands are {', '.join(self._commands)}"}, last=True)
            return
        command(request, caller)

    def forget(self, caller: Caller) -> None:
        """A conversation is over."""
        if caller in self._callers:
            self._callers.remove(caller)
            self._selector.unregister(caller.socket)
            caller.socket.close()

    def close(self) -> None:
        """End all conversations, and remove the socket."""
        for caller in list(self._callers):
            caller.close()
        os.close(self._spare_fd)
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            try:
                os.unlink(self._path)
                os.rmdir(os.path.dirname(self._path))
            except OSError:
                return  # other servers have theirs there


def _remove_stale(folder: str) -> None:
    """Remove what servers of this PID namespace left that were killed, or had the PID before us."""
    here = namespace_of("self")
    for name in os.listdir(folder):
        match = _NAME.fullmatch(name)
        if match is None or int(match[2]) != here:
            continue
        if int(match[1]) == os.getpid() or not os.path.exists(f"/proc/{match[1]}"):
            os.unlink(f"{folder}/{name}")
