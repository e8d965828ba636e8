"""Static files that templates name and that the manifest does not have."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from django_prodserve.template_names import Missing, Search, absent, missing_advice, search, static_names

LOAD = "{% load static %}"
NAMES: list[tuple[str, list[str]]] = [
    (LOAD + '{% static "a.css" %}', ["a.css"]),
    (LOAD + "{% static 'a.css' %} {% static 'b.css' %}", ["a.css", "b.css"]),
    (LOAD + '{%static "a b.css" as url%}', ["a b.css"]),
    (LOAD + "{% static name %} {% static 'a'|add:x %} {% static %} {% static '\" %}", []),
    (LOAD + '{# {% static "a" %} #}{% comment %}{% static "a" %}{% endcomment %}{% static "b" %}', ["b"]),
    (LOAD + '{% comment "why" %}{% static "a" %}{% endcomment %}{% static "b" %}', ["b"]),
    (LOAD + '{% verbatim %}{% static "a" %}{% endverbatim %}{% static "b" %}', ["b"]),
    (LOAD + '{% verbatim x %}{% static "a" %}{% endverbatim %}{% endverbatim x %}{% static "b" %}', ["b"]),
    (LOAD + '{{ "{% static" }}{% if x %}{% static "b" %}{% endif %}', ["b"]),
    ('{% static "a" %}' + LOAD + '{% static "b" %}', ["b"]),
    ('{% load i18n static %}{% static "a" %}', ["a"]),
    ('{% load static from static %}{% static "a" %}', ["a"]),
    ('{% load static from other %}{% static "a" %}', []),
    ('{% load staticky %}{% static "a" %}', []),
    ("plain text", []),
    (LOAD + '{% static "a', []),
]


@pytest.mark.parametrize(("source", "names"), NAMES)
def test_the_names_in_a_template_are_found_without_rendering_it(source: str, names: list[str]) -> None:
    assert list(static_names(source)) == names


def test_the_tag_may_be_built_in() -> None:
    assert list(static_names('{% static "a" %}', loaded=True)) == ["a"]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("a.css", False),
        ("b.css", True),
        ("a.css?v=1", False),
        ("font.eot?#iefix", False),
        ("a%20b.css", False),
        ("img/", False),
        ("", False),
        ("#x", False),
        (" a.css ", False),
    ],
)
def test_a_name_is_looked_up_as_the_storage_does(name: str, missing: bool) -> None:
    assert list(absent([name, name], {"a.css", "font.eot", "a b.css"})) == ([name] if missing else [])


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Path:
    """A project with a manifest, and templates that name files in it and others."""
    (tmp_path / "collected").mkdir()
    manifest = {"version": "1.1", "paths": {"site.css": "site.abc.css"}, "hash": ""}
    (tmp_path / "collected" / "staticfiles.json").write_text(json.dumps(manifest))
    templates = {
        "first/page.html": '{% static "site.css" %}{% static "gone.css" %}',
        "first/deep/mail.txt": '{% static "gone.png" %}',
        "second/page.html": '{% static "hidden by the first.css" %}',
        "second/fine.html": '{% static "site.css" %}',
    }
    for name, source in templates.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(LOAD + source)
    (tmp_path / "first" / "binary.html").write_bytes(b"static \xff{% static 'x' %}")
    settings.DEBUG = False
    settings.STATIC_ROOT = str(tmp_path / "collected")
    settings.STORAGES = storages("ManifestStaticFilesStorage")
    folders = [str(tmp_path / "first"), str(tmp_path / "second")]
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": folders, "APP_DIRS": True}
    ]
    return tmp_path


def storages(backend: str) -> dict[str, Any]:
    return {"staticfiles": {"BACKEND": f"django.contrib.staticfiles.storage.{backend}"}}


def test_every_template_that_names_a_missing_file_is_told(site: Path) -> None:
    found = search(60)
    assert sorted(found.missing) == [Missing("deep/mail.txt", "gone.png"), Missing("page.html", "gone.css")]
    assert found.unread == 0
    (advice,) = missing_advice()
    assert "which is not in the manifest of static files" in advice.what
    assert "(and 1 more like it)" in advice.what
    assert "collectstatic" in advice.fix


@pytest.mark.parametrize("state", ["debug", "no manifest", "empty manifest"])
def test_nothing_is_missing_where_no_manifest_decides(site: Path, settings: Settings, state: str) -> None:
    if state == "debug":
        settings.DEBUG = True
    elif state == "no manifest":
        settings.STORAGES = storages("StaticFilesStorage")
    else:
        (site / "collected" / "staticfiles.json").unlink()
    assert search(60) == Search((), 0)
    assert missing_advice() == []


def test_what_there_was_no_time_for_is_counted(site: Path) -> None:
    ticks = count()
    found = search(2, clock=lambda: float(next(ticks)))
    assert found.unread > 0


def test_the_templates_of_apps_are_looked_through_too(site: Path, settings: Settings) -> None:
    app = site / "shop"
    (app / "templates").mkdir(parents=True)
    (app / "__init__.py").touch()
    (app / "templates" / "shop.html").write_text(LOAD + '{% static "shop.css" %}')
    import sys

    sys.path.insert(0, str(site))
    try:
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "shop"]
        from django.template.utils import get_app_template_dirs

        get_app_template_dirs.cache_clear()
        assert Missing("shop.html", "shop.css") in search(60).missing
    finally:
        sys.path.remove(str(site))
        sys.modules.pop("shop", None)
        get_app_template_dirs.cache_clear()
