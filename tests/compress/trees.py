"""Trees of files for these tests, old enough that a change of them would show."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from prodserve.adapter import StaticRoot
from prodserve.compress.encoders import Encoder, available
from prodserve.compress.filling import Filling, Outcome
from prodserve.compress.store import Store
from prodserve.files.encoded import EncodedCopies
from prodserve.files.trees import FileState, state_at

TEXT = b"".join(b"a { margin: %d %d }\n" % (n, n * n) for n in range(400))
LATER_S = 10.0
"""By so much the clock of these tests is ahead of the files'."""


def text(seed: int) -> bytes:
    """A content of its own."""
    return b"/* %d */ " % seed + TEXT


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def root_of(folder: Path) -> StaticRoot:
    return StaticRoot("/static/", directory=str(folder))


def now() -> float:
    return time.time() + LATER_S


def state(path: Path) -> FileState:
    found = state_at(str(path))
    assert found is not None
    return found


def fill(
    cache: Path,
    root: StaticRoot,
    *,
    encoders: Mapping[str, Encoder] | None = None,
    limit_bytes: int = 1 << 30,
    clock: Callable[[], float] = now,
    pause: Callable[[float], None] = lambda _: None,
    follow_links: bool = False,
    timer: Callable[[], float] | None = None,
) -> Outcome:
    """One pass."""
    cache.mkdir(mode=0o700, exist_ok=True)
    store = Store(str(cache), limit_bytes, clock)
    filling = Filling(store, available() if encoders is None else encoders, clock, pause, lambda: True, timer)
    filling.run([root], follow_links)
    return filling.outcome


def codings(cache: Path, path: Path) -> list[str]:
    """The codings in which a reader finds copies of the file, smallest first."""
    return [coding for coding, _, _ in EncodedCopies(str(cache)).copies(state(path))]


def files(cache: Path) -> set[Path]:
    """Everything in a cache folder."""
    return {path for path in cache.rglob("*") if path.is_file() and path.name != "lock"}
