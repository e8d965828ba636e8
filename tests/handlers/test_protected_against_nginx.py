"""Protected downloads, sent by nginx in front of an app and by us alone: every difference is listed, with its reason.

nginx is Debian's, with an ``internal`` location and ``proxy_pass`` to the very app that we serve with ``--internal``.
What is compared: the status, every field but Date, Server and Connection, and the body of what was found.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pytest

from tests.server import free_port, running

from .files import CHANGED, make_tree, write
from .nginx import MIME_TYPES, NGINX, needs_nginx
from .nginx_cases import Reason, because

pytestmark = needs_nginx

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
    charset_types text/plain text/css;
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_set_header Host localhost; }}
        location /internal/ {{ internal; alias {root}/; }}
    }}
}}
"""
APP = '''
from urllib.parse import parse_qsl


def app(environ, start_response):
    """The headers that the query asks for, and a body that nobody should see."""
    given = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True, encoding="latin-1")
    status = dict(given).get("status", "200 OK")
    start_response(status, [pair for pair in given if pair[0] != "status"])
    return [b"the view's own body"]
'''
NOT_COMPARED = ("date", "server", "connection")
OF_ERRORS = ("allow", "content-range", "location", "set-cookie", "content-disposition", "cache-control", "expires")
"""Fields that are compared where the body is a text of the server's own."""


@dataclass
class Case:
    """What the view says, what the client asks, and how our answer differs."""

    said: dict[str, str | list[str]]
    fields: dict[str, str] = field(default_factory=dict)
    reason: Reason | None = None
    method: str = "GET"

    def __str__(self) -> str:
        fields = [f"{name}: {value}" for name, value in self.fields.items()]
        return " ".join([self.method, *[f"{name}={value}" for name, value in self.said.items()], *fields])[:150]


Aspects = dict[str, str | bytes | tuple[str, ...]]


