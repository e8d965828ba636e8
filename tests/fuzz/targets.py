"""What is fuzzed: each target takes any bytes, and raises (an ``AssertionError`` or whatever escapes) on a fault.

A target is deterministic but for what the reader of heads remembers, which is fuzzed with it on purpose: an answer must
not depend on what was seen before.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator
from typing import Any

from prodserve.config.addresses import parse_bind
from prodserve.errors import AppError, ProtocolError
from prodserve.files.names import canonical_path, file_name
from prodserve.h1.chunked import ChunkedReader
from prodserve.h1.head import Fields, HeadReader, Limits, RequestLine
from prodserve.http.conditional import Verdict, entity_tags, evaluate, range_is_current
from prodserve.http.dates import parse_date
from prodserve.http.negotiation import IDENTITY, choose_coding, coding_weights
from prodserve.http.ranges import select_ranges
from prodserve.http.response_head import HeadWriter

from .oracles import decode_chunks, framing, read_head

LIMITS = Limits()
BASE: dict[str, Any] = {"SERVER_NAME": "fuzz", "wsgi.version": (1, 0)}
REMEMBERING = HeadReader(LIMITS)
WRITER = HeadWriter()
NOW_S = 1_800_000_000
SEPARATOR = b"\xff"
"""Between the parts of an input that has several: it occurs in no UTF-8 text."""


def pieces(data: bytes, seed: int) -> Iterator[bytes]:
    """``data`` in pieces whose lengths follow from ``seed``: one by one, ragged, or nearly whole."""
    at = 0
    while at < len(data):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        size = 1 + (seed >> 16) % (1 + seed % 40)
        yield data[at : at + size]
        at += size


Meaning = tuple[RequestLine, Fields]


def refused_or_read(reader: HeadReader, data: bytes) -> Meaning | int | None:
    """The head at the beginning of ``data``, the status that it is refused with, or None: it is not whole."""
    if data[:2] == b"\r\n":
        data = data[2:]
    end = data.find(b"\r\n\r\n")
    try:
        if end < 0:
            reader.check_part(data, 0)
            return None
        return reader.read(data, end, BASE)
    except ProtocolError as error:
        return error.status


def refused_or_read_in_pieces(reader: HeadReader, data: bytes, seed: int) -> Meaning | int | None:
    """The same, as it arrives: what a connection does with a head that is not whole."""
    buffer, scanned = b"", 0
    try:
        for piece in pieces(data, seed):
            buffer += piece
            head = buffer[2:] if buffer[:2] == b"\r\n" and len(buffer) >= 4 else buffer
            end = head.find(b"\r\n\r\n")
            if end >= 0:
                return reader.read(head, end, BASE)
            reader.check_part(head, scanned)
            scanned = len(head)
    except ProtocolError as error:
        return error.status
    return None


def shown(meaning: Meaning | int | None) -> Any:
    """A meaning in a form that can be compared."""
    if not isinstance(meaning, tuple):
        return meaning
    line, fields = meaning
    environ = {**fields.environ, **line.for_app()}
    return environ, fields.length, fields.chunked, fields.keep_alive, fields.expect_continue, line.minor, line.log


def head(data: bytes) -> None:
    """A head means the same whatever came before it and however it arrives; what is accepted is HTTP by the letter."""
    seed, data = data[:1], data[1:]
    meaning = refused_or_read(HeadReader(LIMITS), data)
    if b"\r\n\r\n" not in data[2:]:  # not whole: how early it is refused may depend on what is known
        assert not isinstance(refused_or_read(REMEMBERING, data), tuple)
        assert not isinstance(refused_or_read_in_pieces(REMEMBERING, data, seed[0] if seed else 0), tuple)
        return
    assert shown(refused_or_read(REMEMBERING, data)) == shown(meaning), "depends on what was seen before"
    for reader in (HeadReader(LIMITS), REMEMBERING):
        arrived = refused_or_read_in_pieces(reader, data, seed[0] if seed else 0)
        if isinstance(meaning, int):
            assert isinstance(arrived, int), "accepted in pieces"
        elif meaning is not None:
            assert shown(arrived) == shown(meaning), "depends on how it arrives"
    if isinstance(meaning, tuple):
        whole = data[2:] if data[:2] == b"\r\n" else data
        by_the_letter = read_head(whole[: whole.find(b"\r\n\r\n") + 4])
        assert by_the_letter is not None, "accepted, but it is not HTTP"
        assert framing(by_the_letter) == (meaning[1].length, meaning[1].chunked), "framed otherwise"
        assert len(by_the_letter.values(b"host")) <= 1, "two Hosts"
        assert not any(c < " " or c in '"\\' for c in meaning[0].log.replace("\\x22", "").replace("\\x5c", ""))


def again(data: bytes) -> None:
    """A head that is taken for a variation of the last one is read just as if it were new.

    The input is two heads; or one head, and what replaces one of its lines."""
    first, _, second = data.partition(SEPARATOR)
    first += b"\r\n\r\n"
    meaning = refused_or_read(REMEMBERING, first)
    if not isinstance(meaning, tuple) or first.count(b"\r\n\r\n") != 1:
        return
    line, fields = meaning
    lines = first.split(b"\r\n")
    candidates = [second + b"\r\n\r\n"]
    for at in range(len(lines) - 2):
        name = lines[at].partition(b":")[0]
        for changed in (second, name + b":" + second):
            candidates.append(b"\r\n".join([*lines[:at], changed, *lines[at + 1 :]]))
    for candidate in candidates:
        refused_or_read(REMEMBERING, candidate)  # so that its lines are known
        last = refused_or_read(REMEMBERING, first)
        assert isinstance(last, tuple)
        line, fields = last
        if not (line.plain and fields.plain):
            return
        taken = REMEMBERING.again(candidate, fields)
        if taken is not None:
            assert shown((taken, fields)) == shown(refused_or_read(HeadReader(LIMITS), candidate)), candidate
            back = REMEMBERING.again(first, fields)  # in the frame of the field that has just changed
            assert back is None or shown((back, fields)) == shown(refused_or_read(HeadReader(LIMITS), first)), candidate


def chunked(data: bytes) -> None:
    """A chunked body is decoded as a slow decoder does it, however it arrives, and not a byte behind it is used."""
    seed, data = data[:1], data[1:]
    expected = decode_chunks(data)
    for arrival in ([data], list(pieces(data, seed[0] if seed else 0)), [data[i : i + 1] for i in range(len(data))]):
        reader = ChunkedReader(REMEMBERING.check_trailers)
        payload, kept, given, used = b"", b"", 0, 0
        try:
            for piece in arrival:
                kept += piece
                given += len(piece)
                found, taken = reader.feed(kept)
                payload += b"".join(found)
                kept = kept[taken:]
                used += taken
                if reader.done:
                    break
        except ProtocolError:
            assert expected.verdict != "done", "refused, but it is a chunked body"
            continue
        assert reader.done == (expected.verdict == "done"), (
            "accepted, but it is no chunked body, or the other way round"
        )
        if reader.done:
            assert (payload, used) == (expected.payload, expected.used)


def text_parts(data: bytes) -> list[str]:
    return [part.decode("utf-8", "replace") for part in data.split(SEPARATOR)]


def response_head(data: bytes) -> None:
    """What an app puts into a status or header never becomes a line of its own."""
    status, *parts = text_parts(data)
    headers = list(zip(parts[::2], parts[1::2], strict=False))
    for _ in range(2):  # as it is read, and as it is remembered
        try:
            written = WRITER.read(status, headers)
        except (AppError, ValueError):
            return
        lines = written.prefix.split(b"\r\n")
        assert lines[-1] == b"" and len(lines) <= len(headers) + 2
        assert not any(byte < 32 and byte != 9 for line in lines for byte in line), "a control character"
        assert written.prefix.lower().count(b"\r\ntransfer-encoding:") == 0
        assert written.prefix.lower().count(b"\r\ncontent-length:") == 0
        assert 200 <= written.status <= 999


def ranges(data: bytes) -> None:
    """Parts lie inside, are not empty, and are no more than the whole."""
    size = int.from_bytes(data[:3], "big")
    selected = select_ranges(data[3:].decode("latin-1"), size)
    for part in selected or ():
        assert part.length > 0 and part.start >= 0 and part.start + part.length <= size
    assert sum(part.length for part in selected or ()) <= size


def conditional(data: bytes) -> None:
    """Conditions never raise; without one that can be read nothing is refused or kept."""
    names = ("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")
    values = [part.decode("latin-1") for part in data.split(b"\n")]
    fields = {name: value for name, value in zip(names, values, strict=False) if value}
    etag = '"abc"'
    verdict = evaluate("GET", fields, etag, NOW_S, NOW_S)
    if not fields:
        assert verdict is Verdict.PROCEED
    if verdict is Verdict.NOT_MODIFIED and "HTTP_IF_NONE_MATCH" in fields:
        given = fields["HTTP_IF_NONE_MATCH"]
        assert etag in given or given.strip(" \t") == "*"
    if evaluate("PUT", fields, etag, NOW_S, NOW_S) is Verdict.NOT_MODIFIED:
        raise AssertionError("304 for a PUT")
    for value in values:
        assert all(tag in value for tag in entity_tags(value))
        parse_date(value, NOW_S)
        if range_is_current(value, etag, NOW_S, NOW_S):
            assert etag in value or parse_date(value.strip(" \t"), NOW_S) == NOW_S


def negotiation(data: bytes) -> None:
    """A coding is chosen that is there, and none that the client forbids."""
    value = data.decode("latin-1")
    weights = coding_weights(value)
    chosen = choose_coding(value, ("br", "gzip"))
    assert chosen in ("br", "gzip", IDENTITY)
    assert all(0 <= weight <= 1 for weight in weights.values())
    if chosen != IDENTITY:
        assert weights.get(chosen, weights.get("*", 0.0)) > 0


def file_names(data: bytes) -> None:
    """A name stays below its root, is one of a kind, and has a raw form that means it."""
    name = file_name(data)
    if name is None:
        return
    assert "\0" not in name and not name.startswith("/") and "//" not in name
    assert ".." not in name.split("/") and "." not in name.split("/")
    path = os.path.normpath(os.path.join("/root/of/files", name))
    assert path == "/root/of/files" or path.startswith("/root/of/files/")
    assert file_name(canonical_path(name)) == name


def addresses(data: bytes) -> None:
    """An address is read, or refused with a text; what is read has a text that is read as the same."""
    try:
        bind = parse_bind(data.decode("utf-8", "replace"))
    except ValueError as error:
        assert str(error)
        return
    assert parse_bind(str(bind)) == bind
    assert bind.url and isinstance(bind.loopback, bool)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (head, again, chunked, response_head, ranges, conditional, negotiation, file_names, addresses)
}
