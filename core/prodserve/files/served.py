"""One file as it was when it was last looked at, in all of its codings, with the answers that were made of it."""

from __future__ import annotations

import os

from ..http.answer import Answer
from ..http.conditional import Unless
from ..http.negotiation import IDENTITY, choose_coding
from .folders import Folders
from .representation import Representation
from .trees import FileState, is_at

REMEMBERED_CHOICES = 32
REMEMBERED_CHARACTERS = 200


class ServedFile:
    """``representations``: the unencoded one, then the encoded ones, smallest first. ``watched``: further paths whose
    change, ``absent``: paths whose appearance changes what is served."""

    __slots__ = ("_folders", "absent", "by_accept", "checked_s", "codings", "key", "plain", "representations",
                 "unchanged", "watched")  # fmt: skip

    def __init__(
        self,
        key: bytes,
        representations: list[Representation],
        watched: list[tuple[str, FileState]],
        absent: list[str],
        tick_s: int,
    ) -> None:
        self.key = key
        self.representations = tuple(representations)
        self.codings = tuple([each.coding for each in representations[1:]])
        self.watched = tuple(watched)
        self.absent = tuple(absent)
        self._folders: tuple[tuple[str, object], ...] | None = None
        """The folders of the absent paths, as they were when those were last looked for."""
        self.checked_s = tick_s
        self.plain: Answer | None = None
        """The answer to a plain GET, where it is at hand and the file has one coding only."""
        self.by_accept: dict[str, Answer] | None = None
        """The same by Accept-Encoding, where it has several."""
        self.unchanged: dict[Unless, Answer] | None = None
        """The 304 by Accept-Encoding, If-None-Match and If-Modified-Since."""

    def select(self, accept_encoding: str | None) -> Representation:
        """The representation for a request with this Accept-Encoding (``None``: it has none)."""
        if not self.codings or accept_encoding is None:
            return self.representations[0]
        coding = choose_coding(accept_encoding, self.codings)
        return self.representations[0 if coding == IDENTITY else 1 + self.codings.index(coding)]

    def is_current(self, folders: Folders, tick_s: int) -> bool:
        """Whether the disk still shows what was found."""
        for each in self.representations:
            if not is_at(each.path, each.state):
                return False
        for path, state in self.watched:
            if not is_at(path, state):
                return False
        return not self.absent or self._still_absent(folders, tick_s)

    def _still_absent(self, folders: Folders, tick_s: int) -> bool:
        """Ask for the folders, which many files share, instead of for each path in them."""
        known = self._folders
        if known is not None:
            for folder, version in known:
                if version is None or folders.version(folder, tick_s) != version:
                    break
            else:
                return True
        names = dict.fromkeys([os.path.dirname(path) for path in self.absent])
        # Before the paths, so that nothing appears unseen in between.
        self._folders = tuple([(name, folders.version(name, tick_s)) for name in names])
        return not any(os.access(path, os.F_OK, follow_symlinks=False) for path in self.absent)

    def remember(self, accept_encoding: str | None, answer: Answer) -> None:
        """Keep what answers a plain GET for the next one."""
        if not self.codings:
            self.plain = answer
        elif accept_encoding is not None and len(accept_encoding) <= REMEMBERED_CHARACTERS:
            if self.by_accept is None or len(self.by_accept) >= REMEMBERED_CHOICES:
                self.by_accept = {}
            self.by_accept[accept_encoding] = answer

    def remember_unchanged(self, key: Unless, answer: Answer) -> None:
        """Keep a 304: what was not modified since some date or tag never is again, as long as this is current."""
        if all(value is None or len(value) <= REMEMBERED_CHARACTERS for value in key):
            if self.unchanged is None or len(self.unchanged) >= REMEMBERED_CHOICES:
                self.unchanged = {}
            self.unchanged[key] = answer

    def forget_answers(self) -> None:
        """Drop finished answers: the content of one of them leaves the memory."""
        self.plain = None
        self.by_accept = None
