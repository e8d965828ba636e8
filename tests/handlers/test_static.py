"""Static files as the engine asks for them."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.files.index import FileIndex
from prodserve.handlers.static import STATUS_OF_ERROR

from .files import CHANGED, CHANGED_S, LARGE, Site, make_tree, read, write

ETAG = '"3b9aca00-64"'
BEFORE = "Sun, 09 Sep 2001 01:46:39 GMT"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "root")


@pytest.fixture
def site(tree: Path) -> Iterator[Site]:
    before = len(os.listdir("/proc/self/fd"))
    site = Site(StaticRoot("/static/", str(tree), immutable=frozenset({"app.3f2a.js"})))
    yield site
    site.later(20)
    site.files.tick(site.tick_s, 100)  # files that nobody asks for are closed
    assert len(os.listdir("/proc/self/fd")) == before


# What a plain GET gives


def test_a_file_comes_with_its_type_length_and_validators(site: Site) -> None:
    reply = site.get("/static/a.txt")
    assert (reply.status, reply.body) == (200, b"0123456789" * 10)
    assert reply.fields == {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": "100",
        "Last-Modified": CHANGED,
        "ETag": ETAG,
        "Cache-Control": "no-cache",
        "Accept-Ranges": "bytes",
    }


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/static/a.txt?v=1", b"0123456789" * 10),
        ("/static/a.txt?", b"0123456789" * 10),
        ("/static/%61.txt", b"0123456789" * 10),
        ("/static/%C3%A9%20%c3%bc.txt", b"accents"),
        ("/static/empty.txt", b""),
        ("/static/sub/page.html", b"<p>page"),
        ("/static/sub%2fpage.html", b"<p>page"),
        ("/static/large.bin", LARGE),
        ("/static/.well-known/security.txt", b"Contact: x"),
    ],
)
def test_a_target_names_a_file(site: Site, target: str, body: bytes) -> None:
    for _ in range(2):
        assert (reply := site.get(target)).status == 200
        assert reply.body == body


@pytest.mark.parametrize(
    "target",
    [
        "/static/",
        "/static/absent.txt",
        "/static/sub",
        "/static/sub/",
        "/static/sub/absent/x",
        "/static/a.txt/",
        "/static/a.txt/x",
        "/static/a.txt.",
        "/static/a.txt%20",
        "/static/A.TXT",
        "/static/.env",
        "/static/%2eenv",
        "/static/../secret.txt",
        "/static/sub/../../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/%252e%252e/secret.txt",
        "/static/..%5csecret.txt",
        "/static/..\\secret.txt",
        "/static/sub/../a.txt",
        "/static//a.txt",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/a.txt%00",
        "/static/" + "x" * 300,
        "/static/" + "x/" * 2500,
        "/static/%ff%fe",
    ],
)
def test_what_is_not_there_is_404(site: Site, target: str) -> None:
    assert (reply := site.get(target)).status == 404
    assert b"secret" not in reply.body
    head = site.ask("HEAD", target)
    assert head is not None
    assert (head.status, head.fields, head.body) == (404, reply.fields, b"")


def test_hashed_names_are_immutable_and_the_others_have_the_configured_age(tree: Path) -> None:
    site = Site(
        StaticRoot("/a/", str(tree), immutable=frozenset({"app.3f2a.js"}), max_age_s=3600),
        StaticRoot("/b/", str(tree), max_age_s=0),
    )
    assert site.get("/a/app.3f2a.js").fields["Cache-Control"] == "max-age=31536000, immutable"
    assert site.get("/a/a.txt").fields["Cache-Control"] == "max-age=3600"
    assert site.get("/b/a.txt").fields["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["a.txt", "empty.txt", "large.bin", "app.css"])
def test_a_head_has_the_fields_of_the_get_and_no_body(site: Site, name: str) -> None:
    for fields in ({}, {"accept_encoding": "gzip"}):
        head = site.ask("HEAD", f"/static/{name}", **fields)
        assert head is not None
        assert (head.status, head.body) == (200, b"")
        assert head.fields == site.get(f"/static/{name}", **fields).fields


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get"])
def test_other_methods_are_refused_with_those_that_are_allowed(site: Site, method: str) -> None:
    reply = site.ask(method, "/static/a.txt", if_none_match="*", range="bytes=0-0")
    assert reply is not None
    assert (reply.status, reply.fields["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_options_names_the_methods(site: Site) -> None:
    reply = site.ask("OPTIONS", "/static/a.txt")
    assert reply is not None
    assert (reply.status, reply.fields, reply.body) == (204, {"Allow": "GET, HEAD, OPTIONS"}, b"")


# Conditions


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"if_none_match": ETAG}, 304),
        ({"if_none_match": f"W/{ETAG}"}, 304),
        ({"if_none_match": f'"x", {ETAG}'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"x"'}, 200),
        ({"if_none_match": '"x"', "if_modified_since": CHANGED}, 200),
        ({"if_modified_since": CHANGED}, 304),
        ({"if_modified_since": BEFORE}, 200),
        ({"if_match": ETAG}, 200),
        ({"if_match": '"x"'}, 412),
        ({"if_unmodified_since": BEFORE}, 412),
        ({"if_unmodified_since": CHANGED}, 200),
        ({"if_none_match": ETAG, "range": "bytes=0-0"}, 304),
        ({"if_match": '"x"', "range": "bytes=0-0"}, 412),
    ],
)
def test_conditions_decide_the_status(site: Site, method: str, fields: dict[str, str], status: int) -> None:
    reply = site.ask(method, "/static/a.txt", **fields)
    assert reply is not None
    assert reply.status == status


def test_a_304_repeats_what_a_cache_needs_and_has_no_body(site: Site) -> None:
    reply = site.get("/static/app.css", if_none_match="*")
    assert (reply.status, reply.body) == (304, b"")
    assert reply.fields == {
        "Last-Modified": CHANGED,
        "ETag": site.get("/static/app.css").fields["ETag"],
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
    }


def test_a_tag_of_one_coding_does_not_stand_for_another(site: Site) -> None:
    plain = site.get("/static/app.css").fields["ETag"]
    encoded = site.get("/static/app.css", accept_encoding="gzip").fields["ETag"]
    assert plain != encoded
    assert site.get("/static/app.css", accept_encoding="gzip", if_none_match=plain).status == 200
    assert site.get("/static/app.css", accept_encoding="gzip", if_none_match=encoded).status == 304
    assert site.get("/static/app.css", if_none_match=encoded).status == 200


# Ranges


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=90-", 90, None), ("bytes=-7", -7, None)],
)
def test_one_range_is_sent_as_it_is(site: Site, name: str, wanted: str, start: int, end: int | None) -> None:
    whole = site.get(f"/static/{name}")
    for _ in range(2):
        part = site.get(f"/static/{name}", range=wanted)
        assert (part.status, part.body) == (206, whole.body[start:end])
        first = start % len(whole.body)
        assert part.fields["Content-Range"] == f"bytes {first}-{first + len(part.body) - 1}/{len(whole.body)}"
        assert part.fields["Content-Length"] == str(len(part.body))
        for shared in ("Content-Type", "ETag", "Last-Modified", "Cache-Control"):
            assert part.fields[shared] == whole.fields[shared]


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_several_ranges_are_sent_as_multipart(site: Site, name: str) -> None:
    whole = site.get(f"/static/{name}")
    reply = site.get(f"/static/{name}", range="bytes=0-1,50-52,-1")
    assert reply.status == 206
    assert "Content-Range" not in reply.fields
    kind, _, boundary = reply.fields["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    parts = reply.body.split(f"\r\n--{boundary}".encode())
    assert (parts[0], parts[-1]) == (b"", b"--\r\n")
    bodies = []
    for part in parts[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Type: {whole.fields['Content-Type']}".encode() in head
        bodies.append((head.rpartition(b"bytes ")[2], body))
    size = len(whole.body)
    assert bodies == [
        (f"0-1/{size}".encode(), whole.body[0:2]),
        (f"50-52/{size}".encode(), whole.body[50:53]),
        (f"{size - 1}-{size - 1}/{size}".encode(), whole.body[-1:]),
    ]


def test_a_range_outside_is_416_with_the_size(site: Site) -> None:
    reply = site.get("/static/a.txt", range="bytes=100-")
    assert (reply.status, reply.fields["Content-Range"]) == (416, "bytes */100")


@pytest.mark.parametrize("wanted", ["bytes=a", "bytes=5-2", "items=0-0", "bytes=0-,0-", "bytes=0-0,bytes=1-1"])
def test_a_range_that_makes_no_sense_is_ignored(site: Site, wanted: str) -> None:
    assert (reply := site.get("/static/a.txt", range=wanted)).status == 200
    assert len(reply.body) == 100


def test_a_range_of_an_empty_file_is_the_file(site: Site) -> None:
    assert site.get("/static/empty.txt", range="bytes=0-").status == 200


def test_a_head_knows_no_ranges(site: Site) -> None:
    reply = site.ask("HEAD", "/static/a.txt", range="bytes=0-0")
    assert reply is not None
    assert (reply.status, reply.fields["Content-Length"]) == (200, "100")


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(ETAG, 206), (CHANGED, 206), (f"W/{ETAG}", 200), ('"x"', 200), (BEFORE, 200), ("nonsense", 200)],
)
def test_a_stale_if_range_gets_the_whole_file(site: Site, if_range: str, status: int) -> None:
    assert site.get("/static/a.txt", range="bytes=0-0", if_range=if_range).status == status
    assert site.get("/static/a.txt", range="bytes=500-", if_range=if_range).status == (416 if status == 206 else 200)


def test_ranges_count_in_the_coding_that_is_sent(site: Site, tree: Path) -> None:
    encoded = (tree / "app.css.gz").read_bytes()
    reply = site.get("/static/app.css", accept_encoding="gzip", range="bytes=2-5")
    assert (reply.status, reply.body) == (206, encoded[2:6])
    assert reply.fields["Content-Encoding"] == "gzip"
    assert reply.fields["Content-Range"] == f"bytes 2-5/{len(encoded)}"


# Codings


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, br;q=0", None),
        ("*;q=0", None),
        ("zstd", None),
        ("identity, gzip;q=0.5", None),
        ("", None),
    ],
)
def test_the_best_coding_there_is_is_sent(site: Site, tree: Path, accept_encoding: str, coding: str | None) -> None:
    names = {"gzip": "app.css.gz", "br": "app.css.br", None: "app.css"}
    for _ in range(2):
        reply = site.get("/static/app.css", accept_encoding=accept_encoding)
        assert reply.fields.get("Content-Encoding") == coding
        assert reply.body == (tree / names[coding]).read_bytes()
        assert reply.fields["Vary"] == "Accept-Encoding"
        assert reply.fields["Content-Type"] == "text/css; charset=utf-8"


def test_each_coding_has_a_strong_tag_of_its_own(site: Site) -> None:
    tags = {site.get("/static/app.css", accept_encoding=coding).fields["ETag"] for coding in ("", "br", "gzip")}
    assert len(tags) == 3
    assert all(tag.startswith('"') for tag in tags)


def test_a_file_in_one_coding_does_not_vary(site: Site) -> None:
    assert "Vary" not in site.get("/static/a.txt", accept_encoding="gzip").fields


@pytest.mark.parametrize(
    ("content", "changed_s"),
    [(b"older", CHANGED_S - 1), (b"x" * 1000, CHANGED_S), (b"", CHANGED_S - 1)],
    ids=["older than the file", "not smaller", "empty and older"],
)
def test_an_encoded_copy_that_is_stale_or_useless_is_not_sent(
    site: Site, tree: Path, content: bytes, changed_s: int
) -> None:
    write(tree / "app.css.br", content, changed_s)
    reply = site.get("/static/app.css", accept_encoding="br")
    assert "Content-Encoding" not in reply.fields


def test_an_encoded_copy_of_a_hashed_name_may_be_older(site: Site, tree: Path) -> None:
    write(tree / "app.3f2a.js.gz", b"gz", CHANGED_S - 100)
    assert site.get("/static/app.3f2a.js", accept_encoding="gzip").fields["Content-Encoding"] == "gzip"


def test_an_encoded_copy_can_be_asked_for_by_its_own_name(site: Site, tree: Path) -> None:
    reply = site.get("/static/app.css.gz", accept_encoding="gzip")
    assert reply.body == (tree / "app.css.gz").read_bytes()
    assert "Content-Encoding" not in reply.fields
    assert reply.fields["Content-Type"] == "application/gzip"


# The file system changes


@pytest.mark.parametrize("size", [10, 100, 100_000])
def test_a_change_is_seen_at_the_next_second(site: Site, tree: Path, size: int) -> None:
    old = site.get("/static/a.txt")
    write(tree / "a.txt", b"n" * size, CHANGED_S + 5)
    site.later()
    new = site.get("/static/a.txt")
    assert new.body == b"n" * size
    assert new.fields["ETag"] != old.fields["ETag"]
    assert site.get("/static/a.txt", if_none_match=old.fields["ETag"]).status == 200


def test_within_a_second_a_small_file_is_not_looked_at_again(site: Site, tree: Path) -> None:
    first = site.get("/static/a.txt")
    write(tree / "a.txt", b"new", CHANGED_S + 5)
    assert site.get("/static/a.txt").answer is first.answer


def test_a_large_file_that_changes_within_the_second_never_comes_with_the_old_head(site: Site, tree: Path) -> None:
    old = site.get("/static/large.bin")
    write(tree / "large.bin", b"x" * 70_000, CHANGED_S + 5)
    new = site.get("/static/large.bin")
    assert new.body == b"x" * 70_000
    assert new.fields["ETag"] != old.fields["ETag"]


def test_a_file_that_is_replaced_with_the_same_size_and_time_is_seen(site: Site, tree: Path) -> None:
    site.get("/static/a.txt")
    write(tree / "new", b"n" * 100)
    os.replace(tree / "new", tree / "a.txt")
    site.later()
    assert site.get("/static/a.txt").body == b"n" * 100


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_a_file_that_disappears_is_404_and_comes_back(site: Site, tree: Path, name: str) -> None:
    content = site.get(f"/static/{name}").body
    (tree / name).unlink()
    site.later()
    assert site.get(f"/static/{name}").status == 404
    write(tree / name, content)
    assert site.get(f"/static/{name}").body == content


def test_a_large_file_that_disappears_is_404_within_the_second(site: Site, tree: Path) -> None:
    site.get("/static/large.bin")
    (tree / "large.bin").unlink()
    assert site.get("/static/large.bin").status in (200, 404)
    site.later()
    assert site.get("/static/large.bin").status == 404


def test_an_open_file_is_closed_when_nobody_asks_for_it_any_more(site: Site, tree: Path) -> None:
    def is_open() -> bool:
        links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        return str(tree / "large.bin") in links

    site.get("/static/large.bin")
    assert is_open()
    for _ in range(10):
        site.files.tick(site.tick_s, 100)
        site.later()
    site.files.tick(site.tick_s, 100)
    assert not is_open()
    assert site.get("/static/large.bin").body == LARGE


def test_an_encoded_copy_is_seen_when_it_appears_and_when_it_disappears(site: Site, tree: Path) -> None:
    assert "Vary" not in site.get("/static/a.txt", accept_encoding="gzip").fields
    write(tree / "a.txt.gz", b"gz")
    site.later()
    assert site.get("/static/a.txt", accept_encoding="gzip").body == b"gz"
    (tree / "a.txt.gz").unlink()
    site.later()
    assert site.get("/static/a.txt", accept_encoding="gzip").body == b"0123456789" * 10


def test_a_file_that_becomes_a_link_out_of_the_root_is_404(site: Site, tree: Path) -> None:
    for name in ("a.txt", "large.bin"):
        assert site.get(f"/static/{name}").status == 200
        (tree / name).unlink()
        (tree / name).symlink_to(tree.parent / "secret.txt")
    site.later()
    assert site.get("/static/a.txt").status == 404
    assert site.get("/static/large.bin").status == 404


def test_an_encoded_copy_that_is_a_link_out_of_the_root_is_not_sent(site: Site, tree: Path) -> None:
    (tree / "a.txt.gz").symlink_to(tree.parent / "secret.txt")
    assert site.get("/static/a.txt", accept_encoding="gzip").body == b"0123456789" * 10


def test_a_link_inside_the_root_is_followed_and_its_change_is_seen(site: Site, tree: Path) -> None:
    (tree / "current.txt").symlink_to("a.txt")
    assert len(site.get("/static/current.txt").body) == 100
    (tree / "current.txt").unlink()
    (tree / "current.txt").symlink_to("empty.txt")
    site.later()
    assert site.get("/static/current.txt").body == b""


def test_a_root_that_is_switched_by_a_link_is_seen(tree: Path) -> None:
    write(tree.parent / "next" / "a.txt", b"next")
    (tree.parent / "current").symlink_to("root")
    site = Site(StaticRoot("/static/", str(tree.parent / "current")))
    assert len(site.get("/static/a.txt").body) == 100
    (tree.parent / "new").symlink_to("next")
    os.replace(tree.parent / "new", tree.parent / "current")
    site.later()
    assert site.get("/static/a.txt").body == b"next"
    assert site.get("/static/large.bin").status == 404


def test_a_root_that_does_not_exist_yet_is_404_until_it_does(tree: Path) -> None:
    site = Site(StaticRoot("/static/", str(tree / "later")))
    assert site.get("/static/x.txt").status == 404
    write(tree / "later" / "x.txt", b"x")
    assert site.get("/static/x.txt").body == b"x"


def test_a_file_from_the_future_has_no_last_modified_until_its_time_has_come(site: Site, tree: Path) -> None:
    write(tree / "f.txt", b"f", site.now_s + 5)
    reply = site.get("/static/f.txt")
    assert "Last-Modified" not in reply.fields
    assert "ETag" in reply.fields
    site.later(5)
    assert "Last-Modified" in site.get("/static/f.txt").fields


@pytest.mark.parametrize("made_up_s", [0, 1, 315_532_801])
def test_a_change_is_seen_by_clients_also_where_all_files_have_the_same_made_up_date(
    site: Site, tree: Path, made_up_s: int
) -> None:
    write(tree / "nix.js", b"old", made_up_s)
    old = site.get("/static/nix.js")
    assert "Last-Modified" not in old.fields
    assert site.get("/static/nix.js", if_none_match=old.fields["ETag"]).status == 304
    write(tree / "nix.js", b"new", made_up_s)
    site.later()
    assert site.get("/static/nix.js", if_none_match=old.fields["ETag"]).body == b"new"


# Errors of the system


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_403(site: Site, tree: Path) -> None:
    (tree / "a.txt").chmod(0)
    assert site.get("/static/a.txt").status == 403


def test_a_lack_of_descriptors_is_no_404(site: Site) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        reply = site.get("/static/a.txt")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (reply.status, reply.fields["Retry-After"]) == (503, "1")
    assert site.get("/static/a.txt").status == 200


def test_every_error_that_passes_is_told_apart_from_absence() -> None:
    absent = {name for name, status in STATUS_OF_ERROR.items() if status == 404}
    assert absent == {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}


# Roots


def test_a_list_of_files_is_served_by_its_names_only(tree: Path) -> None:
    site = Site(
        StaticRoot(
            "/static/",
            files={
                "x/one.txt": str(tree / "a.txt"),
                "app.css": str(tree / "app.css"),
                "app.css.gz": str(tree / "app.css.gz"),
                "gone.txt": str(tree / "gone.txt"),
            },
        )
    )
    assert len(site.get("/static/x/one.txt").body) == 100
    assert site.get("/static/app.css", accept_encoding="gzip, br").fields["Content-Encoding"] == "gzip"
    for target in ("a.txt", "x", "x/", "", "gone.txt", "x/two.txt"):
        assert site.get(f"/static/{target}").status == 404
    write(tree / "gone.txt", b"back")
    assert site.get("/static/gone.txt").body == b"back"


def test_the_longest_prefix_is_looked_into_first_and_the_others_after_it(tree: Path) -> None:
    write(tree / "plugin" / "p.txt", b"from the outer root")
    write(tree / "plugin" / "q.txt", b"from the outer root")
    write(tree.parent / "inner" / "p.txt", b"from the inner root")
    site = Site(StaticRoot("/static/", str(tree)), StaticRoot("/static/plugin/", str(tree.parent / "inner")))
    assert site.files.prefixes == (b"/static/plugin/", b"/static/")
    assert site.get("/static/plugin/p.txt").body == b"from the inner root"
    assert site.get("/static/plugin/q.txt").body == b"from the outer root"
    write(tree.parent / "inner" / "q.txt", b"now from the inner root")
    site.later()
    assert site.get("/static/plugin/q.txt").body == b"now from the inner root"


def test_what_is_not_below_a_prefix_is_left_to_the_app(site: Site) -> None:
    assert site.files.prefixes == (b"/static/",)
    assert site.ask("GET", "/other/a.txt") is None
    assert site.ask("GET", "/static") is None


def test_a_root_at_the_top_leaves_to_the_app_what_it_lacks(tree: Path) -> None:
    site = Site(StaticRoot("/", str(tree)), StaticRoot("/static/", str(tree)))
    assert site.get("/a.txt").status == 200
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        assert site.ask(method, "/absent") is None
        assert site.ask(method, "/") is None
        assert site.ask(method, "/../x") is None
    assert site.get("/static/absent").status == 404


def test_the_disk_is_asked_for_a_page_of_the_app_once_a_second(tree: Path) -> None:
    site = Site(StaticRoot("/", str(tree)))
    assert site.ask("GET", "/page") is None
    write(tree / "page", b"now a file")
    assert site.ask("GET", "/page?x") is None
    site.later()
    assert site.get("/page").body == b"now a file"


def test_a_prefix_may_need_encoding(tree: Path) -> None:
    site = Site(StaticRoot("/öffentlich/", str(tree)))
    assert site.files.prefixes == (b"/%C3%B6ffentlich/",)
    assert site.get("/%C3%B6ffentlich/a.txt").status == 200


def test_a_directory_has_an_index_where_the_root_wants_it(tree: Path) -> None:
    site = Site(StaticRoot("/s/", str(tree), index=True))
    assert site.get("/s/sub/").body == b"<p>index"
    assert site.get("/s/sub/?x").fields["Content-Type"] == "text/html; charset=utf-8"
    moved = site.get("/s/sub?x=1")
    assert (moved.status, moved.fields["Location"]) == (301, "/s/sub/?x=1")
    head = site.ask("HEAD", "/s/sub")
    assert head is not None
    assert (head.status, head.fields["Location"], head.body) == (301, "/s/sub/", b"")
    assert site.get("/s/").status == 404
    write(tree / "index.html", b"top")
    assert site.get("/s/").body == b"top"
    assert site.get("/s/.well-known").status == 404
    assert site.get("/s//sub").status == 404


# The fast path


def test_a_repeated_get_is_the_same_object(site: Site) -> None:
    assert site.files.hot(b"/static/a.txt", site.tick_s) is None
    answer = site.get("/static/a.txt").answer
    assert site.files.hot(b"/static/a.txt", site.tick_s) is answer
    assert site.files.hot(b"/static/a.txt", site.tick_s, "gzip") is answer
    site.later()
    assert site.files.hot(b"/static/a.txt", site.tick_s) is answer
    assert site.get("/static/a.txt").answer is answer


def test_a_repeated_304_is_the_same_object(site: Site, tree: Path) -> None:
    unless = (None, ETAG, None)
    assert site.files.hot_unchanged(b"/static/a.txt", site.tick_s, unless) is None
    answer = site.get("/static/a.txt", if_none_match=ETAG).answer
    assert answer.status == 304
    assert site.files.hot_unchanged(b"/static/a.txt", site.tick_s, unless) is answer
    assert site.files.hot_unchanged(b"/static/a.txt", site.tick_s, (None, '"other"', None)) is None
    assert site.files.hot_unchanged(b"/static/a.txt", site.tick_s, None) is None
    write(tree / "a.txt", b"changed", CHANGED_S + 9)
    site.later()
    assert site.files.hot_unchanged(b"/static/a.txt", site.tick_s, unless) is None
    assert site.get("/static/a.txt", if_none_match=ETAG).status == 200


def test_a_file_in_several_codings_is_fast_for_each_kind_of_client(site: Site) -> None:
    encoded = site.get("/static/app.css", accept_encoding="gzip").answer
    plain = site.get("/static/app.css").answer
    assert site.files.hot(b"/static/app.css", site.tick_s) is None
    assert site.files.hot(b"/static/app.css", site.tick_s, "gzip") is encoded
    assert site.files.hot(b"/static/app.css", site.tick_s, "br") is None
    assert plain is not encoded


def test_a_large_file_is_never_answered_by_the_fast_path(site: Site) -> None:
    site.get("/static/large.bin")
    assert site.files.hot(b"/static/large.bin", site.tick_s) is None


# Memory


def test_names_that_do_not_exist_leave_nothing_behind(site: Site) -> None:
    for i in range(500):
        site.get(f"/static/absent-{i}.txt")
        site.get(f"/static/a.txt?{i}")
        site.get(f"/static/%{0x61:x}.txt?{i}")
    assert len(site.index.files) == 1


def test_contents_in_memory_are_bounded_and_the_least_used_goes_first(tree: Path) -> None:
    site = Site(StaticRoot("/static/", str(tree)), index=FileIndex(contents_limit_bytes=1000))
    names = [f"m{i}.txt" for i in range(10)]
    for name in names:
        write(tree / name, name.encode() * 80)  # 480 bytes: two fit
    for name in names:
        assert site.get(f"/static/{name}").body == name.encode() * 80

    def at_hand() -> list[str]:
        hot = partial(site.files.hot, now_s=site.tick_s)
        targets = {name: f"/static/{name}".encode() for name in names}
        found = {name: hot(target) for name, target in targets.items()}
        return [name for name, answer in found.items() if answer is not None and answer.file is None]

    assert at_hand() == names[:2]  # what is in use in this second stays
    site.later()
    site.get(f"/static/{names[1]}")
    site.get(f"/static/{names[5]}")
    site.get(f"/static/{names[6]}")
    assert at_hand() == [names[1], names[5]]
    assert site.get(f"/static/{names[3]}", range="bytes=0-1").body == b"m3"


def test_small_files_beyond_the_memory_are_read_again_each_time(tree: Path) -> None:
    site = Site(StaticRoot("/static/", str(tree)), index=FileIndex(contents_limit_bytes=10))
    assert site.get("/static/a.txt").body == b"0123456789" * 10
    again = site.files.hot(b"/static/a.txt", site.tick_s)
    assert again is not None
    assert read(again).body == b"0123456789" * 10
    write(tree / "a.txt", b"changed in place, within the second", CHANGED_S + 9)
    site.later()
    assert site.files.hot(b"/static/a.txt", site.tick_s) is None
    assert site.get("/static/a.txt").body == b"changed in place, within the second"


def test_the_number_of_known_files_is_bounded(tree: Path) -> None:
    site = Site(StaticRoot("/static/", str(tree)), index=FileIndex(files_max=3))
    for i in range(10):
        write(tree / f"m{i}.txt", b"m")
        assert site.get(f"/static/m{i}.txt").status == 200
    assert len(site.index.files) == 3
    assert site.get("/static/m0.txt").status == 200


def test_an_answer_in_flight_survives_that_its_file_is_forgotten(tree: Path) -> None:
    site = Site(StaticRoot("/static/", str(tree)), index=FileIndex(files_max=1))
    answer = site.files.answer("GET", b"/static/large.bin", {}, site.tick_s)
    site.get("/static/a.txt")
    (tree / "large.bin").unlink()
    assert answer is not None
    assert read(answer).body == LARGE
