"""The answer to a request for a file that was found: coding, status, parts (RFC 9110 §12.1, §13.2.2, §14.2).

``represent`` decides, by the functions of ``http``; ``Contents`` opens and reads, each time anew. An index that
remembers takes the place of ``Contents``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..http.answer import Answer, plain_answer, without_body
from ..http.conditional import Verdict, evaluate, range_is_current, unless_modified
from ..http.ranges import ByteRange, select_ranges, unsatisfied_range
from ..http.segments import FileSlice, HeldFile, Segment
from .representation import Representation
from .served import ServedFile
from .trees import reopen

CONTENT_LIMIT_BYTES = 65536
"""Larger contents are sent by the kernel."""
CHANGES_MAX = 3
"""So often a file is looked up anew that was found to have changed before it could be opened."""


class FileChanged(Exception):
    """Between its look-up and its opening the file became another one."""

    def __init__(self, file: ServedFile) -> None:
        self.file = file


class Contents:
    """What files hold, as it is on disk now. Everything may raise ``FileChanged`` and ``OSError``."""

    def open(self, file: ServedFile, chosen: Representation) -> HeldFile:
        """The very file that the head was written for.

        That one was found to be inside its root; so no component needs to be looked at again, if it is the same."""
        try:
            held = reopen(chosen.path, chosen.state)
        except FileNotFoundError:
            raise FileChanged(file) from None
        if held is None:
            raise FileChanged(file)
        return held

    def whole(self, file: ServedFile, chosen: Representation, accept_encoding: str | None) -> Answer:
        """The answer with all of it."""
        held = self.open(file, chosen)
        if chosen.size > CONTENT_LIMIT_BYTES:
            return Answer(200, chosen.head, (FileSlice(held.fd, 0, chosen.size, held),), chosen.size)
        return Answer(200, chosen.head, (read_all(file, chosen, held),), chosen.size)

    def pieces(self, file: ServedFile, chosen: Representation, parts: tuple[ByteRange, ...]) -> tuple[Segment, ...]:
        """Some of it: cut from memory, or out of one descriptor."""
        if chosen.content is not None:
            content = memoryview(chosen.content)
            return tuple([content[part.start : part.start + part.length] for part in parts])
        held = self.open(file, chosen)
        return tuple([FileSlice(held.fd, part.start, part.length, held) for part in parts])


def read_all(file: ServedFile, chosen: Representation, held: HeldFile) -> bytes:
    """A small content, in one piece."""
    content = os.pread(held.fd, chosen.size + 1, 0)
    if len(content) != chosen.size:
        raise FileChanged(file)
    return content


def represent(file: ServedFile, method: str, fields: Mapping[str, str], now_s: int, contents: Contents) -> Answer:
    """Answer a GET or HEAD whose fields are given by their environ names. ``now_s`` is the time of day."""
    accept_encoding = fields.get("HTTP_ACCEPT_ENCODING")
    chosen = file.select(accept_encoding)
    verdict = evaluate(method, fields, chosen.etag, chosen.last_modified_s, now_s)
    if verdict is Verdict.NOT_MODIFIED:
        answer = chosen.unchanged()
        if (unless := unless_modified(fields)) is not None:
            file.remember_unchanged(unless, answer)
        return answer
    if verdict is Verdict.FAILED:
        return FAILED_TO_HEAD if method == "HEAD" else FAILED
    if method == "HEAD":
        return Answer(200, chosen.head)  # ranges are defined for GET alone
    wanted = fields.get("HTTP_RANGE")
    if wanted is not None and range_is_current(fields.get("HTTP_IF_RANGE"), chosen.etag, chosen.last_modified_s, now_s):
        parts = select_ranges(wanted, chosen.size)
        if parts is not None:
            return _partial(file, chosen, parts, contents)
    return contents.whole(file, chosen, accept_encoding)


FAILED = plain_answer(412)
FAILED_TO_HEAD = without_body(FAILED)


def _partial(file: ServedFile, chosen: Representation, parts: tuple[ByteRange, ...], contents: Contents) -> Answer:
    """A 206 with ``parts``, or a 416 where there are none."""
    if not parts:
        return plain_answer(416, [("Content-Range", unsatisfied_range(chosen.size))])
    pieces = contents.pieces(file, chosen, parts)
    if len(parts) == 1:
        return chosen.one_part(parts[0], pieces[0])
    return chosen.many_parts(parts, pieces, os.urandom(12).hex())
