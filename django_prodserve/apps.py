"""The Django app: its name, and the system checks that it brings."""

from __future__ import annotations

from django.apps import AppConfig


class ProdserveConfig(AppConfig):
    """``django_prodserve`` in INSTALLED_APPS."""

    name = "django_prodserve"
    verbose_name = "prodserve"

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks  # noqa: F401 - its import registers them