def ask(port: int, case: Case) -> Aspects:
    """The compared aspects of the answer to ``case``."""
    query = urlencode(case.said, doseq=True, encoding="latin-1")
    lines = [f"{case.method} /view?{query} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in case.fields.items()]
    body = b"posted=1" if case.method == "POST" else b""
    lines += [f"Content-Length: {len(body)}"] if body else []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
        conn.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body)
        received = b"".join(iter(lambda: conn.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status, *field_lines = head.decode("latin-1").split("\r\n")
    found: dict[str, tuple[str, ...]] = {}
    for line in field_lines:
        name, _, value = line.partition(": ")
        found[name.lower()] = (*found.get(name.lower(), ()), value)
    answer: Aspects = {"status": status.split(" ")[1]}
    if answer["status"] in ("200", "206", "304"):
        boundary = re.search("boundary=(.+)", found.get("content-type", ("",))[0])
        if boundary:
            body = body.replace(boundary[1].encode(), b"BOUNDARY")
            found["content-type"] = ("multipart/byteranges",)
            found["content-length"] = (str(len(body)),)
        answer["body"] = body
        return answer | {name: value for name, value in found.items() if name not in NOT_COMPARED}
    return answer | {name: found[name] for name in OF_ERRORS if name in found}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """nginx before the app, and the app with us alone."""
    folder = tmp_path_factory.mktemp("nginx")
    root = make_tree(folder / "root")
    write(root / "100% of it.txt", b"percent")
    write(root / "what?#.txt", b"question")
    write(root / "a+b&c.txt", b"plus")
    write(root / "-.txt", b"dash")
    (folder / "view.py").write_text(APP)
    nginx_port, behind, alone = free_port(), free_port(), free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, mime_types=MIME_TYPES, port=nginx_port, behind=behind, root=root))
    ours = [sys.executable, "-m", "prodserve", "view:app"]
    quiet = ["--workers", "1", "--access-logfile", "none"]
    nginx = [NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"]
    with (
        running([*ours, f"127.0.0.1:{behind}", *quiet], behind, cwd=folder),
        running(nginx, nginx_port, cwd=folder),
        running([*ours, f"127.0.0.1:{alone}", *quiet, "--internal", f"/internal/={root}"], alone, cwd=folder),
    ):
        yield nginx_port, alone


def accel(path: str, **said: str | list[str]) -> dict[str, str | list[str]]:
    """A response with X-Accel-Redirect; other headers with _ for -."""
    return {"X-Accel-Redirect": f"/internal/{path}"} | {name.replace("_", "-"): text for name, text in said.items()}


A = accel("a.txt", Content_Type="text/x-own")
EVERYWHERE = because(
    "cache-control",
    "where the view says nothing of caches: a shared one may keep what nginx sends, and give it to everybody",
)
DIRECTORY = because("status location", "a directory is no download, and its internal address is nobody's business")
INDEX = because(
    "accept-ranges body content-length content-type etag last-modified status", "a directory is no download"
)
ONLY_COOKIES = because(
    "cache-control content-disposition", "an error page is no attachment, and is not kept for as long as the file"
)
NO_ATTACHMENT = because("content-disposition", ONLY_COOKIES.why)
COOKIE = because("set-cookie", "what the view changed of the session stays changed; nginx drops it for a 412 only")
SAID_ONCE = because("accept-ranges", "nginx says both, none and bytes")
NO_RANGES = because("body content-length content-range status", "the view said that there are no ranges")
ETAG = '"3b9aca00-64"'
CASES: list[Case] = [
    *[Case(accel(name)) for name in ("a.txt", "large.bin", "empty.txt", "sub/page.html", "app.css")],
    *[Case(accel(quote(name))) for name in ("é ü.txt", "100% of it.txt", "what?#.txt", "a+b&c.txt", "-.txt")],
    Case(accel("\xc3\xa9 \xc3\xbc.txt")),
    Case(accel("a.txt?download=1")),
    Case(accel("%61%2etxt")),
    Case(accel("sub//page.html")),
    Case(accel("sub/./page.html")),
    Case(accel(".env")),
    Case(accel("absent")),
    Case(accel("sub"), reason=DIRECTORY),
    Case(accel("sub/"), reason=INDEX),
    Case(accel("../secret.txt")),
    Case(accel("%2e%2e/secret.txt")),
    Case(accel("sub/..%2f..%2fsecret.txt")),
    Case(accel("a.txt%00")),
    Case({"X-Accel-Redirect": ""}),
    Case(
        accel("absent", Set_Cookie="a=1", Content_Disposition="attachment", Cache_Control="max-age=9"),
        reason=ONLY_COOKIES,
    ),
    Case(A, method="POST"),
    Case(A, method="HEAD"),
    Case(A, method="PUT"),
    Case(accel("absent"), method="HEAD"),
    Case(accel("a.txt", Set_Cookie=["a=1; Path=/", "b=2"])),
    Case(accel("a.txt", Content_Disposition="attachment; filename=\"x y.txt\"; filename*=UTF-8''%C3%A9.txt")),
    Case(accel("a.txt", Cache_Control="max-age=60, public")),
    Case(accel("a.txt", Cache_Control=["max-age=60", "public"])),
    Case(accel("a.txt", Expires="Thu, 01 Jan 2032 00:00:00 GMT")),
    Case(accel("a.txt", Content_Type="")),
    Case(accel("a.txt", Content_Type="text/html; charset=latin-1")),
    Case(accel("a.txt", Accept_Ranges="none"), reason=SAID_ONCE),
    Case(accel("a.txt", Accept_Ranges="none"), {"Range": "bytes=0-1"}, reason=NO_RANGES),
    Case(accel("a.txt", ETag='"own"', Last_Modified="Thu, 01 Jan 2004 00:00:00 GMT", Content_Encoding="gzip")),
    Case(accel("a.txt", Vary="Cookie", X_Own="1", Content_Language="de", Link="</a>; rel=next", Location="/x")),
    Case(accel("a.txt", X_Accel_Buffering="no", X_Accel_Expires="60", X_Accel_Limit_Rate="0", X_Accel_Charset="utf-8")),
    Case(accel("a.txt", status="404 Not Found")),
    Case(accel("a.txt", status="206 Partial Content", Content_Range="bytes 0-1/2")),
    Case(accel("a.txt", status="302 Found", Location="/elsewhere")),
    Case(accel("a.txt", status="500 Oh")),
    *[Case(A, {"Range": value}) for value in ("bytes=0-0", "bytes=-5", "bytes=90-", "bytes=200-", "bytes=0-1,5-6")],
    Case(accel("large.bin"), {"Range": "bytes=100000-170000"}),
    Case(accel("large.bin"), {"Range": "bytes=0-9,200000-200009"}),
    Case(A, {"Range": "bytes=0-0"}, method="POST"),
    Case(A, {"If-None-Match": ETAG}),
    Case(A, {"If-None-Match": '"x"'}),
    Case(A, {"If-Modified-Since": CHANGED}),
    Case(A, {"If-None-Match": ETAG}, method="HEAD"),
    Case(A, {"If-None-Match": ETAG}, method="POST"),
    Case(A, {"If-Match": '"x"'}),
    Case(A, {"If-Unmodified-Since": "Thu, 01 Jan 1998 00:00:00 GMT"}),
    Case(A, {"Range": "bytes=0-0", "If-Range": ETAG}),
    Case(A, {"Range": "bytes=0-0", "If-Range": '"x"'}),
    Case(
        accel("a.txt", Set_Cookie="a=1", Content_Disposition="attachment", Cache_Control="private", Content_Type="a/b"),
        {"If-None-Match": ETAG},
    ),
    Case(accel("a.txt", Set_Cookie="a=1", Content_Disposition="attachment"), {"If-Match": '"x"'}, reason=COOKIE),
    Case(
        accel("a.txt", Set_Cookie="a=1", Content_Disposition="attachment"),
        {"Range": "bytes=200-"},
        reason=NO_ATTACHMENT,
    ),
    Case(accel("app.css"), {"Accept-Encoding": "gzip, br"}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_download_is_nginxs_except_where_a_reason_is_given(ports: tuple[int, int], case: Case) -> None:
    nginx, ours = (ask(port, case) for port in ports)
    different = {aspect for aspect in nginx.keys() | ours.keys() if nginx.get(aspect) != ours.get(aspect)}
    listed = case.reason.aspects if case.reason else frozenset()
    if not case.said.keys() & {"Cache-Control", "Expires"}:
        listed |= EVERYWHERE.aspects
    assert different == listed, {aspect: (nginx.get(aspect), ours.get(aspect)) for aspect in different}
