"""All static roots of a server, in order of precedence, from its configuration and its framework.

``--static``, ``--spa`` and ``--media`` first, as they were typed; then the framework's uploads and its static files;
last the few files that browsers and crawlers ask for at ``/`` without being told to. A worker, the banner and the
checks before the start all ask here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from posix import close as close_now  # gevent's os.close waits for the loop to come round

from ..adapter import Adapter, StaticRoot
from ..config.options import Config
from ..errors import ConfigError, Problem
from .trees import DirectoryTree, FileTree, ListedTree

ALWAYS, NEVER = "always", "never"
"""What ``serve_static`` may be, besides ``auto``."""
PAGE = "index.html"
ROOT_FILES = ("favicon.ico", "robots.txt")
"""What is asked for at ``/`` of every site."""


def all_roots(config: Config, adapter: Adapter) -> list[StaticRoot]:
    """Every root. Called after ``adapter.load``; ``ConfigError`` with everything that is wrong in ``config``."""
    roots = configured_roots(config)
    if config.serve_media:
        roots += adapter.media_roots()
    if config.serve_static != NEVER:
        roots += adapter.static_roots(config.serve_static == ALWAYS)
    return [*roots, *root_files(roots, adapter.owns, config.follow_symlinks)]


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
        if not _has(DirectoryTree(directory, follow_links), PAGE)
    ]
    if problems:
        raise ConfigError(problems)
    return [StaticRoot(prefix, directory, index=True, fallback=PAGE, source="--spa") for prefix, directory in named]


def upload_roots(media: Sequence[str]) -> list[StaticRoot]:
    """The roots of ``--media``: files that came from users."""
    named = _folders("--media", media, "/media=/srv/media")
    return [StaticRoot(prefix, directory, uploads=True, source="--media") for prefix, directory in named]


def root_files(
    roots: Iterable[StaticRoot], owned: Callable[[str], bool], follow_links: bool = False
) -> list[StaticRoot]:
    """A root at ``/`` with the favicon and the robots.txt that lie at the top of ``roots``, the first of each name.

    ``owned``: whether the app itself answers exactly that path; then it is left to it. Uploads are nobody's favicon.
    """
    trusted = [root for root in roots if not root.uploads]
    files: dict[str, str] = {}
    for name in ROOT_FILES:
        path = next(filter(None, (_path_in(root, name, follow_links) for root in trusted)), None)
        if path is not None and not owned(f"/{name}"):
            files[name] = path
    return [StaticRoot("/", files=files, source=", ".join(files))] if files else []


def _path_in(root: StaticRoot, name: str, follow_links: bool) -> str | None:
    """Where ``name`` is at the top of ``root``, if it may be served."""
    tree: FileTree = (
        ListedTree(root.files) if root.files is not None else DirectoryTree(root.directory or os.devnull, follow_links)
    )
    return tree.path(name) if _has(tree, name) else None


def _has(tree: FileTree, name: str) -> bool:
    try:
        close_now(tree.open(name))
    except OSError:
        return False
    return True


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
