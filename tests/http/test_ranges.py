"""Byte ranges: what is asked for, what is ignored, what can't be satisfied, as a table."""

from __future__ import annotations

import pytest
from prodserve.http.ranges import (
    RANGES_MAX,
    ByteRange,
    multipart_end,
    part_head,
    select_ranges,
    unsatisfied_range,
)

WHOLE = None
NOTHING: list[tuple[int, int]] = []


@pytest.mark.parametrize(
    ("value", "selected"),
    [
        # one range
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-49", [(0, 50)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=0-100", [(0, 100)]),
        ("bytes=0-99999999999999999999999999", [(0, 100)]),
        ("bytes=99-99", [(99, 1)]),
        ("bytes=50-", [(50, 50)]),
        ("bytes=0-", [(0, 100)]),
        ("bytes=99-", [(99, 1)]),
        ("bytes=-1", [(99, 1)]),
        ("bytes=-100", [(0, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=-99999999999999999999999999", [(0, 100)]),
        ("bytes=000000000000000000000000005-0006", [(5, 2)]),
        ("BYTES=0-0", [(0, 1)]),
        ("bytes= 0-0", [(0, 1)]),
        ("bytes=0-0 ", [(0, 1)]),
        ("bytes=,0-0,", [(0, 1)]),
        ("bytes=, \t, 0-0 ,,", [(0, 1)]),
        # none that can be satisfied
        ("bytes=100-", NOTHING),
        ("bytes=100-200", NOTHING),
        ("bytes=99999999999999999999999999-", NOTHING),
        ("bytes=" + "9" * 5000 + "-", NOTHING),
        ("bytes=-0", NOTHING),
        ("bytes=-0,100-", NOTHING),
        # several
        ("bytes=0-0,-1", [(0, 1), (99, 1)]),
        ("bytes=0-9, 20-29", [(0, 10), (20, 10)]),
        ("bytes=90-99,0-9", [(90, 10), (0, 10)]),
        ("bytes=0-0,100-", [(0, 1)]),
        ("bytes=100-,-0,5-5", [(5, 1)]),
        ("bytes=0-9,5-14", [(0, 10), (5, 10)]),
        ("bytes=0-49,50-99", [(0, 50), (50, 50)]),
        # more than the whole
        ("bytes=0-,0-", WHOLE),
        ("bytes=0-60,20-80", WHOLE),
        ("bytes=0-99,0-0", WHOLE),
        ("bytes=" + "0-," * 20, WHOLE),
        # malformed
        ("", WHOLE),
        ("bytes", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=,", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=--1", WHOLE),
        ("bytes=-1-2", WHOLE),
        ("bytes=5-4", WHOLE),
        ("bytes=200-100", WHOLE),
        ("bytes=0-0,5-4", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0-0,x", WHOLE),
        ("bytes=0 - 0", WHOLE),
        ("bytes =0-0", WHOLE),
        (" bytes=0-0", WHOLE),
        ("bytes:0-0", WHOLE),
        ("bytes=0-0;1-1", WHOLE),
        ("bytes=+0-0", WHOLE),
        ("bytes=0x0-0x1", WHOLE),
        ("bytes=1_0-2_0", WHOLE),
        ("bytes=٠-٠", WHOLE),
        ("bytes=0-0,bytes=5-5", WHOLE),
        # other units
        ("items=0-0", WHOLE),
        ("seconds=1-2", WHOLE),
        ("0-0", WHOLE),
    ],
)
def test_ranges_of_a_hundred_bytes(value: str, selected: list[tuple[int, int]] | None) -> None:
    expected = None if selected is None else tuple(ByteRange(*part) for part in selected)
    assert select_ranges(value, 100) == expected


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=1-", "nonsense"])
def test_of_an_empty_file_the_whole_is_sent(value: str) -> None:
    assert select_ranges(value, 0) is None


def test_the_number_of_parts_is_bounded() -> None:
    def asked(count: int) -> str:
        return "bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(count))

    most = select_ranges(asked(RANGES_MAX), 10_000)
    assert most is not None
    assert len(most) == RANGES_MAX
    assert select_ranges(asked(RANGES_MAX + 1), 10_000) is None


def test_every_single_range_is_what_slicing_gives() -> None:
    content = bytes(range(7))
    for first in range(9):
        for last in range(first, 9):
            selected = select_ranges(f"bytes={first}-{last}", len(content))
            assert selected is not None
            assert b"".join(content[p.start : p.start + p.length] for p in selected) == content[first : last + 1]
    for suffix in range(1, 9):
        (part,) = select_ranges(f"bytes=-{suffix}", len(content)) or ()
        assert content[part.start : part.start + part.length] == content[-suffix:]


def test_content_range_names_the_last_byte_and_the_size() -> None:
    assert ByteRange(0, 1).content_range(100) == "bytes 0-0/100"
    assert ByteRange(50, 50).content_range(100) == "bytes 50-99/100"
    assert unsatisfied_range(100) == "bytes */100"


def test_parts_are_framed_as_multipart() -> None:
    assert part_head("B", "text/plain", ByteRange(5, 2), 100) == (
        b"\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-6/100\r\n\r\n"
    )
    assert multipart_end("B") == b"\r\n--B--\r\n"
