"""The PID file: whose it is, and what a dead server's file means."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from prodserve.errors import ConfigError
from prodserve.supervisor.pid_file import PidFile, looks_like_server

from tests.server import wait_until


@pytest.fixture
def sleeper():
    """A process that is no server."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_it_holds_this_process_and_is_removed_at_the_end(tmp_path):
    path = tmp_path / "pid"
    with PidFile(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"
        assert [one.name for one in tmp_path.iterdir()] == ["pid"]
    assert not path.exists()


@pytest.mark.parametrize("left", ["", "no number", "999999999", "-5"])
def test_what_a_dead_server_left_behind_is_replaced(tmp_path, left):
    path = tmp_path / "pid"
    path.write_text(left)
    with PidFile(str(path)):
        assert int(path.read_text()) == os.getpid()


def test_a_number_that_belongs_to_another_program_now_is_replaced(tmp_path, sleeper):
    path = tmp_path / "pid"
    path.write_text(str(sleeper.pid))
    with PidFile(str(path)):
        assert int(path.read_text()) == os.getpid()


def test_a_server_that_runs_is_named(tmp_path):
    path = tmp_path / "pid"
    with subprocess.Popen(["sh", "-c", "read _; : prodserve"], stdin=subprocess.PIPE) as other:
        path.write_text(str(other.pid))
        wait_until(Path(f"/proc/{other.pid}/cmdline").read_bytes)  # empty for a moment while it is executed
        with pytest.raises(ConfigError, match=rf"belongs to process {other.pid}, which runs\n +fix: kill {other.pid}"):
            PidFile(str(path)).__enter__()
        assert int(path.read_text()) == other.pid
        other.communicate()


def test_a_file_that_another_server_has_taken_since_stays(tmp_path):
    path = tmp_path / "pid"
    with PidFile(str(path)):
        path.write_text("1\n")
    assert path.read_text() == "1\n"


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious").write_text("data")
    (tmp_path / "pid").symlink_to("precious")
    with PidFile(str(tmp_path / "pid")):
        assert (tmp_path / "precious").read_text() == "data"


def test_a_file_that_can_not_be_written_is_named_with_a_way_out(tmp_path):
    with pytest.raises(ConfigError, match=r"can't write .*: No such file or directory\n +fix: name one in a folder"):
        PidFile(str(tmp_path / "absent" / "pid")).__enter__()


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        (b"prodserve: supervisor (python manage.py prodserve)\0\0", True),
        (b"/usr/bin/python\0manage.py\0prodserve\0", True),
        (b"nginx: master process\0", False),
        (b"", False),
        (None, True),
    ],
)
def test_a_server_is_known_by_its_command(command, is_one):
    assert looks_like_server(command) is is_one


def test_no_file_is_written_unless_one_is_wanted():
    with PidFile(None) as file:
        assert file.path is None
