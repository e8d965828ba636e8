"""The static files of a generation: looked up before the fork, so that its workers share what is known of them.

A large tree must not delay the start: beyond some thousand files, or some tenths of a second, each worker looks up what
it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from ..adapter import StaticRoot
from ..compress.inventory import inventory
from ..config.options import Config
from ..files.index import FILES_MAX, FileIndex
from ..files.names import canonical_path
from ..files.trees import tree_of
from ..handlers.static import StaticFiles
from ..supervisor.cpus import allowed_cpus
from .compressing import encoded_copies

SHARED_MAX = 4096
SHARED_S = 0.2
FILES_IN_ALL = 36_000
"""What all workers together may know of by themselves: with 1.3 KB for each file, 47 MB."""
FILES_LEAST = 2_000


def find_files(
    roots: Sequence[StaticRoot],
    config: Config,
    most: int = SHARED_MAX,
    time_s: float = SHARED_S,
    clock: Callable[[], float] = monotonic,
) -> StaticFiles | None:
    """The files of ``roots``, of which at most ``most`` are looked up within ``time_s`` seconds; ``None``: no roots."""
    if not roots:
        return None
    follow = config.follow_symlinks
    files_max = files_of_each(config.workers or allowed_cpus().number)
    files = StaticFiles(roots, FileIndex(files_max), copies=encoded_copies(config), follow_links=follow)
    until_s = clock() + time_s
    left = min(most, files_max)
    for root in roots:
        if root.uploads:
            continue  # those are looked up anew each time
        for file in inventory(root, tree_of(root, follow), follow):
            if left == 0 or clock() > until_s:
                return files
            left -= 1
            files.prepare(canonical_path(root.url_prefix + file.name))
    return files


def files_of_each(workers: int) -> int:
    """How many files each of so many workers may know."""
    return max(FILES_LEAST, min(FILES_MAX, FILES_IN_ALL // workers))
