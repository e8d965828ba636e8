import sys
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView

from flask_prodserve.thread_reasons import MODULES, database_urls, driver_of, thread_reasons


@pytest.fixture(autouse=True)
def nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers that other tests imported are no reason here."""
    for module in MODULES:
        monkeypatch.delitem(sys.modules, module, raising=False)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///site.db", "SQLite"),
        ("sqlite+pysqlite:///:memory:", "SQLite"),
        ("SQLITE://", "SQLite"),
        ("mysql://u:p@db/shop", "mysqlclient"),
        ("mysql+mysqldb://u:p@db/shop", "mysqlclient"),
        ("mysql+pymysql://u:p@db/shop", None),
        ("mariadb+mariadbconnector://db/shop", "MariaDB Connector/Python"),
        ("oracle+oracledb://db", "Oracle"),
        ("mssql+pyodbc://db", "pyodbc"),
        ("postgresql://db/shop", None),
        ("postgresql+psycopg://db/shop", None),
        ("", None),
    ],
)
def test_an_sqlalchemy_url_tells_whether_its_driver_blocks(url: str, driver: str | None) -> None:
    assert driver_of(url) == driver


@pytest.mark.parametrize(
    ("config", "urls"),
    [
        ({}, []),
        ({"SQLALCHEMY_DATABASE_URI": None, "SQLALCHEMY_BINDS": None}, []),
        ({"SQLALCHEMY_DATABASE_URI": "sqlite://"}, ["sqlite://"]),
        (
            {"SQLALCHEMY_BINDS": {"a": "oracle://a", "b": {"url": "mysql://b", "echo": True}}},
            ["oracle://a", "mysql://b"],
        ),
        ({"SQLALCHEMY_ENGINES": {"default": "sqlite://"}}, ["sqlite://"]),
    ],
)
def test_database_urls_are_found_in_every_form(config: dict[str, Any], urls: list[str]) -> None:
    assert list(database_urls(config)) == urls


def test_a_plain_app_has_no_reason_for_threads() -> None:
    assert thread_reasons(Flask("tests")) == []


def test_a_driver_that_the_app_imported_is_a_reason_once(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Flask("tests")
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    monkeypatch.setitem(sys.modules, "sqlite3", ModuleType("sqlite3"))
    monkeypatch.setitem(sys.modules, "grpc", ModuleType("grpc"))
    assert thread_reasons(app) == ["SQLite", "gRPC"]


def test_pymysql_in_the_place_of_mysqldb_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", ModuleType("pymysql"))
    assert thread_reasons(Flask("tests")) == []


async def feed() -> str:
    return "feed"


class Board(MethodView):
    async def get(self) -> str:
        return "board"


def test_async_views_and_hooks_are_found() -> None:
    app = Flask("tests")
    app.add_url_rule("/feed", view_func=feed)
    app.add_url_rule("/board", view_func=Board.as_view("board"))
    assert thread_reasons(app) == ["async view tests.flask_prodserve.test_thread_reasons.Board.get and 1 more"]
    hooked = Flask("tests")
    hooked.before_request(feed)  # type: ignore[type-var]
    assert thread_reasons(hooked) == ["async view tests.flask_prodserve.test_thread_reasons.feed"]
