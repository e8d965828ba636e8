from types import SimpleNamespace

import pytest
from django.db import connection
from pytest_django import Settings

from django_prodserve.thread_reasons import database_reasons, driver_module, thread_reasons


@pytest.mark.parametrize(
    ("alias", "vendor", "driver", "reasons"),
    [
        ("default", "sqlite", "sqlite3.dbapi2", ["SQLite"]),
        ("reports", "sqlite", "sqlite3.dbapi2", ["SQLite (database reports)"]),
        ("default", "oracle", "oracledb", ["Oracle"]),
        ("default", "mysql", "MySQLdb", ["mysqlclient"]),
        ("default", "mysql", "pymysql", []),
        ("default", "mysql", "mysql.connector", ["MySQL Connector/Python"]),
        ("default", "postgresql", "psycopg", []),
        ("default", "postgresql", "psycopg2", []),
        ("default", "unknown", "", []),
    ],
)
def test_a_driver_that_blocks_is_a_reason_for_threads(alias: str, vendor: str, driver: str, reasons: list[str]) -> None:
    assert database_reasons([(alias, vendor, driver)]) == reasons


def test_the_driver_of_a_backend_is_known_by_its_module() -> None:
    assert driver_module(connection).startswith("sqlite3")
    backend = type("DatabaseWrapper", (), {"__module__": "mysql.connector.django.base"})
    assert driver_module(backend()) == "mysql.connector"
    assert driver_module(SimpleNamespace()) == ""


def test_a_project_on_sqlite_is_served_with_threads() -> None:
    assert thread_reasons() == ["SQLite"]


def test_async_views_are_found_below_includes_and_in_classes(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.django_prodserve.async_urls"
    assert thread_reasons() == ["SQLite", "async view tests.django_prodserve.async_urls.Board and 1 more"]


def test_middleware_is_a_reason_only_where_it_is_async_and_nothing_else(settings: Settings) -> None:
    settings.MIDDLEWARE = ["tests.django_prodserve.middleware.both", "tests.django_prodserve.middleware.async_only"]
    assert thread_reasons() == ["SQLite", "async-only middleware tests.django_prodserve.middleware.async_only"]
