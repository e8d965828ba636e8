"""What in a Django project blocks or breaks greenlets, as far as its settings and its URL map tell.

A driver written in C blocks every greenlet of the process while one query runs (and two greenlets that wait for one
another's row locks, for ever); async views start an event loop of their own in each request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.db import connections
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from prodserve.adapter import counted

BLOCKING_DRIVERS = {
    ("sqlite", ""): "SQLite",
    ("oracle", ""): "Oracle",
    ("mysql", "MySQLdb"): "mysqlclient",
    ("mysql", "mysql.connector"): "MySQL Connector/Python",
    ("microsoft", ""): "pyodbc",
}
"""(vendor, the driver's module or "" for any) to the name in a reason. PyMySQL in place of MySQLdb is no C code."""


def thread_reasons() -> list[str]:
    """All reasons; empty: nothing known speaks against greenlets. Imports the database drivers and the URL map."""
    databases = ((alias, connections[alias]) for alias in connections)
    drivers = ((alias, database.vendor, driver_module(database)) for alias, database in databases)
    middleware = ((path, import_string(path)) for path in settings.MIDDLEWARE)
    urls = get_resolver().url_patterns if hasattr(settings, "ROOT_URLCONF") else ()  # middleware may choose the map
    return [
        *database_reasons(drivers),
        *counted("async view", async_views(urls)),
        *(f"async-only middleware {path}" for path, loaded in middleware if not getattr(loaded, "sync_capable", True)),
    ]


def driver_module(database: object) -> str:
    """The name of the module that a backend speaks through (``MySQLdb``, ``pymysql``, ``psycopg``); may be empty."""
    driver = getattr(database, "Database", None)
    if driver is not None:
        return str(driver.__name__)
    return "mysql.connector" if type(database).__module__.startswith("mysql.connector.") else ""


def database_reasons(databases: Iterable[tuple[str, str, str]]) -> list[str]:
    """One reason for each database (alias, vendor, driver's module) whose driver blocks."""
    found = []
    for alias, vendor, driver in databases:
        name = BLOCKING_DRIVERS.get((vendor, "")) or BLOCKING_DRIVERS.get((vendor, driver))
        if name is not None:
            found.append(name if alias == "default" else f"{name} (database {alias})")
    return found


def async_views(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[str]:
    """The names of the views below these patterns that are coroutine functions."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from async_views(pattern.url_patterns)
        elif iscoroutinefunction(pattern.callback):
            yield pattern.lookup_str
