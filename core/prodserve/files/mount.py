"""One static root, ready to be looked into: which file a name means there, and all that can be sent for it."""

from __future__ import annotations

import os
from functools import partial

from ..adapter import StaticRoot
from ..http.media_types import UNKNOWN, compressible, content_type, media_type
from ..http.negotiation import IDENTITY
from .encoded import CODING_SUFFIXES, EncodedCopies, is_outdated
from .names import canonical_path
from .representation import Representation, cache_control
from .served import ServedFile
from .trees import FileState, is_in, state_at, state_in, tree_of
from .uploads import upload_fields, upload_type

EXACT_MAX = 8
"""A list of so few files at ``/`` is asked for by the whole target, so that no other request is looked at."""


class Mount:
    """One static root. ``copies``: encoded copies that were made in the background, for files that have none beside."""

    def __init__(self, root: StaticRoot, copies: EncodedCopies | None = None, follow_links: bool = False) -> None:
        self.prefix = canonical_path(root.url_prefix)
        self.tree = tree_of(root, follow_links)
        self.index = root.index
        self.fallback = root.fallback
        self._beside = root.beside
        self.uploads = root.uploads
        self.targets: tuple[bytes, ...] = (self.prefix,)
        """The beginnings of the targets that may be files of it."""
        if self.prefix == b"/" and root.files is not None and len(root.files) <= EXACT_MAX:
            self.targets = tuple([self.key(name) for name in root.files])
        self._copies = None if root.uploads else copies
        self._immutable = root.immutable
        self._max_age_s = root.max_age_s

    def key(self, name: str) -> bytes:
        """The raw path under which the file is remembered."""
        return self.prefix + canonical_path(name)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name that may be served."""
        return is_in(self.tree, name)

    def stands_in(self, name: str) -> str:
        """The file that answers for ``name``, which is none: a page of the application in the browser, but no style
        sheet or script that was deleted, and beside an app at ``/`` none of that one's pages. ``""``: none does."""
        if self.prefix == b"/" and (self._beside is None or self._beside.has(f"/{name}")):
            return ""
        return self.fallback if self.fallback and media_type(name) == UNKNOWN else ""

    def look_up(self, name: str, tick_s: int, now_s: int) -> ServedFile:
        """All that can be served for ``name`` at the moment ``now_s``; ``OSError`` where that is nothing."""
        own = state_in(self.tree, name)
        kind = upload_type(content_type(name)) if self.uploads else content_type(name)
        represent = partial(
            Representation,
            content_type=kind,
            caching=cache_control(name in self._immutable, self._max_age_s),
            extra=upload_fields(name, kind) if self.uploads else (),
            now_s=now_s,
        )
        path = self.tree.path(name) or ""
        watched: list[tuple[str, FileState]] = []
        absent: list[str] = []
        encoded: list[tuple[int, str, str, FileState, FileState]] = []
        if compressible(name) and not self.uploads:
            encoded = self._siblings(name, own, watched, absent)
            if self._copies is not None:
                encoded += self._made_copies(own, {coding for _, coding, *_ in encoded}, absent)
        representations = [represent(path, IDENTITY, own, own, varies=bool(encoded))]
        representations += [
            represent(path, coding, state, dated, varies=True) for _, coding, path, state, dated in sorted(encoded)
        ]
        return ServedFile(self.key(name), representations, watched, absent, tick_s)

    def _siblings(
        self, name: str, own: FileState, watched: list[tuple[str, FileState]], absent: list[str]
    ) -> list[tuple[int, str, str, FileState, FileState]]:
        """The encoded copies beside the file: size, coding, path, state, and the state whose date counts."""
        found = []
        for coding, suffix in CODING_SUFFIXES.items():
            beside = self.tree.path(name + suffix)
            if beside is None:
                continue
            state = state_at(beside)
            if state is None:
                absent.append(beside)
            elif (
                state.size < own.size
                and (name in self._immutable or not is_outdated(state, own))
                and self._is(name + suffix, state)
            ):
                found.append((state.size, coding, beside, state, state))
            else:
                watched.append((beside, state))
        return found

    def _made_copies(
        self, own: FileState, present: set[str], absent: list[str]
    ) -> list[tuple[int, str, str, FileState, FileState]]:
        """The same of the copies in the cache folder. They are dated as the file itself, on every machine alike."""
        assert self._copies is not None
        note = self._copies.note(own)
        if not os.path.lexists(note):  # before it is read: one that appears in between is noticed later
            absent.append(note)
        made = self._copies.copies(own)
        return [
            (state.size, coding, path, state, own)
            for coding, path, state in made
            if coding not in present and state.size < own.size
        ]

    def _is(self, name: str, state: FileState) -> bool:
        """Whether what may be served as ``name`` is what was seen at its path."""
        try:
            return state_in(self.tree, name) == state
        except OSError:
            return False
