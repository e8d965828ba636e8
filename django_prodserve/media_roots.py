"""Whether the uploads of a Django project are the server's to send: MEDIA_ROOT under MEDIA_URL, or what the default
storage has instead.

Only what is meant for everybody, and can't be taken for anything else: not where a view of the project answers below
that URL (it may ask who is there), not a folder that holds the project itself, and not one that is mixed up with the
static files, which are sent with more trust.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.storage.handler import InvalidStorageError
from prodserve.adapter import Advice, StaticRoot

from .static_roots import static_folder, static_prefixes, url_prefixes
from .url_map import view_below

LOGIN_WALL = "loginrequired"
"""In the name of a middleware: Django's own LoginRequiredMiddleware, and others that are called alike."""
OFF = "--no-serve-media leaves them to the application and ends this message"


@dataclass(frozen=True)
class Media:
    """The uploads of a project, and what speaks against sending them (``""``: nothing)."""

    prefixes: Sequence[str]
    folder: str
    against: str = ""
    fix: str = ""


def media() -> Media | None:
    """``None``: there are none on this machine, or they have no URL on this host."""
    storage = _local_storage()
    folder = getattr(storage, "base_location", None)
    url = getattr(storage, "base_url", None)
    script = settings.FORCE_SCRIPT_NAME or ""
    if storage is None or not folder or not os.path.isdir(folder):
        return None
    prefixes = url_prefixes(url, script)
    folder = os.path.abspath(folder)
    if not prefixes or prefixes[0].strip("/") == script.strip("/"):
        if url and url.startswith("/") and not url.startswith("//"):
            against = "MEDIA_URL is the root of the site, where every page would be taken for a file"
            return Media((), folder, against, 'MEDIA_URL = "/media/"')
        return None
    against, fix = next(_reasons(storage, prefixes, folder), ("", ""))
    return Media(prefixes, folder, against, fix)


def media_roots() -> list[StaticRoot]:
    """The roots of the project in effect."""
    found = media()
    if found is None or found.against:
        return []
    return [StaticRoot(prefix, found.folder, uploads=True, source="MEDIA_ROOT") for prefix in found.prefixes]


def media_advice() -> list[Advice]:
    """Why the server leaves the uploads to the application, if it does."""
    found = media()
    if found is None or not found.against:
        return []
    return [Advice(f"files in MEDIA_ROOT are not served: {found.against}", f"{found.fix}; {OFF}")]


def _reasons(storage: FileSystemStorage, prefixes: Sequence[str], folder: str) -> Iterator[tuple[str, str]]:
    """What speaks against, and what helps."""
    where = f"--media {prefixes[0]}={folder}, if everybody may have them"
    if type(storage).url is not FileSystemStorage.url:
        yield f"{type(storage).__name__} makes URLs of its own", where
    wall = next((name for name in settings.MIDDLEWARE if LOGIN_WALL in name.lower().replace("_", "")), None)
    if wall is not None:
        yield f"{wall.rpartition('.')[2]} asks for a login before every view", where
    for prefix in prefixes:
        view = view_below(prefix)
        if view is not None:
            yield f"the view {view} answers below {prefix}", where
    inside = next((path for path in _own_paths() if is_inside(path, folder)), None)
    if inside is not None:
        yield f"the folder {folder} holds more than uploads: {inside}", 'MEDIA_ROOT = BASE_DIR / "media"'
    static = static_folder()
    if static is not None and (is_inside(static, folder) or is_inside(folder, static)):
        yield f"MEDIA_ROOT {folder} and STATIC_ROOT {static} are not apart", 'MEDIA_ROOT = BASE_DIR / "media"'
    for url in static_prefixes():
        if any(prefix.startswith(url) or url.startswith(prefix) for prefix in prefixes):
            yield f"MEDIA_URL {prefixes[0]} and STATIC_URL {url} are not apart", 'MEDIA_URL = "/media/"'


def is_inside(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or below it, whatever links lead there."""
    below, above = os.path.realpath(path), os.path.realpath(folder)
    return below == above or below.startswith(above.rstrip("/") + "/")


def _own_paths() -> Iterator[str]:
    """Where the project's code, settings and databases are."""
    for name in (getattr(settings, "SETTINGS_MODULE", None), getattr(settings, "ROOT_URLCONF", None), "__main__"):
        file = getattr(sys.modules.get(str(name)), "__file__", None)
        if file:
            yield file
    package = (settings.WSGI_APPLICATION or "").partition(".")[0]
    spec = find_spec(package) if package else None
    if spec is not None:
        yield from spec.submodule_search_locations or filter(None, [spec.origin])
    yield from (config.path for config in apps.get_app_configs())
    for database in settings.DATABASES.values():
        name = str(database.get("NAME") or "")
        if "sqlite" in str(database.get("ENGINE")) and os.path.isabs(name):
            yield name
    for backend in settings.TEMPLATES:
        yield from map(os.path.abspath, backend.get("DIRS", ()))
    yield sys.prefix


def _local_storage() -> FileSystemStorage | None:
    """The default storage, where it keeps files in a folder. One that can't be made is none."""
    try:
        found: Any = default_storage
        return cast(FileSystemStorage, found._wrapped) if isinstance(found, FileSystemStorage) else None
    except (ImportError, ImproperlyConfigured, InvalidStorageError):
        return None
