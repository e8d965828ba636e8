"""The cache folder from the writer's side: notes and contents (``prodserve.files.encoded``) within a bound.

Everything is written under another name and renamed, so a reader sees all of it or nothing, whoever is killed when.
One process writes at a time; the others wait for its lock. A content counts as used when a note of it is written or
found current; the note's own time says when that was. The least recently used contents go first, with their notes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b

from ..files.encoded import NOTE_LIMIT_BYTES, EncodedCopies, Note, parse_note
from ..files.trees import FileState
from .encoders import Encoder

BLOCK_BYTES = 4096
"""What the smallest file takes on disk."""
TOUCH_S = 3600
"""How exact the time of the last use is."""
STALE_S = 3600
"""What has no owner after so long lost it when a writer was killed."""


class CacheFull(Exception):
    """The copies of the current files alone fill the bound."""


def space(size: int) -> int:
    """The bytes that a file of that size takes on disk, about."""
    return -(-max(size, 1) // BLOCK_BYTES) * BLOCK_BYTES


def content_name(content: bytes) -> str:
    """The hash by which a content is known."""
    return blake2b(content, digest_size=20).hexdigest()


class Usage:
    """One content's share of the folder."""

    __slots__ = ("bytes", "paths", "used_s")

    def __init__(self) -> None:
        self.bytes = 0
        self.used_s = 0.0
        self.paths: list[str] = []

    def add(self, path: str, size: int, used_s: float) -> int:
        """A file of it was written or found; gives the bytes that it takes more."""
        self.used_s = max(self.used_s, used_s)
        if path in self.paths:
            return 0
        self.paths.append(path)
        self.bytes += space(size)
        return space(size)


def evictions(usage: Mapping[str, Usage], kept: Collection[str], surplus_bytes: int) -> list[str]:
    """The contents that have to go, least recently used first, to free ``surplus_bytes``; ``kept`` never do."""
    going = []
    for content, share in sorted(usage.items(), key=lambda item: item[1].used_s):
        if surplus_bytes <= 0:
            break
        if content not in kept:
            going.append(content)
            surplus_bytes -= share.bytes
    return going


class Store:
    """Writes to ``folder``, which is this user's alone. ``now``: the time of day in seconds."""

    def __init__(self, folder: str, limit_bytes: int, now: Callable[[], float]) -> None:
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._now = now
        self._copies = EncodedCopies(folder)
        self._usage: dict[str, Usage] = {}
        self._total_bytes = 0
        self._kept: set[str] = set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Wait until no other process writes, then look at what is there and let go what nobody can use."""
        fd = os.open(f"{self.folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with suppress(OSError):  # a network file system without locks: two writers do no harm, but work twice
                fcntl.flock(fd, fcntl.LOCK_EX)
            self._survey()
            yield
        finally:
            os.close(fd)

    def tried(self, state: FileState) -> Collection[str]:
        """The codings that need not be made again for a file with that state; it counts as used."""
        note = self._copies.read(state)
        if note is None:
            return ()
        there = {coding for coding, _, _ in self._copies.present(note)}
        path = self._copies.note(state)
        self._kept.add(note.content)
        if os.stat(path).st_mtime < self._now() - TOUCH_S:
            os.utime(path)
        return {coding for coding, size in note.sizes.items() if not size or coding in there}

    def put(self, state: FileState, content: bytes, encoders: Mapping[str, Encoder], worth: bool) -> dict[str, int]:
        """Make the copies of a content that are not there yet, and note all of them for that state.

        Gives the sizes of those that were made. Without ``worth`` the note says that there are none. Raises
        ``CacheFull``, or ``OSError`` where nothing can be written.
        """
        name = content_name(content)
        self._kept.add(name)
        former = self._copies.read(state)
        sizes = dict(former.sizes) if former is not None and former.content == name else {}
        made: dict[str, int] = {}
        for coding, encoder in encoders.items():
            path = self._copies.content(name, coding)
            size = _verified(path, encoder, content) if worth else 0
            if size is None:
                encoded = encoder.encode(content)
                size = len(encoded) if len(encoded) < len(content) else 0
                if size:
                    self._write(name, path, encoded)
                    made[coding] = size
            sizes[coding] = size
        self._write(name, self._copies.note(state), Note(name, sizes).text.encode("ascii"))
        return made

    def _write(self, name: str, path: str, data: bytes) -> None:
        self.make_room(space(len(data)))
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        temporary = f"{folder}/.{os.getpid()}-{os.urandom(6).hex()}"
        try:
            with open(temporary, "xb", opener=_private) as file:
                file.write(data)
            os.rename(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
        self._count(name, path, len(data), self._now())

    def make_room(self, wanted_bytes: int = 0) -> None:
        """Let contents that this pass has not used go until ``wanted_bytes`` fit within the bound. ``CacheFull``."""
        surplus = self._total_bytes + wanted_bytes - self._limit_bytes
        for content in evictions(self._usage, self._kept, surplus) if surplus > 0 else ():
            share = self._usage.pop(content)
            self._total_bytes -= share.bytes
            for path in share.paths:
                _remove(path)
        if wanted_bytes and self._total_bytes + wanted_bytes > self._limit_bytes:
            raise CacheFull

    def _count(self, content: str, path: str, size: int, used_s: float) -> None:
        self._total_bytes += self._usage.setdefault(content, Usage()).add(path, size, used_s)

    def _survey(self) -> None:
        """Notes say when a content was used; what belongs to no note, or is no note, goes once it is old."""
        old_s = self._now() - STALE_S
        for path, found in _files(f"{self.folder}/notes"):
            note = _note_at(path)
            if note is not None:
                self._count(note.content, path, found.st_size, found.st_mtime)
            elif found.st_mtime < old_s:
                _remove(path)
        noted = set(self._usage)
        for path, found in _files(f"{self.folder}/contents"):
            content = os.path.basename(path).partition(".")[0]
            if content in noted or found.st_mtime >= old_s:
                self._count(content, path, found.st_size, 0.0)
            else:
                _remove(path)


def _verified(path: str, encoder: Encoder, content: bytes) -> int | None:
    """The size of the copy at ``path``, if it is one of ``content`` indeed: a power failure may have cut it short."""
    try:
        with open(path, "rb", opener=_reading) as file:
            encoded = file.read()
        return len(encoded) if encoded and encoder.decode(encoded) == content else None
    except Exception:  # decoders have an exception of their own each; whatever it is, the copy is no good
        return None


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files two levels below."""
    try:
        with os.scandir(folder) as shelves:
            names = [shelf.path for shelf in shelves if shelf.is_dir(follow_symlinks=False)]
        for name in names:
            with os.scandir(name) as entries:
                files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
            for entry in files:
                yield entry.path, entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return  # never written to, or somebody tidies up


def _note_at(path: str) -> Note | None:
    try:
        with open(path, "rb", opener=_reading) as file:
            return parse_note(file.read(NOTE_LIMIT_BYTES).decode("ascii", "replace"))
    except OSError:
        return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _reading(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # gone already, or it can't be helped
