"""Which uploads of a Django project are served, and which are left to it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import django
import pytest
from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponse
from django.urls import clear_url_caches, path
from pytest_django import Settings

from django_prodserve.media_roots import is_inside, media, media_advice, media_roots

LOCAL = "django.core.files.storage.FileSystemStorage"


class Signed(FileSystemStorage):
    """URLs that only those have who were given them."""

    def url(self, name: str | None) -> str:
        return f"/media/{name}?signature=1"


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Settings:
    """A project with uploads."""
    (tmp_path / "media").mkdir()
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.MEDIA_URL = "/media/"
    settings.STATIC_ROOT = str(tmp_path / "static")
    settings.ROOT_URLCONF = "tests.django_prodserve.urls"
    clear_url_caches()
    return settings


def why() -> str:
    assert media_roots() == []
    found = media()
    assert found is not None
    (advice,) = media_advice()
    assert found.against in advice.what
    assert "--no-serve-media" in advice.fix
    return found.against


def test_uploads_are_served_as_such(site: Settings) -> None:
    (root,) = media_roots()
    assert (root.url_prefix, root.directory, root.uploads) == ("/media/", site.MEDIA_ROOT, True)
    assert (root.index, root.fallback, root.source) == (False, "", "MEDIA_ROOT")
    assert media_advice() == []


def test_both_forms_of_the_prefix_are_served_where_the_site_has_a_script_name(site: Settings) -> None:
    site.FORCE_SCRIPT_NAME = "/app"
    site.MEDIA_URL = "/app/media/"
    assert [root.url_prefix for root in media_roots()] == ["/app/media/", "/media/"]


@pytest.mark.parametrize("name", ["unset", "absent", "elsewhere", "scheme-relative"])
def test_there_are_no_uploads_without_a_folder_and_a_url_on_this_host(site: Settings, name: str) -> None:
    if name == "unset":
        site.MEDIA_ROOT = ""
    elif name == "absent":
        site.MEDIA_ROOT += "/gone"
    else:
        site.MEDIA_URL = "https://cdn.example.org/" if name == "elsewhere" else "//cdn.example.org/"
    assert media() is None
    assert media_roots() == media_advice() == []


@pytest.mark.parametrize("url", ["", "/"])
def test_the_root_of_the_site_is_no_prefix_for_uploads(site: Settings, url: str) -> None:
    site.MEDIA_URL = url
    assert "MEDIA_URL is the root of the site" in why()


def test_the_root_below_a_script_name_is_none_either(site: Settings) -> None:
    site.FORCE_SCRIPT_NAME = "/app"
    site.MEDIA_URL = "/app/"
    assert "MEDIA_URL is the root of the site" in why()


@pytest.mark.parametrize("what", ["app", "program", "database", "templates", "python"])
def test_a_folder_that_holds_the_project_is_not_served(
    site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    inside = tmp_path / "media" / "inside"
    if what == "app":
        site.MEDIA_ROOT = str(Path(__file__).parents[2])
    elif what == "program":
        monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__=str(inside)))
    elif what == "database":
        monkeypatch.setitem(site.DATABASES["default"], "NAME", inside)
    elif what == "templates":
        site.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [inside]}]
    else:
        monkeypatch.setattr(sys, "prefix", str(inside))
    assert "holds more than uploads" in why()


@pytest.mark.parametrize(("media_folder", "static_folder"), [("files", "files/static"), ("files/media", "files")])
def test_uploads_and_static_files_in_one_another_are_not_served(
    site: Settings, tmp_path: Path, media_folder: str, static_folder: str
) -> None:
    for folder in (media_folder, static_folder):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    site.MEDIA_ROOT, site.STATIC_ROOT = str(tmp_path / media_folder), str(tmp_path / static_folder)
    assert "are not apart" in why()


@pytest.mark.parametrize(("media_url", "static_url"), [("/static/media/", "/static/"), ("/f/", "/f/static/")])
def test_urls_of_uploads_and_static_files_in_one_another_are_not_served(
    site: Settings, media_url: str, static_url: str
) -> None:
    site.MEDIA_URL, site.STATIC_URL = media_url, static_url
    assert "are not apart" in why()


def protected(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(name)


def test_a_view_that_guards_the_uploads_is_not_passed_by(site: Settings) -> None:
    site.ROOT_URLCONF = ModuleType("urls_of_a_test")
    site.ROOT_URLCONF.urlpatterns = [path("media/<path:name>", protected)]
    clear_url_caches()
    assert why() == f"the view {__name__}.protected answers below /media/"
    assert f"--media /media/={site.MEDIA_ROOT}" in media_advice()[0].fix
    clear_url_caches()


@pytest.mark.parametrize(
    "wall", ["django.contrib.auth.middleware.LoginRequiredMiddleware", "shop.walls.login_required_everywhere"]
)
def test_a_login_wall_in_front_of_all_views_is_not_passed_by(site: Settings, wall: str) -> None:
    site.MIDDLEWARE = [*site.MIDDLEWARE, wall]
    assert why() == f"{wall.rpartition('.')[2]} asks for a login before every view"


storages_can_be_set = pytest.mark.skipif(
    django.VERSION < (5, 1), reason="Django 4.2 loses the OPTIONS of a storage that a test sets"
)


def storages(backend: str, **options: Any) -> dict[str, Any]:
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    return {"default": {"BACKEND": backend, "OPTIONS": options}, "staticfiles": static}


@storages_can_be_set
def test_a_storage_with_its_own_folder_and_url_decides(site: Settings, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    site.STORAGES = storages(LOCAL, location=str(tmp_path / "own"), base_url="/own/")
    (root,) = media_roots()
    assert (root.url_prefix, root.directory) == ("/own/", str(tmp_path / "own"))


@storages_can_be_set
def test_a_storage_with_urls_of_its_own_is_left_to_the_project(site: Settings) -> None:
    site.STORAGES = storages(f"{__name__}.Signed")
    assert "Signed makes URLs of its own" in why()


@storages_can_be_set
@pytest.mark.parametrize("backend", ["django.core.files.storage.InMemoryStorage", "no.such.Storage"])
def test_a_storage_that_is_elsewhere_or_cannot_be_made_has_no_files_here(site: Settings, backend: str) -> None:
    site.STORAGES = storages(backend)
    assert media() is None


def test_what_is_inside_a_folder_is_so_through_links_too(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert is_inside(str(tmp_path / "link" / "b"), str(tmp_path / "a"))
    assert is_inside(str(tmp_path / "a" / "b"), str(tmp_path / "link"))
    assert is_inside(str(tmp_path), "/")
    assert not is_inside(str(tmp_path / "ab"), str(tmp_path / "a"))
