"""``manage.py prodserve`` as users type it: every way to start a Django project, and what they read when it fails."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from prodserve.errors import ProdserveError

from django_prodserve.management.commands.prodserve import program_name
from tests.examples.sites import browser, fresh_project, refusal
from tests.server import free_port, running

WHO = '''
import os
import sys

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path


def who(request: HttpRequest) -> JsonResponse:
    """What a process of the project looks like from inside."""
    return JsonResponse({
        "settings": settings.SETTINGS_MODULE,
        "argv": sys.argv,
        "path0": sys.path[0],
        "optimize": sys.flags.optimize,
        "warnoptions": sys.warnoptions,
        "dev_mode": sys.flags.dev_mode,
        "cwd": os.getcwd(),
    })


urlpatterns = [path("", who)]
'''
LEGACY = """
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
os.chdir("/")

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh project for production, whose one page tells about its process."""
    folder = fresh_project(tmp_path_factory.mktemp("project"))
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write('DEBUG = False\nALLOWED_HOSTS = ["*"]\nSTATIC_ROOT = BASE_DIR / "collected"\n')
    (folder / "mysite" / "other.py").write_text("from .settings import *\n")
    (folder / "mysite" / "urls.py").write_text(WHO)
    (folder / "chdir.py").write_text(LEGACY)
    return folder


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


PLACE = ["--settings", "mysite.settings", "--pythonpath", "."]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([sys.executable, "manage.py"], [], {}),
        ([sys.executable, "./manage.py"], [], {}),
        ([sys.executable, "-OB", "-W", "ignore::ImportWarning", "manage.py"], [], {"optimize": 1}),
        ([sys.executable, "-X", "dev", "manage.py"], [], {"dev_mode": True}),
        ([sys.executable, "manage.py"], ["--settings", "mysite.other"], {"settings": "mysite.other"}),
        ([sys.executable, "-m", "django"], PLACE, {}),
        ([tool("django-admin")], PLACE, {}),
        ([sys.executable, "chdir.py"], [], {"cwd": "/"}),
        ([tool("coverage"), "run", "manage.py"], [], {}),
        ([sys.executable, "-m", "coverage", "run", "manage.py"], [], {}),
    ],
    ids=lambda words: " ".join(Path(word).name for word in words) if isinstance(words, list) else "",
)
def test_a_project_is_served_however_it_is_started(
    project: Path, before: list[str], after: list[str], expected: dict[str, object]
) -> None:
    port = free_port()
    command = [*before, "prodserve", str(port), "--workers", "1", *after]
    with running(command, port, cwd=project) as server, browser(server) as client:
        seen = client.get("/").json()
    wanted = {"settings": "mysite.settings", "cwd": str(project), "optimize": 0, **expected}
    assert {name: seen[name] for name in wanted} == wanted
    assert seen["argv"][1:] == command[len(before) :]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("{port}", "127.0.0.1"),
        ("0:{port}", "127.0.0.1"),
        ("127.0.0.1:{port}", "127.0.0.1"),
        ("localhost:{port}", "localhost"),
        ("[::1]:{port}", "::1"),
    ],
)
def test_addresses_are_typed_as_for_runserver(project: Path, address: str, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback address")
    port = free_port()
    command = [sys.executable, "manage.py", "prodserve", address.format(port=port), "--workers", "1"]
    with running(command, port, host=host, cwd=project) as server, browser(server) as client:
        assert client.get("/").status_code == 200


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def prodserve(*words: str) -> list[str]:
    return [sys.executable, "manage.py", "prodserve", str(free_port()), *words]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--wokers", "2"], "--wokers"),
        (["--workers", "many"], "--workers"),
        (["--bind", "1.2.3.4.5:80"], "1.2.3.4.5"),
        (["--settings", "mysite.absent"], "mysite.absent"),
    ],
)
def test_a_bad_option_is_one_message_and_no_traceback(project: Path, words: Sequence[str], said: str) -> None:
    done = refusal(prodserve(*words), project)
    assert said in done.stderr
    assert "prodserve/" not in done.stderr


def test_a_port_in_use_is_one_message(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = refusal([sys.executable, "manage.py", "prodserve", str(port)], project)
    assert str(port) in done.stderr
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('PRODSERVE = {"WORKRES": 2}', "WORKERS"),
        ('PRODSERVE = ["WORKERS"]', "PRODSERVE"),
        ('ROOT_URLCONF = "mysite.absent"', "No module named 'mysite.absent'"),
        ('WSGI_APPLICATION = "mysite.absent.application"', "mysite.absent"),
        ('SILENCED_SYSTEM_CHECKS = ""\nSTATICFILES_DIRS = "no list"', "staticfiles.E001"),
    ],
)
def test_a_project_that_cannot_be_served_says_why_and_exits(project: Path, setting: str, said: str) -> None:
    broken = project / "mysite" / "broken.py"
    broken.write_text(f"from .settings import *\n{setting}\n")
    done = refusal(prodserve("--settings", "mysite.broken"), project)
    assert said in done.stderr
    assert str(Path(sys.modules[ProdserveError.__module__].__file__ or "").parent) not in done.stderr


def test_the_checks_of_the_framework_run_once(project: Path) -> None:
    (project / "mysite" / "noisy.py").write_text(
        "from .settings import *\nfrom django.core.checks import Warning, register\n"
        "@register()\ndef noisy(app_configs, **options):\n"
        "    return [Warning('a noisy check', id='noisy.W001')]\n"
    )
    port = free_port()
    command = [sys.executable, "manage.py", "prodserve", str(port), "--settings", "mysite.noisy", "--workers", "2"]
    with running(command, port, cwd=project) as server:
        log = server.log()
    assert log.count("a noisy check") == 1


@pytest.mark.parametrize(
    ("argv0", "name"),
    [
        ("manage.py", "python manage.py"),
        ("./bin/manage.py", "python manage.py"),
        ("/venv/bin/django-admin", "django-admin"),
        ("/lib/django/__main__.py", "python -m django"),
    ],
)
def test_messages_name_the_command_as_it_is_typed(argv0: str, name: str) -> None:
    assert program_name(argv0) == name
