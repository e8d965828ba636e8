"""Opens files below a directory in such a way that no link, and no swap of a directory for a link, leads out of it.

Each component is opened relative to the descriptor of the one before it and never through a symbolic link; links are
read and followed here, as long as they stay inside. (Linux's ``openat2`` with ``RESOLVE_BENEATH`` does the same, but
Python has no call for it and containers often forbid it.) Only regular files are opened, and never so that it blocks.
"""

from __future__ import annotations

import errno
import os
import stat
from posix import close as close_now  # gevent's os.close waits for the loop to come round

LINKS_MAX = 20
_DIRECTORY = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""How files are opened: whatever it turns out to be, the open does not wait for it."""


def open_regular(path: str) -> int:
    """Open a file whose path is trusted, links and all. Anything but a regular file: ``IsADirectoryError`` or none."""
    _demand_regular(os.stat(path).st_mode, path)
    return _checked(os.open(path, READING), path)


def open_beneath(root: str, name: str) -> int:
    """Open the regular file ``name`` below ``root`` for reading.

    Raises ``FileNotFoundError`` also for links that lead out and for special files, ``IsADirectoryError`` for a
    directory, other ``OSError`` as the system does.
    """
    held = [os.open(root, _DIRECTORY)]
    pending = [part for part in reversed(name.split("/")) if part]
    links = 0
    try:
        while pending:
            part = pending.pop()
            if part == "..":  # only links say so
                if len(held) == 1:
                    raise _absent(name)
                close_now(held.pop())
                continue
            mode = os.stat(part, dir_fd=held[-1], follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                links += 1
                if links > LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
                target = os.readlink(part, dir_fd=held[-1])
                if target.startswith("/"):
                    target = _inside(root, target, name)
                    while len(held) > 1:
                        close_now(held.pop())
                pending += [step for step in reversed(target.split("/")) if step not in ("", ".")]
            elif pending or stat.S_ISDIR(mode):
                held.append(os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=held[-1]))
            else:
                _demand_regular(mode, name)
                return _checked(os.open(part, READING | os.O_NOFOLLOW, dir_fd=held[-1]), name)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    finally:
        for fd in held:
            close_now(fd)


def _inside(root: str, target: str, name: str) -> str:
    """The part of an absolute link below ``root``, which may be named by way of links itself."""
    for base in (root, os.path.realpath(root)):
        below = base.rstrip("/") + "/"
        if target.startswith(below):
            return target[len(below) :]
    raise _absent(name)


def _demand_regular(mode: int, name: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(mode):
        raise _absent(name)


def _checked(fd: int, name: str) -> int:
    """``fd``, if it still is what was looked at just before: it may have been exchanged for a device since."""
    try:
        _demand_regular(os.fstat(fd).st_mode, name)
    except OSError:
        close_now(fd)
        raise
    return fd


def _absent(name: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
