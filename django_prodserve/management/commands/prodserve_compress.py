"""``python manage.py prodserve_compress``: encoded copies of the collected static files, beside them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from prodserve.adapter import StaticRoot
from prodserve.cli import add_compress_arguments, compress_files
from prodserve.errors import ConfigError, Problem

from django_prodserve.adapter import DjangoAdapter
from django_prodserve.static_roots import collected_folder, hashed_names

from .prodserve import program_name

COLLECT = "python manage.py collectstatic --no-input"


class Command(BaseCommand):
    """Needs no database and no system checks: it also runs while an image is built."""

    help = (
        "Writes .br, .zst and .gz copies beside the collected static files, as they are served by prodserve and nginx."
    )
    requires_system_checks: Sequence[str] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the command's options to Django's own."""
        add_compress_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Compress; ends the process."""
        program = f"{program_name(sys.argv[0])} prodserve_compress"
        compress_files(DjangoAdapter(), lambda config: collected_roots(), options, program)


def collected_roots() -> list[StaticRoot]:
    """STATIC_ROOT, also in debug mode: that is where the copies will be looked for in production."""
    folder = collected_folder()
    if folder is not None:
        return [StaticRoot("/", directory=folder, immutable=hashed_names(), source="STATIC_ROOT")]
    if not settings.STATIC_ROOT:
        fix = f'STATIC_ROOT = BASE_DIR / "staticfiles" in the settings, then run {COLLECT} first'
        raise ConfigError([Problem("static files", "there is no STATIC_ROOT to collect them in", fix)])
    raise ConfigError(
        [Problem("STATIC_ROOT", f"nothing was collected in {settings.STATIC_ROOT}", f"run {COLLECT} first")]
    )
