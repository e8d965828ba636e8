"""Django behind the contract of ``prodserve.adapter``. Used after ``django.setup()``; thin, the parts decide."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import django
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.cache import caches
from django.core.servers.basehttp import get_internal_wsgi_application
from django.core.signals import got_request_exception
from django.db import close_old_connections, connections
from django.template import engines
from django.urls import get_resolver
from prodserve.adapter import Advice, AppPaths, Facts, StaticRoot, WSGIApp

from . import settings_module
from .media_roots import media_advice, media_roots
from .static_roots import STATICFILES, collected_folder, static_roots, url_prefixes
from .template_names import missing_advice
from .thread_reasons import thread_reasons
from .url_map import app_paths


class DjangoAdapter:
    """The project whose settings are in effect."""

    def __init__(self, skip_checks: bool = False) -> None:
        self._skip_checks = skip_checks

    def settings(self) -> Mapping[str, object]:
        """``settings.PRODSERVE``."""
        return cast("Mapping[str, object]", getattr(settings, "PRODSERVE", {}))

    def debug(self) -> bool:
        """``settings.DEBUG``."""
        return bool(settings.DEBUG)

    def thread_reasons(self) -> Sequence[str]:
        """SQLite, mysqlclient, Oracle, async views and the like."""
        return thread_reasons()

    def facts(self) -> Facts:
        """Version, application and settings module, and what the settings lack."""
        effective = _effective_settings()
        return Facts(
            framework=f"Django {django.get_version()}",
            app=settings.WSGI_APPLICATION or "django.core.wsgi.get_wsgi_application()",
            lines=(("settings", f"{effective} (DEBUG={bool(settings.DEBUG)})"),),
            advice=(*_settings_advice(effective), *_hosts_advice()),
        )

    def load(self) -> WSGIApp:
        """The application that WSGI_APPLICATION names, or Django's own.

        With it the URL map, the views and the template engines, which Django itself would import at the first request:
        so a broken one fails here and not in front of a user, and the workers share their memory."""
        application = get_internal_wsgi_application()
        if getattr(settings, "ROOT_URLCONF", None):
            get_resolver().reverse_dict  # noqa: B018  # populates the resolver
        engines.all()
        return cast(WSGIApp, application)

    def static_roots(self, asked: bool) -> Sequence[StaticRoot]:
        """STATIC_URL, with the collected files or those of the finders. No view stands before them in Django, so
        nothing more can be asked for."""
        return static_roots()

    def media_roots(self) -> Sequence[StaticRoot]:
        """MEDIA_URL, with the files of MEDIA_ROOT."""
        return media_roots()

    def paths(self) -> AppPaths | None:
        """The project's URL map."""
        return app_paths()

    def file_advice(self, static: str, media: bool) -> Sequence[Advice]:
        """What was not collected, what templates name and the manifest has not, why uploads are not served."""
        advice = [] if static == "never" else [*_static_advice(), *missing_advice()]
        return [*advice, *(media_advice() if media else ())]

    def check(self) -> Sequence[str]:
        """The errors of ``manage.py check`` that are not silenced; none where the command was told to skip checks."""
        if self._skip_checks:
            return ()
        return [str(found) for found in checks.run_checks() if found.is_serious() and not found.is_silenced()]

    def host(self) -> str:
        """The first of ALLOWED_HOSTS that names one."""
        return allowed_host(settings.ALLOWED_HOSTS)

    @contextmanager
    def errors(self) -> Iterator[list[BaseException]]:
        """What Django turns into its page for status 500."""
        found: list[BaseException] = []

        def note(**_: object) -> None:
            error = sys.exc_info()[1]
            if error is not None:
                found.append(error)

        got_request_exception.connect(note, weak=False)
        try:
            yield found
        finally:
            got_request_exception.disconnect(note)

    def before_fork(self) -> None:
        """Close what two processes must not share."""
        _close_everything()

    def worker_started(self) -> None:
        """Close what was opened since."""
        _close_everything()

    def slot_idle(self) -> None:
        """Close this slot's connections that are past CONN_MAX_AGE or broken."""
        close_old_connections()

    def slot_interrupted(self) -> None:
        """Close this slot's connections: one that was interrupted in a query fails the next request."""
        connections.close_all()

    def worker_stopping(self) -> None:
        """Close what is left, with the pools."""
        _close_everything()


def allowed_host(patterns: Sequence[str]) -> str:
    """A name that matches one of ``patterns``, as ALLOWED_HOSTS has them; ``localhost`` where every name does."""
    return next((name for name in (pattern.lstrip(".") for pattern in patterns) if name not in ("", "*")), "localhost")


def _close_everything() -> None:
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        close_pool = getattr(connection, "close_pool", None)
        if close_pool is not None:
            close_pool()
    caches.close_all()


def _effective_settings() -> str:
    return getattr(settings, "SETTINGS_MODULE", None) or "settings.configure()"


def _settings_advice(effective: str) -> list[Advice]:
    program = settings_module.settings_named_in(settings_module.program_file())
    wsgi = settings_module.settings_named_in(settings_module.wsgi_file(settings.WSGI_APPLICATION))
    other = settings_module.other_settings(effective, program, wsgi)
    if other is None:
        return []
    return [Advice(f"manage.py defaults to {effective}, but wsgi.py names {other}", f"--settings {other}")]


def _hosts_advice() -> list[Advice]:
    if settings.DEBUG or settings.ALLOWED_HOSTS:
        return []
    return [Advice("ALLOWED_HOSTS is empty: every request is answered 400", 'ALLOWED_HOSTS = ["www.example.org"]')]


def _static_advice() -> list[Advice]:
    local = apps.is_installed(STATICFILES) and url_prefixes(settings.STATIC_URL, settings.FORCE_SCRIPT_NAME or "")
    if settings.DEBUG or not local or collected_folder() is not None:
        return []
    if not settings.STATIC_ROOT:
        return [
            Advice(
                "no STATIC_ROOT: static files come from the apps' folders, as they were at the start",
                'STATIC_ROOT = BASE_DIR / "staticfiles" in the settings, then python manage.py collectstatic',
            )
        ]
    return [Advice(f"nothing was collected in {settings.STATIC_ROOT}", "python manage.py collectstatic --no-input")]
