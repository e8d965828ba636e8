"""The rules of the verdict, and a short session of chaos."""

from __future__ import annotations

import pytest

from tests.chaos.session import session
from tests.chaos.verdict import Kill, Request, Shortage, excuse, judge, table

SEED = 20261122
KILL = Kill(7, 10.0, 11.0, frozenset({5000}))
FULL = Shortage("the disk was full", 10.0, 11.0, frozenset({"upload"}), frozenset({503}))
EMPTY = Shortage("no descriptors", 10.0, 11.0, frozenset({"file"}), frozenset({503}), reaps=True)


def request(kind="hello", port=5000, sent_s=9.5, ended_s=10.5, status=0, why="lost", reused=False):
    return Request(kind, port, sent_s, ended_s, status, why, reused)


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (request(), "its worker was killed"),
        (request(port=5001), None),
        (request(sent_s=11.5, ended_s=12.0), None),
        (request(sent_s=9.0, ended_s=9.5), None),
        (request(status=503), None),
        (request("upload", status=503), "503: the disk was full"),
        (request("upload", status=500), None),
        (request("upload", status=503, sent_s=11.5, ended_s=12.0), None),
        (request("file", status=503), "503: no descriptors"),
        (request(port=5001, reused=True), "its idle connection was closed: no descriptors"),
        (request(port=5001, reused=True, sent_s=11.5, ended_s=12.0), None),
    ],
)
def test_a_failure_is_excused_by_what_this_suite_did_to_it_and_nothing_else(lost, reason):
    assert excuse(lost, [KILL], [FULL, EMPTY]) == reason


def test_the_table_counts_every_request_once_and_names_what_nothing_excuses():
    good = request(status=200, why="", sent_s=1.0, ended_s=1.25)
    verdict = judge([good, request(), request("file", 5001, 20.0, 20.5)], [KILL], [])
    lines = [" ".join(line.split()) for line in table(verdict, 0.0)]
    assert lines == [
        "requests sent answered excused failed slowest",
        "file 1 0 0 1 0 ms",
        "hello 2 1 1 0 250 ms",
        "all 3 1 1 1 250 ms",
        "excused: 1 of hello: its worker was killed",
        "FAILED at 20.00 s, after 0.50 s: file: lost",
    ]


def test_under_load_only_requests_inside_killed_workers_fail_whatever_goes_wrong(tmp_path):
    assert session(tmp_path, seconds=0, seed=SEED, say=print)
