"""Protected downloads: the file in the place of the app's response, what of that stays, and what is refused."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest
from prodserve.h1.head import RequestLine
from prodserve.handlers.places import internal_roots
from prodserve.handlers.protected import PassedOn, ProtectedFiles, kept_fields
from prodserve.http.response_head import HeadWriter

from .files import CHANGED, CHANGED_S, LARGE, Reply, make_tree, read, write

SAID = [
    ("Content-Type", "text/html"),
    ("Content-Length", "5"),
    ("Content-Encoding", "gzip"),
    ("Content-Disposition", "attachment"),
    ("SET-COOKIE", "a=1"),
    ("Set-Cookie", "b=2"),
    ("Cache-Control", "private"),
    ("Expires", "0"),
    ("ETag", '"own"'),
    ("Last-Modified", "x"),
    ("Vary", "Cookie"),
    ("X-Frame-Options", "DENY"),
    ("Date", "x"),
    ("Connection", "close"),
    ("X-Accel-Redirect", "/internal/a"),
    ("X-Sendfile", "/srv/a"),
    ("X-Accel-Expires", "5"),
]
KEPT: list[tuple[str, int, str]] = [
    ("x-accel-redirect", 200, "Content-Disposition SET-COOKIE Set-Cookie Cache-Control Expires"),
    ("x-accel-redirect", 304, "Content-Disposition SET-COOKIE Set-Cookie Cache-Control Expires"),
    ("x-sendfile", 206, "Content-Disposition SET-COOKIE Set-Cookie Cache-Control Expires Vary X-Frame-Options"),
    ("x-accel-redirect", 404, "SET-COOKIE Set-Cookie"),
    ("x-sendfile", 416, "SET-COOKIE Set-Cookie"),
]


@pytest.mark.parametrize(("header", "status", "names"), KEPT)
def test_of_the_apps_fields_those_stay_that_its_other_server_lets_stay(header: str, status: int, names: str) -> None:
    assert [name for name, _ in kept_fields(header, SAID, status)] == names.split()


class View:
    """Asks ``ProtectedFiles`` as a request does whose view said something; ``log`` is what it logged."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log: list[str] = []
        roots = internal_roots([f"/internal={root}"])
        self.files = ProtectedFiles(roots, self.log.append, clock=lambda: CHANGED_S + 1_000_000)

    def ask(self, *said: tuple[str, str], method: str = "GET", status: str = "200 OK", **fields: str) -> Reply | None:
        """The answer to one request; its fields by their environ names without ``HTTP_``."""
        head = HeadWriter(in_front=True).read(status, said)
        line = RequestLine(method, b"/view", 1, {}, f"{method} /view HTTP/1.1")
        environ = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
        answer = self.files(line, environ, said, head)
        return None if answer is None else read(answer)

    def get(self, name: str, *said: tuple[str, str], method: str = "GET", **fields: str) -> Reply:
        """The answer where the view redirects to ``name``."""
        reply = self.ask(("X-Accel-Redirect", f"/internal/{name}"), *said, method=method, **fields)
        assert reply is not None
        return reply


@pytest.fixture
def view(tmp_path: Path) -> View:
    root = make_tree(tmp_path / "root")
    write(root / "100%41.txt", b"as it stands")
    (root / "out").symlink_to(tmp_path)
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "in.txt").symlink_to("a.txt")
    os.mkfifo(root / "fifo")
    return View(root)


def test_the_file_is_sent_with_its_own_validators_and_the_views_fields(view: View) -> None:
    reply = view.get("a.txt", ("Content-Type", "a/b"), ("Content-Disposition", "attachment"), ("Content-Length", "4"))
    assert (reply.status, reply.body) == (200, b"0123456789" * 10)
    assert reply.fields == {
        "Content-Type": "a/b",
        "Content-Length": "100",
        "Last-Modified": CHANGED,
        "ETag": '"3b9aca00-64"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": "attachment",
        "Cache-Control": "private, no-cache",
    }
    assert view.log == []


TYPES: list[tuple[str, list[tuple[str, str]], str]] = [
    ("a.txt", [], "text/plain; charset=utf-8"),
    ("a.txt", [("content-type", "")], "text/plain; charset=utf-8"),
    ("a.txt", [("content-type", "text/html")], "text/html"),
    ("large.bin", [], "application/octet-stream"),
]


@pytest.mark.parametrize(("name", "said", "media_type"), TYPES)
def test_the_type_is_the_views_and_where_it_says_none_the_files(
    view: View, name: str, said: list[tuple[str, str]], media_type: str
) -> None:
    assert view.get(name, *said).fields["Content-Type"] == media_type


