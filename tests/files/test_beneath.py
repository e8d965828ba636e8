"""Opening below a root: links inside are followed, nothing leads out, nothing blocks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from prodserve.files.beneath import open_beneath, open_regular

SWAPPING = """
import os, sys
os.chdir(sys.argv[1])
print("!", flush=True)
while True:
    os.rename("door", "aside")
    os.rename("trap", "door")
    os.rename("door", "trap")
    os.rename("aside", "door")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with files and links, and a secret beside it."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_text("secret")
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "f").write_text("f")
    (root / "sub" / "g").write_text("g")
    (root / "sub" / "deep" / "h").write_text("h")
    return root


def content(root: Path, name: str) -> str:
    before = set(os.listdir("/proc/self/fd"))
    try:
        fd = open_beneath(str(root), name)
    finally:
        opened = set(os.listdir("/proc/self/fd")) - before
    assert len(opened - {str(fd)}) <= 1  # the listing itself
    with open(fd) as file:
        return file.read()


@pytest.mark.parametrize(("name", "expected"), [("f", "f"), ("sub/g", "g"), ("sub/deep/h", "h")])
def test_a_file_is_opened(root: Path, name: str, expected: str) -> None:
    assert content(root, name) == expected


@pytest.mark.parametrize(
    ("link", "target", "name", "expected"),
    [
        ("l", "f", "l", "f"),
        ("l", "sub", "l/g", "g"),
        ("l", "./sub/./deep/", "l/h", "h"),
        ("sub/l", "../f", "sub/l", "f"),
        ("sub/deep/l", "../../sub/g", "sub/deep/l", "g"),
        ("sub/l", "deep/../../sub/g", "sub/l", "g"),
        ("l", "{root}/sub/g", "l", "g"),
        ("sub/deep/l", "{root}/sub", "sub/deep/l/g", "g"),
    ],
)
def test_a_link_that_stays_inside_is_followed(root: Path, link: str, target: str, name: str, expected: str) -> None:
    (root / link).symlink_to(target.format(root=root))
    assert content(root, name) == expected


@pytest.mark.parametrize(
    ("link", "target", "name"),
    [
        ("l", "../secret", "l"),
        ("l", "../outside", "l/f"),
        ("l", "..", "l/secret"),
        ("l", "{root}/../secret", "l"),
        ("l", "{root}x/secret", "l"),
        ("l", "{root}/..", "l/secret"),
        ("l", "/etc/passwd", "l"),
        ("l", "/", "l/etc/passwd"),
        ("sub/l", "../../secret", "sub/l"),
        ("sub/l", "deep/../../../secret", "sub/l"),
        ("l", "../root/f", "l"),
    ],
)
def test_a_link_that_leaves_is_no_file(root: Path, link: str, target: str, name: str) -> None:
    (root / link).symlink_to(target.format(root=root))
    with pytest.raises(FileNotFoundError):
        open_beneath(str(root), name)


def test_a_chain_of_links_that_leaves_is_no_file(root: Path) -> None:
    (root / "one").symlink_to("sub/two")
    (root / "sub" / "two").symlink_to("../three")
    (root / "three").symlink_to("../secret")
    with pytest.raises(FileNotFoundError):
        open_beneath(str(root), "one")


def test_links_that_go_in_circles_end(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        open_beneath(str(root), "a")


def test_a_root_may_be_a_link_itself(root: Path) -> None:
    current = root.parent / "current"
    current.symlink_to(root)
    (root / "l").symlink_to(root / "sub" / "g")
    assert content(current, "l") == "g"
    (root / "m").symlink_to(current / "f")
    assert content(current, "m") == "f"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("absent", FileNotFoundError),
        ("sub/absent", FileNotFoundError),
        ("absent/f", FileNotFoundError),
        ("f/g", NotADirectoryError),
        ("sub", IsADirectoryError),
        ("", IsADirectoryError),
        ("x" * 300, OSError),
    ],
)
def test_what_is_no_file_is_an_error_of_the_system(root: Path, name: str, error: type[OSError]) -> None:
    with pytest.raises(error):
        open_beneath(str(root), name)


def test_special_files_are_neither_opened_nor_waited_for(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        for name in ("fifo", "socket"):
            with pytest.raises(FileNotFoundError):
                open_beneath(str(root), name)
            with pytest.raises(FileNotFoundError):
                open_regular(str(root / name))
    with pytest.raises(FileNotFoundError):
        open_regular("/dev/null")


def test_nothing_stays_open_after_a_failure(root: Path) -> None:
    (root / "l").symlink_to("../secret")
    os.mkfifo(root / "sub" / "deep" / "fifo")
    before = os.listdir("/proc/self/fd")
    for name in ("l", "sub/deep/absent", "sub/deep/fifo", "sub/deep", "f/x"):
        with pytest.raises(OSError, match=r"."):
            open_beneath(str(root), name)
    assert os.listdir("/proc/self/fd") == before


def test_a_directory_that_is_swapped_for_a_link_while_it_is_walked_does_not_lead_out(root: Path) -> None:
    """Many swaps against many openings: whichever wins, the secret is never read."""
    (root / "door").mkdir()
    (root / "door" / "f").write_text("open")
    (root / "trap").symlink_to(root.parent / "outside")
    swapping = subprocess.Popen([sys.executable, "-c", SWAPPING, str(root)], stdout=subprocess.PIPE)
    assert swapping.stdout is not None
    swapping.stdout.read(1)
    seen = set()
    try:
        for _ in range(3000):
            try:
                with open(open_beneath(str(root), "door/f")) as file:
                    seen.add(file.read())
            except OSError:
                continue
    finally:
        swapping.kill()
        swapping.wait()
        swapping.stdout.close()
    assert seen <= {"open"}
