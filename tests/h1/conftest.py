"""The ways in which bytes arrive, as a fixture."""

from __future__ import annotations

import pytest

from tests.arrivals import ARRIVALS, Arrival


@pytest.fixture(params=ARRIVALS, ids=lambda arrival: arrival.__name__)
def arrive(request: pytest.FixtureRequest) -> Arrival:
    """One way for the bytes of a case to arrive."""
    chosen: Arrival = request.param
    return chosen