CACHING: list[tuple[list[tuple[str, str]], str | None]] = [
    ([], "private, no-cache"),
    ([("cache-control", "max-age=60")], None),
    ([("Expires", "Thu, 01 Jan 2032 00:00:00 GMT")], None),
]


@pytest.mark.parametrize(("said", "caching"), CACHING)
def test_no_shared_cache_keeps_what_the_view_said_nothing_about(
    view: View, said: list[tuple[str, str]], caching: str | None
) -> None:
    for fields in ({}, {"if_none_match": '"3b9aca00-64"'}, {"range": "bytes=0-0"}):
        assert view.get("a.txt", *said, **fields).fields.get("Cache-Control") == caching


CONDITIONS: list[tuple[str, dict[str, str], int, int | None]] = [
    ("GET", {}, 200, 100),
    ("HEAD", {}, 200, 0),
    ("POST", {}, 200, 100),
    ("DELETE", {}, 200, 100),
    ("GET", {"if_none_match": 'W/"3b9aca00-64"'}, 304, 0),
    ("POST", {"if_none_match": '"3b9aca00-64"'}, 304, 0),
    ("GET", {"if_modified_since": CHANGED}, 304, 0),
    ("GET", {"if_match": '"x"'}, 412, 24),
    ("HEAD", {"if_match": '"x"'}, 412, 0),
    ("GET", {"range": "bytes=0-0"}, 206, 1),
    ("HEAD", {"range": "bytes=0-0"}, 200, 0),
    ("POST", {"range": "bytes=-5"}, 206, 5),
    ("GET", {"range": "bytes=100-"}, 416, None),
    ("GET", {"range": "bytes=0-0", "if_range": '"x"'}, 200, 100),
    ("GET", {"accept_encoding": "gzip"}, 200, 100),
]


@pytest.mark.parametrize(("method", "fields", "status", "length"), CONDITIONS)
def test_conditions_and_ranges_are_the_clients_over_the_file(
    view: View, method: str, fields: dict[str, str], status: int, length: int | None
) -> None:
    reply = view.get("a.txt", method=method, **fields)
    assert reply.status == status
    assert length in (None, len(reply.body))


def test_parts_of_a_large_file_come_from_one_descriptor_and_are_of_the_views_type(view: View) -> None:
    before = os.listdir("/proc/self/fd")
    reply = view.get("large.bin", ("Content-Type", "video/own"), range="bytes=0-9,100000-100009")
    assert reply.status == 206
    assert reply.body.count(b"Content-Type: video/own") == 2
    assert LARGE[100000:100010] in reply.body
    assert view.get("large.bin").body == LARGE
    del reply
    assert os.listdir("/proc/self/fd") == before


def test_encoded_copies_of_protected_files_are_not_sent(view: View) -> None:
    reply = view.get("app.css", accept_encoding="gzip, br")
    assert reply.body == (view.root / "app.css").read_bytes()
    assert not reply.fields.keys() & {"Content-Encoding", "Vary"}


def test_a_view_that_says_that_there_are_no_ranges_is_heeded(view: View) -> None:
    reply = view.get("a.txt", ("Accept-Ranges", "none"), range="bytes=0-0")
    assert (reply.status, reply.fields["Accept-Ranges"]) == (200, "none")


def test_a_path_is_looked_for_as_it_stands_first_and_then_decoded(view: View) -> None:
    for name, body in (("100%41.txt", b"as it stands"), ("%61.txt", b"0123456789" * 10), ("é ü.txt", b"accents")):
        reply = view.ask(("X-Sendfile", f"{view.root}/{name}"))
        assert reply is not None and (reply.status, reply.body) == (200, body)


def test_a_path_may_name_the_directory_by_way_of_a_link(tmp_path: Path) -> None:
    make_tree(tmp_path / "release")
    (tmp_path / "current").symlink_to("release")
    view = View(tmp_path / "current")
    for name in ("current", "release"):
        reply = view.ask(("X-Sendfile", str(tmp_path / name / "a.txt")))
        assert reply is not None and reply.status == 200


