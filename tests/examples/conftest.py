"""The example sites, served once for all tests that only look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import Server

from .sites import browser, copy_of, prepared_django_site, serving_django, serving_flask

MODELS = ("threads", "greenlets")


@pytest.fixture(scope="session")
def django_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared Django site."""
    return prepared_django_site(tmp_path_factory.mktemp("django"))


@pytest.fixture(scope="session", params=MODELS)
def django_site(request: pytest.FixtureRequest, django_folder: Path) -> Iterator[Server]:
    """The Django site with two workers, in each execution model."""
    with serving_django(django_folder, "--workers", "2", "--worker-model", request.param) as server:
        yield server


@pytest.fixture(scope="session", params=MODELS)
def flask_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The Flask site with two workers, in each execution model."""
    site = copy_of("flask_site", tmp_path_factory.mktemp("flask"))
    with serving_flask(site, ["--app", "postcards"], "--workers", "2", "--worker-model", request.param) as server:
        yield server


@pytest.fixture
def django_client(django_site: Server) -> Iterator[httpx.Client]:
    """A client of it."""
    with browser(django_site) as client:
        yield client


@pytest.fixture
def flask_client(flask_site: Server) -> Iterator[httpx.Client]:
    """A client of it."""
    with browser(flask_site) as client:
        yield client
