"""The listening sockets: bound once by the supervisor, inherited by every worker of every generation.

A socket that can't be had ends the start with one ``ConfigError`` that says what to do, for all addresses at once.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from prodserve.config.addresses import Bind
from prodserve.errors import ConfigError, Problem
from prodserve.supervisor.port_users import port_user
from prodserve.supervisor.privileges import Identity
from prodserve.supervisor.reserved_ports import surroundings, ways


@dataclass(frozen=True)
class Listener:
    """One listening socket. ``url`` tells the port that was really bound."""

    socket: socket.socket
    url: str
    path: str | None = None
    """Of a Unix socket that is ours to remove."""
    inode: int = 0
    bind: str = ""
    """The address as it was configured."""

    def close(self) -> None:
        """Close it; remove the file of a Unix socket unless another server has taken the name since."""
        self.socket.close()
        if self.path is not None:
            try:
                if os.stat(self.path).st_ino == self.inode:
                    os.unlink(self.path)
            except OSError:
                return  # gone, or not ours to remove any more


class Refused(Exception):
    """One address can't be bound; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def adopt(fd: int, url: str, bind: str) -> Listener:
    """A listening socket that another supervisor has opened; its file, if it has one, is still that one's."""
    os.set_inheritable(fd, False)
    return Listener(socket.socket(fileno=fd), url, bind=bind)


def listen(
    binds: Sequence[Bind],
    backlog: int,
    owner: Identity | None = None,
    adopted: Mapping[str, Sequence[Listener]] | None = None,
) -> list[Listener]:
    """Bind and listen on all addresses but those that are ``adopted`` already; Unix sockets are given to ``owner``.

    ``ConfigError`` with every address that is refused; then none stays open.
    """
    opened: list[Listener] = []
    problems: list[Problem] = []
    for bind in binds:
        if adopted and str(bind) in adopted:
            opened += adopted[str(bind)]
            continue
        try:
            opened += [replace(one, bind=str(bind)) for one in _OPENERS[bind.kind](bind, backlog)]
            if owner is not None and bind.kind == "unix":
                os.chown(bind.path, owner.uid, owner.gid, follow_symlinks=False)
        except Refused as refused:
            problems.append(refused.problem)
    if problems:
        close_all(opened)
        raise ConfigError(problems)
    return opened


def close_all(listeners: Iterable[Listener]) -> None:
    """Close them all."""
    for listener in listeners:
        listener.close()


def _open_tcp(bind: Bind, backlog: int) -> list[Listener]:
    try:
        found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Refused(
            Problem(str(bind), f"no address is known for {bind.host!r} ({error})", "type an IP address, or 0 for all")
        ) from None
    opened: list[Listener] = []
    failed: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            opened.append(_listening(sock, bind, backlog))
        except OSError as error:
            sock.close()
            failed = error
            if error.errno != errno.EADDRNOTAVAIL:  # a name may stand for an address that this machine lacks
                break
    if failed is not None and (not opened or failed.errno != errno.EADDRNOTAVAIL):
        close_all(opened)
        raise Refused(explain(bind, failed)) from None
    return opened


def _listening(sock: socket.socket, bind: Bind, backlog: int) -> Listener:
    """Make it listen. Connections inherit TCP_NODELAY from the listening socket (Linux)."""
    sock.listen(backlog)
    sock.setblocking(False)
    url = bind.url
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = sock.getsockname()[:2]
        url = Bind("tcp", bind.host or host, port).url
    elif bind.kind == "fd" and isinstance(sock.getsockname(), str) and sock.getsockname():
        url = Bind("unix", path=sock.getsockname()).url
    return Listener(sock, url)


def _open_unix(bind: Bind, backlog: int) -> list[Listener]:
    path = bind.path
    try:
        if not _remove_stale(path):
            raise Refused(
                Problem(
                    str(bind),
                    "this socket is in use: another server answers on it",
                    "stop that server, or choose another path",
                )
            )
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(path)
            inode = os.stat(path).st_ino
            listener = _listening(sock, bind, backlog)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise Refused(explain(bind, error)) from None
    return [Listener(listener.socket, listener.url, os.path.abspath(path), inode)]


def _remove_stale(path: str) -> bool:
    """Remove the socket that a server which is no more left behind; whether the name is free now."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return True
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "a file that is no socket stands there", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return True
        except BlockingIOError:
            return False  # its queue is full: somebody listens
    return False


def _open_fd(bind: Bind, backlog: int) -> list[Listener]:
    try:
        sock = socket.socket(fileno=bind.fd)
    except OSError as error:
        raise Refused(
            Problem(
                str(bind),
                f"no socket was inherited as descriptor {bind.fd} ({error.strerror})",
                "systemd passes the sockets of a .socket unit from descriptor 3 on",
            )
        ) from None
    if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        sock.detach()
        raise Refused(Problem(str(bind), f"descriptor {bind.fd} is no stream socket", "use ListenStream= in systemd"))
    try:
        return [_listening(sock, bind, backlog)]
    except OSError as error:
        sock.detach()
        raise Refused(explain(bind, error)) from None


_OPENERS = {"tcp": _open_tcp, "unix": _open_unix, "fd": _open_fd}


def explain(bind: Bind, error: OSError) -> Problem:
    """What an error of ``bind`` or ``listen`` means for the user."""
    where = str(bind)
    if error.errno == errno.EADDRINUSE and bind.kind == "tcp":
        user = port_user(bind.port)
        return Problem(
            where,
            f"port {bind.port} is in use" + (f" by {user}" if user else ""),
            f"stop that program, or choose another port, such as {bind.port + 1 if bind.port < 65535 else 8000}",
        )
    if error.errno in (errno.EACCES, errno.EPERM) and bind.kind == "tcp":
        here = surroundings(os.environ)
        what = f"this user may not listen on port {bind.port}: ports below {here.first_free} are reserved"
        return Problem(where, what, "\n      or ".join(ways(bind.port, here)))
    if error.errno == errno.EADDRNOTAVAIL:
        return Problem(where, "this machine has no such address", "use one of its own, or 0 for all")
    if error.errno == errno.EAFNOSUPPORT:
        return Problem(where, "this machine has no IPv6" if ":" in bind.host else str(error), "use an IPv4 address")
    fix = "the folder must exist and be writable for this user" if bind.kind == "unix" else ""
    return Problem(where, error.strerror or str(error), fix)
