"""The board of heartbeats, and the names that processes show."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from prodserve.observe.board import Board
from prodserve.observe.memory_file import read_json, write_json
from prodserve.observe.title import argument_area, padded


@pytest.fixture
def board():
    board = Board.create(4)
    yield board
    board.close()


def test_a_row_is_zero_before_its_first_beat(board):
    assert set(board.read(3)) == {0}


def test_one_row_does_not_touch_another(board):
    board.claim(1, generation=7)(requests=5, connections=4, busy=3, waiting=2)
    row = board.read(1)
    assert (row.pid, row.generation, *row[3:]) == (os.getpid(), 7, 5, 4, 3, 2)
    assert row.heartbeat_s > 0
    assert set(board.read(0)) == set(board.read(2)) == {0}


def test_another_process_writes_what_this_one_reads(board):
    code = (
        "import sys; from prodserve.observe.board import Board; Board.open(int(sys.argv[1]), 4).claim(2, 1)(requests=9)"
    )
    subprocess.run([sys.executable, "-c", code, str(board.fd)], pass_fds=[board.fd], check=True)
    assert board.read(2).requests == 9


def test_a_row_is_never_seen_half_written(board):
    """A writer that writes equal numbers as fast as it can, and a reader beside it."""
    pid = os.fork()
    if pid == 0:
        beat = board.claim(0, 0)
        for number in range(200_000):
            beat(number, number, number, number)
        os._exit(0)
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert len(set(board.read(0)[3:])) == 1
    assert board.read(0).requests == 199_999


def test_what_a_memory_file_holds_comes_back():
    data = {"a": [1, "ä", "\udcff", None]}
    assert read_json(write_json("test", data)) == data


def test_the_place_of_the_command_line_is_found_behind_any_process_name():
    stat = b"1 (a ) b) S " + b" ".join(str(number).encode() for number in range(4, 53))
    assert argument_area(stat) == (48, 49)
    assert argument_area(b"1 (a) S 1") == (0, 0)


def test_a_title_is_cut_to_the_room_there_is():
    assert padded("prodserve", 4) == b"pro\0"
    assert padded("ab", 4) == b"ab\0\0"


def test_a_memory_file_is_had_where_the_system_has_none(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    assert read_json(write_json("test", [1])) == [1]


def test_siblings_see_who_holds_the_fewest_connections(board):
    first, second = board.claim(0, generation=1), board.claim(1, generation=1)
    first.hold(9)
    second.hold(4)
    assert first.fewest() == second.fewest() == 4


def test_workers_of_another_generation_and_dead_ones_do_not_count(board):
    mine, dead = board.claim(0, generation=2), board.claim(1, generation=2)
    board.claim(2, generation=1).hold(0)
    mine.hold(9)
    dead.hold(3)
    board.vacate(1)
    assert mine.fewest() == 9


def test_a_place_counts_its_own_connections_from_the_beginning(board):
    assert board.claim(3, generation=5).fewest() == 0
