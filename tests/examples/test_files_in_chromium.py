"""What a browser does with our files: it seeks, it asks again or does not, it understands the encoded copies."""

from __future__ import annotations

import re
import struct
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import brotli
import httpx
import pytest

from tests.server import Server, free_port, running, wait_until

from .chromium import CHROMIUM, Page, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

SAMPLES_PER_S = 22_050
SECONDS = 3600
LAST_BYTES = 60 * SAMPLES_PER_S * 2
"""From a minute before the end on."""
LINE = re.compile(r'"(GET|HEAD) (\S+) HTTP/1\.1" (\d{3}) (\d+|-)')
IMMUTABLE = "theme.5d41402abc4b.css"
PAGE = f"""<!doctype html>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="plain.css">
<link rel="stylesheet" href="{IMMUTABLE}">
<img src="dot.svg" alt="">
<p>text</p>
"""
PLAYER = """<!doctype html>
<link rel="icon" href="data:,">
<audio src="long.wav" preload="metadata"></audio>
"""
SEEK = f"""new Promise((resolve, reject) => {{
  const player = document.querySelector("audio");
  player.onerror = () => reject(player.error.message);
  const seek = () => {{
    player.onseeked = () => resolve([player.duration, player.currentTime, player.seekable.end(0)]);
    player.currentTime = {SECONDS - 60};
  }};
  if (player.readyState >= 1) seek(); else player.onloadedmetadata = seek;
}})"""
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
EVIL = DOT.replace("<rect/>", "<script>parent.ran.push(location.pathname)</script>")
UPLOADS = """<!doctype html>
<link rel="icon" href="data:,">
<script>window.ran = []</script>
<img src="/media/dot.svg" alt="">
<img src="/media/dot.bmp" alt="">
<iframe src="/media/evil.svg"></iframe>
<iframe src="/media/evil.html"></iframe>
<iframe src="/static/evil.svg"></iframe>
"""
SETTINGS = """
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["*"]
DEBUG = False
INSTALLED_APPS = ["django.contrib.staticfiles", "django_prodserve"]
MIDDLEWARE = []
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
STATIC_ROOT = {static_root!r}
MEDIA_URL = "/media/"
MEDIA_ROOT = {media_root!r}
STORAGES = {{
    "default": {{"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    "staticfiles": {{"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}},
}}
"""
MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
MANIFEST = '{{"version": "1.1", "hash": "", "paths": {{"theme.css": "{}"}}}}'


def write_silence(path: Path, seconds: int) -> None:
    """A WAV file, 16 bits, one channel, and sparse: every moment has its place in it, so players seek by ranges."""
    size = seconds * SAMPLES_PER_S * 2
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLES_PER_S, SAMPLES_PER_S * 2, 2, 16)
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size))
        file.truncate(44 + size)


