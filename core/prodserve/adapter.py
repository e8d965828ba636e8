"""The one contract between the server and a framework. The core knows no framework, only this.

Implemented by ``django_prodserve.adapter``, ``flask_prodserve.adapter`` and, for any WSGI app,
``prodserve.cli.module``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class AppPaths:
    """The paths for which an app has rules, as far as they are literal."""

    exact: frozenset[str] = frozenset()
    """``/``, ``/robots.txt``, ``/admin/``."""
    beginnings: tuple[str, ...] = ()
    """``/orders/``, of a rule for ``/orders/<id>``."""
    all: bool = False
    """There is a rule without such a beginning: any path may be the app's."""

    def has(self, path: str) -> bool:
        """Whether the app answers ``path``, be it by sending on to the form with a slash at its end."""
        if self.all or path in self.exact or f"{path}/" in self.exact:
            return True
        return path.startswith(self.beginnings) or f"{path}/" in self.beginnings


@dataclass(frozen=True)
class StaticRoot:
    """One URL prefix whose files the server answers by itself.

    Either ``directory`` (looked into at run time: files may come and go) or ``files`` (relative name -> absolute
    path, for finders that gather files from many places) is given; names use ``/`` and have no leading slash.
    """

    url_prefix: str
    """Begins and ends with ``/``, percent-decoded."""
    directory: str | None = None
    files: Mapping[str, str] | None = None
    immutable: frozenset[str] = frozenset()
    """Relative names that carry a hash of their content: cached for ever by clients."""
    max_age_s: int | None = None
    """``Cache-Control: max-age`` of the others; ``None``: ``no-cache``, each use is revalidated."""
    index: bool = False
    """``index.html`` answers for a directory; the directory without its slash is sent on to the form with one."""
    fallback: str = ""
    """The file that answers for names which are no files: ``index.html`` of an application that runs in the browser."""
    beside: AppPaths | None = None
    """Of a root at ``/`` with a ``fallback``: what is left to the app all the same."""
    uploads: bool = False
    """The files come from strangers: they are looked up anew each time, have no encoded copies, no hidden names, and
    are sent so that a browser runs nothing of them in the site's name."""
    source: str = ""
    """Where it was configured, for the banner: ``STATIC_ROOT``, ``blueprint admin`` …"""


@dataclass(frozen=True)
class Advice:
    """Something missing or risky, with the line that mends it. Shown in the banner and by ``--check-config``."""

    what: str
    fix: str = ""


@dataclass(frozen=True)
class Facts:
    """What the banner says of the project."""

    framework: str
    """``Django 5.2.19``, ``Flask 3.1.3``, ``WSGI``."""
    app: str
    """What is served: ``mysite.wsgi.application``, ``hello:create_app()``."""
    lines: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Further lines, label and text: ``("settings", "mysite.settings (DEBUG=True)")``."""
    advice: Sequence[Advice] = field(default_factory=tuple)


class Adapter(Protocol):
    """Implemented once per framework.

    ``settings``, ``debug``, ``thread_reasons`` and ``facts`` are called in the first process, before the choice of the
    execution model; all of it but ``thread_reasons`` again in each generation process, in this order.
    """

    def settings(self) -> Mapping[str, object]:
        """The framework's own configuration of prodserve: ``settings.PRODSERVE``, ``app.config["PRODSERVE"]``."""

    def debug(self) -> bool:
        """Whether the framework's debug mode is on: then only loopback addresses are served."""

    def thread_reasons(self) -> Sequence[str]:
        """What in this project blocks or breaks greenlets (``SQLite``, ``async view shop.views.feed``). Empty: nothing.

        The first process ends after it (``execve``), so it may import the project's URL map or app."""

    def facts(self) -> Facts:
        """For the banner. Cheap: imports nothing that is not loaded."""

    def load(self) -> WSGIApp:
        """Import the application, once a generation. Its own exceptions pass through."""

    def static_roots(self, asked: bool) -> Sequence[StaticRoot]:
        """The framework's static files. ``asked``: also those that it would send in its own way (after a login wall,
        with headers of the app), as long as their URLs are theirs alone. Called after ``load``, as are the next."""

    def media_roots(self) -> Sequence[StaticRoot]:
        """The files that users of the project upload, where everybody may have them."""

    def paths(self) -> AppPaths | None:
        """What the app's URL map says; ``None``: it can't be seen."""

    def file_advice(self, static: str, media: bool) -> Sequence[Advice]:
        """What of the files is left to the app, or can't be found, and why. ``static``: ``auto``, ``always`` or
        ``never``; ``media``: whether uploads are to be served."""

    def check(self) -> Sequence[str]:
        """In a generation that is to replace another, after ``load``: the errors that the framework's own checks find.

        The first process has run the checks of the first generation, where the framework's command line does so."""

    def host(self) -> str:
        """A host name that the app answers to: the ``Host`` of the warm-up request."""

    def errors(self) -> AbstractContextManager[list[BaseException]]:
        """What the app raises within the ``with`` block and the framework makes an answer of (500) is in the list."""

    def before_fork(self) -> None:
        """In the generation, after ``load`` and before the first fork: close connections and pools."""

    def worker_started(self) -> None:
        """In the worker after the fork, before the first request."""

    def slot_idle(self) -> None:
        """On a slot that has been idle for a while: close what is too old (``close_old_connections``)."""

    def slot_interrupted(self) -> None:
        """On a slot whose request was interrupted: drop its connections before it is used again."""

    def worker_stopping(self) -> None:
        """In the worker, after the last request: the last chance to close connections."""


def counted(kind: str, names: Iterable[str]) -> list[str]:
    """One reason for many things of a kind, the first one by name: ``["async view shop.views.feed and 3 more"]``."""
    unique = sorted(set(names))
    if not unique:
        return []
    others = f" and {len(unique) - 1} more" if len(unique) > 1 else ""
    return [f"{kind} {unique[0]}{others}"]
