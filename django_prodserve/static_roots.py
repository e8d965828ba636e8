"""Which URL prefixes of a Django project are static files, and which files those are.

Production: the folder that ``collectstatic`` filled. With DEBUG, or where nothing was collected: the files of the
finders (the apps' ``static`` folders and STATICFILES_DIRS), as they are when the app is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, Storage
from django.core.files.storage.handler import InvalidStorageError
from prodserve.adapter import StaticRoot

STATICFILES = "django.contrib.staticfiles"


def url_prefixes(static_url: str | None, script_name: str) -> list[str]:
    """The prefixes under which a server sees requests for STATIC_URL; empty: those files are none of its business.

    A proxy in front may or may not take FORCE_SCRIPT_NAME off a path, so both forms count. No prefix comes out for
    another host, or for ``/``, where every page of the app would be taken for a file.
    """
    parts = urlsplit(static_url or "")
    if parts.scheme or parts.netloc or not parts.path:
        return []
    inner = parts.path.strip("/")
    script = script_name.strip("/")
    forms = [inner]
    if script and inner.startswith(script + "/"):
        forms.append(inner[len(script) + 1 :])
    return [f"/{unquote(form)}/" for form in forms if form]


def collected_folder() -> str | None:
    """The folder with the collected files, if there is one and something is in it."""
    folder = static_folder()
    if folder is None or not os.path.isdir(folder):
        return None
    with os.scandir(folder) as entries:
        return folder if any(entries) else None


def static_roots() -> list[StaticRoot]:
    """The static roots of the project in effect."""
    prefixes = static_prefixes()
    if not prefixes:
        return []
    folder = None if settings.DEBUG else collected_folder()
    if folder is not None:
        immutable = hashed_names()
        return [StaticRoot(prefix, directory=folder, immutable=immutable, source="STATIC_ROOT") for prefix in prefixes]
    if not apps.is_installed(STATICFILES):
        return []
    files = found_files()
    return [StaticRoot(prefix, files=files, source="static folders of the apps") for prefix in prefixes]


def static_prefixes() -> list[str]:
    """The prefixes of the project in effect."""
    return url_prefixes(_static_url(), settings.FORCE_SCRIPT_NAME or "")


def hashed_names() -> frozenset[str]:
    """The names in the manifest that carry a hash of their content: exactly those, nothing guessed from a name."""
    hashed: Mapping[str, str] = getattr(static_storage(), "hashed_files", {})
    return frozenset(hashed.values())


def found_files() -> dict[str, str]:
    """Relative name to absolute path of what the finders have; the first finder of a name wins, as in collectstatic."""
    from django.contrib.staticfiles.finders import get_finders

    ignored = apps.get_app_config("staticfiles").ignore_patterns
    files: dict[str, str] = {}
    for finder in get_finders():
        for path, storage in finder.list(ignored):
            if isinstance(storage, FileSystemStorage):
                name = os.path.join(getattr(storage, "prefix", None) or "", path)
                files.setdefault(name.replace(os.sep, "/"), storage.path(path))
    return files


def _static_url() -> str | None:
    """Where templates point to: the storage's own base URL where it has one, STATIC_URL otherwise."""
    storage = _local_storage()
    return getattr(storage, "base_url", None) or cast("str | None", settings.STATIC_URL)


def static_folder() -> str | None:
    """Where collected files are, or will be."""
    storage = _local_storage()
    location = getattr(storage, "location", None) or settings.STATIC_ROOT
    return os.path.abspath(location) if location else None


def static_storage() -> Any:
    """The storage of static files; ``None``: there is none, or it can't be made (one with a manifest reads it at once,
    and can't without STATIC_ROOT)."""
    if not apps.is_installed(STATICFILES):
        return None
    from django.contrib.staticfiles.storage import staticfiles_storage

    try:
        isinstance(staticfiles_storage, Storage)  # it is made when it is first looked at
    except (ImportError, ImproperlyConfigured, InvalidStorageError):
        return None
    return staticfiles_storage


def _local_storage() -> FileSystemStorage | None:
    storage = static_storage() if settings.STATIC_URL else None
    return storage if isinstance(storage, FileSystemStorage) else None
