"""All static roots of a server, in order of precedence, from its configuration and its framework.

``--static``, ``--spa`` and ``--media`` first, as they were typed; then the framework's uploads and its static files;
last the few files that browsers and crawlers ask for at ``/`` without being told to. A worker, the banner and the
checks before the start all ask here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from ..adapter import Adapter, Advice, AppPaths, StaticRoot
from ..config.options import Config
from ..errors import ConfigError, Problem
from .trees import DirectoryTree, is_in, tree_of

ALWAYS, NEVER = "always", "never"
"""What ``serve_static`` may be, besides ``auto``."""
PAGE = "index.html"
ROOT_FILES = ("favicon.ico", "robots.txt")
"""What is asked for at ``/`` of every site."""


def all_roots(config: Config, adapter: Adapter) -> list[StaticRoot]:
    """Every root. Called after ``adapter.load``; ``ConfigError`` with everything that is wrong in ``config``."""
    paths = adapter.paths()
    roots = [replace(root, beside=paths) if root.fallback else root for root in configured_roots(config)]
    if config.serve_media:
        roots += [root for root in adapter.media_roots() if _protected(root, config.internal) is None]
    if config.serve_static != NEVER:
        roots += adapter.static_roots(config.serve_static == ALWAYS)
    return [*roots, *root_files(roots, paths, config.follow_symlinks)]


def file_advice(config: Config, adapter: Adapter) -> list[Advice]:
    """What is not served as one might expect, and why. Called after ``all_roots``."""
    advice = list(adapter.file_advice(config.serve_static, config.serve_media))
    for root in adapter.media_roots() if config.serve_media else ():
        inside = _protected(root, config.internal)
        if inside is not None:
            what = f"files in {root.source} are not served: {inside} of --internal is in it, which is not for everybody"
            advice.append(Advice(what, f"--no-serve-media, or move {inside} elsewhere"))
    paths = adapter.paths()
    for root in browser_apps(config.spa, config.follow_symlinks):
        if root.url_prefix == "/" and (paths is None or paths.all):
            reason = "its URLs are not known" if paths is None else "it has rules for every path"
            what = f"--spa /: {PAGE} answers for / only; other pages are left to the application, because {reason}"
            advice.append(Advice(what, f"--spa /app={root.directory}"))
    return advice


def configured_roots(config: Config) -> list[StaticRoot]:
    """The roots of ``--static``, ``--spa`` and ``--media``; ``ConfigError`` with everything that is wrong."""
    roots: list[StaticRoot] = []
    problems: list[Problem] = []
    for read in (
        partial(extra_roots, config.static),
        partial(browser_apps, config.spa, config.follow_symlinks),
        partial(upload_roots, config.media),
    ):
        try:
            roots += read()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return roots


def extra_roots(static: Sequence[str]) -> list[StaticRoot]:
    """The roots that ``--static`` names, in its order. Raises ``ConfigError`` with everything that is wrong.

    They behave as folders of nginx do: ``index.html`` stands for its directory, browsers revalidate each use.
    """
    named = _folders("--static", static, "/downloads=/srv/downloads")
    return [StaticRoot(prefix, directory, index=True, source="--static") for prefix, directory in named]


def browser_apps(spa: Sequence[str], follow_links: bool = False) -> list[StaticRoot]:
    """The roots of ``--spa``: applications that run in the browser; ``index.html`` answers for all of their pages."""
    named = _folders("--spa", spa, "/app=/srv/app/dist")
    problems = [
        Problem(
            f"--spa {prefix}={directory}", f"there is no {PAGE} in it", "build the application, or correct the path"
        )
        for prefix, directory in named
        if not is_in(DirectoryTree(directory, follow_links), PAGE)
    ]
    if problems:
        raise ConfigError(problems)
    return [StaticRoot(prefix, directory, index=True, fallback=PAGE, source="--spa") for prefix, directory in named]


def upload_roots(media: Sequence[str]) -> list[StaticRoot]:
    """The roots of ``--media``: files that came from users."""
    named = _folders("--media", media, "/media=/srv/media")
    return [StaticRoot(prefix, directory, uploads=True, source="--media") for prefix, directory in named]


def root_files(roots: Iterable[StaticRoot], paths: AppPaths | None, follow_links: bool = False) -> list[StaticRoot]:
    """A root at ``/`` with the favicon and the robots.txt that lie at the top of ``roots``, the first of each name.

    What the app itself has a rule for, exactly, is left to it, and all of it where its rules can't be seen. Uploads
    are nobody's favicon.
    """
    if paths is None:
        return []
    trusted = [root for root in roots if not root.uploads]
    files: dict[str, str] = {}
    for name in ROOT_FILES:
        path = next(filter(None, (_path_in(root, name, follow_links) for root in trusted)), None)
        if path is not None and f"/{name}" not in paths.exact:
            files[name] = path
    return [StaticRoot("/", files=files, source=", ".join(files))] if files else []


def _path_in(root: StaticRoot, name: str, follow_links: bool) -> str | None:
    """Where ``name`` is at the top of ``root``, if it may be served."""
    tree = tree_of(root, follow_links)
    return tree.path(name) if is_in(tree, name) else None


def _protected(root: StaticRoot, internal: Iterable[str]) -> str | None:
    """A directory of ``--internal`` that would be served to everybody below ``root``."""
    above = os.path.realpath(root.directory or os.devnull)
    for one in internal:
        directory = one.partition("=")[2]
        if os.path.commonpath((above, os.path.realpath(directory))) == above:
            return directory
    return None


def _folders(flag: str, given: Iterable[str], example: str) -> list[tuple[str, str]]:
    """URL prefix and absolute folder of each ``/url=/folder``."""
    folders: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for one in given:
        url, equals, directory = one.partition("=")
        where = f"{flag} {one}"
        if not equals or not url.startswith("/") or not directory:
            problems.append(Problem(where, "is not of the form /url=/directory", f"{flag} {example}"))
        elif not os.path.isdir(directory):
            problems.append(Problem(where, f"{directory} is not a directory", "create it, or correct the path"))
        else:
            folders.append((url if url.endswith("/") else url + "/", os.path.abspath(directory)))
    if problems:
        raise ConfigError(problems)
    return folders
