"""What a browser shows of uploads, and what it refuses to run: a Django project with files from strangers."""

from __future__ import annotations

import base64
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server, free_port, running, wait_until

from .chromium import CHROMIUM, Page, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

SETTINGS = """
from pathlib import Path
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.staticfiles", "django_prodserve"]
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
STATIC_ROOT = Path(__file__).parent.parent / "static"
MEDIA_URL = "media/"
MEDIA_ROOT = Path(__file__).parent.parent / "media"
"""
URLS = """
from django.http import HttpResponse
from django.urls import path
PAGE = '''<!doctype html><link rel="icon" href="data:,"><title>page</title>
<img id="svg" src="/media/active.svg"><img id="png" src="/media/dot.png">
<script src="/media/evil.js" onerror="window.refused = true"></script><canvas></canvas>'''
urlpatterns = [path("", lambda request: HttpResponse(PAGE))]
"""
MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
RUN = "window.ran = true; document.documentElement.setAttribute('data-ran', 'yes')"
SHAPE = '<rect width="9" height="9"/>'
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{SHAPE}<script>{RUN}</script></svg>'
PDF = b"""%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]>>endobj
trailer<</Root 1 0 R>>
%%EOF"""
RECORD = """new Promise(done => {
  const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d"), chunks = [];
  const recorder = new MediaRecorder(canvas.captureStream(20), {mimeType: "video/webm"});
  recorder.ondataavailable = event => chunks.push(event.data);
  recorder.onstop = () => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(new Blob(chunks));
  };
  recorder.start();
  let frame = 0;
  const timer = setInterval(() => {
    pen.fillStyle = frame % 2 ? "red" : "blue";
    pen.fillRect(0, 0, 64, 64);
    if (++frame > 8) { clearInterval(timer); recorder.stop(); }
  }, 40);
})"""
"""A film, made by the browser itself."""
PLAYER = "(p => p && [p.readyState, p.error && p.error.message])(document.querySelector('video, audio'))"
REGISTER = "navigator.serviceWorker.register('/media/evil.js').then(() => 'registered', error => 'refused')"
IMPORT = "import('/media/evil.mjs').then(() => 'imported', () => 'refused')"
FRAME = """new Promise(done => {
  const frame = document.createElement("iframe");
  frame.src = "/media/%s";
  document.body.append(frame);
  setTimeout(() => done([window.ran || false, frame.contentDocument && frame.contentDocument.URL]), 300);
})"""


def png() -> bytes:
    """One red picture element."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def wav() -> bytes:
    """A second of silence."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 16036, b"WAVE") + form + struct.pack("<4sI", b"data", 16000) + bytes(16000)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """The project, and the folder of its uploads."""
    folder = tmp_path_factory.mktemp("uploads")
    code, media = folder / "code", folder / "media"
    code.mkdir()
    media.mkdir()
    for name, text in {"settings.py": SETTINGS, "urls.py": URLS, "manage.py": MANAGE}.items():
        (code / name).write_text(text)
    uploads = {
        "dot.png": png(),
        "silence.wav": wav(),
        "paper.pdf": PDF,
        "text.txt": b"<script>document.title = 'ran'</script>",
        "active.svg": SVG.encode(),
        "active.html": f"<title>active</title><script>{RUN}; parent.ran = true</script>".encode(),
        "sniffed.txt": f"<!doctype html><html><script>{RUN}</script>".encode(),
        "evil.js": RUN.encode(),
        "evil.mjs": RUN.encode(),
    }
    for name, content in uploads.items():
        (media / name).write_bytes(content)
    port = free_port()
    command = [sys.executable, "manage.py", "prodserve", f"127.0.0.1:{port}", "--workers", "1"]
    with running(command, port, cwd=code) as server:
        yield server, media


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all of them; downloads are refused, not asked for."""
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        page.call("Page.setDownloadBehavior", behavior="deny")
        yield page


def ran(page: Page) -> Any:
    return page.ask("[window.ran || false, document.documentElement.getAttribute('data-ran')]")


def test_a_page_shows_the_pictures_that_were_uploaded_and_runs_none_of_the_scripts(
    page: Page, served: tuple[Server, Path]
) -> None:
    server, _ = served
    page.open(server.url + "/")
    assert page.ask("[svg.naturalWidth, png.naturalWidth]") == [9, 1]
    assert page.ask("window.refused") is True
    assert ran(page) == [False, None]
    assert page.ask_later(IMPORT) == "refused"
    assert page.ask_later(REGISTER) == "refused"
    assert ran(page) == [False, None]


@pytest.mark.parametrize("name", ["active.html", "active.svg"])
def test_what_is_active_is_not_even_shown_in_a_frame(page: Page, served: tuple[Server, Path], name: str) -> None:
    server, _ = served
    page.open(server.url + "/")
    assert page.ask_later(FRAME % name) == [False, "about:blank"]


@pytest.mark.parametrize("name", ["active.html", "active.svg", "evil.js"])
def test_what_is_active_is_saved_when_it_is_opened(page: Page, served: tuple[Server, Path], name: str) -> None:
    server, _ = served
    page.open(server.url + "/")
    answer = page.call("Page.navigate", url=f"{server.url}/media/{name}")
    assert answer.get("isDownload") or "ABORTED" in answer.get("errorText", "")
    assert page.ask("document.title") == "page"


def test_text_is_shown_as_text_whatever_it_contains(page: Page, served: tuple[Server, Path]) -> None:
    server, _ = served
    for name in ("text.txt", "sniffed.txt"):
        page.open(f"{server.url}/media/{name}")
        assert "<script>" in page.ask("document.body.innerText")
        assert ran(page) == [False, None]
        assert page.ask("self.origin") == "null"


def test_pictures_sound_and_films_are_shown_when_they_are_opened(page: Page, served: tuple[Server, Path]) -> None:
    server, media = served
    page.open(server.url + "/")
    film = page.ask_later(RECORD)
    (media / "film.webm").write_bytes(base64.b64decode(film.partition(",")[2]))
    page.open(f"{server.url}/media/dot.png")
    assert page.ask("document.querySelector('img').naturalWidth") == 1
    for name in ("silence.wav", "film.webm"):
        page.open(f"{server.url}/media/{name}")
        wait_until(lambda: (page.ask(PLAYER) or [0])[0] >= 1, what=f"{name} plays")


def test_a_pdf_is_shown_by_the_browsers_own_viewer(page: Page, served: tuple[Server, Path]) -> None:
    server, _ = served
    page.open(f"{server.url}/media/paper.pdf")
    assert page.ask("[document.contentType, document.title !== 'page']") == ["application/pdf", True]
