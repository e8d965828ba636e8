"""Which files get which copies."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prodserve.compress.plan import Candidate, is_excluded, is_suitable, plan
from prodserve.files.trees import FileState

ALL = ("br", "zstd", "gzip")
SECOND = 1_000_000_000


def state(modified_ns: int = 5 * SECOND, size: int = 1000) -> FileState:
    return FileState(1, 2, size, modified_ns, modified_ns)


def file(name: str = "a.css", beside: Mapping[str, int] | None = None, **more: object) -> Candidate:
    """A file last changed at 5 s; ``beside``: coding to the time of its copy in nanoseconds."""
    copies = {coding: state(modified_ns) for coding, modified_ns in (beside or {}).items()}
    return Candidate(name, f"/r/{name}", state(), copies, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "size", "suitable"),
    [
        ("a.css", 1000, True),
        ("js/a.min.js", 200, True),
        ("a.svg", 1000, True),
        ("unknown.xyz", 1000, True),
        ("a.css", 199, False),
        ("a.css", 16 * 1024 * 1024 + 1, False),
        ("a.png", 1000, False),
        ("a.woff2", 1000, False),
        ("a.css.br", 1000, False),
        ("a.css.gz", 1000, False),
        ("a.css.zst", 1000, False),
    ],
)
def test_text_of_some_size_is_compressed(name: str, size: int, suitable: bool) -> None:
    assert is_suitable(name, size) is suitable


@pytest.mark.parametrize(
    ("name", "pattern", "excluded"),
    [
        ("js/app.js.map", "*.map", True),
        ("vendor/a/b.js", "vendor/*", True),
        ("js/vendor/b.js", "vendor/*", False),
        ("a/README", "README", True),
        ("a/README.md", "README", False),
        ("a.CSS", "*.css", False),
    ],
)
def test_globs_leave_files_out(name: str, pattern: str, excluded: bool) -> None:
    assert is_excluded(name, ["nothing", pattern]) is excluded


@pytest.mark.parametrize(
    ("candidate", "wanted"),
    [
        (file(), ALL),
        (file(beside={"br": 5 * SECOND}), ("zstd", "gzip")),
        (file(beside={"br": 5 * SECOND + 1, "zstd": 6 * SECOND, "gzip": 5 * SECOND}), ()),
        (file(beside={"br": 4 * SECOND, "zstd": 5 * SECOND, "gzip": 0}), ("br", "gzip")),
        (file(beside={"br": 4 * SECOND, "zstd": 0}, immutable=True), ("gzip",)),
    ],
)
def test_codings_without_a_current_copy_are_wanted(candidate: Candidate, wanted: tuple[str, ...]) -> None:
    made = plan([candidate], ALL)
    assert [job.codings for job in made.jobs] == ([wanted] if wanted else [])
    assert made.current == (not wanted)


def test_a_copy_may_keep_whole_seconds_only() -> None:
    candidate = file(beside=dict.fromkeys(ALL, 5 * SECOND))
    newer = candidate._replace(state=state(5 * SECOND + 999_999_999))
    assert plan([newer], ALL).jobs == ()


def test_small_files_come_first_and_each_path_once() -> None:
    files = [
        file(name)._replace(state=state(size=size)) for name, size in (("b.js", 900), ("a.js", 300), ("b.js", 900))
    ]
    assert [job.file.name for job in plan(files, ALL).jobs] == ["a.js", "b.js"]


def test_what_was_tried_is_not_tried_again() -> None:
    assert [job.codings for job in plan([file()], ALL, tried=lambda _: {"br", "gzip"}).jobs] == [("zstd",)]
    done = plan([file(), file("a.png"), file("b.map")], ALL, ["*.map"], tried=lambda _: set(ALL))
    assert (done.jobs, done.current) == ((), 1)