REFUSED = [
    "absent",
    "sub",
    "sub/",
    "a.txt/x",
    "../secret.txt",
    "%2e%2e/secret.txt",
    "sub/..%2f..%2fsecret.txt",
    "out/secret.txt",
    "out.txt",
    "fifo",
    "a.txt%00",
    "x" * 300,
    "\\..\\secret.txt",
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_file_of_the_directory_is_not_found_and_its_name_is_in_the_log(view: View, name: str) -> None:
    before = os.listdir("/proc/self/fd")
    for said in (("X-Accel-Redirect", f"/internal/{name}"), ("X-Sendfile", f"{view.root}/{name}")):
        view.log.clear()
        reply = view.ask(said, ("Set-Cookie", "a=1"), ("Content-Type", "video/mp4"), ("Content-Disposition", "inline"))
        assert reply is not None
        assert (reply.status, reply.body) == (404, b"404 Not Found\n")
        assert reply.fields == {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": "14",
            "Set-Cookie": "a=1",
            "Cache-Control": "private, no-cache",
        }
        (text,) = view.log
        assert text.startswith(f"GET /view HTTP/1.1: {said[0]}: {said[1]!r} can't be sent (404): ")
    assert os.listdir("/proc/self/fd") == before


def test_a_link_inside_is_followed(view: View) -> None:
    assert view.get("in.txt").status == 200


def test_a_file_that_may_not_be_read_is_forbidden(view: View) -> None:
    (view.root / "a.txt").chmod(0)
    user = os.geteuid()
    os.seteuid(user or 65534)  # root may read everything
    try:
        reply = view.get("a.txt")
    finally:
        os.seteuid(user)
    assert reply.status == 403
    assert "(403): Permission denied" in view.log[0]


def test_without_a_free_descriptor_the_client_is_told_to_come_back(view: View) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        reply = view.get("a.txt")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (reply.status, reply.fields["Retry-After"]) == (503, "1")
    assert "Too many open files" in view.log[0]


WISHES: list[tuple[str, list[tuple[str, str]], int | None]] = [
    ("404 Not Found", [("X-Accel-Redirect", "/internal/a.txt")], 200),
    ("302 Found", [("x-accel-redirect", " /internal/a.txt ")], 200),
    ("200 OK", [("X-Accel-Redirect", "")], 404),
    ("206 Partial", [("X-Sendfile", "ROOT/a.txt")], 200),
    ("404 Not Found", [("X-Sendfile", "ROOT/a.txt")], None),
    ("304 Not Modified", [("X-Sendfile", "ROOT/a.txt")], None),
    ("200 OK", [("X-Sendfile", "")], None),
    ("200 OK", [("X-Sendfile", "/nowhere"), ("X-Accel-Redirect", "/internal/a.txt")], 200),
    ("200 OK", [("X-Accel-Redirect", "/internal/a.txt"), ("X-Accel-Redirect", "/internal/absent")], 200),
]


@pytest.mark.parametrize(("status", "said", "expected"), WISHES)
def test_any_response_may_redirect_and_a_successful_one_name_a_path(
    view: View, status: str, said: list[tuple[str, str]], expected: int | None
) -> None:
    given = [(name, value.replace("ROOT", str(view.root))) for name, value in said]
    reply = view.ask(*given, status=status)
    assert (None if reply is None else reply.status) == expected


def test_a_directory_that_went_away_is_one_without_files(tmp_path: Path) -> None:
    assert View(tmp_path / "gone").get("a.txt").status == 404


def test_links_that_lead_out_are_followed_where_that_is_asked_for(view: View) -> None:
    roots = internal_roots([f"/internal={view.root}"])
    view.files = ProtectedFiles(roots, view.log.append, follow_links=True)
    assert (view.get("out.txt").body, view.get("out/secret.txt").body) == (b"secret", b"secret")
    assert view.get("out/../secret.txt").status == 404


HINTS: list[tuple[tuple[str, str], str]] = [
    (("X-Accel-Redirect", "/protected/a/b"), "fix: --internal /protected/=/the/directory"),
    (("X-Accel-Redirect", "b"), "fix: --internal /internal/=/the/directory"),
    (("x-sendfile", "/srv/files/a\x85b"), "fix: --internal /internal/=/srv/files"),
]


@pytest.mark.parametrize(("said", "fix"), HINTS)
def test_without_internal_directories_the_response_stands_and_the_log_says_so_once(
    said: tuple[str, str], fix: str
) -> None:
    log: list[str] = []
    passed_on: Any = PassedOn(log.append)
    head = HeadWriter().read("200 OK", [said])
    for _ in range(3):
        assert passed_on(RequestLine("GET", b"/", 1, {}, "GET / HTTP/1.1"), {}, [said], head) is None
    assert len(log) == 1
    assert log[0].endswith(fix)
    assert f"{said[0]}: {said[1]!r}" in log[0]