def bitmap() -> bytes:
    """A picture of one pixel."""
    return struct.pack("<2sIIIIiiHHIIiiIII", b"BM", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A Django project with collected files, one of them with a hash in the manifest; and its access log."""
    folder = tmp_path_factory.mktemp("files")
    root = folder / "collected"
    root.mkdir()
    (root / "page.html").write_text(PAGE)
    (root / "player.html").write_text(PLAYER)
    write_silence(root / "long.wav", SECONDS)
    (root / "dot.svg").write_text(DOT)
    (root / "evil.svg").write_text(EVIL)
    (root / "uploads.html").write_text(UPLOADS)
    uploads = folder / "uploads"
    uploads.mkdir()
    (uploads / "dot.svg").write_text(DOT)
    (uploads / "dot.bmp").write_bytes(bitmap())
    (uploads / "evil.svg").write_text(EVIL)
    (uploads / "evil.html").write_text("<script>parent.ran.push(location.pathname)</script>")
    plain = b"p { color: rgb(1, 2, 3) }\n" + b"p { margin: 0 }\n" * 100
    (root / "plain.css").write_bytes(plain)
    (root / "plain.css.br").write_bytes(brotli.compress(plain))
    (root / "plain.css.gz").write_bytes(b"never asked for" * 100)
    (root / IMMUTABLE).write_text("p { font-weight: 700 }")
    (root / "theme.css").write_text("p { font-weight: 700 }")
    (root / "staticfiles.json").write_text(MANIFEST.format(IMMUTABLE))
    (folder / "settings.py").write_text(SETTINGS.format(static_root=str(root), media_root=str(uploads)))
    (folder / "urls.py").write_text("urlpatterns = []\n")
    (folder / "manage.py").write_text(MANAGE)
    port, log = free_port(), folder / "access.log"
    command = [sys.executable, "manage.py", "prodserve", f"127.0.0.1:{port}", "--workers", "1"]
    with running([*command, "--access-logfile", str(log)], port, cwd=folder) as server:
        yield server, log


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path) as page:
        yield page


class Log:
    """The requests from now on: path after ``/static/``, status, bytes.

    The log is written in batches, so a request of our own marks where it is read from and to.
    """

    def __init__(self, server: Server, path: Path) -> None:
        self._server = server
        self._path = path
        self._begin = self._mark()

    def requests(self) -> list[tuple[str, int, int]]:
        """All that came until now, in their order."""
        end = self._mark()
        lines = self._path.read_text().partition(self._begin)[2].partition("\n")[2].splitlines()
        lines = lines[: next(number for number, line in enumerate(lines) if end in line)]
        found = [match.groups() for line in lines if (match := LINE.search(line))]
        return [
            (target.removeprefix("/static/"), int(status), int(size) if size != "-" else 0)
            for _, target, status, size in found
        ]

    def _mark(self) -> str:
        mark = f"mark-{uuid.uuid4().hex}"
        assert httpx.get(f"{self._server.url}/static/{mark}", trust_env=False).status_code == 404
        wait_until(lambda: mark in self._path.read_text(), what=f"{mark} in {self._path}")
        return mark


def test_a_player_seeks_by_ranges(page: Page, served: tuple[Server, Path]) -> None:
    server, path = served
    log = Log(server, path)
    page.open(f"{server.url}/static/player.html")
    duration, now, seekable = page.ask_later(SEEK)
    assert (duration, now, seekable) == (SECONDS, SECONDS - 60, SECONDS)
    page.open("about:blank")  # what is still being sent ends, and is logged
    asked = [one for one in log.requests() if one[0] == "long.wav"]
    # A 304: it may ask whether what it has is current, as it may not use it unasked.
    assert {status for _, status, _ in asked} <= {206, 304}
    assert any(status == 206 and LAST_BYTES <= size < 2 * LAST_BYTES for _, status, size in asked), asked


def test_a_page_that_is_opened_again_asks_for_what_may_have_changed_only(
    page: Page, served: tuple[Server, Path]
) -> None:
    server, path = served
    log = Log(server, path)
    page.open(f"{server.url}/static/page.html")
    first = log.requests()
    assert {(name, status) for name, status, _ in first} == {
        ("page.html", 200),
        ("plain.css", 200),
        (IMMUTABLE, 200),
        ("dot.svg", 200),
    }
    log = Log(server, path)
    page.open(f"{server.url}/static/page.html")
    again = [(name, status) for name, status, _ in log.requests()]
    assert set(again) == {("page.html", 304), ("plain.css", 304), ("dot.svg", 304)}


def test_a_reload_does_not_ask_for_files_that_never_change(page: Page, served: tuple[Server, Path]) -> None:
    server, path = served
    page.open(f"{server.url}/static/page.html")
    log = Log(server, path)
    page.then_loaded("Page.reload")
    again = [(name, status) for name, status, _ in log.requests()]
    assert ("plain.css", 304) in again
    assert IMMUTABLE not in {name for name, _ in again}


def test_the_brotli_copy_is_what_the_browser_gets_and_understands(page: Page, served: tuple[Server, Path]) -> None:
    server, path = served
    log = Log(server, path)
    page.open(f"{server.url}/static/page.html")
    assert page.ask("getComputedStyle(document.querySelector('p')).color") == "rgb(1, 2, 3)"
    assert page.ask("getComputedStyle(document.querySelector('p')).fontWeight") == "700"
    assert page.ask("document.images[0].naturalWidth") == 9
    encoded = (path.parent / "collected" / "plain.css.br").stat().st_size
    assert ("plain.css", 200, encoded) in log.requests()


def test_an_upload_is_shown_as_a_picture_but_runs_no_script(page: Page, served: tuple[Server, Path]) -> None:
    server, path = served
    log = Log(server, path)
    page.open(f"{server.url}/static/uploads.html")
    assert page.ask("[...document.images].map(image => image.naturalWidth)") == [9, 1]
    assert {("/media/evil.svg", 200), ("/media/evil.html", 200)} <= {one[:2] for one in log.requests()}
    assert page.ask("window.ran") == ["/static/evil.svg"], "what the site itself publishes may run"
