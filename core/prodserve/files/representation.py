"""One file in one content coding, with every head that can be written before it is asked for.

Pure: built from a file's state, it knows no descriptor. Fields and their order are nginx's; the ETag too
(``"mtime-size"`` in hexadecimal), with the coding added, so that no two codings of a file share one (RFC 9110 §8.8.3).
Where the time of the last change is made up, the time of the last change of the inode stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..clock import http_date
from ..http.answer import Answer, head_block
from ..http.negotiation import IDENTITY
from ..http.ranges import ByteRange, multipart_end, part_head
from ..http.segments import HeldFile, Segment
from .trees import FileState

IMMUTABLE = "max-age=31536000, immutable"
CLOCK_LAG_S = 1
MADE_UP_S = 315_705_600
"""2 January 1980. Nix, Bazel and buildpacks date all files 1970 or 1980: such a date tells no change from another."""


def cache_control(immutable: bool, max_age_s: int | None) -> str:
    """The value of Cache-Control: for ever, for a time, or to be asked for each time (RFC 9111 §5.2.2)."""
    if immutable:
        return IMMUTABLE
    return f"max-age={max_age_s}" if max_age_s else "no-cache"


class Representation:
    """What is sent for one file in one coding. ``dated`` is the state whose time of last change counts, ``extra`` are
    further fields. ``content``, ``whole`` and ``held`` come and go with the room for them."""

    __slots__ = (
        "_around_length",
        "_caching",
        "_extra",
        "_unchanged",
        "_varies",
        "ahead",
        "coding",
        "content",
        "content_type",
        "etag",
        "head",
        "held",
        "last_modified_s",
        "path",
        "size",
        "state",
        "whole",
    )

    def __init__(
        self,
        path: str,
        coding: str,
        state: FileState,
        dated: FileState,
        *,
        content_type: str,
        caching: str,
        varies: bool,
        now_s: int,
        extra: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.path = path
        self.coding = coding
        self.state = state
        self.size = state.size
        self.content_type = content_type
        self._caching = caching
        self._varies = varies
        self._extra = extra
        modified_s = dated.modified_ns // 1_000_000_000
        real = modified_s >= MADE_UP_S
        version = f"{modified_s:x}" if real else f"{dated.changed_ns:x}"
        self.etag = f'"{version}-{state.size:x}{"" if coding == IDENTITY else "-" + coding}"'
        self.ahead = modified_s > now_s + CLOCK_LAG_S
        """It is from the future, and has no Last-Modified until then: never later than Date (RFC 9110 §8.8.2.1)."""
        self.last_modified_s = modified_s if real and not self.ahead else None
        self.head = head_block(
            200,
            [
                ("Content-Type", content_type),
                ("Content-Length", str(self.size)),
                *self._selected(),
                ("Accept-Ranges", "bytes"),
            ],
        )
        self._unchanged: Answer | None = None
        self._around_length: tuple[bytes, bytes, bytes] | None = None
        self.held: HeldFile | None = None
        self.content: bytes | None = None
        self.whole: Answer | None = None

    def _for_caches(self) -> Iterator[tuple[str, str]]:
        """The fields of a 304 (RFC 9110 §15.4.5)."""
        if self.last_modified_s is not None:
            yield "Last-Modified", http_date(self.last_modified_s)
        yield "ETag", self.etag
        yield "Cache-Control", self._caching
        if self._varies:
            yield "Vary", "Accept-Encoding"
        yield from self._extra

    def _selected(self) -> Iterator[tuple[str, str]]:
        """The fields that a 206 shares with a 200 (RFC 9110 §15.3.7)."""
        yield from self._for_caches()
        if self.coding != IDENTITY:
            yield "Content-Encoding", self.coding

    def keep(self, content: bytes) -> Answer:
        """Hold the content in memory, and with it the finished answer to a plain GET."""
        self.content = content
        self.whole = Answer(200, self.head, (content,), self.size)
        return self.whole

    def drop(self) -> None:
        """Let go of the content."""
        self.content = self.whole = None

    def unchanged(self) -> Answer:
        """The 304."""
        if self._unchanged is None:
            self._unchanged = Answer(304, head_block(304, self._for_caches()))
        return self._unchanged

    def one_part(self, part: ByteRange, piece: Segment) -> Answer:
        """The 206 with a single part, which ``piece`` holds. HOT: benchmarks static-range."""
        if self._around_length is None:
            shared = "".join([f"{name}: {value}\r\n" for name, value in self._selected()])
            self._around_length = (
                head_block(206, [("Content-Type", self.content_type)]) + b"Content-Length: ",
                f"\r\n{shared}Content-Range: bytes ".encode("latin-1"),
                b"/%d\r\n" % self.size,
            )
        before, after, end = self._around_length
        start, length = part
        return Answer(206, b"%b%d%b%d-%d%b" % (before, length, after, start, start + length - 1, end), (piece,), length)

    def many_parts(self, parts: tuple[ByteRange, ...], pieces: tuple[Segment, ...], boundary: str) -> Answer:
        """The 206 with several parts; ``boundary`` is a word that the content does not contain."""
        body: list[Segment] = []
        end = multipart_end(boundary)
        length = len(end)
        for part, piece in zip(parts, pieces, strict=True):
            head = part_head(boundary, self.content_type, part, self.size)
            body += (head, piece)
            length += len(head) + part.length
        fields = [
            ("Content-Type", f"multipart/byteranges; boundary={boundary}"),
            ("Content-Length", str(length)),
            *self._selected(),
        ]
        return Answer(206, head_block(206, fields), (*body, end), length)
