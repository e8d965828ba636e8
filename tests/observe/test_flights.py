"""The table of the requests that workers are running."""

from __future__ import annotations

import os
import signal

import pytest
from prodserve.observe.board import Board
from prodserve.observe.flights import CELLS, LINE_BYTES


@pytest.fixture
def board():
    board = Board.create(3)
    yield board
    board.close()


def begin(cells, line, moment):
    starts, cell = cells.take()
    cells.write(starts, cell, line)
    starts[cell] = moment
    return starts, cell


def test_what_a_killed_worker_was_running_is_known_by_name(board):
    pid = os.fork()
    if pid == 0:
        cells = board.claim(1, 1).cells
        begin(cells, "GET /first HTTP/1.1", 1.0)
        begin(cells, "POST /second HTTP/1.1", 2.0)
        starts, cell = begin(cells, "GET /answered HTTP/1.1", 3.0)
        starts[cell] = 0.0
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert [flight.line for flight in board.flights.of(1)] == ["GET /first HTTP/1.1", "POST /second HTTP/1.1"]
    assert board.flights.of(0) == board.flights.of(2) == []


def test_the_next_worker_of_a_row_begins_with_none(board):
    begin(board.claim(0, 1).cells, "GET / HTTP/1.1", 1.0)
    assert board.flights.of(0)
    board.claim(0, 2)
    assert board.flights.of(0) == []


def test_a_long_line_is_cut_and_does_not_touch_its_neighbours(board):
    cells = board.claim(0, 1).cells
    lines = [f"GET /{letter * 500} HTTP/1.1" for letter in "abc"]
    for line in lines:
        begin(cells, line, 1.0)
    assert sorted(flight.line for flight in board.flights.of(0)) == [line[:LINE_BYTES] for line in lines]


def test_ages_are_told_the_oldest_first(board):
    cells = board.claim(0, 1).cells
    now = board._now()
    begin(cells, "young", now - 1)
    begin(cells, "old", now - 100)
    flights = board.flights.of(0)
    assert [flight.line for flight in flights] == ["old", "young"]
    assert 100 <= flights[0].age_s < 200


def test_more_slots_than_cells_run_unnamed(board):
    cells = board.claim(0, 1).cells
    taken = [begin(cells, f"GET /{number} HTTP/1.1", 1.0) for number in range(CELLS + 50)]
    assert len(board.flights.of(0)) == CELLS
    for cell in taken:
        cells.give_back(*cell)
    assert board.flights.of(0) == []
    begin(cells, "GET /again HTTP/1.1", 1.0)
    assert [flight.line for flight in board.flights.of(0)] == ["GET /again HTTP/1.1"]
