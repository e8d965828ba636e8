import json
from pathlib import Path

import django
import pytest
from pytest_django import Settings

from django_prodserve.static_roots import static_roots, url_prefixes

PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"


def storages(backend: str, **options: object) -> dict[str, object]:
    return {"staticfiles": {"BACKEND": backend, "OPTIONS": options}}


@pytest.mark.parametrize(
    ("static_url", "script_name", "prefixes"),
    [
        ("/static/", "", ["/static/"]),
        ("/static", "", ["/static/"]),
        ("/a%20b/", "", ["/a b/"]),
        ("/app/static/", "/app", ["/app/static/", "/static/"]),
        ("/static/", "/app", ["/static/"]),
        ("/apple/static/", "/app", ["/apple/static/"]),
        ("/app/", "/app", ["/app/"]),
        ("https://cdn.example.org/static/", "", []),
        ("//cdn.example.org/static/", "", []),
        ("/", "", []),
        ("", "", []),
        (None, "", []),
    ],
)
def test_both_forms_of_a_prefix_are_served_and_none_on_another_host(
    static_url: str | None, script_name: str, prefixes: list[str]
) -> None:
    assert url_prefixes(static_url, script_name) == prefixes


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Path:
    """Three source folders, one name in two of them, one with a prefix; and a STATIC_ROOT that does not exist yet."""
    for name in ("first/site.css", "first/.hidden", "first/deep/a.js", "second/b.txt", "third/site.css", "third/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    settings.STATICFILES_DIRS = [str(tmp_path / "first"), ("pre", str(tmp_path / "second")), str(tmp_path / "third")]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = str(tmp_path / "collected")
    settings.STORAGES = storages(PLAIN)
    return tmp_path


def collect(site: Path) -> None:
    (site / "collected").mkdir()
    (site / "collected" / "site.abc.css").write_text("collected")


def test_what_was_collected_is_served_from_the_folder(site: Path) -> None:
    collect(site)
    (root,) = static_roots()
    assert (root.url_prefix, root.directory, root.files) == ("/static/", str(site / "collected"), None)


@pytest.mark.parametrize("state", ["absent", "empty", "unset", "debug"])
def test_the_finders_files_are_served_where_nothing_is_collected_or_debug_is_on(
    site: Path, settings: Settings, state: str
) -> None:
    if state == "empty":
        (site / "collected").mkdir()
    elif state == "unset":
        settings.STATIC_ROOT = None
    elif state == "debug":
        collect(site)
        settings.DEBUG = True
    (root,) = static_roots()
    assert root.directory is None
    assert root.files == {
        "site.css": str(site / "first" / "site.css"),
        "deep/a.js": str(site / "first" / "deep" / "a.js"),
        "pre/b.txt": str(site / "second" / "b.txt"),
        "c.txt": str(site / "third" / "c.txt"),
    }


def test_exactly_the_names_in_the_manifest_are_immutable(site: Path, settings: Settings) -> None:
    collect(site)
    manifest = {"version": "1.1", "paths": {"site.css": "site.abc.css", "b.txt": "b.123.txt"}, "hash": ""}
    (site / "collected" / "staticfiles.json").write_text(json.dumps(manifest))
    settings.STORAGES = storages(MANIFEST)
    (root,) = static_roots()
    assert root.immutable == {"site.abc.css", "b.123.txt"}


@pytest.mark.skipif(django.VERSION < (5, 1), reason="Django 4.2 loses the OPTIONS of a storage that a test sets")
def test_a_storage_with_its_own_folder_and_url_decides(site: Path, settings: Settings) -> None:
    collect(site)
    settings.STATIC_ROOT = None
    settings.STORAGES = storages(PLAIN, location=str(site / "collected"), base_url="/files/")
    (root,) = static_roots()
    assert (root.url_prefix, root.directory) == ("/files/", str(site / "collected"))


def test_files_on_another_host_are_left_alone(site: Path, settings: Settings) -> None:
    collect(site)
    settings.STATIC_URL = "https://cdn.example.org/"
    assert static_roots() == []
