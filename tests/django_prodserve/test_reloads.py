"""Reloads of a Django project: its system checks and its front page decide whether new code serves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from django_prodserve.adapter import allowed_host
from tests.examples.sites import fresh_project
from tests.server import Server, clean_environ, free_port, running

URLS = """
from django.http import HttpResponse
from django.urls import path

def front(request):
{body}

urlpatterns = [path("", front)]
"""

CHECK = """
from django.core.checks import Error, register

@register()
def check_stock(app_configs, **options):
    return [Error("the shop has no stock", hint="buy some", id="shop.E001")]
"""


class Project:
    def __init__(self, folder: Path, server: Server) -> None:
        self._folder = folder
        self._server = server

    def write(self, body: str, more: str = "") -> None:
        write(self._folder, body, more)

    def reload(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", "prodserve", "reload"]
        return subprocess.run(
            command, cwd=self._folder, env=clean_environ(), capture_output=True, text=True, timeout=60, check=False
        )

    def front(self) -> str:
        return httpx.get(self._server.url, headers={"Host": "shop.example"}, trust_env=False).text


def write(folder: Path, body: str, more: str = "") -> None:
    (folder / "mysite" / "urls.py").write_text(URLS.format(body=f"    {body}") + more)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = fresh_project(tmp_path)
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write("\nDEBUG = False\nALLOWED_HOSTS = ['.shop.example']\n")
    write(folder, 'return HttpResponse("one")')
    port = free_port()
    command = [sys.executable, "manage.py", "prodserve", str(port), "--workers", "1", "--reload-trial", "0"]
    with running(command, port, cwd=folder) as server:
        server.wait_for_log("stop: Ctrl-C")
        yield Project(folder, server)


def test_only_code_that_passes_its_checks_and_answers_is_used(project: Project) -> None:
    assert project.front() == "one"

    project.write('raise LookupError("no stock")')
    done = project.reload()
    assert done.returncode == 1
    assert "the warm-up request GET / was answered with status 500" in done.stderr
    assert 'urls.py", line 6, in front' in done.stderr
    assert "LookupError: no stock" in done.stderr

    project.write('return HttpResponse("two")', CHECK)
    done = project.reload()
    assert done.returncode == 1
    assert "the checks of the project found errors" in done.stderr
    assert "(shop.E001) the shop has no stock" in done.stderr
    assert project.front() == "one"

    project.write('return HttpResponse("two", status=200 if request.get_host() == "shop.example" else 500)')
    done = project.reload()
    assert (done.returncode, done.stderr) == (0, "")
    assert "generation 4 serves now: 1 worker, Django " in done.stdout
    assert project.front() == "two"


@pytest.mark.parametrize(
    ("patterns", "host"),
    [
        ([], "localhost"),
        (["*"], "localhost"),
        (["www.shop.example", "*"], "www.shop.example"),
        ([".shop.example"], "shop.example"),
        (["*", "[::1]"], "[::1]"),
    ],
)
def test_the_warm_up_request_is_for_a_host_that_is_allowed(patterns: list[str], host: str) -> None:
    assert allowed_host(patterns) == host
