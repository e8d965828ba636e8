"""From files to notes and copies, and what a reader makes of them."""

from __future__ import annotations

import errno
import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.compress.encoders import Encoder, available
from prodserve.compress.filling import Outcome
from prodserve.compress.store import STALE_S, Usage, evictions
from prodserve.files.encoded import EncodedCopies, Note, parse_note

from tests.server import wait_until

from .trees import codings, files, fill, now, root_of, state, text, write

GZIP = {"gzip": available()["gzip"]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path / "tree" / "a.css", text(1))
    write(tmp_path / "tree" / "js" / "b.js", text(2))
    return tmp_path / "tree"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def unused(content: bytes) -> bytes:
    raise AssertionError("nothing had to be compressed")


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("0" * 40 + " br=12 gzip=0\n", Note("0" * 40, {"br": 12, "gzip": 0})),
        ("a" * 40 + "\n", Note("a" * 40, {})),
        ("0" * 40 + " br=12 gzip=", None),
        ("0" * 40 + " br=12", None),
        ("../../../etc/passwd br=12\n", None),
        ("", None),
        ("\ufffd", None),
    ],
)
def test_a_note_that_was_cut_short_is_none(written: str, note: Note | None) -> None:
    assert parse_note(written) == note
    assert note is None or note.text == written


def test_a_reader_finds_the_copies_smallest_first(tree: Path, cache: Path) -> None:
    outcome = fill(cache, root_of(tree))
    assert (outcome.files, outcome.codings, outcome.full) == (2, ["br", "zstd", "gzip"], False)
    assert outcome.before_bytes == len(text(1)) + len(text(2)) > outcome.after_bytes
    made = EncodedCopies(str(cache)).copies(state(tree / "a.css"))
    assert [each[2].size for each in made] == sorted(each[2].size for each in made)
    for coding, path, copy in made:
        assert available()[coding].decode(Path(path).read_bytes()) == text(1)
        assert copy == state(Path(path))
    assert {coding for coding, _, _ in made} == {"br", "zstd", "gzip"}
    assert os.stat(cache).st_mode & 0o777 == 0o700


def test_a_second_pass_compresses_nothing(tree: Path, cache: Path) -> None:
    fill(cache, root_of(tree))
    before = {path: path.stat() for path in files(cache)}
    outcome = fill(cache, root_of(tree), encoders=dict.fromkeys(available(), Encoder(unused, unused)))
    assert outcome == Outcome()
    assert {path: path.stat() for path in files(cache)} == before


def test_a_new_release_with_the_same_content_is_not_compressed_again(tree: Path, cache: Path, tmp_path: Path) -> None:
    fill(cache, root_of(tree))
    release = tmp_path / "release"
    shutil.copytree(tree, release)
    decoding = {coding: Encoder(unused, encoder.decode) for coding, encoder in available().items()}
    assert fill(cache, root_of(release), encoders=decoding) == Outcome()
    assert codings(cache, release / "js" / "b.js") == codings(cache, tree / "js" / "b.js") != []


def test_a_changed_file_has_other_copies(tree: Path, cache: Path) -> None:
    fill(cache, root_of(tree))
    write(tree / "a.css", text(3))
    assert codings(cache, tree / "a.css") == []
    assert fill(cache, root_of(tree)).files == 1
    _, path, _ = EncodedCopies(str(cache)).copies(state(tree / "a.css"))[0]
    assert any(encoder.encode(text(3)) == Path(path).read_bytes() for encoder in available().values())


def test_what_is_not_worth_it_is_noted_too(tree: Path, cache: Path) -> None:
    dense = write(tree / "dense.txt", random.Random(1).randbytes(2000))
    assert fill(cache, root_of(tree), encoders=GZIP).files == 2  # the others
    assert os.path.exists(EncodedCopies(str(cache)).note(state(dense)))
    assert codings(cache, dense) == []
    assert fill(cache, root_of(tree), encoders={"gzip": Encoder(unused, unused)}) == Outcome()


def test_a_coding_that_was_installed_later_is_added(tree: Path, cache: Path) -> None:
    fill(cache, root_of(tree), encoders=GZIP)
    assert codings(cache, tree / "a.css") == ["gzip"]
    fill(cache, root_of(tree), encoders={**available(), "gzip": Encoder(unused, unused)})
    assert set(codings(cache, tree / "a.css")) == {"br", "zstd", "gzip"}


def test_a_file_with_copies_beside_it_gets_the_others_only(tree: Path, cache: Path) -> None:
    write(tree / "a.css.br", b"made by somebody")
    fill(cache, root_of(tree))
    assert set(codings(cache, tree / "a.css")) == {"zstd", "gzip"}


