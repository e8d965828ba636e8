"""What a reader of heads remembers changes how fast it reads, never what it reads.

``again`` is the way for a head that is like the last one on its connection. Whatever it accepts must be what a reader
that has seen nothing makes of the same bytes; what the server itself acts on, it must leave to ``read``.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from prodserve.errors import ProtocolError
from prodserve.h1 import head as head_module
from prodserve.h1.head import Fields, HeadReader, Limits, RequestLine

from tests.arrivals import names, valid

from .reading import BASE

LINE = b"GET / HTTP/1.1"
USUAL = [b"Host: x", b"User-Agent: Old/1.0", b"Accept: */*", b"Cookie: a=1"]


def build(line: bytes, fields: list[bytes]) -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def read(reader: HeadReader, data: bytes) -> tuple[RequestLine, Fields]:
    return reader.read(data, data.index(b"\r\n\r\n"), BASE)


def environ_of(line: RequestLine, fields: Fields) -> dict[str, Any]:
    return {**fields.environ, **line.for_app()}


def meaning(line: RequestLine, fields: Fields) -> tuple[Any, ...]:
    """All that a head means to the server and to the app."""
    marks = ("chunked", "conditional", "expect_continue", "keep_alive", "length", "plain")
    parts = (line.method, line.target, line.minor, line.plain, line.log)
    return (environ_of(line, fields), *(getattr(fields, mark) for mark in marks), *parts)


def fresh(data: bytes, limits: Limits | None = None) -> tuple[Any, ...] | None:
    """The meaning of a head for a reader that has seen nothing; None: it refuses it."""
    try:
        return meaning(*read(HeadReader(limits or Limits()), data))
    except ProtocolError:
        return None


def test_the_same_head_is_the_same_again() -> None:
    reader = HeadReader(Limits())
    line, fields = read(reader, build(LINE, USUAL))
    assert reader.again(build(LINE, USUAL), fields) is line
    assert meaning(line, fields) == fresh(build(LINE, USUAL))


CHANGED = [b"Host: x", b"User-Agent: New/2.0", b"Accept: */*", b'Cookie: b=2; c="3"']


def test_changed_values_of_fields_for_the_app_are_read_again() -> None:
    reader = HeadReader(Limits())
    _, fields = read(reader, build(LINE, USUAL))
    line = reader.again(build(LINE, CHANGED), fields)
    assert line is not None
    assert meaning(line, fields) == fresh(build(LINE, CHANGED))
    back = reader.again(build(LINE, USUAL), fields)
    assert back is not None
    assert meaning(back, fields) == fresh(build(LINE, USUAL))


def test_another_known_request_line_goes_with_the_same_fields() -> None:
    reader = HeadReader(Limits())
    read(reader, build(b"HEAD /other?q HTTP/1.1", USUAL))
    _, fields = read(reader, build(LINE, USUAL))
    line = reader.again(build(b"HEAD /other?q HTTP/1.1", USUAL), fields)
    assert line is not None
    assert meaning(line, fields) == fresh(build(b"HEAD /other?q HTTP/1.1", USUAL))


FOR_THE_ANSWER = [
    (b'If-None-Match: "1"', b'If-None-Match: "2"'),
    (b'If-Match: "1"', b'If-Match: "2"'),
    (b"If-Modified-Since: x", b"If-Modified-Since: y"),
    (b"If-Unmodified-Since: x", b"If-Unmodified-Since: y"),
    (b'If-Range: "1"', b'If-Range: "2"'),
    (b"Range: bytes=0-1", b"Range: bytes=0-2"),
]


@pytest.mark.parametrize(("before", "after"), FOR_THE_ANSWER)
def test_changed_values_of_conditions_and_ranges_are_read_again(before: bytes, after: bytes) -> None:
    reader = HeadReader(Limits())
    for known in (after, before):
        _, fields = read(reader, build(LINE, [b"Host: x", known]))
    line = reader.again(build(LINE, [b"Host: x", after]), fields)
    assert line is not None
    assert fields.conditional is not before.startswith(b"If-Range")
    assert meaning(line, fields) == fresh(build(LINE, [b"Host: x", after]))


RANGES = [
    b"bytes=0-1",
    b"bytes=2-3",
    b"bytes=1000000-2000000",
    b"  bytes=4-5\t",
    b"",
    b"bytes=6-7",
    b"x" * 500,
    b"bytes=8-9",
]
BEHIND_RANGE = [b"X-A: 1", b"If-None-Match: b"]


def test_one_range_after_the_other_means_what_it_says() -> None:
    reader = HeadReader(Limits())
    _, fields = read(reader, build(LINE, [b"Host: x", b"Range: bytes=9-9", *BEHIND_RANGE]))
    for value in RANGES:
        data = build(LINE, [b"Host: x", b"Range: " + value, *BEHIND_RANGE])
        line = reader.again(data, fields)
        assert line is not None
        assert meaning(line, fields) == fresh(data)


@pytest.mark.parametrize(
    "value",
    [
        b"bytes=0-1\r\nX-B: 2",
        b"bytes=0-1\r\nContent-Length: 5",
        b"bytes=0-1\rX",
        b"bytes=0-1\nX: y",
        b"bytes=\x00",
        b"bytes=\x7f",
        b"caf\xe9",
        b"x" * 9000,
    ],
)
def test_what_stands_in_the_place_of_a_range_is_read_as_a_new_head(value: bytes) -> None:
    reader = HeadReader(Limits())
    _, fields = read(reader, build(LINE, [b"Host: x", b"Range: bytes=9-9", *BEHIND_RANGE]))
    for number in range(3):
        data = build(LINE, [b"Host: x", b"Range: bytes=0-%d" % number, *BEHIND_RANGE])
        assert reader.again(data, fields) is not None
    assert reader.again(build(LINE, [b"Host: x", b"Range: " + value, *BEHIND_RANGE]), fields) is None


def test_a_field_that_was_not_the_last_to_change_is_seen_to_change() -> None:
    reader = HeadReader(Limits())
    _, fields = read(reader, build(LINE, [b"Host: x", b"Range: bytes=9-9", *BEHIND_RANGE]))
    for block in (
        [b"Host: x", b"Range: bytes=1-2", b"X-A: 1", b"If-None-Match: b"],
        [b"Host: x", b"Range: bytes=1-2", b"X-A: 2", b"If-None-Match: b"],
        [b"Host: x", b"Range: bytes=3-4", b"X-A: 2", b"If-None-Match: c"],
        [b"Host: x", b"Range: bytes=3-4", b"X-A: 2", b"If-None-Match: d"],
        [b"Host: x", b"Range: bytes=5-6", b"X-A: 2", b"If-None-Match: d"],
    ):
        data = build(LINE, block)
        line = reader.again(data, fields)
        assert line is not None
        assert meaning(line, fields) == fresh(data)


SIMPLE_LINES = [b"GET /never-seen HTTP/1.1", b"HEAD /a%20b/c;d=1?e=f&g=(h)*i@j:k~ HTTP/1.1", b"GET / HTTP/1.1"]


@pytest.mark.parametrize("simple", SIMPLE_LINES)
def test_a_simple_request_line_that_was_never_seen_goes_with_the_same_fields(simple: bytes) -> None:
    reader = HeadReader(Limits())
    _, fields = read(reader, build(LINE, USUAL))
    line = reader.again(build(simple, USUAL), fields)
    assert line is not None
    assert meaning(line, fields) == fresh(build(simple, USUAL))


MEANT_FOR_US = [
    (b"Host: x", b"Host: y"),
    (b"Connection: keep-alive", b"Connection: close"),
    (b"Content-Length: 0", b"Content-Length: 5"),
    (b"Content-Type: a/b", b"Content-Type: c/d"),
    (b"Upgrade: a", b"Upgrade: b"),
]
FOR_THE_READER = [
    (b"X-A: 1", b"X-B: 1"),
    (b"X-A: 1", b"x-a: 1"),
    (b"X-A: 1", b"X-A : 1"),
    (b"X-A: 1", b"X-A"),
    (b"X-A: 1", b" X-A: 1"),
    (b"X-A: 1", b"\tX-A: 1"),
    (b"X-A: 1", b"X_A: 1"),
    (b"X-A: 1", b"Transfer-Encoding: chunked"),
    (b"X-A: 1", b"Content-Length: 5"),
    (b"X-A: 1", b"Expect: 100-continue"),
    (b"X-A: 1", b"Connection: close"),
    (b"X-A: 1", b"X-A: 1\nX-B: 2"),
    (b"X-A: 1", b"X-A: 1\rX-B: 2"),
    (b"X-A: 1", b"X-A: \x00"),
    (b"X-A: 1", b"X-A: \x7f"),
    (b"X-A: 1", b"X-A: caf\xe9"),
    (b"X-A: 1", b"X-A: 1\r\nX-B: 2"),
    (b"X_A: 1", b"X_A: 2"),
    (b"Proxy: 1", b"Proxy: 2"),
]


@pytest.mark.parametrize(("before", "after"), MEANT_FOR_US + FOR_THE_READER)
def test_a_change_that_means_something_to_the_server_is_read_as_a_new_head(before: bytes, after: bytes) -> None:
    reader = HeadReader(Limits())
    rest = [] if before.startswith(b"Host") else [b"Host: x"]
    for known in (after, before):  # both are known by the second read, so that only ``again`` can say no
        for data in (build(LINE, [*rest, known]), build(LINE, [*rest, b"X-A: 0", known])):
            try:
                _, fields = read(reader, data)
            except ProtocolError:
                continue
    assert fields.plain
    assert reader.again(build(LINE, [*rest, b"X-A: 0", after]), fields) is None


OTHER_LINES = [
    b"POST / HTTP/1.1",
    b"GET / HTTP/1.0",
    b"GET /never-seen|{} HTTP/1.1",
    b"GET /%s HTTP/1.1" % (b"x" * 9000),
    b"GET / HTTP/1.1 ",
    b"",
    b"\r\nGET / HTTP/1.1",
]


@pytest.mark.parametrize("other", OTHER_LINES)
def test_only_a_known_or_simple_and_plain_request_line_is_taken_again(other: bytes) -> None:
    reader = HeadReader(Limits())
    for line in (b"POST / HTTP/1.1", b"GET / HTTP/1.0"):
        read(reader, build(line, USUAL))
    _, fields = read(reader, build(LINE, USUAL))
    assert reader.again(build(other, USUAL), fields) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        build(LINE, USUAL)[:-1],
        build(LINE, USUAL)[:-4],
        build(LINE, USUAL) + b"G",
        build(LINE, USUAL) * 2,
        build(LINE, USUAL[:-1]),
        build(LINE, [*USUAL, b"X: 1"]),
        build(LINE, USUAL)[2:],
    ],
)
def test_what_is_not_one_whole_head_is_left_to_the_reader(data: bytes) -> None:
    reader = HeadReader(Limits())
    _, fields = read(reader, build(LINE, USUAL))
    assert reader.again(data, fields) is None


@pytest.mark.parametrize("name", [b"X-A", b"Cookie", b"Accept"])
def test_of_a_repeated_field_no_value_is_lost(name: bytes) -> None:
    reader = HeadReader(Limits())
    first, second = (build(LINE, [b"Host: x", name + b": 1", name + b": " + value]) for value in (b"2", b"3"))
    read(reader, second)
    _, fields = read(reader, first)
    line = reader.again(second, fields)
    assert line is None or meaning(line, fields) == fresh(second)


@pytest.mark.parametrize("size", range(12, 22))
def test_a_changed_value_is_held_to_the_same_limit(size: int) -> None:
    limits = Limits(field_bytes=16)
    reader = HeadReader(limits)
    _, fields = read(reader, build(LINE, [b"Host: x", b"X-A: 1"]))
    grown = build(LINE, [b"Host: x", (b"X-A: " + b"v" * 30)[:size]])
    line = reader.again(grown, fields)
    assert (line is not None) == (fresh(grown, limits) is not None)


NAMES = [b"X-A", b"x-a", b"X-B", b"Cookie", b"Accept", b"X_A", b"Proxy", b"Host", b"Connection", b"Content-Length"]
NAMES += [b"Transfer-Encoding", b"Expect", b"Range", b"If-None-Match", b"Content-Type", b"X-A ", b"", b" X-A"]
VALUES = [b"", b"1", b"2", b" 1\t", b"a, b", b"close", b"keep-alive", b"0", b"5", b"chunked", b"100-continue"]
VALUES += [b"caf\xe9", b"\x00", b"1\nX-B: 2", b"1\r\n 2", b"x:y", b"v" * 400, b"v" * 9000]
LINES = [LINE, LINE, b"HEAD /b?c HTTP/1.1", b"POST / HTTP/1.1", b"GET http://h/ HTTP/1.1", b"GET / HTTP/1.0", b"G / "]


def some_fields(chance: random.Random) -> list[bytes]:
    # Mostly fields that can be taken again, so that it happens often.
    count = chance.randrange(5)
    pools = (NAMES, VALUES) if chance.random() < 0.3 else (NAMES[:5], VALUES[:5])
    return [b"Host: x"] + [chance.choice(pools[0]) + b":" + chance.choice(pools[1]) for _ in range(count)]


def varied(chance: random.Random, fields: list[bytes]) -> list[bytes]:
    if chance.random() < 0.1:
        return some_fields(chance)
    values = VALUES if chance.random() < 0.3 else VALUES[:5]
    return [
        field if chance.random() < 0.6 else field.partition(b":")[0] + b":" + chance.choice(values) for field in fields
    ]


def test_heads_taken_again_are_what_a_reader_without_a_memory_reads() -> None:
    chance = random.Random(9112)
    reader = HeadReader(Limits())
    again = refused = 0
    for _ in range(6000):
        block = some_fields(chance)
        try:
            line, fields = read(reader, build(chance.choice(LINES), block))
        except ProtocolError:
            refused += 1
            continue
        for _ in range(4):
            if not (line.plain and fields.plain):
                break
            block = varied(chance, block)
            data = build(chance.choice(LINES), block)
            taken = reader.again(data, fields)
            if taken is None:
                break
            line = taken
            assert meaning(line, fields) == fresh(data), data
            again += 1
    assert again > 500 and refused > 100


def test_a_reader_with_a_memory_reads_as_one_without() -> None:
    chance = random.Random(2)
    reader = HeadReader(Limits())
    for _ in range(3000):
        data = build(chance.choice(LINES), some_fields(chance))
        end = data.index(b"\r\n\r\n")
        try:
            got = meaning(*reader.read(data, end, BASE))
        except ProtocolError:
            got = None
        assert got == fresh(data), data


def test_good_and_bad_heads_in_any_order_leave_no_trace_in_each_other() -> None:
    reader = HeadReader(Limits())
    for _ in range(2):
        for name in names("valid"):
            data = valid(name).removeprefix(b"\r\n")
            assert meaning(*read(reader, data)) == fresh(data), name


def test_what_is_remembered_is_bounded_in_number_and_length() -> None:
    reader = HeadReader(Limits())
    for number in range(3 * head_module.REMEMBERED_LINES):
        long = b"n" * 4000 if number % 100 == 0 else b""
        read(
            reader,
            build(b"GET /%d%b HTTP/1.1" % (number, long), [b"Host: x", b"X-%d%b: %b" % (number, long, long)]),
        )
    for memory in (reader.lines, reader.pairs, reader.names):
        assert len(memory) <= head_module.REMEMBERED_LINES
        assert max(map(len, memory)) <= head_module.REMEMBERED_LENGTH_BYTES


def test_names_that_nobody_sends_again_do_not_keep_others_from_being_known() -> None:
    reader = HeadReader(Limits())
    for number in range(head_module.REMEMBERED_LINES + 1):
        read(reader, build(LINE, [b"Host: x", b"X-%d: 1" % number]))
    _, fields = read(reader, build(LINE, [b"Host: x", b"X-New: 1"]))
    assert reader.again(build(LINE, [b"Host: x", b"X-New: 2"]), fields) is not None
