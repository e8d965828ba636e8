import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connection
from prodserve.adapter import Adapter
from pytest_django import DjangoDbBlocker, Settings

from django_prodserve.adapter import DjangoAdapter


def advice() -> list[str]:
    return [one.what for one in (*DjangoAdapter().facts().advice, *DjangoAdapter().file_advice("auto", True))]


@pytest.fixture
def good(settings: Settings, tmp_path: Path) -> Settings:
    """A project that needs no advice."""
    (tmp_path / "collected").mkdir()
    (tmp_path / "collected" / "a.css").touch()
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["www.example.org"]
    settings.STATIC_ROOT = str(tmp_path / "collected")
    return settings


def test_it_is_an_adapter() -> None:
    adapter: Adapter = DjangoAdapter()
    assert adapter.settings() == {}


def test_its_settings_are_those_in_prodserve(settings: Settings) -> None:
    settings.PRODSERVE = {"WORKERS": 3}
    assert DjangoAdapter().settings() == {"WORKERS": 3}


def test_debug_is_the_projects_debug(settings: Settings) -> None:
    settings.DEBUG = True
    assert DjangoAdapter().debug()
    assert DjangoAdapter().facts().lines == (("settings", "settings.configure() (DEBUG=True)"),)


def test_the_facts_name_version_and_application(good: Settings) -> None:
    facts = DjangoAdapter().facts()
    assert facts.framework == f"Django {django.get_version()}"
    assert facts.app == "django.core.wsgi.get_wsgi_application()"
    assert facts.advice == ()


def test_empty_allowed_hosts_are_worth_a_word(good: Settings) -> None:
    good.ALLOWED_HOSTS = []
    assert advice() == ["ALLOWED_HOSTS is empty: every request is answered 400"]


def test_static_files_that_were_never_collected_are_worth_a_word(good: Settings, tmp_path: Path) -> None:
    good.STATIC_ROOT = str(tmp_path / "empty")
    assert advice() == [f"nothing was collected in {tmp_path / 'empty'}"]
    good.STATIC_ROOT = None
    assert advice() == ["no STATIC_ROOT: static files come from the apps' folders, as they were at the start"]
    good.DEBUG = True
    assert advice() == []


def test_other_settings_in_wsgi_py_are_worth_a_word(
    good: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, named in {"manage.py": "settings.configure()", "wsgi.py": "site.production"}.items():
        (tmp_path / name).write_text(f"import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', '{named}')\n")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__=str(tmp_path / "manage.py")))
    monkeypatch.setitem(sys.modules, "a_site", SimpleNamespace(__path__=[str(tmp_path)]))
    good.WSGI_APPLICATION = "a_site.wsgi.application"
    (only,) = DjangoAdapter().facts().advice
    assert only.what == "manage.py defaults to settings.configure(), but wsgi.py names site.production"
    assert only.fix == "--settings site.production"


def test_the_app_is_the_one_that_the_settings_name(settings: Settings) -> None:
    assert type(DjangoAdapter().load()) is type(get_wsgi_application())
    settings.WSGI_APPLICATION = "tests.django_prodserve.urls.plain"
    from .urls import plain

    assert DjangoAdapter().load() is plain  # type: ignore[comparison-overlap]


@pytest.fixture
def opened(django_db_blocker: DjangoDbBlocker, tmp_path: Path) -> Iterator[Any]:
    """An open connection to a database in a file: one in memory is never closed."""
    usual = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(tmp_path / "db.sqlite3")
    with django_db_blocker.unblock():
        connection.ensure_connection()
        yield connection
    connection.close()
    connection.settings_dict["NAME"] = usual


@pytest.mark.parametrize("moment", ["before_fork", "worker_started", "slot_interrupted", "worker_stopping"])
def test_connections_are_closed_whenever_two_could_share_them(opened: Any, moment: str) -> None:
    assert opened.connection is not None
    getattr(DjangoAdapter(), moment)()
    assert opened.connection is None


def test_an_idle_slot_keeps_what_is_young_and_closes_what_is_old(opened: Any) -> None:
    opened.close_at = None
    DjangoAdapter().slot_idle()
    assert opened.connection is not None
    opened.close_at = time.monotonic() - 1
    DjangoAdapter().slot_idle()
    assert opened.connection is None
