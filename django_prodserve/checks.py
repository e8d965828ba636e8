"""System checks, for ``manage.py check`` and every command: what in the project does not go well with prodserve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from .static_roots import STATICFILES, url_prefixes

NAMESAKE = "django_prodserver"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


@register(Tags.security, deploy=True)
def check_debug(app_configs: Sequence[Any] | None, **options: Any) -> Iterable[CheckMessage]:
    """``check --deploy``: DEBUG is on."""
    if not settings.DEBUG:
        return []
    what = "DEBUG is on: prodserve serves this project on loopback addresses only."
    return [Warning(what, hint="Set DEBUG = False in the settings that are deployed.", id="prodserve.W001")]


@register()
def check_namesake(app_configs: Sequence[Any] | None, **options: Any) -> Iterable[CheckMessage]:
    """Another project has almost the same name, and its command too."""
    if not (apps.is_installed(NAMESAKE) or find_spec(NAMESAKE) is not None):
        return []
    what = "django-prodserver is installed as well: two projects with almost the same name."
    hint = (
        '"manage.py prodserve" is the command of prodserve (app django_prodserve); '
        '"manage.py prodserver" is the one of django-prodserver (app django_prodserver), which starts other servers.'
    )
    return [Warning(what, hint=hint, id="prodserve.W002")]


@register(Tags.staticfiles)
def check_whitenoise(app_configs: Sequence[Any] | None, **options: Any) -> Iterable[CheckMessage]:
    """Two would serve the same files."""
    if WHITENOISE not in settings.MIDDLEWARE or not _serves_static():
        return []
    what = "whitenoise is in MIDDLEWARE: prodserve serves the same files itself, before a request reaches Django."
    hint = (
        f'Remove "{WHITENOISE}" from MIDDLEWARE, or leave the files to it with PRODSERVE = {{"SERVE_STATIC": False}}.'
    )
    return [Warning(what, hint=hint, id="prodserve.W003")]


@register(Tags.staticfiles)
def check_static_root(app_configs: Sequence[Any] | None, **options: Any) -> Iterable[CheckMessage]:
    """Nothing can be collected, so nothing gets a hashed name."""
    local = apps.is_installed(STATICFILES) and url_prefixes(settings.STATIC_URL, "")
    if settings.DEBUG or settings.STATIC_ROOT or not local or not _serves_static():
        return []
    what = "STATIC_ROOT is not set: prodserve serves static files from the apps' folders, as they were at its start."
    hint = 'STATIC_ROOT = BASE_DIR / "staticfiles", then run "manage.py collectstatic".'
    return [Warning(what, hint=hint, id="prodserve.W004")]


def _serves_static() -> bool:
    """Whether the settings leave static files to the server (the command line may decide otherwise)."""
    configured = getattr(settings, "PRODSERVE", None)
    if not isinstance(configured, dict):
        return True
    return all(value is not False for key, value in configured.items() if str(key).lower() == "serve_static")
