"""The traceback of an application's exception, without the server's frames."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from traceback import FrameSummary

import pytest
from prodserve.cli.target import find, parse_target
from prodserve.observe.tracebacks import app_traceback, trim

OURS, LIBRARY, USER = "/site/prodserve/worker/generation.py", "/lib/django/wsgi.py", "/srv/site/views.py"
FROZEN = "<frozen importlib._bootstrap>"

STACKS = [
    ([], []),
    ([OURS, USER], [USER]),
    ([OURS, LIBRARY, FROZEN, USER, LIBRARY], [USER, LIBRARY]),
    ([OURS, USER, OURS, FROZEN, USER], [USER, USER]),
    ([OURS, LIBRARY, LIBRARY], [LIBRARY, LIBRARY]),
    ([OURS, FROZEN], []),
]


@pytest.mark.parametrize(("files", "kept"), STACKS)
def test_frames_begin_with_the_users_and_ours_are_never_shown(files: list[str], kept: list[str]) -> None:
    frames = [FrameSummary(file, 1, "f", lookup_line=False) for file in files]
    left = trim(frames, lambda name: name == OURS, lambda name: name == LIBRARY)
    assert [frame.filename for frame in left] == kept


@pytest.fixture
def load_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The text for an app that fails while it is imported, as the server imports it."""
    (tmp_path / "broken_app.py").write_text(request.param)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    try:
        find(parse_target("broken_app:app"))
    except Exception as error:  # any: it is what the test is about
        assert error.__traceback__ is not None
        return app_traceback(error.with_traceback(error.__traceback__.tb_next))  # without this fixture's own frame
    finally:
        sys.modules.pop("broken_app", None)
    raise AssertionError("the app could be loaded")


@pytest.mark.parametrize("load_failure", ["import json\n\njson.loads('{')\n"], indirect=True)
def test_a_failing_import_shows_the_apps_line_first(load_failure: str) -> None:
    lines = load_failure.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "broken_app.py" in lines[1]
    assert "line 3" in lines[1]
    assert lines[-1].startswith("json.decoder.JSONDecodeError")
    assert "prodserve" not in load_failure
    assert "importlib" not in load_failure


@pytest.mark.parametrize("load_failure", ["def app(:\n"], indirect=True)
def test_a_syntax_error_needs_no_frames(load_failure: str) -> None:
    assert "broken_app.py" in load_failure.splitlines()[0]
    assert "SyntaxError" in load_failure
    assert "Traceback" not in load_failure


CHAIN = "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise RuntimeError('no app') from error\n"


@pytest.mark.parametrize("load_failure", [CHAIN], indirect=True)
def test_the_cause_is_shown_in_the_same_way(load_failure: str) -> None:
    assert load_failure.index("ZeroDivisionError") < load_failure.index("direct cause") < load_failure.index("no app")
    assert load_failure.count("broken_app.py") == 2
