"""Heads of requests: from the bytes of a whole head to its request line and fields.

llhttp is the authority on syntax, but it is asked only about what is new. Its verdict on one line of a head does not
depend on the other lines, so a request line or field line that it accepted once is remembered, byte for byte, and
not shown to it again: a head in which two of sixteen lines are new costs a short run over those two. Everything that
does depend on several lines (framing, Host, repeats) is decided here from the parsed fields, every time.

Shorter still is the way for a head that has the same fields in the same order as the last one on its connection, and
other values only where they mean nothing to the server (``again``): those values are looked at, nothing else.

What is remembered is bounded in number and length, and forgotten all at once when it is full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import ne
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import httptools

from ..errors import (
    BadRequest,
    ContentTooLarge,
    ExpectationFailed,
    HeadTooLarge,
    NotImplementedByServer,
    ProtocolError,
    TargetTooLong,
    VersionNotSupported,
)
from ..http.conditional import unless_modified

REMEMBERED_LINES = 2048
REMEMBERED_LENGTH_BYTES = 320
REMEMBERED_HEAD_BYTES = 32768
"""A longer head is read anew each time. Less than one read of the connection, which so never ends just behind it."""

REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9])\.([0-9])").fullmatch
SIMPLE_LINE = re.compile(rb"(GET|HEAD) (/[A-Za-z0-9/._~%!$&'()*+,;=:@?-]*) HTTP/1\.1").fullmatch
"""Request lines of which nothing has to be found out, neither by llhttp nor by us."""
LOOKS_LIKE_REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/[0-9.]*").fullmatch
ABSOLUTE_FORM = re.compile(rb"(?i:https?)://([^/?#]*)([^#]*)").fullmatch
AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?").fullmatch
HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?").fullmatch
FORBIDDEN = re.compile(rb"\r(?!\n|\Z)|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").search
"""What can't stand in a head anywhere: bare CR or LF, and control characters other than HTAB (RFC 9112 §2.2)."""

SINGLE = frozenset(("HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"))
"""Fields whose repetition makes a message ambiguous: refused, never merged (RFC 9112 §3.2, §6.3)."""

CONDITIONAL_FIELDS = frozenset(
    ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE", "HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE")
)
MEANT_FOR_US = SINGLE | {"HTTP_CONNECTION", "HTTP_EXPECT", "HTTP_UPGRADE"}
"""Fields whose values decide how a message is framed or what becomes of its connection: a head in which one of them has
changed is read as a new one."""


Known = TypeVar("Known")


@dataclass(frozen=True)
class Limits:
    """What a client may send in one head and body."""

    line_bytes: int = 8190
    fields: int = 100
    field_bytes: int = 8190
    head_bytes: int = 65536
    body_bytes: int = 1 << 30


class RequestLine:
    """One request line, understood (RFC 9112 §3). Shared by all requests that begin with the same bytes."""

    __slots__ = ("environ", "log", "method", "minor", "plain", "target")

    def __init__(self, method: str, target: bytes, minor: int, environ: dict[str, str] | None, log: str) -> None:
        self.method = method
        self.target = target
        """Origin-form as sent, or ``*``; absolute-form reduced to its path and query."""
        self.minor = minor
        self.plain = minor == 1 and method in ("GET", "HEAD")
        """Usual enough for the short cut over a repeated block of fields."""
        self.environ = environ
        """What the line contributes to the WSGI environ, once somebody has asked ``for_app``: files need none."""
        self.log = log
        """The line as the access log prints it: it can't close the quotes."""

    def for_app(self) -> dict[str, str]:
        """What the line contributes to the WSGI environ."""
        if self.environ is None:
            self.environ = line_environ(self.method, self.target, self.minor)
        return self.environ


class Fields:
    """The fields of one head, understood. ``environ`` is a template: each request gets a copy."""

    __slots__ = (
        "block",
        "chunked",
        "conditional",
        "environ",
        "expect_continue",
        "frame",
        "keep_alive",
        "length",
        "plain",
        "single",
        "unless",
    )

    def __init__(self, environ: dict[str, Any], block: bytes, single: bool, minor: int, limits: Limits) -> None:
        self.environ = environ
        self.block = block
        """The bytes of the head from the CRLF of its request line to its blank line. In one piece: an idle connection
        that kept its lines would keep the heap in pieces when it forgets them."""
        self.single = single
        """No field is repeated; where one is, a line is not the whole value, and ``again`` can't compare it."""
        host = environ.get("HTTP_HOST")
        if host is None:
            if minor:  # also where the target names it (RFC 9112 §3.2)
                raise BadRequest("HTTP/1.1 without Host")
        elif HOST(host) is None:
            raise BadRequest("malformed Host")
        self.length, self.chunked = body_framing(environ, minor, limits)
        self.keep_alive = persists(environ.get("HTTP_CONNECTION"), minor)
        expect = environ.get("HTTP_EXPECT")
        if expect is not None and minor:
            if expect.lower() != "100-continue":
                raise ExpectationFailed("unknown expectation")
            self.expect_continue = True
        else:
            self.expect_continue = False
        self.conditional = not CONDITIONAL_FIELDS.isdisjoint(environ)
        self.frame: tuple[str, bytes, bytes, int] | None = None
        """The one field whose value has changed the last time, the bytes of the block before and behind that, and the
        most that it may have."""
        self.unless = unless_modified(environ) if self.conditional else None
        self.plain = self.length == 0 and not self.chunked and self.keep_alive and minor == 1 and host is not None


