"""httplint, the checks behind REDbot, has nothing to say about our answers for files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.clock import http_date

from .files import Site, make_tree

httplint = pytest.importorskip("httplint", reason="httplint is not installed")

ABOUT_EVERY_ERROR = {"STATUS_NOT_FOUND", "STATUS_METHOD_NOT_ALLOWED", "STATUS_PRECONDITION_FAILED"}
NOT_TRUE = {
    "PARTIAL_WITHOUT_RANGE",  # of multipart/byteranges, where Content-Range must not be (RFC 9110 §15.3.7.2)
    "LOCATION_NOT_ABSOLUTE",  # it need not be (RFC 9110 §10.2.2)
    "FRESHNESS_HEURISTIC",  # of the redirect: nginx says as little
}
FINE = {"CL_CORRECT", "FRESHNESS_FRESH"}
FACTS = {"STORE_STORABLE", "STORE_UNSTORABLE", "FRESHNESS_NO_CACHE", "STALE_SERVABLE"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    root = make_tree(tmp_path / "root")
    site = Site(StaticRoot("/s/", str(root), index=True, immutable=frozenset({"app.3f2a.js"}), max_age_s=60))
    site.now_s = int(time.time())
    return site


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("/s/a.txt", {}, 200),
        ("/s/empty.txt", {}, 200),
        ("/s/large.bin", {}, 200),
        ("/s/app.3f2a.js", {}, 200),
        ("/s/app.css", {}, 200),
        ("/s/app.css", {"accept_encoding": "gzip"}, 200),
        ("/s/a.txt", {"range": "bytes=0-1"}, 206),
        ("/s/a.txt", {"range": "bytes=0-1,5-6"}, 206),
        ("/s/a.txt", {"range": "bytes=500-"}, 416),
        ("/s/a.txt", {"if_none_match": "*"}, 304),
        ("/s/a.txt", {"if_match": '"x"'}, 412),
        ("/s/absent", {}, 404),
        ("/s/sub", {}, 301),
        ("/s/sub/", {}, 200),
    ],
)
def test_the_linter_is_content(site: Site, target: str, fields: dict[str, str], status: int) -> None:
    reply = site.get(target, **fields)
    assert reply.status == status
    linter = httplint.HttpResponseLinter()
    linter.process_response_topline(b"HTTP/1.1", str(status).encode(), b"")
    sent = {**reply.fields, "Date": http_date(site.now_s)}
    linter.process_headers([(name.encode(), value.encode()) for name, value in sent.items()])
    linter.feed_content(reply.body)
    linter.finish_content(True)
    remarks = {type(note).__name__ for note in linter.notes}
    assert remarks <= ABOUT_EVERY_ERROR | NOT_TRUE | FINE | FACTS
