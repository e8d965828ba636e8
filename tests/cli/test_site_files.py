"""Where files come from, as a client sees it: uploads, applications for browsers, what lies at the root."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import Server, free_port, running

FLASK = str(Path(sys.executable).with_name("flask"))
SETTINGS = """
from pathlib import Path
HERE = Path(__file__).parent.parent
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.staticfiles", "django_prodserve"]
ROOT_URLCONF = "urls"
STATIC_URL, STATIC_ROOT = "static/", HERE / "static"
MEDIA_URL, MEDIA_ROOT = "media/", HERE / "media"
"""
URLS = """
from django.http import HttpResponse
from django.urls import path, re_path
def view(request, **any):
    return HttpResponse("django " + request.path)
urlpatterns = [path("robots.txt", view), re_path("", view)]
"""
MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
FLASK_APP = """
from flask import Flask, request
app = Flask(__name__, static_folder="../static")
@app.before_request
def wall():
    if "login" not in request.cookies:
        return "no entry", 403
@app.route("/robots.txt")
@app.route("/")
@app.route("/<path:any>")
def view(any=""):
    return "flask " + request.path
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Code of two projects, and the files that they share."""
    folder = tmp_path_factory.mktemp("site")
    files = {
        "code/settings.py": SETTINGS,
        "code/urls.py": URLS,
        "code/manage.py": MANAGE,
        "code/hello.py": FLASK_APP,
        "static/site.css": "site",
        "static/favicon.ico": "icon",
        "static/robots.txt": "static robots",
        "media/deep/a.txt": "upload",
        "media/a.html": "<p>upload",
        "media/.hidden": "hidden",
        "media/folder/index.html": "index",
        "spa/index.html": "the page",
        "spa/app.js": "the code",
        "outside/secret.txt": "secret",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "media" / "link.txt").symlink_to(folder / "outside" / "secret.txt")
    (folder / "media" / "inner.txt").symlink_to(folder / "media" / "deep" / "a.txt")
    os.mkfifo(folder / "media" / "pipe")
    return folder


def serving(folder: Path, command: list[str], *options: str) -> Iterator[Server]:
    port = free_port()
    more = ["--workers", "1", "--spa", f"/shop={folder / 'spa'}", *options]
    with running([*command, f"127.0.0.1:{port}", *more], port, cwd=folder / "code") as server:
        yield server


@pytest.fixture(scope="module")
def django(folder: Path) -> Iterator[Server]:
    yield from serving(folder, [sys.executable, "manage.py", "prodserve"])


@pytest.fixture(scope="module")
def flask(folder: Path) -> Iterator[Server]:
    options = ["--media", f"/files={folder / 'media'}", "--serve-static", "always", "--follow-symlinks"]
    yield from serving(folder, [FLASK, "--app", "hello", "prodserve"], *options)


def get(server: Server, path: str, method: str = "GET") -> tuple[int, str]:
    answer = httpx.request(method, server.url + path)
    return answer.status_code, answer.text


DJANGO = [
    ("/media/deep/a.txt", 200, "upload"),
    ("/media/inner.txt", 200, "upload"),
    ("/media/a.html", 200, "<p>upload"),
    ("/media/link.txt", 404, None),
    ("/media/.hidden", 404, None),
    ("/media/pipe", 404, None),
    ("/media/", 404, None),
    ("/media/folder/", 404, None),
    ("/media/folder", 404, None),
    ("/media/gone", 404, None),
    ("/media/%2e%2e/outside/secret.txt", 404, None),
    ("/static/site.css", 200, "site"),
    ("/favicon.ico", 200, "icon"),
    ("/robots.txt", 200, "django /robots.txt"),
    ("/favicon.ico/x", 200, "django /favicon.ico/x"),
    ("/shop/", 200, "the page"),
    ("/shop/app.js", 200, "the code"),
    ("/shop/orders/7", 200, "the page"),
    ("/shop/gone.js", 404, None),
    ("/shopping", 200, "django /shopping"),
]


@pytest.mark.parametrize(("path", "status", "text"), DJANGO)
def test_a_django_project_has_its_uploads_and_its_favicon_served(
    django: Server, path: str, status: int, text: str | None
) -> None:
    found = get(django, path)
    assert found == (status, text if text is not None else found[1])
    assert text is not None or "django" not in found[1]


FLASKS = [
    ("/files/deep/a.txt", 200, "upload"),
    ("/files/link.txt", 200, "secret"),
    ("/files/pipe", 404, None),
    ("/files/.hidden", 404, None),
    ("/static/site.css", 200, "site"),
    ("/favicon.ico", 200, "icon"),
    ("/robots.txt", 403, "no entry"),
    ("/shop/orders/7", 200, "the page"),
    ("/media/a.html", 403, "no entry"),
]


@pytest.mark.parametrize(("path", "status", "text"), FLASKS)
def test_a_flask_app_has_the_files_served_that_were_asked_for(
    flask: Server, path: str, status: int, text: str | None
) -> None:
    found = get(flask, path)
    assert found == (status, text if text is not None else found[1])


def test_uploads_are_sent_with_what_keeps_browsers_from_running_them(django: Server) -> None:
    url = f"{django.url}/media/a.html"
    whole = httpx.get(url)
    part = httpx.get(url, headers={"Range": "bytes=0-1"})
    head = httpx.head(url)
    assert (whole.status_code, part.status_code, head.status_code) == (200, 206, 200)
    for answer in (whole, part, head):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a.html"'
    unchanged = httpx.get(url, headers={"If-None-Match": whole.headers["ETag"]})
    assert unchanged.status_code == 304
    assert httpx.post(url).status_code == 405


def test_an_upload_is_there_at_once_and_so_is_its_end(django: Server, folder: Path) -> None:
    path = folder / "media" / "new.txt"
    for text in ("one", "three", None, "four!"):
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        assert get(django, "/media/new.txt") == ((200, text) if text is not None else (404, "404 Not Found\n"))


def test_the_banner_says_what_is_served_from_where(django: Server, flask: Server) -> None:
    lines = [line.strip() for line in django.log().splitlines()]
    assert "/media/  7 files from MEDIA_ROOT (uploads, sandboxed)" in lines
    assert "files     /shop/  2 files from --spa" in lines
    assert "/favicon.ico" in lines
    assert "(prodserve.I001) prodserve serves the files in MEDIA_ROOT" in django.log()
    assert "/files/  7 files from --media (uploads, sandboxed)" in flask.log()


ROOT_APP = """
from flask import Flask
app = Flask(__name__)
@app.route("/api/things", methods=["GET", "POST"])
@app.route("/shop/")
@app.route("/users/<name>")
def view(name=""):
    return "flask"
