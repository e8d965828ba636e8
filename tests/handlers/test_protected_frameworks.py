"""Downloads of Django and Flask projects: the examples of the documentation, django-sendfile2, ``FileResponse`` and
``send_file``, in both execution models."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.engine.client import Client, Reply
from tests.server import Server, free_port, running, wait_until

from .files import write

DOCS = Path(__file__).parents[2] / "docs" / "static-files.md"
MODELS = ["greenlets", "threads"]
BIG = bytes(range(256)) * 4096 * 24
NAMES = ["report.pdf", "a b.txt", "100% of it.txt", "what?#&+.txt", "é ü.txt", "файл 文件.bin", "sub/page.html"]

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
SECRET_KEY = "of a test"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_prodserve"]
MIDDLEWARE = ["site_urls.members"]
ROOT_URLCONF = "site_urls"
LOGIN_URL = "/login"
SENDFILE_BACKEND = "django_sendfile.backends.{backend}"
SENDFILE_ROOT = {root!r}
SENDFILE_URL = "/internal"
PRODSERVE = {{"INTERNAL": ["/internal/={root}"], "SLOTS": 1, "WORKERS": 1, "WORKER_MODEL": {model!r}}}
"""
URLS = """
from types import SimpleNamespace

from django.conf import settings
from django.http import FileResponse, HttpResponse
from django.urls import path
from django_sendfile import sendfile

from documented import download


def members(get_response):
    def middleware(request):
        request.user = SimpleNamespace(is_authenticated=request.COOKIES.get("member") == "yes")
        return get_response(request)

    return middleware


def sendfile2(request, name):
    return sendfile(request, settings.SENDFILE_ROOT + "/" + name, attachment=True)


def plain(request, name):
    return FileResponse(open(settings.SENDFILE_ROOT + "/" + name, "rb"), as_attachment=True)


urlpatterns = [
    path("files/<path:name>", download),
    path("sendfile2/<path:name>", sendfile2),
    path("plain/<path:name>", plain),
    path("", lambda request: HttpResponse("hello")),
]
"""
FLASK_VIEWS = """

@app.get("/")
def hello():
    return "hello"


@app.get("/plain/<path:name>")
def plain(name):
    import flask

    app.config["USE_X_SENDFILE"] = False
    try:
        return flask.send_from_directory("/srv/protected", name, conditional=True)
    finally:
        app.config["USE_X_SENDFILE"] = True
"""


def documented(root: Path) -> list[str]:
    """The Python examples of the documentation, with the folder of this test in the place of theirs."""
    section = DOCS.read_text().partition("\n## Protected downloads\n")[2].partition("\n## ")[0]
    return [code.replace("/srv/protected", str(root)) for code in re.findall("```python\n(.*?)```", section, re.DOTALL)]


def content(name: str) -> bytes:
    return BIG if name == "report.pdf" else name.encode() * 10


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site") / "protected files"
    for name in NAMES:
        write(root / name, content(name))
    return root


@contextmanager
def django_site(folder: Path, root: Path, model: str, backend: str) -> Iterator[Server]:
    """A Django project with the views above."""
    (folder / "manage.py").write_text(MANAGE)
    (folder / "site_settings.py").write_text(SETTINGS.format(root=str(root), model=model, backend=backend))
    (folder / "site_urls.py").write_text(URLS)
    (folder / "documented.py").write_text(documented(root)[0])
    port = free_port()
    with running([sys.executable, "manage.py", "prodserve", f"127.0.0.1:{port}"], port, cwd=folder) as server:
        yield server


@contextmanager
def flask_site(folder: Path, root: Path, model: str) -> Iterator[Server]:
    """A Flask app with the views above."""
    (folder / "shop.py").write_text(documented(root)[1] + FLASK_VIEWS.replace("/srv/protected", str(root)))
    port = free_port()
    command = [sys.executable, "-m", "prodserve", "shop:app", f"127.0.0.1:{port}", "--internal", f"/internal/={root}"]
    command += ["--slots", "1", "--workers", "1", "--worker-model", model]
    with running(command, port, cwd=folder) as server:
        yield server


