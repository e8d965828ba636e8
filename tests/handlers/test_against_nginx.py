"""The same requests to nginx and to us, over the same tree: every difference is listed here, with its reason.

nginx is Debian's, started by this test with the settings that match ours (``gzip_static``, ``gzip_vary``, charsets).
What is compared: the status, the fields that a cache or a player acts on, and the body of what was found.
"""

from __future__ import annotations

import re
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.server import free_port, running

from .files import CHANGED, make_tree, write

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
MIME_TYPES = Path("/etc/nginx/mime.types")
pytestmark = pytest.mark.skipif(
    not (Path(NGINX).exists() and MIME_TYPES.exists()),
    reason="Debian's nginx is not installed: nothing to compare with",
)

CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    include {mime_types};
    default_type application/octet-stream;
    charset utf-8;
    charset_types text/plain text/css application/javascript;
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    absolute_redirect off;
    gzip_static on;
    gzip_vary on;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 404; }}
        location /s/ {{ alias {root}/; add_header Cache-Control no-cache; }}
    }}
}}
"""
APP = """
def app(environ, start_response):
    start_response("404 Not Found", [("Content-Length", "0")])
    return [b""]
"""
COMPARED = (
    "accept-ranges",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "location",
    "vary",
)
OF_ERRORS = ("allow", "content-range", "location")
"""Fields that are compared where the body is a text of the server's own."""


@dataclass(frozen=True)
class Reason:
    """Why some aspects of an answer are not nginx's."""

    aspects: frozenset[str]
    why: str


def because(aspects: str, why: str) -> Reason:
    return Reason(frozenset(aspects.split()), why)


@dataclass
class Case:
    """One request and how our answer to it differs."""

    target: str
    fields: dict[str, str] = field(default_factory=dict)
    reason: Reason | None = None
    method: str = "GET"

    def __str__(self) -> str:
        return " ".join(
            [self.method, self.target[:60], *[f"{name}: {value[:60]}" for name, value in self.fields.items()]]
        )


