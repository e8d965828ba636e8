"""Media types by name."""

from __future__ import annotations

import pytest
from prodserve.http.media_types import compressible, content_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("A.HTML", "text/html; charset=utf-8"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("feed.xml", "text/xml"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("site.webmanifest", "application/manifest+json"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.jpeg", "image/jpeg"),
        ("favicon.ico", "image/x-icon"),
        ("a.woff2", "font/woff2"),
        ("a.mp4", "video/mp4"),
        ("a.css.gz", "application/gzip"),
        ("a.tar.gz", "application/gzip"),
        ("a.png/b.css", "text/css; charset=utf-8"),
        ("a.css/b", "application/octet-stream"),
        (".css", "application/octet-stream"),
        ("noext", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        (".well-known/apple-app-site-association", "application/json"),
    ],
)
def test_the_name_decides_the_content_type(name: str, expected: str) -> None:
    assert content_type(name) == expected


@pytest.mark.parametrize("name", ["a.css", "a.js", "a.json", "a.svg", "a.wasm", "a.ttf", "favicon.ico", "noext"])
def test_text_and_the_like_can_be_compressed(name: str) -> None:
    assert compressible(name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.woff2", "a.mp4", "a.mp3", "a.zip", "a.css.gz", "a.docx"])
def test_dense_files_are_left_as_they_are(name: str) -> None:
    assert not compressible(name)
