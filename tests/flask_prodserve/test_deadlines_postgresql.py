"""Flask and SQLAlchemy on PostgreSQL: a request that is interrupted in the middle of a query harms no other one.

The pool has one connection, so the next request would meet whatever the interrupted one has left.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.postgresql import postgresql
from tests.server import Server, free_port, running

pytest.importorskip("psycopg", reason="psycopg is not installed")
pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

SITE = """
import os

import flask
from sqlalchemy import create_engine, text

app = flask.Flask(__name__)
app.config["PRODSERVE"] = {"WORKERS": 1, "SLOTS": 2, "TIMEOUT": 0.5, "TIMEOUT_FOR": {"/innocent": 30}}
address = f"test@127.0.0.1:{os.environ['PGPORT']}/postgres"
engine = create_engine(f"postgresql+psycopg://{address}", pool_size=1, max_overflow=0, pool_timeout=10)


@app.route("/sleep")
def sleep():
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(1.2)"))
    return "done"


@app.route("/innocent")
def innocent():
    with engine.begin() as connection:
        return str(connection.execute(text("SELECT 7")).scalar_one())
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Mapping[str, str]]:
    with postgresql() as address:
        yield address


@pytest.fixture(scope="module", params=["greenlets", "threads"])
def site(
    request: pytest.FixtureRequest, database: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "site_with_database.py").write_text(SITE)
    flask = str(Path(sys.executable).with_name("flask"))
    port = free_port()
    command = [flask, "--app", "site_with_database", "prodserve", str(port), "--worker-model", request.param]
    with running(command, port, cwd=folder, env=database) as server:
        yield server


def test_the_next_requests_on_the_connection_of_an_interrupted_query_are_unharmed(site: Server) -> None:
    for _ in range(3):
        assert httpx.get(site.url + "/sleep", timeout=20, trust_env=False).status_code == 503
        replies = [httpx.get(site.url + "/innocent", timeout=20, trust_env=False) for _ in range(3)]
        assert {(reply.status_code, reply.text) for reply in replies} == {(200, "7")}
