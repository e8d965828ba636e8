"""Counting files, for the banner."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.files.census import Count, count_files


@pytest.fixture
def tree(tmp_path: Path) -> StaticRoot:
    """Seven files in three folders, and a link that leads round in a circle."""
    for name in ("a", "b", "one/a", "one/b", "one/two/a", "one/two/b", "one/two/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "one" / "again").symlink_to(tmp_path)
    return StaticRoot("/", str(tmp_path))


@pytest.mark.parametrize(
    ("most", "counted"), [(100, Count(8, True)), (8, Count(8, True)), (7, Count(7, False)), (1, Count(1, False))]
)
def test_files_are_counted_up_to_a_bound(tree: StaticRoot, most: int, counted: Count) -> None:
    assert count_files(tree, most, 60) == counted


def test_counting_ends_when_its_time_is_over(tree: StaticRoot) -> None:
    ticks = count()
    found = count_files(tree, 100, 3, clock=lambda: float(next(ticks)))
    assert not found.exact
    assert found.files <= 3


def test_a_list_is_as_long_as_it_is(tmp_path: Path) -> None:
    assert count_files(StaticRoot("/", files=dict.fromkeys("abc", "/x")), 1) == Count(3, True)
    assert count_files(StaticRoot("/", str(tmp_path / "gone"))) == Count(0, True)
