"""Which static folders of a Flask app the server may answer by itself, and which it must leave to the app.

The server takes a folder only where Flask's own view would do nothing but send the file. As soon as the app changed
that view, or runs something before or after every request (a login wall, headers), its answer is its own; unless the
server is asked to take it all the same, which it can where the URLs are those of one folder and of nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask
from prodserve.adapter import StaticRoot
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule

from .wrapping import layers

FILE_NAME = "<path:filename>"
DISPATCH = ("wsgi_app", "full_dispatch_request", "preprocess_request", "dispatch_request", "process_response")
"""Methods of Flask through which every request goes."""
SENDING = ("send_static_file", "get_send_file_max_age")


@dataclass(frozen=True)
class Survey:
    """The static folders of an app."""

    roots: tuple[StaticRoot, ...]
    left: tuple[Left, ...]


@dataclass(frozen=True)
class Left:
    """A URL prefix that is left to the app."""

    prefix: str
    why: str
    firm: bool
    """Also where the server is asked to take it."""


def survey(app: Flask, asked: bool = False) -> Survey:
    """Look at every static rule of ``app``. ``asked``: a folder is left to it for firm reasons only."""
    roots, left = [], []
    max_age_s = max_age(app.config["SEND_FILE_MAX_AGE_DEFAULT"])
    general = next(reasons_for_all(app), None)
    for rule in app.url_map.iter_rules():
        owner = _owner(app, rule)
        if owner is None or not (owner.static_folder and os.path.isdir(owner.static_folder)):
            continue
        prefix = rule.rule.removesuffix(FILE_NAME)
        firm = next(reasons_in_url(rule), None)
        why = firm or (None if asked else general or next(reasons_for_one(app, rule, owner), None))
        if why is not None:
            left.append(Left(prefix, why, firm is not None))
            continue
        source = "static folder" if owner is app else f"blueprint {owner.name}"
        roots.append(StaticRoot(prefix, directory=owner.static_folder, max_age_s=max_age_s, source=source))
    return Survey(tuple(roots), tuple(left))


def max_age(configured: timedelta | int | None) -> int | None:
    """SEND_FILE_MAX_AGE_DEFAULT in seconds; ``None``: revalidate each time."""
    return int(configured.total_seconds()) if isinstance(configured, timedelta) else configured


def reasons_for_all(app: Flask) -> Iterator[str]:
    """What lets the app answer every request in its own way."""
    for name in DISPATCH:
        if (name != "wsgi_app" and name in vars(app)) or getattr(type(app), name) is not getattr(Flask, name):
            yield f"the app has its own {name}"
    for layer in layers(app):
        if not isinstance(layer, ProxyFix):
            yield f"{type(layer).__name__} is around the app"
    yield from _hooks(app, None)


def reasons_in_url(rule: Rule) -> Iterator[str]:
    """Why a prefix can't stand for a folder."""
    if rule.host or rule.subdomain:
        yield "they belong to one host name"
    if not rule.rule.endswith("/" + FILE_NAME) or rule.arguments != {"filename"}:
        yield f"their URL is not a plain prefix ({rule.rule})"
    if rule.rule == "/" + FILE_NAME:
        yield "they share their URLs with the pages"


def reasons_for_one(app: Flask, rule: Rule, owner: Flask | Blueprint) -> Iterator[str]:
    """What lets the app answer one static rule in its own way."""
    for name in SENDING:
        framework = Flask if isinstance(owner, Flask) else Blueprint
        if name in vars(owner) or getattr(type(owner), name) is not getattr(framework, name):
            yield f"{_called(owner)} has its own {name}"
    if not _is_flask_view(app.view_functions[rule.endpoint], owner):
        yield f"the endpoint {rule.endpoint} has a view of its own"
    blueprints = rule.endpoint.split(".")[:-1]
    for depth in range(len(blueprints)):
        yield from _hooks(app, ".".join(blueprints[: depth + 1]))


def _owner(app: Flask, rule: Rule) -> Flask | Blueprint | None:
    """The app or the blueprint whose static folder a rule is for."""
    if rule.endpoint == "static":
        return app
    blueprint, dot, endpoint = rule.endpoint.rpartition(".")
    return app.blueprints.get(blueprint) if dot and endpoint == "static" else None  # type: ignore[return-value]


def _is_flask_view(view: Callable[..., Any], owner: Flask | Blueprint) -> bool:
    """Flask registers a lambda for the app, and the bound method for a blueprint."""
    if isinstance(owner, Flask):
        return view.__module__ == "flask.app" and view.__name__ == "<lambda>"
    return getattr(view, "__func__", None) is Blueprint.send_static_file


def _hooks(app: Flask, scope: str | None) -> Iterator[str]:
    where = "every request" if scope is None else f"every request of {scope}"
    for when, hooks in (("before", app.before_request_funcs), ("after", app.after_request_funcs)):
        for function in hooks.get(scope, ()):
            yield f"{getattr(function, '__name__', repr(function))} runs {when} {where}"


def _called(owner: Flask | Blueprint) -> str:
    return "the app" if isinstance(owner, Flask) else f"blueprint {owner.name}"
