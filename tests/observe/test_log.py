"""The error log."""

from __future__ import annotations

import os
import re

import pytest
from prodserve.observe.log import Log


@pytest.fixture
def lines(tmp_path):
    """A log of level info and what it has written."""
    path = tmp_path / "log"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    yield Log(fd, "info", now=lambda: 0.0), lambda: path.read_text(encoding="utf-8").splitlines()
    os.close(fd)


def test_a_record_has_time_process_and_level(lines):
    log, read = lines
    log.warning("disk is full: größer")
    assert re.fullmatch(
        r"\[19\d\d-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[WARNING\] disk is full: größer", *read()
    )


def test_what_is_less_severe_than_the_level_is_left_out(lines):
    log, read = lines
    log.debug("a")
    log.info("b")
    log.error("c")
    assert [line[-1] for line in read()] == ["b", "c"]


@pytest.mark.parametrize("text", ["a\n[2026-01-01 00:00:00 +0000] [1] [INFO] b", "a\r\x1b[2Jb", "a\x85b\u2028c\x00"])
def test_no_text_forges_a_record(lines, text):
    log, read = lines
    log.info(text)
    first, *others = read()
    assert first.startswith("[")
    assert all(line.startswith("    ") for line in others)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join(read()))


def test_a_traceback_keeps_its_lines(lines):
    log, read = lines
    log.error("it failed\nTraceback\n  File x\n    y = 1\n")
    assert read()[1:] == ["    Traceback", "      File x", "        y = 1"]


def test_a_log_that_is_closed_harms_nobody():
    reader, writer = os.pipe()
    os.close(reader)
    Log(writer).error("nobody reads this")
    os.close(writer)
    Log(writer).error("nor this")
