"""Where the cache folder is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from prodserve.compress.folder import choose, make_private
from prodserve.files.encoded import is_private

OWNERS = {"/home/me": 7, "/root": 0}


@pytest.mark.parametrize(
    ("environ", "broken", "expected"),
    [
        ({"HOME": "/home/me"}, (), "/home/me/.cache/prodserve"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/x"}, (), "/x/prodserve"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "x"}, (), "/home/me/.cache/prodserve"),
        ({"CACHE_DIRECTORY": "/var/cache/a:/var/cache/b", "HOME": "/home/me"}, (), "/var/cache/a/prodserve"),
        ({"CACHE_DIRECTORY": "/var/cache/a", "HOME": "/home/me"}, ("/var/",), "/home/me/.cache/prodserve"),
        ({"HOME": "/root"}, (), "/tmp/prodserve-7"),
        ({"HOME": "/nonexistent"}, (), "/tmp/prodserve-7"),
        ({"HOME": ""}, (), "/tmp/prodserve-7"),
        ({}, (), "/tmp/prodserve-7"),
        ({"TMPDIR": "/scratch"}, (), "/scratch/prodserve-7"),
        ({"HOME": "/home/me"}, ("/home/",), "/tmp/prodserve-7"),
        ({"HOME": "/home/me"}, ("/",), None),
    ],
)
def test_the_first_usual_place_that_can_be_used_is_taken(
    environ: Mapping[str, str], broken: tuple[str, ...], expected: str | None
) -> None:
    assert choose(None, environ, 7, OWNERS.get, lambda folder: not folder.startswith(broken or ("no",))) == expected


def test_a_configured_folder_is_taken_or_none() -> None:
    environ = {"HOME": "/home/me"}
    assert choose("/c", environ, 7, OWNERS.get, lambda _: True) == "/c"
    assert choose("c", environ, 7, OWNERS.get, lambda _: True) == os.path.abspath("c")
    assert choose("/c", environ, 7, OWNERS.get, lambda _: False) is None


def test_a_new_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    assert make_private(str(folder))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert make_private(str(folder))


@pytest.mark.parametrize("case", ["group may write", "everybody may write", "a link", "a file", "below a file"])
def test_a_folder_that_others_can_put_files_into_is_not_used(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "cache"
    if case in ("a file", "below a file"):
        folder.write_text("")
    elif case == "a link":
        (tmp_path / "real").mkdir(0o700)
        folder.symlink_to("real")
    else:
        folder.mkdir()
        folder.chmod(0o770 if case == "group may write" else 0o777)
    path = f"{folder}/x" if case == "below a file" else str(folder)
    assert not make_private(path)
    assert not is_private(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(0o700)
    os.chown(folder, 65534, 65534)
    assert not make_private(str(folder))
