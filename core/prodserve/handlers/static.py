"""Static files, answered inside the event loop without the application.

The engine asks for every target that begins with one of ``prefixes``; a file that is in memory costs a look-up. What
an answer means is decided in ``http`` (conditions, ranges, codings), where files are in ``files``; here the
two are put together. Nothing is logged and nothing waits, save for the disk.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from posix import close as close_now  # gevent's os.close waits for the loop to come round
from time import time

from ..adapter import StaticRoot
from ..files.index import CONTENT_LIMIT_BYTES, REMEMBERED_CHARACTERS, FileIndex, Mount, ServedFile
from ..files.names import file_name
from ..files.representation import Representation
from ..files.trees import reopen
from ..http.answer import Answer, head_block, plain_answer, without_body
from ..http.conditional import Verdict, evaluate, range_is_current
from ..http.ranges import ByteRange, select_ranges, unsatisfied_range
from ..http.segments import FileSlice, Segment

ALLOW = ("Allow", "GET, HEAD, OPTIONS")
OPTIONS_ANSWER = Answer(204, head_block(204, [ALLOW]))
REFUSALS = {
    403: plain_answer(403),
    404: plain_answer(404),
    405: plain_answer(405, [ALLOW]),
    412: plain_answer(412),
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
CHANGES_MAX = 3
PASSED_ON_MAX = 1024
INDEX = "index.html"


class FileChanged(Exception):
    """Between its look-up and its opening the file became another one."""

    def __init__(self, file: ServedFile) -> None:
        self.file = file


class StaticFiles:
    """Answers for the files of all static roots, longest prefix first."""

    def __init__(
        self, roots: Sequence[StaticRoot], index: FileIndex | None = None, clock: Callable[[], float] = time
    ) -> None:
        self._mounts = sorted(map(Mount, roots), key=lambda mount: -len(mount.prefix))
        self.prefixes = tuple(dict.fromkeys(mount.prefix for mount in self._mounts))
        """Raw beginnings of the targets that may be files; the others need not be asked for."""
        self._clock = clock
        self._index = index or FileIndex()
        self._files = self._index.files
        self._passed_on: set[bytes] = set()
        """Paths that were no files of a root at ``/``, within one tick."""
        self._passed_on_s = 0

    def hot(self, target: bytes, now_s: int, accept_encoding: str | None = None) -> Answer | None:
        """The finished answer to a GET without conditions and ranges, if it is at hand; else ask ``answer``.

        Without ``accept_encoding`` only for files that exist in one coding. The same object each time.
        """
        file = self._files.get(target)
        if file is None or file.checked_s != now_s:
            return None
        if file.by_accept is None or accept_encoding is None:
            return file.plain
        return file.by_accept.get(accept_encoding)

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
                file = self._find(path, tick_s)
                if method in ("GET", "HEAD"):
                    return self._represent(file, method, fields)
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

    def _find(self, path: bytes, tick_s: int) -> ServedFile:
        """The file that a raw path names. ``IsADirectoryError``: one whose index has to be asked for with a slash."""
        file = self._index.current(path, tick_s)
        if file is not None:
            return file
        lacking: list[str] = []
        for mount in self._mounts:
            if not path.startswith(mount.prefix):
                continue
            name = file_name(path[len(mount.prefix) :])
            if name is None:
                break
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
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _find_in(self, mount: Mount, name: str, lacking: Sequence[str], tick_s: int) -> ServedFile:
        file = self._index.current(mount.key(name), tick_s)
        if file is None:
            file = mount.look_up(name, tick_s, int(self._clock()))
            file.absent += tuple(lacking)
            self._index.add(file)
        return file

    def _represent(self, file: ServedFile, method: str, fields: Mapping[str, str]) -> Answer:
        """Choose the coding, then the status, then the parts (RFC 9110 §12.1, §13.2.2, §14.2)."""
        accept_encoding = fields.get("HTTP_ACCEPT_ENCODING")
        chosen = file.select(accept_encoding)
        verdict = evaluate(method, fields, chosen.etag, chosen.last_modified_s, int(self._clock()))
        if verdict is Verdict.NOT_MODIFIED:
            return chosen.unchanged()
        if verdict is Verdict.FAILED:
            return _refusal(412, method)
        if method == "HEAD":
            return Answer(200, chosen.head)  # ranges are defined for GET alone
        wanted = fields.get("HTTP_RANGE")
        if wanted is not None:
            current = range_is_current(
                fields.get("HTTP_IF_RANGE"), chosen.etag, chosen.last_modified_s, int(self._clock())
            )
            parts = select_ranges(wanted, chosen.size) if current else None
            if parts is not None:
                return self._partial(file, chosen, parts)
        if chosen.size > CONTENT_LIMIT_BYTES:
            return Answer(200, chosen.head, (FileSlice(_open(file, chosen), 0, chosen.size),), chosen.size)
        answer = chosen.whole or self._index.keep(file, chosen, _read(file, chosen))
        file.remember(accept_encoding, answer)
        return answer

    def _partial(self, file: ServedFile, chosen: Representation, parts: tuple[ByteRange, ...]) -> Answer:
        """A 206 with ``parts``, or a 416 where there are none."""
        if not parts:
            return plain_answer(416, [("Content-Range", unsatisfied_range(chosen.size))])
        pieces = _pieces(file, chosen, parts)
        if len(parts) == 1:
            return chosen.one_part(parts[0], pieces[0])
        return chosen.many_parts(parts, pieces, os.urandom(12).hex())


def _moved(target: bytes, method: str) -> Answer:
    """To the directory's own address, with a slash, which its index's relative links count from."""
    path, question, query = target.partition(b"?")
    moved = plain_answer(301, [("Location", (path + b"/" + question + query).decode("latin-1"))])
    return without_body(moved) if method == "HEAD" else moved


def _refusal(status: int, method: str) -> Answer:
    return (REFUSALS_TO_HEAD if method == "HEAD" else REFUSALS)[status]


def _open(file: ServedFile, chosen: Representation) -> int:
    """A descriptor of the very file that the head was written for.

    That one was found to be inside its root; so no component needs to be looked at again, if it is the same.
    """
    try:
        fd = reopen(chosen.path, chosen.state)
    except FileNotFoundError:
        raise FileChanged(file) from None
    if fd is None:
        raise FileChanged(file)
    return fd


def _read(file: ServedFile, chosen: Representation) -> bytes:
    """A small content, whole."""
    fd = _open(file, chosen)
    try:
        content = os.read(fd, chosen.size + 1)
    finally:
        close_now(fd)
    if len(content) != chosen.size:
        raise FileChanged(file)
    return content


def _pieces(file: ServedFile, chosen: Representation, parts: tuple[ByteRange, ...]) -> tuple[Segment, ...]:
    """The parts of a content: cut from memory, or each with a descriptor of its own."""
    if chosen.content is not None:
        content = memoryview(chosen.content)
        return tuple(content[part.start : part.start + part.length] for part in parts)
    fd = _open(file, chosen)
    pieces = [FileSlice(fd, parts[0].start, parts[0].length)]
    try:
        for part in parts[1:]:
            pieces.append(FileSlice(os.dup(fd), part.start, part.length))
    except OSError:
        for piece in pieces:
            piece.close()
        raise
    return tuple(pieces)
