"""httplint has nothing to say about our answers for files, and REDbot nothing that it would not say about nginx's.

REDbot asks on by itself: conditionally, for parts, and for other codings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.clock import http_date

from tests.server import clean_environ

from .files import Site, make_tree
from .nginx import BROTLI, needs_nginx, nginx_and_ours

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


AS_BAD_AS_NGINX = {"FRESHNESS_HEURISTIC": "FRESHNESS_NO_CACHE_NO_VALIDATOR"}
"""Of a redirect: where nginx adds no Cache-Control by its configuration, it gets the same note."""
REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    *[("GET", name, {}) for name in ("a.txt", "empty.txt", "large.bin", "theme.css", "sub/page.html", "app.3f2a.js")],
    *[("GET", name, {}) for name in ("sub", "sub/", "absent", "absent/", ".env", "app.css.gz")],
    *[("HEAD", name, {}) for name in ("a.txt", "large.bin", "theme.css", "absent", "sub")],
    *[("GET", "theme.css", {"Accept-Encoding": value}) for value in ("gzip", "br", "gzip, br", "identity")],
    ("HEAD", "theme.css", {"Accept-Encoding": "br"}),
    *[("GET", "a.txt", {"Range": value}) for value in ("bytes=0-9", "bytes=0-9,20-29", "bytes=500-", "x")],
    ("GET", "large.bin", {"Range": "bytes=100000-199999"}),
    ("GET", "theme.css", {"Accept-Encoding": "br", "Range": "bytes=0-99"}),
    *[("GET", "a.txt", {"If-None-Match": value}) for value in ("*", '"x"')],
    ("GET", "a.txt", {"If-Modified-Since": "Fri, 09 Nov 2001 01:46:40 GMT"}),
    ("GET", "a.txt", {"If-Match": '"x"'}),
    *[(method, "a.txt", {}) for method in ("POST", "OPTIONS", "DELETE")],
]


@needs_nginx
def test_redbot_blames_us_for_nothing_that_it_does_not_blame_nginx_for(tmp_path: Path) -> None:
    pytest.importorskip("redbot", reason="redbot is not installed")
    requests = [one for one in REQUESTS if BROTLI.exists() or "br" not in one[2].get("Accept-Encoding", "")]
    with nginx_and_ours(tmp_path) as ports:
        said = redbot(
            [
                {"url": f"http://127.0.0.1:{port}/s/{name}", "method": method, "headers": list(fields.items())}
                for port in ports
                for method, name, fields in requests
            ]
        )
    nginx, ours = said[: len(requests)], said[len(requests) :]
    for request, theirs, own in zip(requests, nginx, ours, strict=True):
        blamed = {(check, AS_BAD_AS_NGINX.get(note, note)) for check, note in own - theirs}
        assert blamed <= theirs, request


def redbot(requests: list[dict[str, object]]) -> list[set[tuple[str, str]]]:
    """What REDbot warns of, for each request: which of its checks, and which note."""
    command = [sys.executable, "-m", "tests.handlers.redbot_notes"]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=clean_environ(),
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(requests)
    return [{(check, note) for check, note, _, level in one if level in ("warning", "bad")} for one in found]
