"""The third adapter: any WSGI app, named as ``package.module:app``. It leaves static files and settings to the app."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

from ..adapter import Advice, AppPaths, Facts, StaticRoot, WSGIApp
from .target import find, parse_target

BLOCKING = {
    "sqlite3": "SQLite",
    "apsw": "SQLite (apsw)",
    "duckdb": "DuckDB",
    "MySQLdb": "mysqlclient",
    "_mysql_connector": "the C extension of MySQL Connector",
    "cx_Oracle": "Oracle (cx_Oracle)",
    "oracledb": "Oracle (oracledb)",
    "pyodbc": "pyodbc",
    "pymssql": "pymssql",
    "ibm_db": "ibm_db",
    "grpc": "gRPC",
}
"""Modules whose calls block the event loop, or hang, under greenlets (design/hazards.md 2): C code without a hook."""

COMMANDS = {"django": "python manage.py prodserve", "flask": "flask prodserve"}
"""Frameworks, by the package that an app's class comes from, whose own command can do more for them."""


class ModuleAdapter:
    """Adapter of one app, named by its text; the current folder is importable, as with ``python -m``."""

    def __init__(self, target: str) -> None:
        self._target = parse_target(target)
        self._app: WSGIApp | None = None

    def settings(self) -> Mapping[str, object]:
        """None: the command line and variables say everything."""
        return {}

    def debug(self) -> bool:
        """Whether the app has an attribute ``debug`` that is true, as Flask has it, or its Django project says so."""
        return getattr(self.load(), "debug", False) is True or django_debug(sys.modules)

    def thread_reasons(self) -> Sequence[str]:
        """What the app's import pulled in."""
        self.load()
        return tuple(blocking(sys.modules))

    def facts(self) -> Facts:
        """The name, the file of the module, and the command that its framework has for it."""
        module = sys.modules.get(self._target.module)
        file = getattr(module, "__file__", None)
        lines = (("module", str(file)),) if file else ()
        return Facts("WSGI", str(self._target), lines, tuple(self._advice()))

    def _advice(self) -> Iterator[Advice]:
        package = type(self._app).__module__.partition(".")[0]
        if package in COMMANDS:
            what = f"this is a {package.capitalize()} app: its own command also serves its static files"
            yield Advice(what, COMMANDS[package])

    def load(self) -> WSGIApp:
        """Import the app, once."""
        if self._app is None:
            here = os.getcwd()
            if here not in sys.path and "" not in sys.path:
                sys.path.insert(0, here)
            self._app = find(self._target)
        return self._app

    def static_roots(self, asked: bool) -> Sequence[StaticRoot]:
        """None but those of ``--static``."""
        return ()

    def media_roots(self) -> Sequence[StaticRoot]:
        """None but those of ``--media``."""
        return ()

    def paths(self) -> AppPaths | None:
        """Nothing is known of its URLs."""
        return None

    def file_advice(self, static: str, media: bool) -> Sequence[Advice]:
        """Nothing is known of its files."""
        return ()

    def check(self) -> Sequence[str]:
        """An app has no checks."""
        return ()

    def host(self) -> str:
        """Any will do."""
        return "localhost"

    def errors(self) -> AbstractContextManager[list[BaseException]]:
        """An app's exceptions reach the server."""
        return nullcontext([])

    def before_fork(self) -> None:
        """Nothing of the app is known that could be closed."""

    def worker_started(self) -> None:
        """Nothing to renew."""

    def slot_idle(self) -> None:
        """Nothing to close."""

    def slot_interrupted(self) -> None:
        """Nothing to close."""

    def worker_stopping(self) -> None:
        """Nothing to close."""


def django_debug(modules: Mapping[str, ModuleType]) -> bool:
    """Whether a Django project was set up by the app's import, and is in debug mode. Nothing is imported for it."""
    settings: Any = getattr(modules.get("django.conf"), "settings", None)
    return bool(getattr(settings, "configured", False) and settings.DEBUG)


def blocking(modules: Mapping[str, ModuleType]) -> Iterator[str]:
    """The names of what is imported and blocks greenlets. PyMySQL under the name of MySQLdb is harmless."""
    for name, what in BLOCKING.items():
        module = modules.get(name)
        if module is not None and (name != "MySQLdb" or module.__name__ == "MySQLdb"):
            yield what
