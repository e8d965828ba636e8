"""Where the files of one URL prefix are: below a directory, or in an explicit list. The only part that reads disks.

Names are relative, use ``/`` and come from ``names``. Everything may appear, change and disappear at any time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from posix import close as close_now  # gevent's os.close waits for the loop to come round
from typing import NamedTuple, Protocol

from ..adapter import StaticRoot
from ..http.segments import HeldFile
from .beneath import READING, open_beneath, open_regular


class FileState(NamedTuple):
    """What tells one content of a file from the next without reading it."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def state_of(found: os.stat_result) -> FileState:
    """The state in a ``stat`` result."""
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def state_at(path: str) -> FileState | None:
    """The state of whatever ``path`` leads to now; ``None`` if there is nothing, or nothing to be seen."""
    try:
        return state_of(os.stat(path))
    except OSError:
        return None


def is_at(path: str | int, state: FileState) -> bool:
    """Whether ``state_at(path) == state``; of an open file too. HOT: benchmarks static-10k."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (
        found.st_mtime_ns == state.modified_ns
        and found.st_size == state.size
        and found.st_ino == state.inode
        and found.st_ctime_ns == state.changed_ns
        and found.st_dev == state.device
    )


def reopen(path: str, state: FileState) -> HeldFile | None:
    """The file at ``path`` if it is still the one with that ``state``; ``None``: it is another."""
    held = HeldFile(os.open(path, READING))
    return held if state_of(os.fstat(held.fd)) == state else None


class FileTree(Protocol):
    """A source of files."""

    def open(self, name: str) -> int:
        """A descriptor of the regular file ``name``; ``OSError`` as the system raises it where there is none."""

    def path(self, name: str) -> str | None:
        """Where ``name`` would be, to look at its state (not to open it); ``None``: it can't be."""


def state_in(tree: FileTree, name: str) -> FileState:
    """The state of what is served as ``name``; ``OSError`` as ``open`` raises it."""
    fd = tree.open(name)
    try:
        return state_of(os.fstat(fd))
    finally:
        close_now(fd)


def is_in(tree: FileTree, name: str) -> bool:
    """Whether there is a file of that name that may be served."""
    try:
        state_in(tree, name)
    except OSError:
        return False
    return True


class DirectoryTree:
    """All that is below one directory; links are followed while they stay inside, or wherever they lead."""

    def __init__(self, directory: str, follow_links: bool = False) -> None:
        self._directory = os.path.abspath(directory)
        self._follow_links = follow_links

    def open(self, name: str) -> int:
        """Open ``name`` without leaving the directory, but for links that may."""
        if self._follow_links:
            return open_regular(f"{self._directory}/{name}")
        return open_beneath(self._directory, name)

    def path(self, name: str) -> str | None:
        """The path below the directory."""
        return f"{self._directory}/{name}"


class ListedTree:
    """Files that somebody gathered from many places. Their paths are trusted, wherever they lead."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._directories = {name[:end] for name in files for end in range(len(name)) if name[end] == "/" or end == 0}

    def open(self, name: str) -> int:
        """Open the file listed as ``name``."""
        path = self._files.get(name)
        if path is None:
            missing = errno.EISDIR if name.rstrip("/") in self._directories else errno.ENOENT
            raise OSError(missing, os.strerror(missing), name)
        return open_regular(path)

    def path(self, name: str) -> str | None:
        """The listed path."""
        return self._files.get(name)


def tree_of(root: StaticRoot, follow_links: bool = False) -> FileTree:
    """What opens the files of a root; ``follow_links``: also where links lead out of its directory."""
    if root.files is not None:
        return ListedTree(root.files)
    return DirectoryTree(root.directory or os.devnull, follow_links=follow_links)
