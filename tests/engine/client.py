"""A client that sends bytes as they are and reads responses strictly, one after another."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ([ -~]*)").fullmatch
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t -~\x80-\xff]*)").fullmatch
TIMEOUT_S = 5.0


@dataclass
class Reply:
    """One response. ``cut``: the connection ended before it."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    cut: bool = False
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {name.lower(): value for name, value in self.fields}
        assert "date" in self.names or self.status == 100

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def __getitem__(self, name: str) -> str | None:
        return self.names.get(name.lower())


def request(target: str, *fields: str, method: str = "GET", body: bytes = b"", version: str = "1.1") -> bytes:
    """The bytes of a request; a body gets its length."""
    lines = [f"{method} {target} HTTP/{version}", "Host: x", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body


class Client:
    """One connection."""

    def __init__(self, port: int, receive_bytes: int = 0) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        self.socket.sendall(data)

    def reset(self) -> None:
        """Go away rudely: the server gets an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def more(self) -> bool:
        """Receive; False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def until(self, mark: bytes) -> bytes:
        """What comes before ``mark``, which is taken too."""
        while mark not in self.buffer:
            assert self.more(), f"the end instead of {mark!r} behind {self.buffer[-200:]!r}"
        before, _, self.buffer = self.buffer.partition(mark)
        return before

    def take(self, size: int) -> bytes:
        """``size`` bytes; fewer at the end of the connection."""
        pieces, left = [self.buffer[:size]], size - len(self.buffer)
        self.buffer = self.buffer[size:]
        while left > 0 and self.more():
            pieces.append(self.buffer[:left])
            left -= len(pieces[-1])
            self.buffer = self.buffer[len(pieces[-1]) :]
        return b"".join(pieces)

    def reply(self, method: str = "GET") -> Reply:
        """Read one response to a request with this method."""
        first, *lines = self.until(b"\r\n\r\n").split(b"\r\n")
        match = STATUS_LINE(first)
        assert match is not None, first
        fields = []
        for line in lines:
            pair = FIELD(line)
            assert pair is not None, line
            fields.append((pair[1].decode(), pair[2].decode("latin-1")))
        reply = Reply(int(match[1]), fields)
        names = [name.lower() for name, _ in fields]
        assert names.count("content-length") + names.count("transfer-encoding") <= 1, fields
        assert names.count("date") == (reply.status != 100), fields
        if method == "HEAD" or reply.status in (100, 204, 304):
            return reply
        if reply["transfer-encoding"] == "chunked":
            self.read_chunks(reply)
        elif reply["content-length"] is not None:
            size = int(str(reply["content-length"]))
            reply.body = self.take(size)
            reply.cut = len(reply.body) < size
        else:
            while self.more():
                pass
            reply.body, self.buffer = self.buffer, b""
        return reply

    def read_chunks(self, reply: Reply) -> None:
        """Decode a body in chunks."""
        pieces = []
        while True:
            while b"\r\n" not in self.buffer:
                if not self.more():
                    reply.cut = True
                    break
            if reply.cut:
                break
            size = int(self.until(b"\r\n"), 16)
            piece = self.take(size + 2)
            if len(piece) < size + 2:
                reply.cut = True
                break
            assert piece.endswith(b"\r\n")
            if not size:
                break
            pieces.append(piece[:-2])
        reply.body = b"".join(pieces)

    def ask(self, target: str, *fields: str, method: str = "GET", body: bytes = b"", version: str = "1.1") -> Reply:
        """Send a request and read its response."""
        self.send(request(target, *fields, method=method, body=body, version=version))
        return self.reply(method)

    def at_end(self) -> bool:
        """Wait for the end of the connection; whether it came without another byte."""
        return not self.buffer and not self.more()
