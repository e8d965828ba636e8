"""Encoded copies beside the files: ``app.css.br``, ``app.css.zst``, ``app.css.gz``, as nginx and this server find them.

A copy has the file's time and mode: so everybody can tell later whether it is of this content. It is written under a
hidden name and renamed; a file that changes meanwhile gets no copy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from ..files.encoded import CODING_SUFFIXES
from ..files.trees import FileTree, state_at
from .encoders import Encoder, worth_encoding
from .inventory import read
from .plan import Job

TEMPORARY = ".prodserve-"
STALE_S = 3600


class Result(NamedTuple):
    """What became of one job."""

    job: Job
    sizes: Mapping[str, int]
    """Coding to the size of the copy that was written; empty where the file was not worth one."""
    problem: str = ""
    """Why there is no copy, if somebody has to know."""


def encode_beside(tree: FileTree, job: Job, encoders: Mapping[str, Encoder], dry: bool = False) -> Result:
    """Do one job; ``dry``: only say, by a size of 0 each, which copies would be made. Any thread may call it."""
    try:
        content = read(tree, job.file)
        if content is None:
            return Result(job, {}, "it changed meanwhile")
        if not worth_encoding(content):
            return Result(job, {})
        if dry:
            return Result(job, dict.fromkeys(job.codings, 0))
        sizes = {}
        for coding in job.codings:
            encoded = encoders[coding].encode(content)
            if len(encoded) < len(content):
                _write(job, job.file.path + CODING_SUFFIXES[coding], encoded)
                sizes[coding] = len(encoded)
        return Result(job, sizes)
    except OSError as error:
        return Result(job, {}, error.strerror or str(error))


def clear(folder: str) -> None:
    """Remove what a writer left in ``folder`` when it was killed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY):
                with suppress(FileNotFoundError):  # its writer lives
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - STALE_S:
                        os.unlink(entry.path)


def _write(job: Job, path: str, encoded: bytes) -> None:
    """``FileNotFoundError`` or ``FileExistsError`` where the file is not what it was."""
    own = os.stat(job.file.path)
    temporary = os.path.join(os.path.dirname(path), f"{TEMPORARY}{os.urandom(8).hex()}")
    try:
        with open(temporary, "xb") as file:
            file.write(encoded)
            file.flush()
            with suppress(PermissionError):  # only root gives files away
                os.fchown(file.fileno(), own.st_uid, own.st_gid)
            os.fchmod(file.fileno(), own.st_mode & 0o666)
            os.utime(file.fileno(), ns=(own.st_mtime_ns, own.st_mtime_ns))
        if state_at(job.file.path) != job.file.state:
            raise FileExistsError(0, "it changed meanwhile")
        os.rename(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
