"""Addresses that the server listens on, as users type them: ``0:8000``, ``[::1]:8000``, ``unix:/run/app.sock``.

A superset of what Django's ``runserver`` takes. Text goes in, a ``Bind`` comes out; nothing is resolved or bound
here. ``str(bind)`` gives a text that parses to the same ``Bind`` again.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Literal

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

_TCP = re.compile(
    r"(?:(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?)):)?(?P<port>\d+)",
    re.ASCII,
)
_SOCKET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*", re.ASCII)
_NUMBERS = re.compile(r"[0-9.]+")
_HABITS = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"https://.*", "; TLS is not served here: put a proxy in front of '127.0.0.1:8000'"),
        (r"(?:http|tcp)://([^/]*)/*", r"; without the scheme: '\1'"),
        (r"(?:\*|):(\d+)", r"; for every IPv4 address: '0:\1'"),
        (r"(/.*)", r"; for a socket file: 'unix:\1'"),
        (r"([0-9A-Fa-f:]*:[0-9A-Fa-f:]*):(\d+)", r"; an IPv6 address stands in brackets: '[\1]:\2'"),
        (r"([^:/]+|\[.*\])", rf"; with a port: '\1:{DEFAULT_PORT}'"),
    )
)


@dataclass(frozen=True)
class Bind:
    """One address to listen on. Which of the fields count is told by ``kind``."""

    kind: Literal["tcp", "unix", "fd"]
    host: str = ""
    port: int = 0
    """0: the system chooses a free port."""
    path: str = ""
    fd: int = -1
    name: str = ""
    """Of a socket that the service manager passes; then ``fd`` is not known yet."""

    def __str__(self) -> str:
        """The canonical text, as it may be typed after ``--bind``."""
        if self.kind == "unix":
            return f"unix:{self.path}"
        if self.kind == "fd":
            return f"fd://{self.name or self.fd}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """What a browser would open; for sockets without a URL the canonical text."""
        return f"http://{self}" if self.kind == "tcp" else str(self)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect. An inherited descriptor may be anything, so it does not count."""
        if self.kind != "tcp":
            return self.kind == "unix"
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False


DEFAULT_BIND = Bind("tcp", DEFAULT_HOST, DEFAULT_PORT)


def parse_bind(value: object) -> Bind:
    """Read one address; ``ValueError`` says what is wrong with it and what to type instead."""
    if isinstance(value, Bind):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not an address, such as '127.0.0.1:8000'")
    text = value.strip()
    scheme = text.partition(":")[0].lower()  # in capitals they would be names of hosts that are written as these
    if scheme == "unix" and ":" in text:
        return _unix(text)
    if scheme == "fd" and ":" in text:
        return _descriptor(text)
    return _tcp(text)


def _unix(text: str) -> Bind:
    path = text.partition(":")[2]
    if path.startswith("//"):
        path = path[2:]
    if path.startswith("//"):  # names the same file; behind "unix:" it would read as the beginning of a URL
        path = "/" + path.lstrip("/")
    if not path or path.endswith("/"):
        raise ValueError(f"{text!r} names no socket file, as 'unix:/run/app.sock' does")
    return Bind("unix", path=path)


def _descriptor(text: str) -> Bind:
    which = text.partition(":")[2].removeprefix("//")
    if not _SOCKET_NAME.fullmatch(which):
        raise ValueError(
            f"{text!r} names no descriptor, as 'fd://3' does, and no socket of systemd, as 'fd://web' does"
        )
    return Bind("fd", fd=int(which)) if which.isdigit() else Bind("fd", name=which)


def _tcp(text: str) -> Bind:
    match = _TCP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an address{_likely(text)}")
    port = int(match["port"]) if len(match["port"]) < 9 else 65536
    if port > 65535:
        raise ValueError(f"port {match['port']} does not exist; ports go from 0 (any free one) to 65535")
    if match["v6"] is not None:
        try:
            ipaddress.IPv6Address(match["v6"].partition("%")[0])
        except ValueError:
            raise ValueError(f"[{match['v6']}] is not an IPv6 address") from None
        return Bind("tcp", match["v6"].lower(), port)
    host = match["host"]
    return Bind("tcp", DEFAULT_HOST if host is None else _host(host), port)


def _host(host: str) -> str:
    """A name stays as it is; numbers become the four of an IPv4 address (``0`` is ``0.0.0.0``, as runserver has it)."""
    if not _NUMBERS.fullmatch(host):
        return host.lower()
    if any(part != "0" and part.startswith("0") for part in host.split(".")):
        raise ValueError(f"{host} is not an IPv4 address: a number with a leading zero can be read in two ways")
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        raise ValueError(f"{host} is not an IPv4 address") from None


def _likely(text: str) -> str:
    """What was probably meant, from the mistakes that other servers' habits lead to."""
    for pattern, hint in _HABITS:
        match = pattern.fullmatch(text)
        if match is not None:
            return match.expand(hint)
    return ", such as '8000', '0:8000', '[::1]:8000', 'unix:/run/app.sock' or 'fd://3'"
