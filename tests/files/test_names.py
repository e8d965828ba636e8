"""From raw targets to names of files: one name per file, no way out."""

from __future__ import annotations

import os

import pytest
from prodserve.files.names import NAME_LIMIT_BYTES, canonical_path, file_name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"", ""),
        (b"a.css", "a.css"),
        (b"admin/css/base.css", "admin/css/base.css"),
        (b"admin/", "admin/"),
        (b"%61.css", "a.css"),
        (b"a%2fb", "a/b"),
        (b"a%20b.txt", "a b.txt"),
        (b"a+b.txt", "a+b.txt"),
        (b"%C3%A9.txt", "é.txt"),
        (b"%e4%b8%ad.txt", "中.txt"),
        (b"a..b", "a..b"),
        (b"a...", "a..."),
        (b"a.", "a."),
        (b"~user/x", "~user/x"),
        (b"100%.txt", "100%.txt"),
        (b"%zz", "%zz"),
        (b"%252e%252e/x", "%2e%2e/x"),
        (b".well-known/security.txt", ".well-known/security.txt"),
    ],
)
def test_a_path_names_one_file(raw: bytes, name: str) -> None:
    assert file_name(raw) == name


@pytest.mark.parametrize(
    "raw",
    [
        b"..",
        b"../x",
        b"a/../b",
        b"a/..",
        b"./a",
        b"a/./b",
        b"a/.",
        b"%2e%2e/x",
        b"%2E%2E%2Fx",
        b".%2e/x",
        b"a/%2e%2e/%2e%2e/x",
        b"..%2fx",
        b"..%5cx",
        b"..\\x",
        b"a\\b",
        b"%5c",
        b"/etc/passwd",
        b"//x",
        b"%2fetc/passwd",
        b"a//b",
        b"a%2f%2fb",
        b"a.txt%00.css",
        b"%00",
        b"a\x00b",
        b"a%0ab",
        b"a%0d%0ab",
        b"a%7fb",
        b".env",
        b".git/config",
        b"a/.git/config",
        b"a/.htaccess",
        b"%2egit/config",
        b"...",
        b".../x",
        b"a/.well-known/x",
        b".well-known/.hidden",
        b".well-knownx/y",
        b"a" * (NAME_LIMIT_BYTES + 1),
    ],
)
def test_what_could_lead_elsewhere_names_no_file(raw: bytes) -> None:
    assert file_name(raw) is None


@pytest.mark.parametrize("name", ["a.css", "a b", "é", "%41", "100%", "a?b", "a#b", "a;b=c", "a:b@c", "\udcff"])
def test_the_canonical_path_leads_back_to_the_name(name: str) -> None:
    assert file_name(canonical_path(name)) == name


def test_two_names_never_share_a_canonical_path() -> None:
    names = ["A", "%41", "%2541", "a b", "a+b", "a%20b", "é", "%C3%A9", os.fsdecode(b"\xe9")]
    assert len({canonical_path(name) for name in names}) == len(names)


@pytest.mark.parametrize("raw", [b"a/b-c_d~e.css", b"a!$&'()*+,;=:@b", b"%C3%A9%20x", b"[1].txt"])
def test_what_browsers_send_is_canonical(raw: bytes) -> None:
    name = file_name(raw)
    assert name is not None
    assert canonical_path(name) == raw
