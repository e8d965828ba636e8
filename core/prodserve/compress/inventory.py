"""The files of a static root, as the server would serve them: hidden ones and links that lead out are none of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ..adapter import StaticRoot
from ..files.encoded import CODING_SUFFIXES
from ..files.names import canonical_path, file_name
from ..files.trees import FileState, FileTree, state_at, state_in, state_of
from .plan import Candidate


def inventory(root: StaticRoot, tree: FileTree, follow_links: bool = False) -> Iterator[Candidate]:
    """Every regular file of ``root``, which ``tree`` opens. What can't be seen is passed over."""
    return _listed(root) if root.files is not None else _below(root, tree, follow_links)


def read(tree: FileTree, file: Candidate) -> bytes | None:
    """The content that belongs to the file's state; ``None`` where it has another by now. ``OSError`` as it comes."""
    fd = tree.open(file.name)
    try:
        if state_of(os.fstat(fd)) != file.state:
            return None
        with open(fd, "rb", closefd=False) as opened:
            content = opened.read(file.state.size + 1)
        return content if len(content) == file.state.size and state_of(os.fstat(fd)) == file.state else None
    finally:
        os.close(fd)


def _listed(root: StaticRoot) -> Iterator[Candidate]:
    files = root.files or {}
    for name, path in files.items():
        state = state_at(path)
        if state is not None:
            yield Candidate(name, path, state, _beside(name, files), name in root.immutable)


def _below(root: StaticRoot, tree: FileTree, follow_links: bool) -> Iterator[Candidate]:
    """Folders that are links are entered only where links may lead out: inside, their files are found anyway."""
    base = root.directory or os.devnull
    entered: set[tuple[int, int]] = set()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found_at = os.stat(f"{base}/{folder}")
            if (found_at.st_dev, found_at.st_ino) in entered:
                continue  # a link leads back
            entered.add((found_at.st_dev, found_at.st_ino))
            with os.scandir(f"{base}/{folder}") as entries:
                found = {entry.name: entry for entry in entries}
                paths = {last: entry.path for last, entry in found.items()}
        except OSError:
            continue
        for last, entry in found.items():
            name = folder + last
            try:
                if entry.is_dir(follow_symlinks=follow_links):
                    if not last.startswith(".") or name == ".well-known":
                        folders.append(name + "/")
                    continue
                if not entry.is_file() or file_name(canonical_path(name)) != name:
                    continue
                state = state_in(tree, name) if entry.is_symlink() else state_of(os.stat(entry.path))
            except OSError:
                continue
            yield Candidate(name, f"{base}/{name}", state, _beside(last, paths), name in root.immutable)


def _beside(name: str, paths: Mapping[str, str]) -> dict[str, FileState]:
    """The states of the encoded copies of ``name`` among ``paths``, which are by name."""
    there = {coding: paths[name + suffix] for coding, suffix in CODING_SUFFIXES.items() if name + suffix in paths}
    return {coding: state for coding, path in there.items() if (state := state_at(path)) is not None}