def ask(port: int, case: Case) -> dict[str, str | bytes]:
    """The compared aspects of the answer to ``case``."""
    lines = [f"{case.method} {case.target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in case.fields.items()]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
        conn.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
        received = b"".join(iter(lambda: conn.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status, *field_lines = head.decode("latin-1").split("\r\n")
    found = {name.lower(): value for name, value in (line.split(": ", 1) for line in field_lines)}
    answer: dict[str, str | bytes] = {"status": status.split(" ")[1]}
    if answer["status"] in ("200", "206", "304"):
        boundary = re.search("boundary=(.+)", found.get("content-type", ""))
        if boundary:
            body = body.replace(boundary[1].encode(), b"BOUNDARY")
            found["content-type"] = "multipart/byteranges"
            found["content-length"] = str(len(body) if len(body) else "none")
        answer["body"] = body
    names = COMPARED if answer["status"] in ("200", "206", "304") else OF_ERRORS
    return answer | {name: found[name] for name in names if name in found}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """nginx and our server, over the same tree."""
    folder = tmp_path_factory.mktemp("nginx")
    root = make_tree(folder / "root")
    write(root / "app.css.gz", (root / "app.css.gz").read_bytes())
    (root / "app.css.br").unlink()
    (folder / "outside").mkdir()
    write(folder / "outside" / "x.txt", b"outside")
    (root / "door").symlink_to(folder / "outside")
    (root / "inner.txt").symlink_to("a.txt")
    (folder / "nothing.py").write_text(APP)
    nginx_port, our_port = free_port(), free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, mime_types=MIME_TYPES, port=nginx_port, root=root))
    ours = [sys.executable, "-m", "prodserve", "nothing:app", f"127.0.0.1:{our_port}", "--workers", "1"]
    ours += ["--static", f"/s={root}", "--access-logfile", "none"]
    nginx = [NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"]
    with running(nginx, nginx_port, cwd=folder), running(ours, our_port, cwd=folder):
        yield nginx_port, our_port


ETAG = '"3b9aca00-64"'
BEFORE = "Sun, 09 Sep 2001 01:46:39 GMT"
AFTER = "Sun, 09 Sep 2001 01:46:41 GMT"
FOUND = "accept-ranges body cache-control content-length content-type etag last-modified status"
"""All aspects by which a 200 differs from an error."""

JAVASCRIPT = because("content-type", "RFC 9239: text/javascript; application/javascript is obsolete")
ARCHIVE = because("content-type", "Debian's table does not know archives by this suffix")
NO_INDEX = because("status", "403 would tell that the directory exists; there is nothing that could be permitted")
NO_INDEX_MOVED = because("status location", "no redirect to a page that does not exist")
HIDDEN = because(FOUND, "hidden files (.env, .git) are never published")
OUTSIDE = because(FOUND, "links do not lead out of the root")
ONE_NAME = because(FOUND, "one file has one address: caches and rules in front of us see the same path as we do")
NO_NAME = because("status", "it names no file, and that is all there is to say")
ALLOWED = because("allow", "RFC 9110 §15.5.6: a 405 must carry Allow")
OPTIONS = because("allow status", "RFC 9110 §9.3.7: OPTIONS is answered, with the methods")
UNKNOWN_METHOD = because("status", "RFC 9110 §9.1: a method nobody knows is a 501, before the target is looked at")
ABSENT = because("status", "nothing is there that could allow or refuse a method; nginx says so for POST only")
NOT_LATER = because(
    "accept-ranges body content-length content-type status",
    "RFC 9110 §13.1.3: unchanged since a later date; nginx compares for equality",
)
NO_DATE = because(FOUND, "RFC 9110 §13.1.4: a date that is none is ignored")
TAG_FIRST = because(
    "accept-ranges body content-length content-type status", "RFC 9110 §13.1.3: ignored beside If-None-Match"
)
MATCH_FIRST = because(FOUND, "RFC 9110 §13.1.4: ignored beside If-Match")
MALFORMED = because(FOUND + " content-range", "RFC 9110 §14.2: a malformed Range may be ignored; all of it is no error")
LIST = because(
    "body cache-control content-length content-range content-type etag last-modified status",
    "RFC 9110 §5.6.1.2: empty members of a list are ignored",
)
FAR_END = because(
    "body cache-control content-length content-range content-type etag last-modified status",
    "RFC 9110 §14.1.2: an end behind the end means the end, however far",
)
MANY = because(
    "accept-ranges body content-length content-type status",
    "RFC 9110 §14.2: many small ranges cost more than the whole",
)
HEAD_RANGE = because(
    "accept-ranges content-length content-range status", "RFC 9110 §14.2: Range must be ignored for all but GET"
)
HEAD_NO_RANGE = because(FOUND.replace("body", "content-range body"), HEAD_RANGE.why)
CODED = because("accept-ranges etag", "each coding has its own tag, and its parts can be asked for")
CODED_TAG = because("etag", "each coding has its own tag")
CODED_RANGE = because("body content-length content-range etag status", CODED.why)
ENCODED = "body content-encoding content-length etag"
STAR = because(ENCODED, "RFC 9110 §12.5.3: * stands for every coding")
ALIAS = because(ENCODED, "RFC 9110 §8.4.1.3: x-gzip is gzip")
WEIGHED = because(ENCODED + " accept-ranges", "RFC 9110 §12.5.3: the weights of the client decide")


def plain(*targets: str, reason: Reason | None = None) -> list[Case]:
    return [Case(target, {}, reason) for target in targets]


def by_method(target: str, *methods: str, reason: Reason | None = None) -> list[Case]:
    return [Case(target, {}, reason, method) for method in methods]


def given(target: str, name: str, *values: str, reason: Reason | None = None) -> list[Case]:
    return [Case(target, {name: value}, reason) for value in values]


CASES = [
    *plain("/s/a.txt", "/s/empty.txt", "/s/large.bin", "/s/app.css", "/s/sub/page.html", "/s/inner.txt"),
    *plain("/s/a.txt?v=1", "/s/a.txt?", "/s/%61.txt", "/s/sub%2fpage.html", "/s/%C3%A9%20%c3%bc.txt"),
    *plain("/s/absent", "/s/sub/absent", "/s/a.txt/", "/s/a.txt/x", "/s/a.txt.", "/s/A.TXT", "/s/a.txt%20"),
    *plain("/s/sub/", "/s/sub", "/s/sub?x=1", "/s/sub/?x", "/x", "/s", "/sx/a.txt", "/s/" + "x" * 300),
    *plain("/s/.well-known/security.txt"),
    *plain("/s/app.css.gz", reason=ARCHIVE),
    *plain("/s/app.3f2a.js", reason=JAVASCRIPT),
    *plain("/s/", "/s/.well-known/", reason=NO_INDEX),
    *plain("/s/.well-known", reason=NO_INDEX_MOVED),
    *plain("/s/.env", "/s/%2eenv", reason=HIDDEN),
    *plain("/s/door/x.txt", reason=OUTSIDE),
    # ways out
    *plain("/s/../secret.txt", "/s/%2e%2e/secret.txt", "/s/sub/../../secret.txt", "/s/..%2fsecret.txt"),
    *plain("/s/%252e%252e/secret.txt", "/s/..%5csecret.txt", "/s//etc/passwd", "/s/%2fetc/passwd", "/s/..;/secret.txt"),
    *plain("/s/../../../../etc/passwd", "/s/a.txt%00", "/s/%", "/s/%zz", "/s/100%.txt", reason=NO_NAME),
    *plain("/s/sub/../a.txt", "/s//a.txt", "/s/./a.txt", "/s/sub//page.html", reason=ONE_NAME),
    *plain("/s/%ff%fe"),
    # methods
    *[Case(target, {}, None, "HEAD") for target in ("/s/a.txt", "/s/empty.txt", "/s/large.bin", "/s/absent", "/s/sub")],
    *by_method("/s/a.txt", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", reason=ALLOWED),
    *by_method("/s/a.txt", "OPTIONS", reason=OPTIONS),
    *by_method("/s/a.txt", "X", reason=UNKNOWN_METHOD),
    *by_method("/s/absent", "POST"),
    *by_method("/s/absent", "PUT", "OPTIONS", reason=ABSENT),
    # conditions
    *given(
        "/s/a.txt", "If-None-Match", ETAG, f"W/{ETAG}", "*", '"x"', f'"x", {ETAG}', f'"x",{ETAG},"y"', "x", "", '"x'
    ),
    *given("/s/a.txt", "If-None-Match", f'W/"x", W/{ETAG}', ETAG.strip('"'), f"{ETAG};gzip", f'"x{ETAG}"'),
    *given("/s/a.txt", "If-Modified-Since", CHANGED, BEFORE, "Sunday, 09-Sep-01 01:46:40 GMT"),
    *given("/s/a.txt", "If-Modified-Since", "Sun Sep  9 01:46:40 2001", "x", ""),
    *given("/s/a.txt", "If-Modified-Since", AFTER, reason=NOT_LATER),
    *given("/s/a.txt", "If-Match", ETAG, "*", '"x"', f'"x", {ETAG}', f"W/{ETAG}", "x", ""),
    *given("/s/a.txt", "If-Unmodified-Since", CHANGED, BEFORE, AFTER),
    *given("/s/a.txt", "If-Unmodified-Since", "x", "", reason=NO_DATE),
    Case("/s/a.txt", {"If-None-Match": '"x"', "If-Modified-Since": CHANGED}),
    Case("/s/a.txt", {"If-None-Match": ETAG, "If-Modified-Since": BEFORE}, TAG_FIRST),
    Case("/s/a.txt", {"If-Match": ETAG, "If-None-Match": ETAG}),
    Case("/s/a.txt", {"If-Match": '"x"', "If-None-Match": ETAG}),
    Case("/s/a.txt", {"If-Match": ETAG, "If-Unmodified-Since": BEFORE}, MATCH_FIRST),
    Case("/s/a.txt", {"If-Unmodified-Since": BEFORE, "If-None-Match": ETAG}),
    Case("/s/a.txt", {"If-None-Match": ETAG, "Range": "bytes=0-0"}),
    Case("/s/a.txt", {"If-Match": '"x"', "Range": "bytes=0-0"}),
    Case("/s/a.txt", {"If-None-Match": ETAG}, None, "HEAD"),
    Case("/s/a.txt", {"If-Match": '"x"'}, None, "HEAD"),
    Case("/s/absent", {"If-None-Match": "*"}),
    Case("/s/absent", {"If-Match": "*"}),
    Case("/s/app.css", {"If-None-Match": "*", "Accept-Encoding": "gzip"}, CODED_TAG),
    # ranges
    *given("/s/a.txt", "Range", "bytes=0-0", "bytes=0-49", "bytes=50-", "bytes=99-", "bytes=-1", "bytes=-100"),
    *given("/s/a.txt", "Range", "bytes=0-1000", "bytes=-1000", "bytes=100-", "bytes=200-300", "bytes=-0"),
    *given("/s/a.txt", "Range", "BYTES=0-0", "bytes= 0-0", "bytes=99999999999999999999-"),
    *given(
        "/s/a.txt", "Range", "bytes=0-0,5-6", "bytes=0-0, -1", "bytes=90-99,0-9", "bytes=0-0,100-", "bytes=0-9,5-14"
    ),
    *given("/s/a.txt", "Range", "bytes=0-,0-", "bytes=0-60,20-80", "bytes=0-99,0-0"),
    *given("/s/a.txt", "Range", "items=0-0", "bytes =0-0", "bytes", "bytes="),
    *given("/s/a.txt", "Range", "bytes=5-2", "bytes=a", "bytes=-", "bytes=--1", "bytes=0-0,x", reason=MALFORMED),
    *given("/s/a.txt", "Range", "bytes=0-0,", reason=LIST),
    *given("/s/a.txt", "Range", "bytes=0-99999999999999999999", reason=FAR_END),
    *given("/s/a.txt", "Range", "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 80, 2)), reason=MANY),
    *given("/s/large.bin", "Range", "bytes=0-0", "bytes=1000-69999", "bytes=-70000", "bytes=0-0,100000-170000"),
    *given("/s/large.bin", "Range", "bytes=256000-"),
    *given("/s/empty.txt", "Range", "bytes=0-", "bytes=-1", "bytes=0-0"),
    *given("/s/absent", "Range", "bytes=0-0"),
    Case("/s/a.txt", {"Range": "bytes=0-0"}, HEAD_RANGE, "HEAD"),
    Case("/s/a.txt", {"Range": "bytes=200-"}, HEAD_NO_RANGE, "HEAD"),
    *[
        Case("/s/a.txt", {"Range": "bytes=0-0", "If-Range": value})
        for value in (ETAG, f"W/{ETAG}", '"x"', CHANGED, BEFORE, AFTER, "x", "")
    ],
    Case("/s/a.txt", {"Range": "bytes=200-", "If-Range": '"x"'}),
    Case("/s/a.txt", {"If-Range": '"x"'}),
    # codings
    *given("/s/app.css", "Accept-Encoding", "", "identity", "br", "gzip;q=0", "gzip;q=0.000", "notgzip", "gzipx"),
    *given("/s/app.css", "Accept-Encoding", "*;q=0", "gzip;q=2"),
    *given("/s/app.css", "Accept-Encoding", "gzip", "gzip, deflate, br", "gzip;q=0.5", "GZIP", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "x, gzip;q=0.001", reason=CODED),
    *given("/s/app.css", "Accept-Encoding", "*", reason=STAR),
    *given("/s/app.css", "Accept-Encoding", "x-gzip", reason=ALIAS),
    *given("/s/app.css", "Accept-Encoding", "identity;q=1, gzip;q=0.5", reason=WEIGHED),
    *given("/s/a.txt", "Accept-Encoding", "gzip", "*"),
    Case("/s/app.css", {"Accept-Encoding": "gzip", "Range": "bytes=0-9"}, CODED_RANGE),
    Case("/s/app.css", {"Accept-Encoding": "gzip"}, CODED, "HEAD"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_our_answer_is_nginxs_except_where_a_reason_is_given(ports: tuple[int, int], case: Case) -> None:
    nginx, ours = (ask(port, case) for port in ports)
    different = {aspect for aspect in nginx.keys() | ours.keys() if nginx.get(aspect) != ours.get(aspect)}
    listed = case.reason.aspects if case.reason else frozenset()
    assert different == listed, {aspect: (nginx.get(aspect), ours.get(aspect)) for aspect in different}
