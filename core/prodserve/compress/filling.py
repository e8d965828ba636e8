"""One pass over the static roots that fills the cache folder: what it does with each file, and what it says at its end.

It reads files that may change, disappear or be forbidden while it runs: those are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..adapter import StaticRoot
from ..files.trees import FileTree, tree_of
from .amounts import counted, size_text
from .encoders import Encoder, worth_encoding
from .inventory import inventory, read
from .plan import Candidate, Job, plan
from .store import CacheFull, Store

YOUNG_S = 2.0
"""A file whose last change is younger may change again without showing another time."""


@dataclass
class Outcome:
    """What a pass has done."""

    files: int = 0
    before_bytes: int = 0
    after_bytes: int = 0
    """Of the smallest copy of each file."""
    codings: list[str] = field(default_factory=list)
    full: bool = False

    def add(self, size: int, made: Mapping[str, int]) -> None:
        """One more file, with the sizes of the copies that were made of it."""
        if made:
            self.files += 1
            self.before_bytes += size
            self.after_bytes += min(made.values())
            self.codings += [coding for coding in made if coding not in self.codings]

    def text(self, duration_s: float) -> str:
        """For the log; empty where nothing was done."""
        if not self.files:
            return ""
        return (
            f"compressed {counted(self.files, 'static file')}: {size_text(self.before_bytes)} → "
            f"{size_text(self.after_bytes)} ({', '.join(self.codings)}) in {duration_s:.0f} s"
        )


class Filling:
    """The pass. ``now`` is the time of day, ``pause`` sleeps, both in seconds; ``wanted`` says whether to go on. With
    ``timer`` it rests after each file for as long as that one took."""

    def __init__(
        self,
        store: Store,
        encoders: Mapping[str, Encoder],
        now: Callable[[], float],
        pause: Callable[[float], None],
        wanted: Callable[[], bool],
        timer: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._encoders = encoders
        self._now = now
        self._pause = pause
        self._wanted = wanted
        self._timer = timer
        self.outcome = Outcome()

    def run(self, roots: Sequence[StaticRoot], follow_links: bool = False) -> None:
        """Make what is missing, root by root. ``OSError`` where the folder can't be written to."""
        with self._store.opened():
            try:
                jobs = list(self._jobs(roots, follow_links))
                self._store.make_room()
                for tree, job in jobs:
                    if not self._wanted():
                        return
                    self._do_and_rest(tree, job)
            except CacheFull:
                self.outcome.full = True

    def _jobs(self, roots: Sequence[StaticRoot], follow_links: bool) -> Iterator[tuple[FileTree, Job]]:
        for root in roots:
            tree = tree_of(root, follow_links)
            for job in plan(inventory(root, tree, follow_links), self._encoders, tried=self._tried).jobs:
                yield tree, job

    def _tried(self, file: Candidate) -> set[str]:
        try:
            return set(self._store.tried(file.state))
        except OSError:
            return set()  # somebody tidies up

    def _do_and_rest(self, tree: FileTree, job: Job) -> None:
        began_s = self._timer() if self._timer is not None else 0.0
        self._do(tree, job)
        if self._timer is not None:
            self._pause(self._timer() - began_s)

    def _do(self, tree: FileTree, job: Job) -> None:
        tried = self._tried(job.file)  # by now: a file may have several names
        encoders = {coding: self._encoders[coding] for coding in job.codings if coding not in tried}
        if not encoders or not self._grown_up(job.file):
            return
        try:
            content = read(tree, job.file)
        except OSError:
            return  # forbidden, or gone
        if content is not None:
            made = self._store.put(job.file.state, content, encoders, worth_encoding(content))
            self.outcome.add(len(content), made)

    def _grown_up(self, file: Candidate) -> bool:
        """Wait until a change would show; whether it would by then (no file of the future has one)."""
        changed_s = file.state.changed_ns / 1e9
        age_s = self._now() - changed_s
        if 0 <= age_s < YOUNG_S:
            self._pause(YOUNG_S - age_s)
        return self._now() - changed_s >= YOUNG_S
