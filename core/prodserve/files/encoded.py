"""Encoded copies of files: the names of those beside a file, and how those in the cache folder are found.

In that folder, ``notes/ab/STATE`` is a small text file for the file with that state: it names the file's content, and
each coding that was tried with the size of the copy (0: not worth one). ``contents/cd/CONTENT.br`` and so on are the
copies. A new release with the same content therefore finds its copies by a new note. Contents never change once they
are there; a copy whose size is not the noted one (the disk was full, the power failed) does not count. Who writes is
``prodserve.compress``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from posix import close as close_now  # gevent's os.close waits for the loop to come round
from typing import NamedTuple

from .trees import FileState, state_of

CODING_SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""What is appended to a file's name for its copy in a coding."""
NOTE_LIMIT_BYTES = 512
_NOTE = re.compile(r"([0-9a-f]{40})((?: [a-z]+=[0-9]{1,15})*)\n").fullmatch
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_outdated(encoded: FileState, own: FileState) -> bool:
    """Whether a copy was made before the file's last change; some tools keep whole seconds only."""
    return encoded.modified_ns // 1_000_000_000 < own.modified_ns // 1_000_000_000


class Note(NamedTuple):
    """What is known of a file's encoded copies."""

    content: str
    """A hash of the unencoded content, which names the copies."""
    sizes: Mapping[str, int]
    """Coding to the size of its copy in bytes; 0 where it was tried and not worth keeping."""

    @property
    def text(self) -> str:
        """As it is stored."""
        return self.content + "".join(f" {coding}={size}" for coding, size in self.sizes.items()) + "\n"


def parse_note(text: str) -> Note | None:
    """The inverse of ``Note.text``; ``None`` for anything else, such as one that was cut short."""
    found = _NOTE(text)
    if found is None:
        return None
    pairs = (word.partition("=") for word in found[2].split())
    return Note(found[1], {coding: int(size) for coding, _, size in pairs})


def is_private(folder: str) -> bool:
    """Whether it is a real folder of this process's user that nobody else can put anything into."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


class EncodedCopies:
    """Finds copies in ``folder``. One that is not ours alone has none: others could plant theirs."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._mine = is_private(folder)
        self._uid = os.geteuid()

    def note(self, state: FileState) -> str:
        """The path at which a file with that state has its note, as soon as somebody has tried to encode it."""
        name = blake2b(":".join(map(str, state)).encode(), digest_size=20).hexdigest()
        return f"{self._folder}/notes/{name[:2]}/{name}"

    def content(self, content: str, coding: str) -> str:
        """The path of the copy of a content in a coding."""
        return f"{self._folder}/contents/{content[:2]}/{content}.{coding}"

    def read(self, state: FileState) -> Note | None:
        """What is noted of a file with that state."""
        try:
            fd = os.open(self.note(state), _READING)
        except OSError:
            return None
        try:
            return parse_note(os.read(fd, NOTE_LIMIT_BYTES).decode("ascii", "replace"))
        except OSError:
            return None
        finally:
            close_now(fd)

    def copies(self, state: FileState) -> list[tuple[str, str, FileState]]:
        """Coding, path and state of each copy of the file with that state, smallest first."""
        note = self.read(state) if self._mine else None
        return sorted(self.present(note), key=lambda copy: copy[2].size) if note is not None else []

    def present(self, note: Note) -> Iterator[tuple[str, str, FileState]]:
        """The copies that a note names and that are there, whole and ours."""
        for coding, size in note.sizes.items():
            path = self.content(note.content, coding)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if size and found.st_size == size and stat.S_ISREG(found.st_mode) and found.st_uid == self._uid:
                yield coding, path, state_of(found)
