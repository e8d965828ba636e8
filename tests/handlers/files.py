"""A tree of files and a way to ask ``StaticFiles`` for them, as the engine does."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

from prodserve.adapter import StaticRoot
from prodserve.files.index import FileIndex
from prodserve.handlers.static import StaticFiles
from prodserve.http.answer import Answer
from prodserve.http.segments import FileSlice

CHANGED_S = 1_000_000_000
CHANGED = "Sun, 09 Sep 2001 01:46:40 GMT"
LARGE = bytes(range(256)) * 1000


def write(path: Path, content: bytes, changed_s: int = CHANGED_S) -> Path:
    """Write a file with a time of its last change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (changed_s, changed_s))
    return path


def make_tree(root: Path) -> Path:
    """A root with everything that a site has, and a secret beside it."""
    write(root / "a.txt", b"0123456789" * 10)
    write(root / "empty.txt", b"")
    write(root / "large.bin", LARGE)
    write(root / "app.css", b"body { color: red }\n" * 50)
    write(root / "app.css.gz", gzip.compress(b"body { color: red }\n" * 50, mtime=0))
    write(root / "app.css.br", b"not really brotli")
    write(root / "app.3f2a.js", b"hashed")
    write(root / "sub" / "page.html", b"<p>page")
    write(root / "sub" / "index.html", b"<p>index")
    write(root / "é ü.txt", b"accents")
    write(root / ".env", b"secret")
    write(root / ".well-known" / "security.txt", b"Contact: x")
    write(root.parent / "secret.txt", b"secret")
    return root


@dataclass
class Reply:
    """An answer as a client sees it."""

    status: int
    fields: dict[str, str]
    body: bytes
    answer: Answer


class Site:
    """Asks a ``StaticFiles`` and reads its answers; ``now_s`` is the time of day."""

    def __init__(self, *roots: StaticRoot, index: FileIndex | None = None) -> None:
        self.index = index or FileIndex()
        self.files = StaticFiles(roots, self.index, clock=lambda: self.now_s)
        self.now_s = CHANGED_S + 1_000_000

    @property
    def tick_s(self) -> int:
        """The engine's clock, which counts from elsewhere."""
        return self.now_s - CHANGED_S

    def ask(self, method: str, target: str, **fields: str) -> Reply | None:
        """One request; fields by their environ names without ``HTTP_``."""
        environ = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
        answer = self.files.answer(method, target.encode("latin-1"), environ, self.tick_s)
        return None if answer is None else read(answer)

    def get(self, target: str, **fields: str) -> Reply:
        """A GET that is ours."""
        reply = self.ask("GET", target, **fields)
        assert reply is not None
        return reply

    def later(self, seconds: int = 1) -> None:
        """Let the clock tick."""
        self.now_s += seconds


def read(answer: Answer) -> Reply:
    """What arrives at the client, and the files are closed."""
    body = b"" if answer.file is None else os.pread(answer.file.fd, answer.length, 0)
    for segment in answer.body:
        if isinstance(segment, FileSlice):
            body += os.pread(segment.fd, segment.count, segment.offset)
            segment.close()
        else:
            body += bytes(segment)
    assert len(body) == answer.length
    lines = answer.head.decode("latin-1").split("\r\n")
    assert lines.pop() == ""
    assert lines[0].startswith(f"HTTP/1.1 {answer.status} ")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    assert len(fields) == len(lines) - 1
    return Reply(answer.status, fields, body, answer)
