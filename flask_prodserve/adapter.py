"""Flask behind the contract of ``prodserve.adapter``. The app is the one that Flask's own command line finds.

Settings, debug mode and everything else are the app's, so all of it begins with loading the app: once a process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, cast

from flask import Flask, got_request_exception
from flask.cli import NoAppException, ScriptInfo
from prodserve.adapter import Advice, AppPaths, Facts, StaticRoot, WSGIApp
from prodserve.errors import ConfigError, Problem
from werkzeug.debug import DebuggedApplication

from .extension import CONFIG_KEY
from .static_roots import Left, survey
from .thread_reasons import thread_reasons
from .url_map import app_paths
from .wrapping import layers


class FlaskAdapter:
    """The app that ``--app``, FLASK_APP, ``wsgi.py`` or ``app.py`` name: an object or what a factory returns."""

    def __init__(self, info: ScriptInfo) -> None:
        self._info = info

    def settings(self) -> Mapping[str, object]:
        """``app.config["PRODSERVE"]``."""
        return cast("Mapping[str, object]", self._app().config.get(CONFIG_KEY, {}))

    def debug(self) -> bool:
        """``--debug``, FLASK_DEBUG, ``app.debug``; or the app brings Werkzeug's debugger along."""
        app = self._app()
        return app.debug or any(isinstance(layer, DebuggedApplication) for layer in layers(app))

    def thread_reasons(self) -> Sequence[str]:
        """SQLite, mysqlclient, Oracle, async views and the like."""
        return thread_reasons(self._app())

    def facts(self) -> Facts:
        """Version and app."""
        app = self._app()
        return Facts(
            framework=f"Flask {version('flask')}",
            app=self._info.app_import_path or app.import_name,
        )

    def load(self) -> WSGIApp:
        """The app."""
        return cast(WSGIApp, self._app())

    def static_roots(self, asked: bool) -> Sequence[StaticRoot]:
        """The static folders of the app and its blueprints: those that Flask would serve in its usual way, or all."""
        return survey(self._app(), asked).roots

    def media_roots(self) -> Sequence[StaticRoot]:
        """None: Flask has no folder of uploads. ``--media`` names one."""
        return ()

    def paths(self) -> AppPaths | None:
        """The app's rules."""
        return app_paths(rule.rule for rule in self._app().url_map.iter_rules())

    def file_advice(self, static: str, media: bool) -> Sequence[Advice]:
        """The static folders that are left to the app, and why."""
        if static == "never":
            return ()
        return tuple(map(_left_advice, survey(self._app(), static == "always").left))

    def check(self) -> Sequence[str]:
        """Flask has no checks."""
        return ()

    def host(self) -> str:
        """SERVER_NAME, or the first of TRUSTED_HOSTS."""
        config = self._app().config
        names = [config.get("SERVER_NAME") or "", *(config.get("TRUSTED_HOSTS") or ())]
        return next((name for name in (name.lstrip(".") for name in names) if name), "localhost")

    @contextmanager
    def errors(self) -> Iterator[list[BaseException]]:
        """What Flask turns into its page for status 500."""
        found: list[BaseException] = []

        def note(sender: object, exception: BaseException, **_: object) -> None:
            found.append(exception)

        with got_request_exception.connected_to(note, self._app()):
            yield found

    def before_fork(self) -> None:
        """Close the connections that SQLAlchemy keeps."""
        _dispose(self._app())

    def worker_started(self) -> None:
        """Close what was opened since."""
        _dispose(self._app())

    def slot_idle(self) -> None:
        """Nothing to do: a Flask app keeps its connections in pools, not on slots."""

    def slot_interrupted(self) -> None:
        """Nothing to do: the teardown of the request gave its connections back."""

    def worker_stopping(self) -> None:
        """Close the connections that SQLAlchemy keeps."""
        _dispose(self._app())

    def _app(self) -> Flask:
        try:
            return self._info.load_app()
        except NoAppException as error:
            raise ConfigError([Problem("--app", error.message)]) from error


def _left_advice(left: Left) -> Advice:
    what = f"{left.prefix}: the app serves these static files itself: {left.why}"
    return Advice(
        what, "" if left.firm else "--serve-static always, if the server is to send them to everybody as they are"
    )


def _dispose(app: Flask) -> None:
    """Close the pools of Flask-SQLAlchemy, where it is in use: two processes must not share a connection."""
    database: Any = app.extensions.get("sqlalchemy")
    if not hasattr(database, "engines"):
        return
    with app.app_context():
        for engine in database.engines.values():
            engine.dispose()
