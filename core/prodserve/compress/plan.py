"""What is to be encoded. Pure: from the files of a tree and their states to jobs.

The same for the copies beside the files, which a command makes ahead of time, and for those in the cache folder, which
a server makes in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..files.encoded import CODING_SUFFIXES, is_outdated
from ..files.trees import FileState
from ..http.media_types import compressible

LEAST_BYTES = 200
"""A response in fewer bytes is not faster: its head takes as many."""
MOST_BYTES = 16 * 1024 * 1024
"""Larger files are sent as they are: encoding one needs several times its size in memory."""


class Candidate(NamedTuple):
    """A file of a static root."""

    name: str
    path: str
    state: FileState
    beside: Mapping[str, FileState]
    """Coding to the state of the file that is called like the encoded copy."""
    immutable: bool = False
    """Its name carries a hash of its content."""


class Job(NamedTuple):
    """One file, and the codings that it lacks."""

    file: Candidate
    codings: tuple[str, ...]


class Plan(NamedTuple):
    """What to do with a tree: jobs, small files first, and the number of files that lack nothing."""

    jobs: tuple[Job, ...]
    current: int


def is_suitable(name: str, size: int) -> bool:
    """Whether a file may be worth encoding, by its name and size."""
    return (
        LEAST_BYTES <= size <= MOST_BYTES and compressible(name) and not name.endswith(tuple(CODING_SUFFIXES.values()))
    )


def is_excluded(name: str, patterns: Iterable[str]) -> bool:
    """Whether a relative name matches a glob, as a whole or in its last part: ``vendor/*``, ``*.map``."""
    last = name.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) or fnmatchcase(last, pattern) for pattern in patterns)


def lacking(file: Candidate, codings: Iterable[str]) -> tuple[str, ...]:
    """The codings in which there is no current copy beside the file."""
    return tuple(
        coding
        for coding in codings
        if coding not in file.beside or (not file.immutable and is_outdated(file.beside[coding], file.state))
    )


def plan(
    files: Iterable[Candidate],
    codings: Collection[str],
    excluded: Iterable[str] = (),
    tried: Callable[[Candidate], Collection[str]] = lambda file: (),
) -> Plan:
    """Jobs for the files that lack one of ``codings``; ``tried``: those that need not be made again for a file.

    A file that has several names is done once.
    """
    patterns = tuple(excluded)
    jobs: dict[FileState | str, Job] = {}
    current = 0
    for file in files:
        if not is_suitable(file.name, file.state.size) or is_excluded(file.name, patterns):
            continue
        wanted = lacking(file, codings)
        if wanted:
            done = tried(file)
            wanted = tuple(coding for coding in wanted if coding not in done)
        if wanted:
            jobs.setdefault(file.path, Job(file, wanted))
        else:
            current += 1
    return Plan(tuple(sorted(jobs.values(), key=lambda job: job.file.state.size)), current)
