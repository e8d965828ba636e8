"""Which file a header names: URIs, paths, names that are not ASCII, ways out; and what is wrong with ``--internal``."""

from __future__ import annotations

from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.handlers.places import (
    Place,
    as_meant,
    exposed,
    internal_problems,
    internal_roots,
    place_of_uri,
    places_of_path,
)

MEANT: list[tuple[str, str]] = [
    ("/a b.txt", "/a b.txt"),
    ("/\xc3\xa9.txt", "/é.txt"),
    ("/\xe9.txt", "/é.txt"),
    ("/файл.txt", "/файл.txt"),
    ("=?utf-8?b?L9GELnR4dA==?=", "/ф.txt"),
    ("=?utf-8?q?/=D1=84=2Etxt?=", "/ф.txt"),
    ("=?utf-8?b?x?=", "=?utf-8?b?x?="),
    ("/=?utf-8?b?L9GELnR4dA==?=", "/=?utf-8?b?L9GELnR4dA==?="),
    ("", ""),
]


@pytest.mark.parametrize(("value", "meant"), MEANT)
def test_names_that_are_not_ascii_are_read_in_whatever_form_the_app_sends_them(value: str, meant: str) -> None:
    assert as_meant(value).decode() == meant


ROOTS = [
    StaticRoot("/internal/", "/srv/files"),
    StaticRoot("/internal/deep/", "/srv/deep"),
    StaticRoot("/más/", "/srv/más"),
]
BY_LENGTH = sorted(ROOTS, key=lambda root: -len(root.url_prefix))
URIS: list[tuple[str, Place | str]] = [
    ("/internal/a.txt", Place("/srv/files", "a.txt")),
    ("/internal/a%20b.txt", Place("/srv/files", "a b.txt")),
    ("/internal/a b.txt", Place("/srv/files", "a b.txt")),
    ("/internal/a+b.txt", Place("/srv/files", "a+b.txt")),
    ("/internal/%D1%84.txt", Place("/srv/files", "ф.txt")),
    ("/internal/%E9.txt", Place("/srv/files", "\udce9.txt")),
    ("/internal/a%3Fb%23c.txt?d=e?f", Place("/srv/files", "a?b#c.txt")),
    ("/internal/100%.txt", Place("/srv/files", "100%.txt")),
    ("/internal/%2541.txt", Place("/srv/files", "%41.txt")),
    ("/internal/.hidden/..a/b..", Place("/srv/files", ".hidden/..a/b..")),
    ("/internal//a///b/./c", Place("/srv/files", "a/b/c")),
    ("/%69nternal/a", Place("/srv/files", "a")),
    ("/internal/deep/a", Place("/srv/deep", "a")),
    ("/internal/deeper/a", Place("/srv/files", "deeper/a")),
    ("/m%C3%A1s/a", Place("/srv/más", "a")),
    ("/internal/..", ".."),
    ("/internal/../a", ".."),
    ("/internal/a/../../b", ".."),
    ("/internal/a/../b", ".."),
    ("/internal/%2e%2e/a", ".."),
    ("/internal/.%2E%2Fa", ".."),
    ("/internal/..%2fa", ".."),
    ("/../internal/a", "no directory stands for it"),
    ("/internal/a%00b", "NUL"),
    ("/internal/", "it is a directory"),
    ("/internal/a/", "it is a directory"),
    ("/internal/a/.", "it is a directory"),
    ("/internal", "fix: --internal /internal/=/the/directory"),
    ("/internals/a", "fix: --internal /internals/=/the/directory"),
    ("/internal?/a", "no directory stands for it"),
    ("internal/a", "begins with a slash"),
    ("http://example.org/internal/a", "begins with a slash"),
    ("@named", "begins with a slash"),
    ("?/internal/a", "begins with a slash"),
    ("", "begins with a slash"),
]


@pytest.mark.parametrize(("value", "expected"), URIS)
def test_a_uri_names_one_file_below_the_directory_of_its_prefix(value: str, expected: Place | str) -> None:
    try:
        found: Place | str = place_of_uri(value, BY_LENGTH)
    except Exception as error:
        found = str(error)
    assert found == expected or (isinstance(expected, str) and expected in found)


PATHS: list[tuple[str, list[Place] | str]] = [
    ("/srv/files/a b.txt", [Place("/srv/files", "a b.txt")]),
    ("/srv/files/\xd1\x84.txt", [Place("/srv/files", "ф.txt")]),
    ("/srv/files/a?b#c", [Place("/srv/files", "a?b#c")]),
    ("/srv/files/a%20b", [Place("/srv/files", "a%20b"), Place("/srv/files", "a b")]),
    ("/srv/files//a", [Place("/srv/files", "a")]),
    ("/srv/deep/a", [Place("/srv/deep", "a")]),
    ("/srv/files/../deep/a", ".."),
    ("/srv/files/%2e%2e/a", [Place("/srv/files", "%2e%2e/a")]),
    ("/srv/files", "is in no directory of --internal"),
    ("/srv/files/", "it is a directory"),
    ("/srv/filesystem/a", "fix: --internal /internal/=/srv/filesystem"),
    ("/etc/passwd", "is in no directory of --internal"),
    ("files/a", "not an absolute path"),
]


@pytest.mark.parametrize(("value", "expected"), PATHS)
def test_a_path_names_one_file_below_a_directory_as_it_stands_or_percent_decoded(
    value: str, expected: list[Place] | str
) -> None:
    found: list[Place] | str = []
    try:
        for place in places_of_path(value, ROOTS):
            assert isinstance(found, list)
            found.append(place)
    except Exception as error:
        found = found or str(error)
    assert found == expected or (isinstance(expected, str) and expected in found)


def test_of_two_directories_one_in_the_other_the_inner_one_counts() -> None:
    roots = [StaticRoot("/a/", "/srv"), StaticRoot("/b/", "/srv/inner")]
    assert list(places_of_path("/srv/inner/x", roots)) == [Place("/srv/inner", "x")]


def test_the_directories_are_checked_all_at_once(tmp_path: Path) -> None:
    given = [f"/a/={tmp_path}", f"/a={tmp_path}", f"/b/={tmp_path}/no", f"/c/={tmp_path}"]
    wrong = [problem.where for problem in internal_problems(given)]
    assert wrong == [f"--internal {given[1]}", f"--internal {given[2]}"]
    roots = internal_roots([f"/={tmp_path}", f"/a={tmp_path}"])
    assert [(root.url_prefix, root.directory) for root in roots] == [("/a/", str(tmp_path)), ("/", str(tmp_path))]


EXPOSED: list[tuple[str, str, bool]] = [
    ("media/private", "media", True),
    ("media", "media", True),
    ("link/private", "media", True),
    ("media/private", "link", True),
    ("media2", "media", False),
    ("private", "media", False),
    ("media", "media/public", False),
]


@pytest.mark.parametrize(("internal", "public", "told"), EXPOSED)
def test_protected_files_in_a_directory_that_is_served_to_everybody_are_warned_of(
    tmp_path: Path, internal: str, public: str, told: bool
) -> None:
    (tmp_path / "media" / "private").mkdir(parents=True)
    (tmp_path / "link").symlink_to("media")
    roots = [StaticRoot("/static/", files={}), StaticRoot("/media/", str(tmp_path / public), source="MEDIA_ROOT")]
    texts = list(exposed(internal_roots([f"/internal/={tmp_path / internal}"]), roots))
    assert len(texts) == told
    assert all("at /media/ (MEDIA_ROOT); fix: move it out of" in text for text in texts)
