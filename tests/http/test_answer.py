"""Answers that are complete in advance, and the pieces of their bodies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prodserve.http.answer import Answer, head_block, plain_answer, without_body
from prodserve.http.segments import FileSlice


def test_a_head_is_a_status_line_and_fields_without_the_blank_line() -> None:
    assert head_block(206, [("A", "b"), ("C", "d")]) == b"HTTP/1.1 206 Partial Content\r\nA: b\r\nC: d\r\n"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 412, 413, 414, 416, 417, 431, 500, 501, 503, 505])
def test_a_plain_answer_declares_its_length(status: int) -> None:
    answer = plain_answer(status, [("X", "y")])
    assert answer.status == status
    assert answer.length == sum(map(len, answer.body))
    assert f"\r\nContent-Length: {answer.length}\r\n".encode() in answer.head
    assert b"\r\nX: y\r\n" in answer.head
    assert answer.head.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.head.endswith(b"\r\n")
    assert b"\r\n\r\n" not in answer.head


def test_the_answer_to_a_head_has_the_same_head_and_no_body() -> None:
    answer = plain_answer(404)
    bare = without_body(answer)
    assert (bare.status, bare.head, bare.body, bare.length) == (404, answer.head, (), 0)


def test_an_answer_that_is_not_sent_gives_its_files_back(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    piece = FileSlice(fd, 0, 3)
    assert len(piece) == 3
    Answer(200, b"", (b"x", piece), 4).close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_slice_closes_its_descriptor_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    piece = FileSlice(fd := os.open(tmp_path / "f", os.O_RDONLY), 0, 3)
    piece.close()
    reused = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        assert reused == fd
        piece.close()
        os.fstat(reused)
    finally:
        os.close(reused)
