"""System checks, for ``manage.py check`` and every command: what in the project does not go well with prodserve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register

from .media_roots import media
from .static_roots import STATICFILES, url_prefixes
from .template_names import search

NAMESAKE = "django_prodserver"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
QUIET = 'PRODSERVE = {"SERVE_MEDIA": False} leaves them to Django.'
OFF = (False, 0, "0", "never", "false", "no", "off")
CHECK_S = 0.5
"""Every command of the project waits for its checks, the one that serves too."""
MOST_NAMED = 20


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
        f'Remove "{WHITENOISE}" from MIDDLEWARE, or leave the files to it with PRODSERVE = {{"SERVE_STATIC": "never"}}.'
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


@register(Tags.staticfiles)
def check_uploads(app_configs: Sequence[Any] | None, **options: Any) -> Iterable[CheckMessage]:
    """Everybody can have the uploads, or nobody: both should be known."""
    found = None if settings.DEBUG or _setting("serve_media", True) in OFF else media()
    if found is None:
        return []
    if found.against:
        what = f"prodserve leaves the files in MEDIA_ROOT to Django, because {found.against}."
        return [Info(what, hint=f"{found.fix}. {QUIET}", id="prodserve.I002")]
    what = f"prodserve serves the files in MEDIA_ROOT ({found.folder}) under {found.prefixes[0]} to everybody."
    hint = (
        f"{QUIET} For files that only some may have: this, and a view that answers with X-Accel-Redirect "
        "(--internal; docs/static-files.md)."
    )
    return [Info(what, hint=hint, id="prodserve.I001")]


@register(Tags.staticfiles)
def check_template_names(app_configs: Sequence[Any] | None, **options: Any) -> Iterable[CheckMessage]:
    """Pages that fail when they are first shown."""
    found = search(CHECK_S)
    messages = [
        Warning(
            f"The template {one.template} names the static file {one.file}, which the manifest does not have: "
            "rendering it fails.",
            hint="Correct the name, or run manage.py collectstatic.",
            id="prodserve.W006",
        )
        for one in found.missing[:MOST_NAMED]
    ]
    beyond = len(found.missing) - MOST_NAMED
    if beyond > 0:
        messages.append(Warning(f"Templates name {beyond} more such files.", id="prodserve.W006"))
    if found.unread:
        what = f"{found.unread} templates were not looked through for static files: it took longer than {CHECK_S:g} s."
        messages.append(Info(what, id="prodserve.I003"))
    return messages


def _serves_static() -> bool:
    """Whether the settings leave static files to the server (the command line may decide otherwise)."""
    return _setting("serve_static", True) not in OFF


def _setting(name: str, default: object) -> object:
    """What ``PRODSERVE`` says, in any of the forms of its keys."""
    configured = getattr(settings, "PRODSERVE", None)
    if not isinstance(configured, dict):
        return default
    forms = {str(key).strip().lower().replace("-", "_"): value for key, value in configured.items()}
    value = forms.get(name, default)
    return value.strip().lower() if isinstance(value, str) else value
