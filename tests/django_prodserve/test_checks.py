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


@pytest.fixture
def uploads(good: Settings, tmp_path: Path) -> Settings:
    """The same with uploads."""
    (tmp_path / "media").mkdir()
    (tmp_path / "static").mkdir()
    good.MEDIA_ROOT, good.MEDIA_URL = str(tmp_path / "media"), "/media/"
    good.STATIC_ROOT = str(tmp_path / "static")
    return good


def test_uploads_that_everybody_can_have_are_worth_knowing(uploads: Settings) -> None:
    (message,) = [message for message in run_checks() if message.id == "prodserve.I001"]
    assert uploads.MEDIA_ROOT in message.msg
    assert "SERVE_MEDIA" in message.hint
    assert "X-Accel-Redirect" in message.hint


@pytest.mark.parametrize(("value", "silent"), [(False, True), ("no", True), (True, False), ("yes", False)])
def test_uploads_that_are_left_to_django_are_not(uploads: Settings, value: object, silent: bool) -> None:
    uploads.PRODSERVE = {"serve-media": value}
    assert (found() == []) is silent


def test_uploads_are_not_worth_a_word_in_development(uploads: Settings) -> None:
    uploads.DEBUG = True
    assert found() == []


def test_uploads_that_are_not_served_are_told_with_the_reason(uploads: Settings) -> None:
    uploads.MEDIA_URL = "/static/media/"
    assert found() == ["prodserve.I002"]


def test_a_template_that_names_a_missing_file_is_a_warning(good: Settings, tmp_path: Path) -> None:
    (tmp_path / "staticfiles.json").write_text('{"version": "1.1", "paths": {"a": "a.1"}, "hash": ""}')
    (tmp_path / "templates").mkdir()
    names = "".join(f"{{% static '{n}.css' %}}" for n in range(30))
    (tmp_path / "templates" / "page.html").write_text("{% load static %}" + names)
    good.STORAGES = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    }
    backend = "django.template.backends.django.DjangoTemplates"
    good.TEMPLATES = [{"BACKEND": backend, "DIRS": [str(tmp_path / "templates")]}]
    messages = [message for message in run_checks() if message.id == "prodserve.W006"]
    assert len(messages) == 21
    assert "The template page.html names the static file 0.css" in messages[0].msg
    assert "10 more" in messages[-1].msg
