"""What the process that compresses is told: the first line of code that it runs, and its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..adapter import StaticRoot

CODE = "import sys; sys.path.append(sys.argv[1]); from prodserve.compress.process import main; main(int(sys.argv[2]))"


def record(
    roots: Sequence[StaticRoot],
    *,
    folder: str,
    limit_bytes: int,
    log_level: str,
    path: Sequence[object],
    follow_links: bool,
    rests: bool,
) -> dict[str, Any]:
    """What the process is told. Uploads are not compressed; folders served under several prefixes once.

    ``rests``: it works half of the time only, since what it uses of a CPU quota is not there for the workers.
    """
    named = {root.directory or id(root.files): root for root in roots if not root.uploads}
    return {
        "roots": [
            {"directory": root.directory, "files": dict(root.files) if root.files is not None else None,
             "immutable": sorted(root.immutable)}
            for root in named.values()
        ],
        "folder": folder,
        "limit_bytes": limit_bytes,
        "log_level": log_level,
        "path": [entry for entry in path if isinstance(entry, str)],  # some put others into sys.path
        "follow_links": follow_links,
        "rests": rests,
    }  # fmt: skip


def roots_of(plain: Mapping[str, Any]) -> list[StaticRoot]:
    """The roots in a record."""
    return [
        StaticRoot("/", directory=root["directory"], files=root["files"], immutable=frozenset(root["immutable"]))
        for root in plain["roots"]
    ]