@pytest.fixture(
    scope="module", params=[(model, backend) for model in MODELS for backend in ("nginx", "xsendfile")], ids="-".join
)
def django(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with django_site(tmp_path_factory.mktemp("django"), root, *request.param) as server:
        yield server


@pytest.fixture(scope="module", params=MODELS)
def flask(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with flask_site(tmp_path_factory.mktemp("flask"), root, request.param) as server:
        yield server


def check_download(client: Client, target: str, body: bytes, *fields: str) -> Reply:
    """The file, a part of it and its 304, by one connection; the first reply."""
    whole = client.ask(target, *fields)
    assert (whole.status, whole.body) == (200, body)
    assert not [name for name in whole.names if name.startswith("x-accel") or name == "x-sendfile"]
    part = client.ask(target, *fields, "Range: bytes=3-6, -2")
    assert part.status == 206
    assert body[3:7] in part.body
    assert str(part["content-type"]).startswith("multipart/byteranges")
    assert client.ask(target, *fields, "Range: bytes=3-6", f"If-Range: {whole['etag']}").body == body[3:7]
    assert client.ask(target, *fields, f"If-None-Match: {whole['etag']}").status == 304
    assert client.ask("/").body == b"hello"
    return whole


@pytest.mark.parametrize("name", NAMES)
def test_django_sendfile2_works_as_it_is(django: Server, name: str) -> None:
    with Client(django.port) as client:
        reply = check_download(client, f"/sendfile2/{quote(name)}", content(name))
        disposition = str(reply["content-disposition"])
        assert disposition.startswith("attachment; filename=")
        assert name.isascii() or f"filename*=UTF-8''{quote(Path(name).name)}" in disposition
        assert client.ask("/sendfile2/absent").status == 404
        assert client.ask("/sendfile2/..%2f..%2fetc/passwd").status == 404


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_view_of_django_lets_members_have_the_file(django: Server, name: str) -> None:
    with Client(django.port) as client:
        target = f"/files/{quote(name)}"
        assert client.ask(target).status == 302
        reply = check_download(client, target, content(name), "Cookie: member=yes")
        assert reply["content-disposition"] == "attachment"
        assert reply["cache-control"] == "private, no-cache"
        assert not str(reply["content-type"]).startswith("text/html") or name.endswith("html")


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_view_of_flask_lets_members_have_the_file(flask: Server, name: str) -> None:
    with Client(flask.port) as client:
        target = f"/files/{quote(name)}"
        assert client.ask(target).status == 403
        reply = client.ask(target, "Cookie: member=yes")
        assert (reply.status, reply.body) == (200, content(name))
        assert str(reply["content-disposition"]).startswith("attachment; filename")
        assert "x-sendfile" not in reply.names
        part = client.ask(target, "Cookie: member=yes", "Range: bytes=3-6")
        assert (part.status, part.body) == (206, content(name)[3:7])
        assert part["content-range"] == f"bytes 3-6/{len(content(name))}"
        assert client.ask(target, "Cookie: member=yes", f"If-None-Match: {reply['etag']}").status == 304
        assert client.ask("/").body == b"hello"


def holders(server: Server, path: Path) -> int:
    """How many descriptors of the server's processes lead to ``path``."""
    count = 0
    for pid in server.pids():
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                count += os.readlink(descriptor) == str(path)
            except OSError:
                continue
    return count


def check_slow_client(server: Server, target: str, path: Path) -> None:
    """A client that does not read what it asked for keeps no slot, of which there is one, and at the end no file."""
    with Client(server.port, receive_bytes=4096) as slow, Client(server.port) as other:
        slow.socket.settimeout(20)
        slow.send(f"GET {target} HTTP/1.1\r\nHost: x\r\nCookie: member=yes\r\n\r\n".encode())
        wait_until(lambda: holders(server, path) == 1, 5, "the file is open once: the app has closed its own")
        assert other.ask("/").body == b"hello"
        assert slow.reply().body == BIG
        wait_until(lambda: holders(server, path) == 0, 5, "the file is closed")
        slow.send(f"GET {target} HTTP/1.1\r\nHost: x\r\nCookie: member=yes\r\n\r\n".encode())
        slow.until(b"\r\n\r\n")
        slow.reset()
    wait_until(lambda: holders(server, path) == 0, 5, "the file is closed")


@pytest.mark.parametrize("target", ["/plain/report.pdf", "/files/report.pdf", "/sendfile2/report.pdf"])
def test_a_slow_client_of_a_django_download_keeps_no_slot(django: Server, root: Path, target: str) -> None:
    check_slow_client(django, target, root / "report.pdf")


@pytest.mark.parametrize("target", ["/plain/report.pdf", "/files/report.pdf"])
def test_a_slow_client_of_a_flask_download_keeps_no_slot(flask: Server, root: Path, target: str) -> None:
    check_slow_client(flask, target, root / "report.pdf")


def test_the_headers_of_a_file_response_are_djangos(django: Server, root: Path) -> None:
    with Client(django.port) as client:
        for fields in ((), ("Range: bytes=0-9",)):  # Django knows no ranges
            reply = client.ask("/plain/report.pdf", *fields)
            assert (reply.status, reply.body) == (200, BIG)
            assert reply["content-disposition"] == 'attachment; filename="report.pdf"'
            assert reply["content-type"] == "application/pdf"
            assert reply["etag"] is None
            assert "accept-ranges" not in reply.names
        assert client.ask("/plain/report.pdf", method="HEAD")["content-length"] == str(len(BIG))
        assert client.ask("/").body == b"hello"
    wait_until(lambda: holders(django, root / "report.pdf") == 0, 5, "the file is closed")


def test_ranges_and_conditions_of_send_file_are_flasks(flask: Server, root: Path) -> None:
    with Client(flask.port) as client:
        whole = client.ask("/plain/report.pdf")
        assert (whole.status, whole.body) == (200, BIG)
        part = client.ask("/plain/report.pdf", "Range: bytes=1000-2000999")
        assert (part.status, part.body) == (206, BIG[1000:2001000])
        assert part["content-range"] == f"bytes 1000-2000999/{len(BIG)}"
        assert client.ask("/plain/report.pdf", f"Range: bytes={len(BIG)}-").status == 416
        assert client.ask("/plain/report.pdf", f"If-None-Match: {whole['etag']}").status == 304
        assert client.ask("/plain/report.pdf", method="HEAD")["content-length"] == str(len(BIG))
        assert client.ask("/").body == b"hello"
    wait_until(lambda: holders(flask, root / "report.pdf") == 0, 5, "the file is closed")
