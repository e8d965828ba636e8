"""The files that the static workloads ask for, and what the right answers to them are."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import pytest

from benchmarks.measure import Answer, right_body, validators, wrong_answer
from benchmarks.trees import Tree, plant, planted
from benchmarks.workloads import WORKLOADS, Workload

SMALL = Tree("picture", ".png", 30, 300, count=5)
SHEET = Tree("site", ".css", 5000, 5000, encoded=True)
STATIC = [workload for workload in WORKLOADS.values() if workload.tree is not None]


def test_a_tree_is_the_same_each_time_it_is_planted(tmp_path: Path) -> None:
    contents = []
    for root in (tmp_path / "one", tmp_path / "other"):
        plant(SMALL, root, ("br", "gzip"))
        contents.append([(root / name).read_bytes() for name in SMALL.names()])
    assert contents[0] == contents[1]
    assert len(set(contents[0])) == SMALL.count
    assert all(SMALL.smallest <= len(content) <= SMALL.largest for content in contents[0])
    assert sum(1 for path in tmp_path.rglob("*") if path.is_file()) == 2 * SMALL.count


def test_encoded_copies_are_smaller_and_give_the_file_back(tmp_path: Path) -> None:
    plant(SHEET, tmp_path, ("gzip",))
    encoded = (tmp_path / "site.css.gz").read_bytes()
    assert gzip.decompress(encoded) == (tmp_path / "site.css").read_bytes()
    assert len(encoded) < SHEET.largest
    assert not (tmp_path / "site.css.br").exists()


def test_a_tree_is_gone_after_its_workload() -> None:
    with planted(SMALL, Path("/nowhere")) as root:
        assert root is not None
        assert (root / SMALL.name(4)).exists()
    assert not root.exists()
    with planted(None, Path("/nowhere")) as root:
        assert root is None


@pytest.mark.parametrize("workload", STATIC, ids=lambda workload: workload.name)
def test_each_static_workload_asks_for_a_file_of_its_tree(workload: Workload) -> None:
    assert workload.tree is not None
    last = workload.choices[-1] if workload.tree.count > 1 else ""
    assert workload.path.replace("@", last) == f"/static/{workload.tree.name(workload.tree.count - 1)}"


def test_the_right_body_is_the_encoded_copy_the_part_or_nothing(tmp_path: Path) -> None:
    plant(SHEET, tmp_path, ("gzip",))
    content = (tmp_path / "site.css").read_bytes()
    sheet = WORKLOADS["static-100k"]
    assert right_body(sheet, "", tmp_path) == gzip.compress(content, mtime=0)
    assert right_body(dataclasses.replace(sheet, status=206), "10-19", tmp_path) == content[10:20]
    assert right_body(dataclasses.replace(sheet, status=304), "", tmp_path) == b""


def test_a_304_with_a_body_or_another_status_is_wrong() -> None:
    workload = WORKLOADS["static-304"]
    assert wrong_answer(workload, Answer(304, b"", 100), b"") is None
    assert wrong_answer(workload, Answer(200, b"", 100), b"") == "status 200"
    assert wrong_answer(workload, Answer(304, b"x", 100), b"") == "wrong body: b'x'"


def test_the_validators_that_a_server_gave_are_sent_back() -> None:
    given = Answer(200, b"", 0, {"etag": '"x"', "last-modified": "then"})
    assert validators(given) == (("If-None-Match", '"x"'), ("If-Modified-Since", "then"))
    assert validators(Answer(200, b"", 0)) == ()
