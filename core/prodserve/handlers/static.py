"""Static files, answered inside the event loop without the application.

The engine asks for every target that begins with one of ``prefixes``; a file that is in memory costs a look-up. What
an answer means is decided in ``http`` (conditions, ranges, codings), where files are in ``files``; here the
two are put together. Nothing is logged and nothing waits, save for the disk.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from time import time

from ..adapter import StaticRoot
from ..files.delivery import CHANGES_MAX, Contents, FileChanged, represent
from ..files.encoded import EncodedCopies
from ..files.index import FileIndex
from ..files.mount import Mount
from ..files.names import file_name
from ..files.served import REMEMBERED_CHARACTERS, ServedFile
from ..http.answer import Answer, head_block, plain_answer, without_body
from ..http.conditional import Unless

ALLOW = ("Allow", "GET, HEAD, OPTIONS")
OPTIONS_ANSWER = Answer(204, head_block(204, [ALLOW]))
REFUSALS = {
    403: plain_answer(403),
    404: plain_answer(404),
    405: plain_answer(405, [ALLOW]),
    500: plain_answer(500),
    503: plain_answer(503, [("Retry-After", "1")]),
}
REFUSALS_TO_HEAD = {status: without_body(answer) for status, answer in REFUSALS.items()}
STATUS_OF_ERROR = {
    errno.ENOENT: 404,
    errno.ENOTDIR: 404,
    errno.EISDIR: 404,
    errno.ELOOP: 404,
    errno.ENAMETOOLONG: 404,
    errno.ENXIO: 404,
    errno.EACCES: 403,
    errno.EPERM: 403,
    errno.EMFILE: 503,
    errno.ENFILE: 503,
    errno.ENOMEM: 503,
}
"""What a file that can't be opened is answered with; the rest (a failing disk) is a 500. A cache in between may keep a
404, so what passes must not be one."""
BEFORE_S = -1
"""A tick that no request is in."""
PASSED_ON_MAX = 1024
INDEX = "index.html"


class StaticFiles:
    """Answers for the files of all static roots, longest prefix first."""

    def __init__(
        self,
        roots: Sequence[StaticRoot],
        index: FileIndex | None = None,
        clock: Callable[[], float] = time,
        copies: EncodedCopies | None = None,
        follow_links: bool = False,
    ) -> None:
        mounts = [Mount(root, copies, follow_links) for root in roots]
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))
        self.prefixes = tuple(dict.fromkeys([target for mount in self._mounts for target in mount.targets]))
        """Raw beginnings of the targets that may be files; the others need not be asked for."""
        self._clock = clock
        self._index = index or FileIndex(clock=clock)
        self._fresh = Contents()
        self._files = self._index.files
        self._passed_on: set[bytes] = set()
        """Paths that were no files of a root at ``/``, within one tick."""
        self._passed_on_s = 0

    def hot(self, target: bytes, now_s: int, accept_encoding: str | None = None) -> Answer | None:
        """The answer to a GET without conditions and ranges, if it is at hand; else ask ``answer``.

        Without ``accept_encoding`` only for files that exist in one coding. The same object each time.
        """
        file = self._files.get(target)
        if file is None or (file.checked_s != now_s and self._index.current(target, now_s) is None):
            return None
        if file.by_accept is None or accept_encoding is None:
            return file.plain
        return file.by_accept.get(accept_encoding)

    def hot_unchanged(self, target: bytes, now_s: int, unless: Unless | None) -> Answer | None:
        """The 304 to a GET that was answered so before; else ask ``answer``."""
        file = self._files.get(target)
        if file is None or file.unchanged is None or unless is None:
            return None
        if file.checked_s != now_s and self._index.current(target, now_s) is None:
            return None
        return file.unchanged.get(unless)

    def prepare(self, path: bytes) -> None:
        """Look up what ``path`` names before anybody asks for it; the first request compares it with the disk."""
        try:
            self._find(path, BEFORE_S)
        except OSError:
            return  # who asks for it is told

    def known(self) -> Sequence[bytes]:
        """The paths of the files that were looked up."""
        return tuple(self._files)

    def tick(self, now_s: int, descriptors_max: int) -> None:
        """Once a second: give back what nobody has asked for lately, and hold at most so many files open."""
        self._index.tick(now_s, descriptors_max)

    def answer(self, method: str, target: bytes, fields: Mapping[str, str], now_s: int) -> Answer | None:
        """Answer a request; ``None``: it is not ours, the app answers.

        ``fields`` are the request's by their environ names, ``now_s`` counts seconds from anywhere: each file is
        looked at once in each of them. Descriptors in the answer belong to whoever gets it.
        """
        path = target.partition(b"?")[0]
        if path in self._passed_on and self._passed_on_s == now_s:
            return None
        try:
            return self._answer(method, path, fields, now_s)
        except IsADirectoryError:
            return _moved(target, method)
        except OSError as error:
            status = STATUS_OF_ERROR.get(error.errno or 0, 500)
        if status == 404 and self._passes_on(path):
            self._remember_passed_on(path, now_s)
            return None
        return _refusal(status, method)

    def _answer(self, method: str, path: bytes, fields: Mapping[str, str], tick_s: int) -> Answer:
        """The answer for a path that names a file; ``OSError`` where it names none."""
        for _ in range(CHANGES_MAX):
            try:
                file, fresh = self._find(path, tick_s)
                if method in ("GET", "HEAD"):
                    contents = self._fresh if fresh else self._index
                    return represent(file, method, fields, int(self._clock()), contents)
                return OPTIONS_ANSWER if method == "OPTIONS" else REFUSALS[405]
            except FileChanged as changed:
                self._index.forget(changed.file)
        return _refusal(503, method)

    def _remember_passed_on(self, path: bytes, tick_s: int) -> None:
        """Ask the disk for a page of the app once a second, not once a request."""
        if self._passed_on_s != tick_s or len(self._passed_on) >= PASSED_ON_MAX:
            self._passed_on_s = tick_s
            self._passed_on.clear()
        if len(path) <= REMEMBERED_CHARACTERS:
            self._passed_on.add(path)

    def _passes_on(self, path: bytes) -> bool:
        """Whether the app is asked for what is not there: a root at ``/`` stands beside it, not before it."""
        return next((mount.prefix for mount in self._mounts if path.startswith(mount.prefix)), b"/") == b"/"

    def _find(self, path: bytes, tick_s: int) -> tuple[ServedFile, bool]:
        """The file that a raw path names, and whether it was looked up for this once.

        ``IsADirectoryError``: one whose index has to be asked for with a slash."""
        file = self._index.current(path, tick_s)
        if file is not None:
            return file, False
        lacking: list[str] = []
        for mount in self._mounts:
            if not path.startswith(mount.prefix):
                continue
            name = file_name(path[len(mount.prefix) :])
            if name is None:
                break
            page = name
            if not name or name.endswith("/"):
                if not mount.index:
                    continue
                name += INDEX
            try:
                return self._find_in(mount, name, lacking, tick_s)
            except (FileNotFoundError, NotADirectoryError):
                lacking += filter(None, [mount.tree.path(name)])
            except IsADirectoryError:
                if mount.index and mount.has(f"{name}/{INDEX}"):
                    raise
            if name := mount.stands_in(page):
                return self._find_in(mount, name, (), tick_s)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _find_in(self, mount: Mount, name: str, lacking: Sequence[str], tick_s: int) -> tuple[ServedFile, bool]:
        if mount.uploads:
            return mount.look_up(name, tick_s, int(self._clock())), True
        file = self._index.current(mount.key(name), tick_s)
        if file is None:
            file = mount.look_up(name, tick_s, int(self._clock()))
            file.absent += tuple(lacking)
            self._index.add(file)
        return file, False


def _moved(target: bytes, method: str) -> Answer:
    """To the directory's own address, with a slash, which its index's relative links count from."""
    path, question, query = target.partition(b"?")
    moved = plain_answer(301, [("Location", (path + b"/" + question + query).decode("latin-1"))])
    return without_body(moved) if method == "HEAD" else moved


def _refusal(status: int, method: str) -> Answer:
    return (REFUSALS_TO_HEAD if method == "HEAD" else REFUSALS)[status]
