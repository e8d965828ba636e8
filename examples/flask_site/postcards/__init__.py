"""A Flask site that writes postcards. ``create_app`` is its factory: ``flask --app postcards prodserve``."""

import os

from flask import Flask

from . import pages, stamps


def create_app() -> Flask:
    """The site, with its two blueprints. Nothing is kept on the server: a card's text travels in its signed address."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=os.environ.get("SECRET_KEY", "for this example only: a real site reads it from its environment"),
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(stamps.blueprint)
    return app
