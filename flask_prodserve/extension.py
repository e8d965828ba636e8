"""The extension object. The command works without it; it gives an app a place for its settings of the server."""

from __future__ import annotations

from flask import Flask

EXTENSION = "prodserve"
CONFIG_KEY = "PRODSERVE"


class ProdServe:
    """``ProdServe(app, WORKERS=2)``, or ``init_app(app)`` where a factory makes the app.

    Settings given here are defaults for ``app.config["PRODSERVE"]``: what stands there already stays.
    """

    def __init__(self, app: Flask | None = None, **settings: object) -> None:
        self.settings = settings
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Register with an app, as ``app.extensions["prodserve"]``."""
        app.config[CONFIG_KEY] = {**self.settings, **app.config.get(CONFIG_KEY, {})}
        app.extensions[EXTENSION] = self