def persists(connection: str | None, minor: int) -> bool:
    """Whether the client wants the connection to go on, by its Connection field (RFC 9112 §9.3)."""
    if connection is None:
        return minor == 1
    options = {option.strip(" \t") for option in connection.lower().split(",")}
    return "close" not in options and (minor == 1 or "keep-alive" in options)


def body_framing(environ: Mapping[str, Any], minor: int, limits: Limits) -> tuple[int, bool]:
    """(Content-Length, is it chunked) of a request; refuses what could be framed in two ways (RFC 9112 §6.3)."""
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    length = environ.get("CONTENT_LENGTH")
    if coding is not None:
        if length is not None:
            raise BadRequest("both Content-Length and Transfer-Encoding")
        if minor == 0:
            raise BadRequest("Transfer-Encoding in HTTP/1.0")
        if coding.lower() != "chunked":
            raise NotImplementedByServer("unknown transfer coding")
        return 0, True
    if length is None:
        return 0, False
    if not (length.isascii() and length.isdigit()):
        raise BadRequest("malformed Content-Length")
    if len(length) > 19 or int(length) > limits.body_bytes:
        raise ContentTooLarge(f"body of {length[:25]} bytes")
    return int(length), False


def environ_name(field: bytes) -> str | None:
    """The CGI name of a field (RFC 3875 §4.1.18); None for one that is kept from the app.

    Names with an underscore would collide with the same name with a dash, and ``Proxy`` with an environment variable
    that HTTP clients obey (CVE-2016-5385)."""
    if b"_" in field:
        return None
    name = field.decode("ascii").upper().replace("-", "_")
    if name == "PROXY":
        return None
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + name


def origin_environ(target: bytes) -> dict[str, str]:
    """Path and query of a target in origin-form, for the environ (PEP 3333: bytes as latin-1)."""
    path, _, query = target.partition(b"?") if target != b"*" else (b"", b"", b"")  # no path at all (PEP 3333)
    if b"%" in path:
        path = unquote_to_bytes(path)
    raw = target.decode("ascii")
    return {
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": query.decode("ascii"),
        "RAW_URI": raw,
        "REQUEST_URI": raw,
    }


def line_environ(method: str, target: bytes, minor: int) -> dict[str, str]:
    """What a request line contributes to the WSGI environ."""
    return {"REQUEST_METHOD": method, "SERVER_PROTOCOL": f"HTTP/1.{minor}", **origin_environ(target)}


def parse_request_line(line: bytes) -> RequestLine:
    """Understand a request line whose method llhttp knows; raises a ``ProtocolError`` (RFC 9112 §3)."""
    match = REQUEST_LINE(line)
    if match is None:
        raise BadRequest("malformed request line")
    name, target, major, minor = match.groups()
    if major != b"1" or minor not in (b"0", b"1"):
        raise VersionNotSupported("not HTTP/1.0 or HTTP/1.1")
    method = name.decode("ascii")
    extra: dict[str, str] = {}
    if b"#" in target:
        raise BadRequest("fragment in the target")
    if target[:1] != b"/" and not (target == b"*" and method == "OPTIONS"):
        absolute = ABSOLUTE_FORM(target)
        if method == "CONNECT":
            raise NotImplementedByServer("CONNECT")
        if absolute is None or AUTHORITY(absolute[1]) is None:
            raise BadRequest("malformed target")
        extra["HTTP_HOST"] = absolute[1].decode("ascii")  # RFC 9112 §3.2.2: it replaces the Host field
        rest = absolute[2]
        target = rest if rest[:1] == b"/" else b"/" + rest
    elif method == "CONNECT":
        raise BadRequest("malformed target")
    environ = {**line_environ(method, target, int(minor)), **extra}
    log = line.decode("ascii").replace("\\", "\\x5c").replace('"', "\\x22")
    return RequestLine(method, target, int(minor), environ, log)