"""
AT_ROOT = [
    ("GET", "/", 200, "the page"),
    ("GET", "/app.js", 200, "the code"),
    ("GET", "/orders/7?x=1", 200, "the page"),
    ("GET", "/api/things", 200, "flask"),
    ("POST", "/api/things", 200, "flask"),
    ("GET", "/users/eve", 200, "flask"),
    ("GET", "/shop", 308, None),
    ("GET", "/gone.js", 404, None),
    ("POST", "/orders/7", 405, None),
]


def test_an_application_for_browsers_at_the_root_leaves_the_apps_own_paths_to_it(folder: Path) -> None:
    (folder / "code" / "api.py").write_text(ROOT_APP)
    for server in serving(folder, [FLASK, "--app", "api", "prodserve"], "--spa", f"/={folder / 'spa'}"):
        for method, path, status, text in AT_ROOT:
            found = get(server, path, method)
            assert found == (status, text if text is not None else found[1]), path


def test_a_login_wall_of_a_flask_app_is_not_passed_by_unless_asked_to(folder: Path) -> None:
    for server in serving(folder, [FLASK, "--app", "hello", "prodserve"]):
        assert get(server, "/static/site.css") == (403, "no entry")
        assert get(server, "/favicon.ico") == (403, "no entry")
        assert "wall runs before every request" in server.log()
        assert "--serve-static always" in server.log()
