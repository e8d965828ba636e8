"""What browsers are told of files that strangers have uploaded."""

from __future__ import annotations

import os

import pytest
from prodserve.files.uploads import PLAYED, SHOWN, attachment, upload_fields, upload_type
from prodserve.http.media_types import content_type

PASSIVE = [
    "a.png",
    "A.JPG",
    "a.gif",
    "a.webp",
    "a.avif",
    "deep/er/a.bmp",
    "a.ico",
    "a.mp3",
    "a.ogg",
    "a.wav",
    "a.mp4",
    "a.webm",
    "a.txt",
    "a.csv",
    "a.md",
    "a.css",
    "a.json",
    "a.pdf",
    "html.txt",
]
ACTIVE = [
    "a.html",
    "a.HTM",
    "a.xhtml",
    "a.xht",
    "a.shtml",
    "a.svg",
    "a.SVG",
    "a.svgz",
    "a.xml",
    "a.xsl",
    "a.rss",
    "a.atom",
    "a.kml",
    "a.mml",
    "a.js",
    "a.mjs",
    "a.cjs",
    "a.wasm",
    "a.htc",
    "a.swf",
    "a.mht",
    "a.mhtml",
    "a.hta",
    "a.jar",
    "a.zip",
    "a.docx",
    "a.unknown",
    "a",
    "a.png.html",
    "a.html.",
]


def sent(name: str) -> dict[str, str]:
    fields = upload_fields(name, upload_type(content_type(name)))
    assert len(dict(fields)) == len(fields)
    return dict(fields)


@pytest.mark.parametrize("name", PASSIVE)
def test_what_runs_nothing_is_shown(name: str) -> None:
    assert "Content-Disposition" not in sent(name)


@pytest.mark.parametrize("name", ACTIVE)
def test_what_might_run_is_saved(name: str) -> None:
    assert sent(name)["Content-Disposition"].startswith(f'attachment; filename="{name}"')


@pytest.mark.parametrize("name", [*PASSIVE, *ACTIVE])
def test_nothing_is_guessed_and_all_is_sandboxed(name: str) -> None:
    fields = sent(name)
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert (
        "Content-Security-Policy",
        fields["Content-Security-Policy"],
    ) in (SHOWN, PLAYED)
    directives = [part.split() for part in fields["Content-Security-Policy"].split(";")]
    assert ["default-src", "'none'"] in directives
    (sandbox,) = [words for words in directives if words[0] == "sandbox"]
    assert not set(sandbox) & {"allow-scripts", "allow-forms", "allow-popups", "allow-top-navigation"}
    assert not any(words[0].startswith("script") for words in directives)


@pytest.mark.parametrize(
    ("name", "policy"), [("a.png", SHOWN), ("a.txt", SHOWN), ("a.html", SHOWN), ("a.mp4", PLAYED), ("a.wav", PLAYED)]
)
def test_only_players_keep_the_origin_of_the_site(name: str, policy: tuple[str, str]) -> None:
    assert policy in upload_fields(name, content_type(name))


DISAGREEING = [
    ("a.svg", "image/png", True),
    ("a.html", "text/plain", True),
    ("a.png", "image/svg+xml", True),
    ("a.png", "text/html; charset=utf-8", True),
    ("a.txt", "Application/XHTML+XML", True),
    ("a.txt", "TEXT/PLAIN;charset=utf-8", False),
    ("a.mp4", "", True),
]


@pytest.mark.parametrize(("name", "sent_as", "saved"), DISAGREEING)
def test_the_name_and_the_type_must_both_be_harmless(name: str, sent_as: str, saved: bool) -> None:
    assert ("Content-Disposition" in dict(upload_fields(name, sent_as))) is saved


@pytest.mark.parametrize("name", ["a.js", "a.mjs", "a.cjs", "a.JS"])
def test_a_script_is_no_script_to_a_page_that_includes_it(name: str) -> None:
    assert upload_type(content_type(name)) == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["a.css", "a.png", "a.html", "a.pdf", "a"])
def test_other_types_are_sent_as_they_are(name: str) -> None:
    assert upload_type(content_type(name)) == content_type(name)


NAMES = [
    ("a.svg", 'attachment; filename="a.svg"'),
    ("deep/er/a b.svg", 'attachment; filename="a b.svg"'),
    ('a".svg', "attachment; filename=\"a_.svg\"; filename*=UTF-8''a%22.svg"),
    ("50%.svg", "attachment; filename=\"50_.svg\"; filename*=UTF-8''50%25.svg"),
    ("ä€.svg", "attachment; filename=\"__.svg\"; filename*=UTF-8''%C3%A4%E2%82%AC.svg"),
    (os.fsdecode(b"\xff.svg"), "attachment; filename=\"_.svg\"; filename*=UTF-8''%EF%BF%BD.svg"),
    ("a;b,c.svg", 'attachment; filename="a;b,c.svg"'),
]


@pytest.mark.parametrize(("name", "value"), NAMES)
def test_a_saved_file_keeps_its_name(name: str, value: str) -> None:
    assert attachment(name) == value
    value.encode("ascii")
