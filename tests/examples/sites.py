"""The example sites as a user has them: copied to a folder of their own, prepared, served by their own command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from tests.server import Server, clean_environ, free_port, running

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FLASK = str(Path(sys.executable).with_name("flask"))


def copy_of(name: str, folder: Path) -> Path:
    """A copy of one example site without what it may have written before."""
    unwanted = shutil.ignore_patterns("*.sqlite3", "staticfiles", "__pycache__")
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=unwanted))


def fresh_project(folder: Path) -> Path:
    """What ``django-admin startproject`` makes, with the one line added."""
    command = [sys.executable, "-m", "django", "startproject", "mysite", str(folder)]
    subprocess.run(command, env=clean_environ(), check=True)
    settings = folder / "mysite" / "settings.py"
    text = settings.read_text()
    settings.write_text(text.replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "django_prodserve",', 1))
    assert settings.read_text() != text
    return folder


def browser(server: Server) -> httpx.Client:
    """A client without pictures, that no proxy of this machine comes between."""
    return httpx.Client(base_url=server.url, timeout=20, trust_env=False)


def refusal(
    command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself, and not well."""
    done = subprocess.run(
        command, cwd=cwd, env=clean_environ(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0, done.stdout + done.stderr
    return done


def manage(site: Path, *words: str) -> str:
    """Run one command of a Django project and return what it printed."""
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(command, cwd=site, env=clean_environ(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def prepared_django_site(folder: Path) -> Path:
    """The Django site with everything that ``make demo`` does before it serves."""
    site = copy_of("django_site", folder)
    for words in (("migrate", "-v0"), ("collectstatic", "--no-input", "-v0"), ("prepare_demo",)):
        manage(site, *words)
    return site


def serving_django(site: Path, *words: str, env: Mapping[str, str] | None = None) -> AbstractContextManager[Server]:
    """``python manage.py prodserve`` on a free port."""
    port = free_port()
    return running([sys.executable, "manage.py", "prodserve", f"127.0.0.1:{port}", *words], port, cwd=site, env=env)


def serving_flask(
    site: Path, app: Sequence[str], *words: str, env: Mapping[str, str] | None = None
) -> AbstractContextManager[Server]:
    """``flask APP… prodserve`` on a free port."""
    port = free_port()
    return running([FLASK, *app, "prodserve", f"127.0.0.1:{port}", *words], port, cwd=site, env=env)