@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "a link", "other bytes"])
def test_a_damaged_copy_is_not_served_and_is_made_again(tree: Path, cache: Path, damage: str) -> None:
    fill(cache, root_of(tree), encoders=GZIP)
    ((_, name, _),) = EncodedCopies(str(cache)).copies(state(tree / "a.css"))
    path = Path(name)
    content = path.read_bytes()
    path.unlink()
    if damage == "a link":
        path.symlink_to(write(tree.parent / "planted", content))
    elif damage != "gone":
        path.write_bytes({"cut": content[:-1], "empty": b"", "other bytes": content + b"x"}[damage])
    assert codings(cache, tree / "a.css") == []
    fill(cache, root_of(tree), encoders=GZIP)
    assert codings(cache, tree / "a.css") == ["gzip"]
    assert not path.is_symlink()
    assert gzip.decompress(path.read_bytes()) == text(1)


def test_a_folder_that_others_can_write_to_has_no_copies(tree: Path, cache: Path) -> None:
    fill(cache, root_of(tree), encoders=GZIP)
    cache.chmod(0o777)
    assert codings(cache, tree / "a.css") == []


def test_only_what_would_be_served_is_compressed(tree: Path, cache: Path, tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.txt", text(9))
    inside = [write(tree / name, text(10 + n)) for n, name in enumerate((".well-known/a.txt", "ü/ä.txt"))]
    hidden = [write(tree / name, text(20 + n)) for n, name in enumerate((".git/a.txt", "js/.hidden.js"))]
    (tree / "out.txt").symlink_to(secret)
    (tree / "in.txt").symlink_to("a.css")
    (tree / "folder").symlink_to(tmp_path)
    os.mkfifo(tree / "fifo.txt")
    fill(cache, root_of(tree), encoders=GZIP)
    assert [codings(cache, path) for path in (*inside, tree / "in.txt")] == [["gzip"]] * 3
    assert [codings(cache, path) for path in (*hidden, secret)] == [[]] * 3
    (tree / "js" / "loop").symlink_to(tree)
    fill(cache, root_of(tree), encoders=GZIP, follow_links=True)
    assert codings(cache, secret) == ["gzip"]


def test_listed_files_are_compressed_wherever_they_are(cache: Path, tmp_path: Path) -> None:
    listed = {"a.css": write(tmp_path / "one" / "x.css", text(1)), "b.css": tmp_path / "absent.css"}
    root = StaticRoot("/static/", files={name: str(path) for name, path in listed.items()})
    assert fill(cache, root, encoders=GZIP).files == 1
    assert codings(cache, listed["a.css"]) == ["gzip"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_passed_over(tree: Path, cache: Path) -> None:
    (tree / "a.css").chmod(0)
    assert fill(cache, root_of(tree), encoders=GZIP).files == 1


def test_files_that_go_while_a_pass_runs_are_passed_over(tree: Path, cache: Path) -> None:
    def encode(content: bytes) -> bytes:
        shutil.rmtree(tree, ignore_errors=True)
        return gzip.compress(content)

    assert fill(cache, root_of(tree), encoders={"gzip": Encoder(encode, gzip.decompress)}).files == 1


def test_a_file_that_changed_just_now_is_waited_for(tree: Path, cache: Path) -> None:
    clock = [max(state(path).changed_ns for path in tree.rglob("*.*s")) / 1e9 + 0.5]
    pauses = []

    def pause(duration_s: float) -> None:
        pauses.append(duration_s)
        clock[0] += duration_s

    assert fill(cache, root_of(tree), encoders=GZIP, clock=lambda: clock[0], pause=pause).files == 2
    assert 0 < sum(pauses) <= 2.0


def test_it_may_rest_for_as_long_as_it_works(tree: Path, cache: Path) -> None:
    timer = iter([10.0, 11.5, 20.0, 20.25])
    pauses: list[float] = []
    fill(cache, root_of(tree), encoders=GZIP, pause=pauses.append, timer=lambda: next(timer))
    assert pauses == [1.5, 0.25]


def test_a_file_from_the_future_is_left_alone(tree: Path, cache: Path) -> None:
    assert fill(cache, root_of(tree), encoders=GZIP, clock=lambda: time.time() - 1000).files == 0


def test_a_full_disk_ends_the_pass(tree: Path, cache: Path) -> None:
    fill(cache, root_of(tree / "absent"))
    write(cache / "contents", b"")  # in the place of the folder: nothing can be written below it
    with pytest.raises(OSError, match=os.strerror(errno.ENOTDIR)):
        fill(cache, root_of(tree), encoders=GZIP)
    assert [path.name for path in files(cache)] == ["contents"]


def usage(**shares: tuple[float, int]) -> dict[str, Usage]:
    made = {}
    for name, (used_s, size) in shares.items():
        made[name] = Usage()
        made[name].add(f"/{name}", size, used_s)
    return made


@pytest.mark.parametrize(
    ("surplus", "kept", "going"),
    [
        (0, (), []),
        (1, (), ["old"]),
        (4096, (), ["old"]),
        (4097, (), ["old", "middle"]),
        (4097, ("old",), ["middle"]),
        (1 << 30, ("middle",), ["old", "new"]),
    ],
)
def test_the_least_recently_used_goes_first(surplus: int, kept: tuple[str, ...], going: list[str]) -> None:
    shares = usage(new=(3.0, 100), old=(1.0, 4096), middle=(2.0, 5000))
    assert evictions(shares, kept, surplus) == going


def test_the_folder_stays_within_its_bound(tree: Path, cache: Path, tmp_path: Path) -> None:
    fill(cache, root_of(tree), encoders=GZIP, clock=now)
    others = tmp_path / "others"
    for number in range(3):
        write(others / f"{number}.css", text(100 + number))
    limit = 6 * 4096  # a note and a copy take a block each
    day_s = 86400.0
    assert fill(cache, root_of(others), encoders=GZIP, limit_bytes=limit, clock=lambda: now() + day_s).files == 3
    assert codings(cache, tree / "a.css") == codings(cache, tree / "js" / "b.js") == []
    assert all(codings(cache, path) for path in others.iterdir())
    assert len(files(cache)) == 6


def test_what_a_pass_needs_itself_is_kept_and_it_stops_where_that_fills_the_folder(tree: Path, cache: Path) -> None:
    for number in range(5):
        write(tree / f"{number}.css", text(100 + number))
    outcome = fill(cache, root_of(tree), encoders=GZIP, limit_bytes=4 * 4096)
    assert (outcome.files, outcome.full) == (2, True)
    kept = files(cache)
    again = fill(cache, root_of(tree), encoders=GZIP, limit_bytes=4 * 4096)
    assert (again.files, again.full) == (0, True)
    assert files(cache) == kept


def test_what_was_used_lately_outlives_what_was_made_lately(tree: Path, cache: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "o.css", text(50))
    fill(cache, root_of(tree), encoders=GZIP, clock=now)
    fill(cache, root_of(other.parent), encoders=GZIP, clock=lambda: now() + 100)
    old_s = time.time() - 3 * STALE_S
    for path in (cache / "notes").rglob("*"):
        os.utime(path, (old_s, old_s))
    fill(cache, root_of(tree), encoders=GZIP)  # uses them again
    new = write(tmp_path / "new" / "n.css", text(60))
    fill(cache, root_of(new.parent), encoders=GZIP, limit_bytes=6 * 4096)
    assert codings(cache, other) == []
    assert codings(cache, tree / "a.css") == codings(cache, new) == ["gzip"]


def test_what_a_killed_writer_left_goes_once_it_is_old(tree: Path, cache: Path) -> None:
    fill(cache, root_of(tree), encoders=GZIP)
    kept = files(cache)
    left = [write(cache / "contents" / "ab" / name, b"x") for name in (".1-abc", "ab" * 20 + ".br")]
    left.append(write(cache / "notes" / "ab" / ".2-def", b"x"))
    fill(cache, root_of(tree), encoders=GZIP)
    assert files(cache) == kept | set(left)
    for path in left:
        os.utime(path, (0, 0))
    fill(cache, root_of(tree), encoders=GZIP)
    assert files(cache) == kept


KILLED = """
import sys
from pathlib import Path
from tests.compress.trees import fill, root_of
fill(Path(sys.argv[1]), root_of(Path(sys.argv[2])))
"""


def filling_process(cache: Path, tree: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", KILLED, str(cache), str(tree)], stderr=subprocess.PIPE)


def test_a_writer_killed_at_any_moment_leaves_nothing_half_done(tree: Path, cache: Path) -> None:
    for number in range(60):
        write(tree / f"{number}.css", text(200 + number))
    paths = [path for path in tree.rglob("*") if path.is_file()]
    cache.mkdir(mode=0o700)
    for wanted in (1, 20, 60):
        with filling_process(cache, tree) as process:
            wait_until(lambda wanted=wanted: process.poll() is not None or len(files(cache)) >= wanted)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            assert process.communicate()[1] == b""
        for path in paths:
            for coding, name, _ in EncodedCopies(str(cache)).copies(state(path)):
                assert available()[coding].decode(Path(name).read_bytes()) == path.read_bytes()
    fill(cache, root_of(tree))
    assert all(len(codings(cache, path)) == 3 for path in paths)


def test_two_processes_share_a_folder(tree: Path, cache: Path) -> None:
    for number in range(20):
        write(tree / f"{number}.css", text(300 + number))
    cache.mkdir(mode=0o700)
    both = [filling_process(cache, tree) for _ in range(2)]
    assert [process.communicate(timeout=60)[1] for process in both] == [b"", b""]
    assert [process.returncode for process in both] == [0, 0]
    assert all(len(codings(cache, path)) == 3 for path in tree.rglob("*") if path.is_file())
    assert len(files(cache)) == 22 * 4


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(), ""),
        (Outcome(1, 2_000, 500, ["gzip"]), "compressed 1 static file: 2.0 KB → 500 B (gzip) in 3 s"),
        (Outcome(214, 8_100_000, 1_900_000, ["br"]), "compressed 214 static files: 8.1 MB → 1.9 MB (br) in 3 s"),
    ],
)
def test_the_end_of_a_pass_is_told_in_one_line(outcome: Outcome, said: str) -> None:
    assert outcome.text(3.2) == said
