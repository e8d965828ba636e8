"""Messages between supervisor and generation, and small things beside them."""

from __future__ import annotations

import os
import signal

import pytest
from prodserve.errors import ConfigError
from prodserve.supervisor.fleet import describe_status
from prodserve.supervisor.packets import LIMIT_BYTES, decode, encode
from prodserve.supervisor.pid_file import PidFile


@pytest.mark.parametrize("message", [{"do": "fork", "slot": 3}, {"event": "failed", "why": "größer\n\x00\udcff"}])
def test_a_message_arrives(message):
    assert decode(encode(message))["why" if "why" in message else "do"].startswith(("fork", "größer"))


@pytest.mark.parametrize("why", ["x" * 10**6, "\U0001f40d" * 10**6, "\x01" * 10**6])
def test_a_long_traceback_loses_its_middle_so_that_it_fits_a_packet(why):
    packet = encode({"event": "failed", "why": why + "ValueError: the end"})
    assert len(packet) <= LIMIT_BYTES
    assert decode(packet)["why"].endswith("ValueError: the end")


@pytest.mark.parametrize("packet", [b"", b"{", b"[]", b"3"])
def test_what_is_no_message_is_refused(packet):
    with pytest.raises(ValueError):
        decode(packet)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "ended with exit code 0"),
        (70 << 8, "ended with exit code 70"),
        (int(signal.SIGKILL), "was killed by SIGKILL"),
        (40, "was killed by signal 40"),
    ],
)
def test_the_end_of_a_process_is_told_in_words(status, text):
    assert describe_status(status) == text


def test_a_pid_file_holds_this_process_and_is_removed(tmp_path):
    path = tmp_path / "pid"
    with PidFile(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_a_pid_file_of_a_dead_server_is_taken_over(tmp_path):
    path = tmp_path / "pid"
    path.write_text("2147483646\n")
    with PidFile(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_pid_file_of_a_living_server_is_refused(tmp_path):
    path = tmp_path / "pid"
    path.write_text(f"{os.getppid()}\n")
    with pytest.raises(ConfigError, match=f"belongs to process {os.getppid()}"), PidFile(str(path)):
        pass
    assert path.read_text() == f"{os.getppid()}\n"


def test_a_pid_file_that_another_server_took_over_stays(tmp_path):
    path = tmp_path / "pid"
    with PidFile(str(path)):
        path.write_text("1\n")
    assert path.read_text() == "1\n"


def test_no_pid_file_is_written_unless_wanted():
    with PidFile(None) as file:
        assert file.path is None
