"""Which folder is the cache: what was configured, or the first of the usual places that can be used.

``choose`` decides from an environment and a probe; ``cache_folder`` asks the system. It gives the same folder in every
process of a server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from ..config.options import Config
from ..files.encoded import is_private

NAME = "prodserve"


def places(environ: Mapping[str, str], uid: int, owner: Callable[[str], int | None]) -> Iterator[str]:
    """The usual places, best first. ``owner``: the user of a folder, ``None`` where there is none.

    A home is used by its owner only: under ``sudo`` it is somebody else's, whom our folders would lock out.
    """
    service = environ.get("CACHE_DIRECTORY", "").partition(":")[0]  # systemd: one for each CacheDirectory=
    if os.path.isabs(service):
        yield os.path.join(service, NAME)
    xdg = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):
        yield os.path.join(xdg, NAME)
    home = environ.get("HOME", "")
    if os.path.isabs(home) and owner(home) == uid:
        yield os.path.join(home, ".cache", NAME)
    yield os.path.join(environ.get("TMPDIR") or "/tmp", f"{NAME}-{uid}")


def choose(
    configured: str | None,
    environ: Mapping[str, str],
    uid: int,
    owner: Callable[[str], int | None],
    usable: Callable[[str], bool],
) -> str | None:
    """The cache folder; ``None`` where there can be none. ``usable`` makes a folder if need be."""
    candidates = places(environ, uid, owner) if configured is None else iter([os.path.abspath(configured)])
    return next(filter(usable, candidates), None)


def cache_folder(config: Config) -> str | None:
    """The folder of this server's encoded copies, which exists then; ``None``: it has none."""
    if not config.compress:
        return None
    return choose(config.cache_dir, os.environ, os.geteuid(), _owner, make_private)


def make_private(folder: str) -> bool:
    """Make a folder that only this user enters, unless it is there; whether it can be used and nobody else writes."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:
        return False
    return is_private(folder) and os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def _owner(folder: str) -> int | None:
    try:
        return os.stat(folder).st_uid
    except OSError:
        return None
