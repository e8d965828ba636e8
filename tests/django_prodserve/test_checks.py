import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


def found(deploy: bool = False) -> list[str]:
    return [message.id for message in run_checks(include_deployment_checks=deploy) if message.id.startswith("prod")]


@pytest.fixture
def good(settings: Settings, tmp_path: Path) -> Settings:
    """A project that has nothing to be warned of."""
    settings.DEBUG = False
    settings.STATIC_ROOT = str(tmp_path)
    return settings


def test_a_good_project_gets_no_warning(good: Settings) -> None:
    assert found(deploy=True) == []


def test_debug_is_a_warning_of_the_deployment_checks_only(good: Settings) -> None:
    good.DEBUG = True
    assert found() == []
    assert found(deploy=True) == ["prodserve.W001"]


def test_the_namesake_is_told_apart_where_it_is_installed(
    good: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "django_prodserver").mkdir()
    (tmp_path / "django_prodserver" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert found() == ["prodserve.W002"]


def test_whitenoise_is_a_warning_unless_static_files_are_left_to_it(good: Settings) -> None:
    good.MIDDLEWARE = [WHITENOISE]
    assert found() == ["prodserve.W003"]
    good.PRODSERVE = {"SERVE_STATIC": False}
    assert found() == []


def test_a_missing_static_root_is_a_warning_in_production_only(good: Settings) -> None:
    good.STATIC_ROOT = None
    assert found() == ["prodserve.W004"]
    good.DEBUG = True
    assert found() == []
    good.DEBUG = False
    good.STATIC_URL = "https://cdn.example.org/"
    assert found() == []
