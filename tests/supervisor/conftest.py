"""What the tests of running servers share."""

from __future__ import annotations

import pytest

from tests.supervisor.project import APP


@pytest.fixture
def folder(tmp_path):
    """A project: wapp.py."""
    (tmp_path / "wapp.py").write_text(APP)
    return tmp_path
