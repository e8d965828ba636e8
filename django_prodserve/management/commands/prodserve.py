"""``python manage.py prodserve``: serve this project.

The first process checks the project and hands over to ``prodserve.cli``; the same command runs again inside each
generation process, where ``prodserve.cli`` goes on from there.
"""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from prodserve.cli import ORDERS, add_arguments, app_failed, in_generation, serve, typed

from django_prodserve.adapter import DjangoAdapter


class Command(BaseCommand):
    """Options come from the one table of settings. Django's system checks run first, and their errors stop it."""

    help = "Serves this project with prodserve, for production."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add prodserve's options to Django's own."""
        add_arguments(parser)

    def execute(self, *args: Any, **options: Any) -> Any:
        """As Django has it, but what the first process checked is not checked again in the generations."""
        self._skip_checks = bool(options.get("skip_checks"))
        skip = self._skip_checks or in_generation() or options.get("addrport") in ORDERS
        return super().execute(*args, **{**options, "skip_checks": skip})

    def check(self, *args: Any, **options: Any) -> Any:
        """As Django has it, but what the project itself raises is shown without the frames that led there."""
        try:
            return super().check(*args, **options)
        except CommandError:
            raise
        except Exception as error:  # a rim: the checks import the whole project
            app_failed("the project can't be checked", error)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve; does not return."""
        serve(DjangoAdapter(self._skip_checks), typed(options), f"{program_name(sys.argv[0])} prodserve")


def program_name(argv0: str) -> str:
    """How the user calls Django's command line: ``python manage.py``, ``python -m django``, ``django-admin``."""
    name = PurePath(argv0).name
    if name == "__main__.py":
        return "python -m django"
    return f"python {name}" if name.endswith(".py") else name
