"""What a URL map says literally."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.conf.urls.static import static
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import clear_url_caches, include, path, re_path
from django.views import View
from django.views.static import serve
from pytest_django import Settings

from django_prodserve.url_map import app_paths, literal, view_below


def page(request: HttpRequest, **found: str) -> HttpResponse:
    return HttpResponse(b"page")


class Files(View):
    """A view in the form of a class."""


LITERALS = [
    ("robots.txt", True, ("robots.txt", True)),
    ("media/<path:name>", True, ("media/", False)),
    ("<slug:any>", True, ("", False)),
    ("", True, ("", True)),
    (r"^robots\.txt$", False, ("robots.txt", True)),
    (r"^robots\.txt\Z", False, ("robots.txt", True)),
    (r"^robots.txt$", False, ("robots", False)),
    (r"^media/(?P<path>.*)$", False, ("media/", False)),
    (r"^media/?$", False, ("media", True)),
    (r"^a\-b/", False, ("a-b/", True)),
    (r"^ab*", False, ("a", False)),
    (r"^favicon\.ico?x", False, ("favicon.ic", False)),
    (r"^a\.?$", False, ("a", True)),
    (r"^.*$", False, ("", False)),
    (r"", False, ("", True)),
]


@pytest.mark.parametrize(("pattern", "is_route", "expected"), LITERALS)
def test_a_pattern_begins_with_what_stands_for_itself(pattern: str, is_route: bool, expected: tuple[str, bool]) -> None:
    assert literal(pattern, is_route) == expected


@pytest.fixture
def serving(settings: Settings) -> Iterator[Any]:
    """Put patterns into effect."""

    def put(*patterns: object) -> None:
        settings.ROOT_URLCONF = ModuleType("urls_of_a_test")
        settings.ROOT_URLCONF.urlpatterns = list(patterns)
        clear_url_caches()

    yield put
    clear_url_caches()


OWN = [
    ([path("robots.txt", page)], True),
    ([re_path(r"^robots\.txt$", page)], True),
    ([path("", include([path("robots.txt", page)]))], True),
    ([re_path(r"^(?P<any>.*)$", page)], False),
    ([path("<path:any>", page)], False),
    ([path("about/robots.txt", page)], False),
    ([], False),
]


@pytest.mark.parametrize(("patterns", "own"), OWN)
def test_a_path_is_the_projects_where_a_pattern_is_exactly_it(serving: Any, patterns: list[Any], own: bool) -> None:
    serving(*patterns)
    assert ("/robots.txt" in app_paths().exact) is own


PATHS = [
    ([path("", page), path("orders/<int:id>", page), path("admin/", include([path("x/", page)]))], False),
    ([re_path(r"^$", page), re_path(r"^orders/", page), re_path(r"^admin/x/$", page)], False),
    ([path("", page), path("orders/<int:id>", page), path("admin/x/", page), path("<path:any>", page)], True),
    ([re_path("", page)], True),
    ([path("<slug:shop>/", include([path("x", page)]))], True),
    (i18n_patterns(path("x", page)), True),
]


@pytest.mark.parametrize(("patterns", "all"), PATHS)
def test_the_paths_of_a_project_are_told_from_those_that_it_has_not(
    serving: Any, patterns: list[Any], all: bool
) -> None:
    serving(*patterns)
    paths = app_paths()
    assert paths.all is all
    for own in ("/", "/orders/7", "/admin/x/", "/admin/x"):
        assert paths.has(own)
    for other in ("/order", "/profile", "/admin/y"):
        assert paths.has(other) is all


BELOW = [
    ([path("media/<path:name>", page)], f"{__name__}.page"),
    ([path("media/private/", page)], f"{__name__}.page"),
    ([path("media/", include([path("x", Files.as_view())]))], f"{__name__}.Files"),
    ([path("", include([path("media/", include([path("x", page)]))]))], f"{__name__}.page"),
    ([re_path(r"^media/(?P<path>.*)$", login_required(serve))], "django.views.static.serve"),
    ([re_path(r"^media/(?P<path>.*)$", serve)], None),
    ([path("<path:any>", page), path("mediation/", page), path("about/media/", page)], None),
    ([], None),
]


@pytest.mark.parametrize(("patterns", "view"), BELOW)
def test_a_view_below_a_prefix_is_found_unless_it_is_djangos_own_for_files(
    serving: Any, patterns: list[Any], view: str | None
) -> None:
    serving(*patterns)
    assert view_below("/media/") == view


def test_the_helper_for_development_is_no_view_of_the_project(serving: Any, settings: Settings) -> None:
    settings.DEBUG = True
    serving(*static("/media/", document_root="/tmp"))
    assert view_below("/media/") is None
