"""What in a Flask app blocks or breaks greenlets, as far as its configuration and its URL map tell.

A driver written in C blocks every greenlet of the process while one query runs; async views start an event loop of
their own in each request. Flask has no settings for databases: there are those of SQLAlchemy, and the drivers that the
app has imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import iscoroutinefunction
from itertools import chain
from typing import Any

from flask import Flask
from prodserve.adapter import counted

URL_KEYS = ("SQLALCHEMY_DATABASE_URI",)
URLS_KEYS = ("SQLALCHEMY_BINDS", "SQLALCHEMY_ENGINES")
DIALECTS = {
    "sqlite": "SQLite",
    "oracle": "Oracle",
    "mysql": "mysqlclient",
    "mysql+mysqldb": "mysqlclient",
    "mysql+mysqlconnector": "MySQL Connector/Python",
    "mariadb": "mysqlclient",
    "mariadb+mysqldb": "mysqlclient",
    "mariadb+mariadbconnector": "MariaDB Connector/Python",
    "mssql": "pyodbc",
    "mssql+pyodbc": "pyodbc",
}
"""Scheme of an SQLAlchemy URL to the driver that blocks; a dialect alone stands for its usual driver."""
ANY_DRIVER = ("sqlite", "oracle")
"""Dialects all of whose drivers block."""
MODULES = {
    "sqlite3": "SQLite",
    "MySQLdb": "mysqlclient",
    "cx_Oracle": "Oracle",
    "oracledb": "Oracle",
    "pyodbc": "pyodbc",
    "grpc": "gRPC",
}
"""Modules that are there because the app imported them."""


def thread_reasons(app: Flask) -> list[str]:
    """All reasons; empty: nothing known speaks against greenlets."""
    names = [name for url in database_urls(app.config) if (name := driver_of(url)) is not None]
    names += [name for module, name in MODULES.items() if _is_loaded(module)]
    return [*dict.fromkeys(names), *counted("async view", async_functions(app))]


def database_urls(config: Mapping[str, Any]) -> Iterator[str]:
    """Every database URL in the configuration, as text; engines may be given as URLs, as dictionaries or as objects."""
    found = [config.get(key) for key in URL_KEYS]
    found += [url for key in URLS_KEYS for url in (config.get(key) or {}).values()]
    for url in found:
        whole = url.get("url") if isinstance(url, Mapping) else url
        if whole:
            yield str(whole)


def driver_of(url: str) -> str | None:
    """The blocking driver that an SQLAlchemy URL asks for; ``None``: it asks for none that is known to block."""
    scheme = url.partition(":")[0].lower()
    dialect = scheme.partition("+")[0]
    return DIALECTS.get(dialect if dialect in ANY_DRIVER else scheme)


def async_functions(app: Flask) -> Iterator[str]:
    """The names of the views, and of what runs before and after them, that are coroutine functions."""
    hooks: list[list[Callable[..., Any]]] = [*app.before_request_funcs.values(), *app.after_request_funcs.values()]
    for function in (*app.view_functions.values(), *chain.from_iterable(hooks)):
        view_class = getattr(function, "view_class", None)
        methods = [getattr(view_class, name.lower(), None) for name in getattr(view_class, "methods", None) or ()]
        for one in (function, getattr(view_class, "dispatch_request", None), *methods):
            if iscoroutinefunction(one):
                yield f"{one.__module__}.{one.__qualname__}"


def _is_loaded(module: str) -> bool:
    """Whether it is loaded under its own name: PyMySQL takes the place of MySQLdb where the app asks for that."""
    return getattr(sys.modules.get(module), "__name__", None) == module
