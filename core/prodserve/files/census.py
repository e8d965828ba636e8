"""How many files a static root has: for people to read, so an answer in time is worth more than an exact one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from time import monotonic
from typing import NamedTuple

from ..adapter import StaticRoot

MOST_FILES = 5_000
TIME_S = 0.05
"""For one root. A start is not to wait for a folder of uploads that has grown for years."""


class Count(NamedTuple):
    """``files``, or more where it is not ``exact``."""

    files: int
    exact: bool


def count_files(
    root: StaticRoot, most: int = MOST_FILES, time_s: float = TIME_S, clock: Callable[[], float] = monotonic
) -> Count:
    """Count until all are counted, or ``most``, or ``time_s`` seconds are over. Links to folders are not entered."""
    if root.files is not None:
        return Count(len(root.files), True)
    until_s = clock() + time_s
    count = 0
    for is_file in _entries(root.directory or os.devnull):
        if clock() > until_s or (is_file and count == most):
            return Count(count, False)
        count += is_file
    return Count(count, True)


def _entries(directory: str) -> Iterator[bool]:
    """For each entry below, one folder after the other, whether it is a file."""
    folders = [directory]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_folder:
                        folders.append(entry.path)
                    yield not is_folder
        except OSError:
            continue
