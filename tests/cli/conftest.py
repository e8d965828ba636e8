"""What the tests of running servers share."""

from __future__ import annotations

from tests.supervisor.conftest import folder

__all__ = ["folder"]
