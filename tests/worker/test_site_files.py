"""What a generation knows of the static files before its workers are forked."""

from __future__ import annotations

from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.config.options import Config
from prodserve.handlers.static import StaticFiles
from prodserve.worker.site_files import FILES_LEAST, files_of_each, find_files

from tests.handlers.files import make_tree

CONFIG = Config(workers=2, compress=False)


def known(files: StaticFiles | None) -> set[bytes]:
    assert files is not None
    return set(files.known())


def test_the_files_of_small_trees_are_looked_up_before_anybody_asks(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "root")
    files = find_files([StaticRoot("/static/", str(tree))], CONFIG)
    assert {b"/static/a.txt", b"/static/sub/page.html", b"/static/%C3%A9%20%C3%BC.txt"} <= known(files)
    assert not any(b".env" in target for target in known(files))


def test_a_file_that_was_looked_up_is_compared_with_the_disk_when_it_is_asked_for(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "root")
    files = find_files([StaticRoot("/static/", str(tree))], CONFIG)
    assert files is not None
    (tree / "a.txt").unlink()
    gone = files.answer("GET", b"/static/a.txt", {}, 5)
    assert gone is not None
    assert gone.status == 404
    found = files.answer("GET", b"/static/app.css", {}, 5)
    assert found is not None
    assert found.status == 200


def test_a_large_tree_is_looked_up_only_in_part(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text("x")
    roots = [StaticRoot("/static/", str(tmp_path))]
    assert len(known(find_files(roots, CONFIG, most=10))) == 10
    seconds = iter(range(100))
    assert len(known(find_files(roots, CONFIG, time_s=5.5, clock=lambda: float(next(seconds))))) == 5


def test_uploads_are_not_looked_up_before(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert known(find_files([StaticRoot("/media/", str(tmp_path), uploads=True)], CONFIG)) == set()


def test_without_roots_there_are_no_files() -> None:
    assert find_files([], CONFIG) is None


@pytest.mark.parametrize(("workers", "each"), [(1, 12_288), (2, 12_288), (4, 9_000), (12, 3_000), (100, FILES_LEAST)])
def test_the_more_workers_the_fewer_files_each_of_them_knows(workers: int, each: int) -> None:
    assert files_of_each(workers) == each
