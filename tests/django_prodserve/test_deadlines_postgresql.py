"""Django on PostgreSQL: a request that is interrupted in the middle of a query harms no other one.

Connections are persistent and there is one slot, so the next request would meet whatever the interrupted one has left.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.postgresql import postgresql
from tests.server import Server, free_port, running

pytest.importorskip("psycopg", reason="psycopg is not installed")

SITE = """
import os
import sys

import django.db
import prodserve
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connection, transaction
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django_prodserve"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
        "USER": "test", "NAME": "postgres", "CONN_MAX_AGE": None,
    }},
    PRODSERVE={"WORKERS": 1, "SLOTS": 1, "TIMEOUT": 0.5, "TIMEOUT_FOR": {"/patient/": 30}},
)


def ask(query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchone() if cursor.description else None


def autocommit(request):
    ask("SELECT pg_sleep(%s)", float(request.GET["s"]))
    return HttpResponse("done")


def atomic(request):
    with transaction.atomic():
        ask("INSERT INTO notes VALUES (%s)", request.GET["note"])
        return autocommit(request)


@prodserve.deadline(30)
def decorated(request):
    return autocommit(request)


def notes(request):
    ask("CREATE TABLE IF NOT EXISTS notes (note text)")
    return HttpResponse(str(ask("SELECT coalesce(string_agg(note, ' '), '') FROM notes")[0]))


def innocent(request):
    return HttpResponse(str(ask("SELECT %s::int", 7)[0]) + " " + str(ask("SELECT pg_backend_pid()")[0]))


urlpatterns = [
    path("autocommit", autocommit), path("patient/autocommit", autocommit), path("decorated", decorated),
    path("atomic", atomic), path("", notes), path("innocent", innocent),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Mapping[str, str]]:
    with postgresql() as address:
        yield address


@pytest.fixture(scope="module", params=["greenlets", "threads"])
def site(
    request: pytest.FixtureRequest, database: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    """The site and the model in which it is served."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "site_with_views.py").write_text(SITE)
    port = free_port()
    command = [sys.executable, "site_with_views.py", "prodserve", f"127.0.0.1:{port}", "--worker-model", request.param]
    with running(command, port, cwd=folder, env=database) as server:
        yield server, request.param


def get(server: Server, path: str) -> tuple[int, float, str]:
    """Status, seconds and text of an answer."""
    begun = time.monotonic()
    reply = httpx.get(server.url + path, timeout=30, trust_env=False)
    return reply.status_code, time.monotonic() - begun, reply.text


@pytest.mark.parametrize("target", ["/autocommit?s=1.5", "/atomic?s=1.5&note=lost"])
def test_the_next_requests_on_the_slot_of_an_interrupted_query_are_unharmed(
    site: tuple[Server, str], target: str
) -> None:
    server, _ = site
    assert get(server, "/innocent")[0] == 200
    for _ in range(3):
        status, took_s, _ = get(server, target)
        assert status == 503
        assert took_s < 2
        for _ in range(3):
            status, _, text = get(server, "/innocent")
            assert (status, text.split()[0]) == (200, "7")
    assert 'ask("SELECT pg_sleep(%s)", float(request.GET["s"]))' in server.log()


def test_a_transaction_that_is_interrupted_is_rolled_back(site: tuple[Server, str]) -> None:
    server, model = site
    assert get(server, "/")[0] == 200
    assert get(server, f"/atomic?s=1.2&note={model}-late")[0] == 503
    assert get(server, f"/atomic?s=0&note={model}-early")[0] == 200
    notes = get(server, "/")[2].split()
    assert f"{model}-early" in notes
    assert (f"{model}-late" in notes) == (model == "threads"), "a thread can't be interrupted: it ends what it began"


def test_a_query_that_was_interrupted_does_not_answer_another_one(site: tuple[Server, str]) -> None:
    server, _ = site
    targets = ["/autocommit?s=0.9", "/innocent"] * 4
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda target: get(server, target), targets))
    for target, (status, _, text) in zip(targets, replies, strict=True):
        assert status == (200 if target == "/innocent" else 503)
        assert target != "/innocent" or text.split()[0] == "7"


@pytest.mark.parametrize("target", ["/patient/autocommit?s=1.2", "/decorated?s=1.2"])
def test_views_and_prefixes_have_longer_deadlines(site: tuple[Server, str], target: str) -> None:
    assert get(site[0], target)[0] == 200
