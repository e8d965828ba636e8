"""Files without a name, for what one process hands to the next: in memory on Linux, elsewhere on disk."""

from __future__ import annotations

import json
import os
from typing import Any


def create(name: str) -> int:
    """The descriptor of a new empty file; it closes on exec."""
    if hasattr(os, "memfd_create"):
        try:
            return os.memfd_create(name, os.MFD_CLOEXEC)
        except OSError:  # forbidden by a seccomp profile
            pass
    import tempfile  # half a megabyte that the supervisor does without

    fd, path = tempfile.mkstemp(prefix=f"{name}-")
    os.unlink(path)
    return fd


def write_json(name: str, data: object) -> int:
    """A new file that holds ``data``, to be read from its beginning."""
    fd = create(name)
    with open(fd, "wb", closefd=False) as file:
        file.write(json.dumps(data).encode("utf-8", "surrogatepass"))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def read_json(fd: int) -> Any:
    """What ``write_json`` stored behind ``fd``; closes it."""
    with open(fd, "rb") as file:
        return json.loads(file.read().decode("utf-8", "surrogatepass"))
