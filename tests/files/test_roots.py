"""``--static /url=/dir``."""

from __future__ import annotations

from pathlib import Path

import pytest
from prodserve.errors import ConfigError
from prodserve.files.roots import extra_roots


def test_a_root_is_a_url_and_a_directory(tmp_path: Path) -> None:
    one, two = extra_roots([f"/files={tmp_path}", f"/a/b/={tmp_path}"])
    assert (one.url_prefix, one.directory, one.index, one.source) == ("/files/", str(tmp_path), True, "--static")
    assert two.url_prefix == "/a/b/"


def test_a_relative_directory_means_where_the_server_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert extra_roots(["/=x"])[0].directory == str(tmp_path / "x")


def test_a_directory_may_contain_an_equals_sign(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    assert extra_roots([f"/x={tmp_path}/a=b"])[0].directory == f"{tmp_path}/a=b"


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        extra_roots([f"files={tmp_path}", "/x", "/y=", f"/z={tmp_path}/absent", f"/ok={tmp_path}"])
    assert [problem.where for problem in raised.value.problems] == [
        f"--static files={tmp_path}",
        "--static /x",
        "--static /y=",
        f"--static /z={tmp_path}/absent",
    ]
