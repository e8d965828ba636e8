"""What is known of the files of all static roots: their state, their codings, their heads; small contents too.

Bounded in every direction: number of files, bytes of content. Each entry is compared with the disk at most once a
second and only when it is asked for; names that do not exist leave nothing behind. Least recently used goes first, to
the second.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from functools import partial
from posix import close as close_now  # gevent's os.close waits for the loop to come round

from ..adapter import StaticRoot
from ..http.answer import Answer
from ..http.media_types import compressible, content_type
from ..http.negotiation import IDENTITY, choose_coding
from .names import canonical_path
from .representation import Representation, cache_control
from .trees import DirectoryTree, FileState, FileTree, ListedTree, state_at, state_of

FILES_MAX = 16384
CONTENT_LIMIT_BYTES = 65536
CONTENTS_LIMIT_BYTES = 16 * 1024 * 1024
CODING_SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
REMEMBERED_CHOICES = 32
REMEMBERED_CHARACTERS = 200


class Mount:
    """One static root, ready to be looked into."""

    def __init__(self, root: StaticRoot) -> None:
        self.prefix = canonical_path(root.url_prefix)
        self.tree: FileTree = ListedTree(root.files) if root.files is not None else DirectoryTree(root.directory or "")
        self.index = root.index
        self._immutable = root.immutable
        self._max_age_s = root.max_age_s

    def key(self, name: str) -> bytes:
        """The raw path under which the file is remembered."""
        return self.prefix + canonical_path(name)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name that may be served."""
        try:
            self._state(name)
        except OSError:
            return False
        return True

    def look_up(self, name: str, tick_s: int, now_s: int) -> ServedFile:
        """All that can be served for ``name`` at the moment ``now_s``; ``OSError`` where that is nothing."""
        own = self._state(name)
        immutable = name in self._immutable
        represent = partial(
            Representation,
            content_type=content_type(name),
            caching=cache_control(immutable, self._max_age_s),
            now_s=now_s,
        )
        path = self.tree.path(name) or ""
        present, absent, encoded = [(path, own)], [], []
        for coding, suffix in CODING_SUFFIXES.items() if compressible(name) else ():
            beside = self.tree.path(name + suffix)
            if beside is None:
                continue
            state = state_at(beside)
            if state is None:
                absent.append(beside)
                continue
            present.append((beside, state))
            if state.size < own.size and (immutable or not _older(state, own)) and self._is(name + suffix, state):
                encoded.append((state.size, coding, beside, state))
        representations = [represent(path, IDENTITY, own, varies=bool(encoded))]
        representations += [represent(path, coding, state, varies=True) for _, coding, path, state in sorted(encoded)]
        return ServedFile(self.key(name), representations, present, absent, tick_s)

    def _state(self, name: str) -> FileState:
        fd = self.tree.open(name)
        try:
            return state_of(os.fstat(fd))
        finally:
            close_now(fd)

    def _is(self, name: str, state: FileState) -> bool:
        """Whether what may be served as ``name`` is what was seen at its path."""
        try:
            return self._state(name) == state
        except OSError:
            return False


def _older(encoded: FileState, own: FileState) -> bool:
    """Whether an encoded copy was made before the file's last change; some tools keep whole seconds only."""
    return encoded.modified_ns // 1_000_000_000 < own.modified_ns // 1_000_000_000


class ServedFile:
    """One file in all of its codings, as it was when it was last looked at."""

    __slots__ = ("absent", "by_accept", "checked_s", "codings", "key", "plain", "present", "representations")

    def __init__(
        self,
        key: bytes,
        representations: list[Representation],
        present: list[tuple[str, FileState]],
        absent: list[str],
        tick_s: int,
    ) -> None:
        self.key = key
        self.representations = tuple(representations)
        """The unencoded one, then the encoded ones, smallest first."""
        self.codings = tuple([each.coding for each in representations[1:]])
        self.present = tuple(present)
        self.absent = tuple(absent)
        """Paths that change what is served once something appears there."""
        self.checked_s = tick_s
        self.plain: Answer | None = None
        """The answer to a plain GET, where it is in memory and the file has one coding only."""
        self.by_accept: dict[str, Answer] | None = None
        """The same by Accept-Encoding, where it has several."""

    def select(self, accept_encoding: str | None) -> Representation:
        """The representation for a request with this Accept-Encoding (``None``: it has none)."""
        if not self.codings or accept_encoding is None:
            return self.representations[0]
        coding = choose_coding(accept_encoding, self.codings)
        return self.representations[0 if coding == IDENTITY else 1 + self.codings.index(coding)]

    def is_current(self) -> bool:
        """Whether the disk still shows what was found."""
        for path, state in self.present:
            if state_at(path) != state:
                return False
        return not any(os.access(path, os.F_OK) for path in self.absent)

    def remember(self, accept_encoding: str | None, answer: Answer) -> None:
        """Keep the finished answer to a plain GET for the next one."""
        if not self.codings:
            self.plain = answer
        elif accept_encoding is not None and len(accept_encoding) <= REMEMBERED_CHARACTERS:
            if self.by_accept is None or len(self.by_accept) >= REMEMBERED_CHOICES:
                self.by_accept = {}
            self.by_accept[accept_encoding] = answer

    def forget_answers(self) -> None:
        """Drop finished answers: the content of one of them leaves the memory."""
        self.plain = None
        self.by_accept = None


class FileIndex:
    """The files that were asked for lately, by the canonical raw path; at most ``files_max`` of them.

    Of their contents those up to ``CONTENT_LIMIT_BYTES`` are held, ``contents_limit_bytes`` in all.
    """

    def __init__(self, files_max: int = FILES_MAX, contents_limit_bytes: int = CONTENTS_LIMIT_BYTES) -> None:
        self._files_max = files_max
        self._contents_limit_bytes = contents_limit_bytes
        self.files: OrderedDict[bytes, ServedFile] = OrderedDict()
        self._contents: OrderedDict[Representation, ServedFile] = OrderedDict()
        self._contents_bytes = 0

    def current(self, key: bytes, tick_s: int) -> ServedFile | None:
        """What is known of ``key`` and was compared with the disk within this second; ``None``: look it up."""
        file = self.files.get(key)
        if file is None or file.checked_s == tick_s:
            return file
        if not file.is_current() or file.representations[0].ahead:
            self.forget(file)
            return None
        file.checked_s = tick_s
        self.files.move_to_end(key)
        for representation in file.representations:
            if representation in self._contents:
                self._contents.move_to_end(representation)
        return file

    def add(self, file: ServedFile) -> None:
        """Take a new entry in, and let the least recently used one go for it."""
        if (former := self.files.get(file.key)) is not None:
            self.forget(former)
        while len(self.files) >= self._files_max:
            self.forget(next(iter(self.files.values())))
        self.files[file.key] = file

    def forget(self, file: ServedFile) -> None:
        """Drop an entry and its contents."""
        self.files.pop(file.key, None)
        for representation in file.representations:
            self._drop_content(representation)

    def keep(self, file: ServedFile, representation: Representation, content: bytes) -> Answer:
        """Hold a small content in memory; others go for it."""
        self._contents_bytes += len(content)
        self._contents[representation] = file
        while self._contents_bytes > self._contents_limit_bytes:
            self._drop_content(next(iter(self._contents)))
        return representation.keep(content)

    def _drop_content(self, representation: Representation) -> None:
        file = self._contents.pop(representation, None)
        if file is not None:
            self._contents_bytes -= representation.size
            representation.drop()
            file.forget_answers()
