"""How the end of a response is told: one table for all."""

from __future__ import annotations

import pytest
from prodserve.http.framing import Framing, bodiless, response_framing

EMPTY, LENGTH, CHUNKED, CLOSE = Framing.EMPTY, Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE

FRAMINGS: list[tuple[str, int, int | None, int, Framing]] = [
    ("GET", 200, 5, 1, LENGTH),
    ("GET", 200, 0, 1, LENGTH),
    ("GET", 200, None, 1, CHUNKED),
    ("GET", 200, 5, 0, LENGTH),
    ("GET", 200, None, 0, CLOSE),
    ("POST", 201, None, 1, CHUNKED),
    ("GET", 404, 5, 1, LENGTH),
    ("GET", 500, None, 0, CLOSE),
    ("GET", 205, 0, 1, LENGTH),
    ("HEAD", 200, 5, 1, EMPTY),
    ("HEAD", 200, None, 1, EMPTY),
    ("HEAD", 200, None, 0, EMPTY),
    ("HEAD", 404, 5, 1, EMPTY),
    ("GET", 204, None, 1, EMPTY),
    ("GET", 204, 5, 1, EMPTY),
    ("GET", 304, None, 1, EMPTY),
    ("GET", 304, 5, 0, EMPTY),
    ("GET", 101, None, 1, EMPTY),
    ("OPTIONS", 200, None, 1, CHUNKED),
]


@pytest.mark.parametrize(("method", "status", "length", "minor", "framing"), FRAMINGS)
def test_a_response_is_framed_by_what_is_known_of_it(
    method: str, status: int, length: int | None, minor: int, framing: Framing
) -> None:
    assert response_framing(method, status, length, minor) is framing


@pytest.mark.parametrize("status", [100, 101, 199, 204, 304])
def test_some_statuses_never_have_a_body(status: int) -> None:
    assert bodiless("GET", status) and bodiless("HEAD", status)


@pytest.mark.parametrize("status", [200, 203, 205, 206, 301, 303, 305, 400, 404, 500])
def test_all_others_have_one_but_to_head(status: int) -> None:
    assert not bodiless("GET", status) and not bodiless("POST", status)
    assert bodiless("HEAD", status)