class Verdict:
    """Collects what llhttp reports of one run: its callbacks are these methods."""

    __slots__ = ("pairs", "parser", "reusable")

    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []
        self.reusable = False
        self.parser = httptools.HttpRequestParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value))

    def on_message_complete(self) -> None:
        # Only here llhttp says it truly; afterwards it has forgotten the fields, but refuses "data after close".
        self.reusable = self.parser.should_keep_alive()


class HeadReader:
    """Reads heads for all connections of a worker, and remembers what it has seen."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.lines: dict[bytes, RequestLine] = {}
        self.pairs: dict[bytes, tuple[str | None, str]] = {}
        self.names: dict[bytes, str] = {}
        """Field names that llhttp has accepted and that mean nothing to the server, with their names in the environ."""
        self.verdict = Verdict()

    def simple(self, first: bytes) -> RequestLine | None:
        """The request line ``first``, if it was never seen but is of the plainest kind; None: it has to be read.

        HOT: benchmarks static-10k: another target each time."""
        match = SIMPLE_LINE(first)
        if match is None or len(first) > self.limits.line_bytes:
            return None
        method, target = match.groups()
        line = RequestLine(method.decode("ascii"), target, 1, None, first.decode("ascii"))
        remember(self.lines, first, line)
        return line

    def read(self, data: bytes, end: int, base: dict[str, Any]) -> tuple[RequestLine, Fields]:
        """Read the head ``data[:end]``, whose blank line begins at ``end``; ``base`` is the environ of the connection.

        Raises a ``ProtocolError``."""
        lines = data[: end + 4].split(b"\r\n")
        block = lines[1:-2]
        line = self.lines.get(lines[0]) or self.simple(lines[0])
        pairs = list(map(self.pairs.get, block))
        if line is None or not all(pairs):
            line, pairs = self._learn(lines[0], line, block, pairs)
        if len(block) > self.limits.fields:
            raise HeadTooLarge("too many fields")
        environ = base.copy()
        environ.update(pairs)  # type: ignore[arg-type]  # none is None any more
        single = len(environ) == len(base) + len(pairs) and None not in environ
        if not single:
            environ = merge(base, pairs)  # type: ignore[arg-type]
        return line, Fields(environ, data[len(lines[0]) : end + 4], single, line.minor, self.limits)

    def again(self, data: bytes, fields: Fields) -> RequestLine | None:
        """The request line of ``data``, if it is one whole head with the same fields as the last one on its connection,
        which were ``fields`` and ``plain``, and other values only in fields that the server does not act on.

        ``fields`` then has the new values. None: it has to be read as a new head."""
        end = data.find(b"\r\n\r\n")
        if end != len(data) - 4 or end > self.limits.head_bytes or end > REMEMBERED_HEAD_BYTES:
            return None
        cut = data.find(b"\r\n")
        line = self.lines.get(data[:cut]) or self.simple(data[:cut])
        if line is None or not line.plain or not fields.single:
            return None
        block = data[cut:]
        changes = self._in_frame(block, fields) or self._changes(block, fields)
        if changes is None:
            return None
        fields.environ.update(changes)
        fields.block = block
        if fields.conditional:
            fields.unless = unless_modified(fields.environ)
        return line

    def _in_frame(self, block: bytes, fields: Fields) -> list[tuple[str, str]] | None:
        """What has changed, if it is the value that alone had changed the last time too. None: it may be another.

        HOT: benchmarks static-range: a player asks for one range after the other."""
        if fields.frame is None:
            return None
        key, before, behind, most = fields.frame
        size = len(block) - len(before) - len(behind)
        if not 0 <= size <= most or not block.startswith(before) or not block.endswith(behind):
            return None
        text = block[len(before) : len(before) + size].decode("latin-1").strip(" \t")
        return [(key, text)] if text.isascii() and text.isprintable() else None

    def _changes(self, block: bytes, fields: Fields) -> list[tuple[str, str]] | None:
        """The new values of a block with the same fields; None: it has to be read as a new one."""
        lines, former = block.split(b"\r\n"), fields.block.split(b"\r\n")
        if len(lines) != len(former):
            return None
        differs = list(map(ne, lines, former))
        changes = []
        at = 0
        for _ in range(differs.count(True)):
            at = differs.index(True, at)
            name, colon, value = lines[at].partition(b":")
            key = self.names.get(name)
            if key is None or not colon or not former[at].startswith(name + colon):
                return None
            if len(lines[at]) > self.limits.field_bytes:
                return None
            text = value.decode("latin-1").strip(" \t")
            if not (text.isascii() and text.isprintable()):  # else it is llhttp's to judge
                return None
            changes.append((key, text))
            at += 1
        if len(changes) == 1 and fields.conditional:
            start = sum(map(len, lines[: at - 1])) + 2 * (at - 1)
            end = start + len(lines[at - 1])
            begin = start + len(name) + 1
            fields.frame = (changes[0][0], block[:begin], block[end:], self.limits.field_bytes - len(name) - 1)
        return changes

    def check_part(self, data: bytes, start: int) -> None:
        """Refuse the beginning of a head as early as can be told; ``data[:start]`` was looked at before.

        A client that sends rubbish gets its answer at once, not when the time for a head is over."""
        if data[:2] == b"\r\n":
            data, start = data[2:], max(0, start - 2)
        if FORBIDDEN(data, max(0, start - 1)) is not None:
            raise BadRequest("bare CR or LF, or a control character")
        eol = data.find(b"\r\n")
        if eol < 0:
            if len(data) > self.limits.line_bytes + 1:  # the last byte may be the CR
                raise TargetTooLong("request line")
        elif data.find(b"\r\n", max(0, start - 1)) >= 0:  # a line was completed: judge the whole lines
            first, *block = data[: data.rfind(b"\r\n")].split(b"\r\n")
            line = self.lines.get(first)
            pairs = list(map(self.pairs.get, block))
            if line is None or not all(pairs):
                self._learn(first, line, block, pairs)
        if len(data) > self.limits.head_bytes:
            raise HeadTooLarge("head")

    def check_trailers(self, lines: Sequence[bytes]) -> None:
        """Refuse malformed trailer fields (RFC 9112 §7.1.2); good ones are dropped by the caller."""
        self._judge(b"GET / HTTP/1.1", lines)

    def _learn(
        self,
        first: bytes,
        line: RequestLine | None,
        block: list[bytes],
        pairs: list[tuple[str | None, str] | None],
    ) -> tuple[RequestLine, list[tuple[str | None, str] | None]]:
        """Have llhttp judge what is not known, and remember it."""
        limits = self.limits
        if line is None:
            if len(first) > limits.line_bytes:
                raise TargetTooLong("request line")
            if LOOKS_LIKE_REQUEST(first) is None:
                raise BadRequest("malformed request line")
        unknown = [i for i, pair in enumerate(pairs) if pair is None]
        if len(block) > limits.fields:
            raise HeadTooLarge("too many fields")
        new = [block[i] for i in unknown]
        for field in new:
            if len(field) > limits.field_bytes:
                raise HeadTooLarge("one field")
        understood = parse_request_line(first) if line is None else line
        parsed = self._judge(first if line is None else b"GET / HTTP/1.1", new)
        if line is None:
            remember(self.lines, first, understood)
        for i, (name, value) in zip(unknown, parsed, strict=True):
            key = environ_name(name)
            pairs[i] = pair = (key, value.strip(b" \t").decode("latin-1"))
            if key is not None and key not in MEANT_FOR_US:
                remember(self.names, name, key)
            remember(self.pairs, block[i], pair)
        return understood, pairs

    def _judge(self, first: bytes, lines: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """One run of llhttp over a request line and some field lines; raises unless it takes each line as one field."""
        verdict = self.verdict
        pairs: list[tuple[bytes, bytes]] = []
        verdict.pairs = pairs
        verdict.reusable = False
        try:
            verdict.parser.feed_data(b"\r\n".join((first, *lines, b"", b"")))
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserInvalidMethodError:
            raise NotImplementedByServer("unknown method") from None
        except httptools.HttpParserError as error:
            if not tolerable(str(error)):
                raise BadRequest(str(error)) from None
        finally:
            if not verdict.reusable:
                verdict.parser = httptools.HttpRequestParser(verdict)
        if len(pairs) != len(lines):
            raise BadRequest("a field line is folded")
        return pairs


def remember(memory: dict[bytes, Known], key: bytes, value: Known) -> None:
    """Keep ``value`` for ``key``, within the bounds."""
    if len(key) <= REMEMBERED_LENGTH_BYTES:
        if len(memory) >= REMEMBERED_LINES:
            memory.clear()
        memory[key] = value


def tolerable(message: str) -> bool:
    """Whether llhttp complains of framing, which is judged here with all lines in view, not of syntax."""
    return "`Transfer-Encoding`" in message


def merge(base: dict[str, Any], pairs: Sequence[tuple[str | None, str]]) -> dict[str, Any]:
    """The environ of a head with repeated or unwanted fields (RFC 9110 §5.3)."""
    environ = base.copy()
    for name, value in pairs:
        if name is None:
            continue
        if name not in environ:
            environ[name] = value
        elif name in SINGLE:
            raise BadRequest("a field that must be single is repeated")
        else:
            environ[name] += ("; " if name == "HTTP_COOKIE" else ",") + value
    return environ


__all__ = ["Fields", "HeadReader", "Limits", "ProtocolError", "RequestLine"]
