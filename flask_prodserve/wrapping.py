"""The WSGI middleware around a Flask app: ``app.wsgi_app = ProxyFix(app.wsgi_app)`` and the like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask

INNER = ("app", "wsgi_app", "application", "_app")
"""Attributes in which middleware keeps what it wraps."""


def layers(app: Flask) -> Iterator[Any]:
    """What stands around the app, from the outside in; the app's own ``wsgi_app`` is not one of them."""
    layer: Any = app.wsgi_app
    seen = {id(app)}
    while getattr(layer, "__self__", None) is not app and id(layer) not in seen:
        seen.add(id(layer))
        yield layer
        layer = next((getattr(layer, name) for name in INNER if hasattr(layer, name)), layer)
