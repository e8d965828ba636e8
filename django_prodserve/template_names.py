"""Static files that templates name, ``{% static "css/site.css" %}``, and the manifest has not: each is an error page.

The templates of all engines are read, never rendered: those that a loader would find under their names, the admin's
too. Names that are put together at run time are not seen. Reading is bounded in time; what there was no time for is
said, not passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from django.conf import settings
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.template.utils import InvalidTemplateEngineError
from prodserve.adapter import Advice

from .static_roots import static_storage

TIME_S = 0.25
LARGEST_BYTES = 1 << 20
LIBRARY = "static"
_TAG = re.compile(r"{%(.*?)%}|{{.*?}}|{#.*?#}")
_WORDS = re.compile(r"""(?:"[^"]*"|'[^']*'|\S)+""")
_BLOCKS = ("comment", "verbatim")


class Missing(NamedTuple):
    """A template, by its name, and the file that it names."""

    template: str
    file: str


class Search(NamedTuple):
    """What was found, and how many templates there was no time for."""

    missing: tuple[Missing, ...]
    unread: int


def search(time_s: float = TIME_S, clock: Callable[[], float] = monotonic) -> Search:
    """Look through the project's templates. Nothing is missing where no manifest says what there is."""
    known = strict_manifest()
    if known is None:
        return Search((), 0)
    until_s = clock() + time_s
    missing: list[Missing] = []
    unread = 0
    for template, path, loaded in template_files():
        if clock() > until_s:
            unread += 1
            continue
        missing += [Missing(template, name) for name in absent(static_names(_read(path), loaded), known)]
    return Search(tuple(missing), unread)


def missing_advice() -> list[Advice]:
    """For the banner: one line, however many there are."""
    found = search()
    if not found.missing:
        return []
    first = found.missing[0]
    more = f" (and {len(found.missing) - 1} more like it)" if len(found.missing) > 1 else ""
    what = f"{first.template} names {first.file}, which is not in the manifest of static files: its page fails{more}"
    return [Advice(what, "python manage.py collectstatic --no-input; python manage.py check names all of them")]


def strict_manifest() -> Mapping[str, str] | None:
    """The manifest, where a name that is not in it is an error."""
    if settings.DEBUG:
        return None
    storage = static_storage()
    manifest: Mapping[str, str] | None = getattr(storage, "hashed_files", None)
    return manifest if manifest and getattr(storage, "manifest_strict", False) else None


def absent(names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """Those of ``names`` for which the storage has no entry; it looks neither at queries nor at folders."""
    for name in dict.fromkeys(names):
        path = urlsplit(unquote(urldefrag(name)[0])).path.strip()
        if path and not path.endswith("/") and path.replace("\\", "/") not in known:
            yield name


def static_names(source: str, loaded: bool = False) -> Iterator[str]:
    """The literal names in the ``static`` tags of a template; ``loaded``: the tag is there without a ``load``."""
    end = ""
    for match in _TAG.finditer(source):
        words = _WORDS.findall(match[1] or "")
        if not words:
            continue
        if end:
            if " ".join(words) == end:
                end = ""
        elif words[0] in _BLOCKS:
            end = " ".join([f"end{words[0]}", *(words[1:] if words[0] == "verbatim" else ())])
        elif words[0] == "load":
            loaded = loaded or _loads(words)
        elif (
            words[0] == "static" and loaded and len(words) > 1 and words[1][0] in "\"'" and words[1][-1] == words[1][0]
        ):
            yield words[1][1:-1]


def _loads(words: list[str]) -> bool:
    """Whether a ``load`` tag brings Django's ``static``."""
    if len(words) > 3 and words[-2] == "from":
        return words[-1] == LIBRARY and "static" in words[1:-2]
    return LIBRARY in words[1:]


def template_files() -> Iterator[tuple[str, str, bool]]:
    """Name and path of every template that a loader of Django's engines finds, and whether ``static`` is built in."""
    try:
        found = engines.all()
    except (ImportError, InvalidTemplateEngineError):  # Django's own checks say so
        return
    for backend in found:
        if not isinstance(backend, DjangoTemplates):
            continue
        built_in = "django.templatetags.static" in backend.engine.builtins
        seen: set[str] = set()
        for folder in _folders(backend.engine.template_loaders):
            for path in _files(folder):
                name = os.path.relpath(path, folder)
                if name not in seen:
                    seen.add(name)
                    yield name, path, built_in


def _folders(loaders: Iterable[Any]) -> Iterator[str]:
    for loader in loaders:
        if hasattr(loader, "loaders"):
            yield from _folders(loader.loaders)
        elif hasattr(loader, "get_dirs"):
            yield from map(str, loader.get_dirs())


def _files(folder: str) -> Iterator[str]:
    for where, _, names in os.walk(folder):
        yield from (os.path.join(where, name) for name in names)


def _read(path: str) -> str:
    """The text, ``""`` where there is none to speak of: a large file, or one that is no text, is no template."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        return content.decode() if len(content) <= LARGEST_BYTES and b"static" in content else ""
    except (OSError, UnicodeDecodeError):
        return ""
