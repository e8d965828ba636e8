"""The access log: whole lines, none forged, none in the way of a request."""

from __future__ import annotations

import os
from pathlib import Path

from prodserve.clock import log_date
from prodserve.observe.access_log import BATCH, WAITING_BYTES, AccessLog

NOW_S = 1_700_000_000.0


def fail(warning: str) -> None:
    raise AssertionError(warning)


def opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def test_a_request_is_one_line_of_the_common_format_with_its_duration(tmp_path: Path) -> None:
    fd = opened(tmp_path / "log")
    log = AccessLog(fd, NOW_S, fail)
    log.add("1.2.3.4", "GET /a?b HTTP/1.1", 200, 1234, 0.01234)
    log.add("", "-", 400, 0, 0.0)
    log.flush(NOW_S)
    os.close(fd)
    date = log_date(NOW_S)
    assert (tmp_path / "log").read_text().splitlines() == [
        f'1.2.3.4 - - [{date}] "GET /a?b HTTP/1.1" 200 1234 12.3ms',
        f'- - - [{date}] "-" 400 0 0.0ms',
    ]


def test_lines_wait_for_others_and_for_the_second_to_pass(tmp_path: Path) -> None:
    fd = opened(tmp_path / "log")
    log = AccessLog(fd, NOW_S, fail)
    for _ in range(BATCH - 1):
        log.add("h", "GET / HTTP/1.1", 200, 0, 0)
    assert (tmp_path / "log").read_bytes() == b""
    log.add("h", "GET / HTTP/1.1", 200, 0, 0)
    assert (tmp_path / "log").read_bytes().count(b"\n") == BATCH
    log.add("h", "GET / HTTP/1.1", 200, 0, 0)
    log.flush(NOW_S)
    os.close(fd)
    assert (tmp_path / "log").read_bytes().count(b"\n") == BATCH + 1


def test_a_line_has_the_time_of_the_last_second(tmp_path: Path) -> None:
    fd = opened(tmp_path / "log")
    log = AccessLog(fd, NOW_S, fail)
    log.flush(NOW_S + 5)
    log.add("h", "GET / HTTP/1.1", 200, 0, 0)
    log.flush(NOW_S + 6)
    os.close(fd)
    assert log_date(NOW_S + 5) in (tmp_path / "log").read_text()


def full_pipe() -> tuple[int, int, int]:
    """Both ends of a pipe that takes no more, and how many bytes are in it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = 0
    try:
        while True:
            filled += os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)  # as it is when it is somebody's stdout
    return reader, writer, filled


def test_a_reader_that_sleeps_stops_nobody_and_gets_whole_lines_later() -> None:
    reader, writer, filled = full_pipe()
    log = AccessLog(writer, NOW_S, fail)
    for number in range(1000):
        log.add("h", f"GET /{number} HTTP/1.1", 200, 0, 0)
    log.flush(NOW_S)
    got = b""
    while len(got) < filled:
        got += os.read(reader, filled - len(got))
    log.flush(NOW_S)
    os.close(writer)
    pieces = []
    while piece := os.read(reader, 65536):
        pieces.append(piece)
    os.close(reader)
    lines = b"".join(pieces).decode().splitlines()
    assert [line.split('"')[1] for line in lines] == [f"GET /{number} HTTP/1.1" for number in range(len(lines))]
    assert len(lines) > 500


def test_lines_that_find_no_room_are_counted_and_the_loss_is_told_once() -> None:
    reader, writer, _ = full_pipe()
    told: list[str] = []
    log = AccessLog(writer, NOW_S, told.append)
    line = "GET /" + "x" * 1000 + " HTTP/1.1"
    count = 4 * WAITING_BYTES // 1000
    for _ in range(count):
        log.add("h", line, 200, 0, 0)
    log.flush(NOW_S)
    log.flush(NOW_S)
    os.close(writer)
    os.close(reader)
    assert len(told) == 1 and told[0].endswith("access log lines were lost: they could not be written")
    assert count * 0.6 < int(told[0].split()[0]) < count


def test_a_reader_that_is_gone_harms_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    told: list[str] = []
    log = AccessLog(writer, NOW_S, told.append)
    for _ in range(3):
        log.add("h", "GET / HTTP/1.1", 200, 0, 0)
        log.flush(NOW_S)
    os.close(writer)
    assert told == ["1 access log lines were lost: they could not be written"] * 3


def test_colours_are_for_terminals_only(tmp_path: Path) -> None:
    terminal, screen = os.openpty()
    log = AccessLog(screen, NOW_S, fail)
    log.add("h", "GET / HTTP/1.1", 404, 0, 0)
    log.flush(NOW_S)
    shown = os.read(terminal, 4096)
    os.close(screen)
    os.close(terminal)
    assert b"\x1b[33m404\x1b[0m" in shown
    fd = opened(tmp_path / "log")
    log = AccessLog(fd, NOW_S, fail)
    log.add("h", "GET / HTTP/1.1", 404, 0, 0)
    log.flush(NOW_S)
    os.close(fd)
    assert b"\x1b" not in (tmp_path / "log").read_bytes()
