"""The chunked transfer coding: what a body is, what is none, and where it ends. However its bytes arrive."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from prodserve.errors import BadRequest, HeadTooLarge, ProtocolError
from prodserve.h1.chunked import EXTENSION_BYTES, LAST_CHUNK, ChunkedReader, chunk
from prodserve.h1.head import HeadReader, Limits

from tests.arrivals import Arrival


def decode(arrive: Arrival, raw: bytes, trailers: list[bytes] | None = None) -> tuple[bytes, bytes, bool]:
    """(payload, what is left, whether the body has ended)."""

    def check(lines: Sequence[bytes]) -> None:
        HeadReader(Limits()).check_trailers(lines)
        if trailers is not None:
            trailers.extend(lines)

    reader = ChunkedReader(check)
    payload, buffer = b"", b""
    for piece in arrive(raw):
        buffer += piece
        if not reader.done:
            found, used = reader.feed(buffer)
            payload += b"".join(found)
            buffer = buffer[used:]
    return payload, buffer, reader.done


GOOD: list[tuple[bytes, bytes]] = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
    (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    (b"00000000000000a\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
    (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    (b"5;a=b\r\nhello\r\n0;last\r\n\r\n", b"hello"),
    (b'5;a="b;\tc"\r\nhello\r\n0\r\n\r\n', b"hello"),
    (b"5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\n\r\n", b"hello"),
    (b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n", b"hello"),
]


@pytest.mark.parametrize(("raw", "payload"), GOOD)
def test_a_body_ends_where_it_says(arrive: Arrival, raw: bytes, payload: bytes) -> None:
    assert decode(arrive, raw) == (payload, b"", True)
    assert decode(arrive, raw + b"GET / HTTP/1.1\r\n") == (payload, b"GET / HTTP/1.1\r\n", True)
    assert decode(arrive, raw + b"\r\n") == (payload, b"\r\n", True)


@pytest.mark.parametrize("raw", [raw for raw, _ in GOOD])
def test_no_beginning_of_a_body_is_a_whole_one_or_a_wrong_one(arrive: Arrival, raw: bytes) -> None:
    for length in range(len(raw)):
        assert decode(arrive, raw[:length])[2] is False


BAD: list[tuple[bytes, type[ProtocolError]]] = [
    (b"\r\n", BadRequest),
    (b"g\r\n", BadRequest),
    (b"0x5\r\n", BadRequest),
    (b"-1\r\n", BadRequest),
    (b"+1\r\n", BadRequest),
    (b" 5\r\n", BadRequest),
    (b"5 \r\n", BadRequest),
    (b"5 ;a\r\n", BadRequest),
    (b"5\t\r\n", BadRequest),
    (b"1_0\r\n", BadRequest),
    (b"5,5\r\n", BadRequest),
    (b"5\n", BadRequest),
    (b"5\rhello", BadRequest),
    (b"5\r\r\n", BadRequest),
    (b"\xb2\r\n", BadRequest),
    (b"1000000000000000\r\n", BadRequest),
    (b"0000000000000000\r\n", BadRequest),
    (b"5;a\nb\r\n", BadRequest),
    (b"5;a\rb\r\n", BadRequest),
    (b"5;\x00\r\n", BadRequest),
    (b"5;\xe9\r\n", BadRequest),
    (b"5;" + b"a" * 5000, BadRequest),
    (b"5\r\nhello!", BadRequest),
    (b"5\r\nhello\n", BadRequest),
    (b"5\r\nhello\rX", BadRequest),
    (b"5\r\nhello0\r\n\r\n", BadRequest),
    (b"0\r\nA\r\n\r\n", BadRequest),
    (b"0\r\n: 1\r\n\r\n", BadRequest),
    (b"0\r\nA : 1\r\n\r\n", BadRequest),
    (b"0\r\n A: 1\r\n\r\n", BadRequest),
    (b"0\r\nA: 1\r\n 2\r\n\r\n", BadRequest),
    (b"0\r\nA: 1\nB: 2\r\n\r\n", BadRequest),
    (b"0\r\nA: 1\rB: 2\r\n\r\n", BadRequest),
    (b"0\r\nA: \x00\r\n\r\n", BadRequest),
    (b"0\r\n\n", BadRequest),
    (b"0\r\nA: " + b"x" * 5000, BadRequest),
    (b"0\r\n" + b"A: 123456\r\n" * 2000, HeadTooLarge),
    ((b"1;" + b"e" * 4000 + b"\r\nx\r\n") * (EXTENSION_BYTES // 4000 + 1), BadRequest),
]


@pytest.mark.parametrize(("raw", "error"), BAD, ids=[f"{raw[:24]!r}" for raw, _ in BAD])
def test_what_is_no_body_is_refused(arrive: Arrival, raw: bytes, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        decode(arrive, raw)


def test_trailers_are_handed_over_for_a_check_once(arrive: Arrival) -> None:
    seen: list[bytes] = []
    decode(arrive, b"1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n", seen)
    assert seen == [b"A: 1", b"B: 2"]


def test_what_is_written_reads_back(arrive: Arrival) -> None:
    chance = random.Random(7)
    for _ in range(20):
        blocks = [chance.randbytes(chance.choice((1, 2, 15, 16, 17, 300))) for _ in range(chance.randrange(6))]
        raw = b"".join(map(chunk, blocks)) + LAST_CHUNK
        assert decode(arrive, raw + b"rest") == (b"".join(blocks), b"rest", True)


def test_a_chunk_that_is_larger_than_memory_is_passed_on_as_it_comes() -> None:
    reader = ChunkedReader(lambda lines: None)
    assert reader.feed(b"fffffffffffffff\r\n") == ([], 17)
    for _ in range(10):
        assert reader.feed(b"x" * 1000) == ([b"x" * 1000], 1000)
    assert not reader.done
