"""The control socket: private, never blocking, gone when the server is."""

from __future__ import annotations

import json
import os
import resource
import selectors
import socket
import stat

import pytest
from prodserve.observe.log import Log
from prodserve.supervisor import control
from prodserve.supervisor.control import LINE_BYTES, MOST_CALLERS, Control


class World:
    """A control socket in a folder of its own, and the turns of a supervisor's loop."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.kept: list[control.Caller] = []
        commands = {
            "echo": lambda request, caller: caller.say(request, last=True),
            "keep": lambda request, caller: self.kept.append(caller),
        }
        self.control = Control(self.selector, commands, Log(2, "error"))

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        sock.connect(self.control._path)
        self.turn()
        return sock

    def turn(self) -> None:
        for key, _ in self.selector.select(0.2):
            key.data()

    def ask(self, data: bytes) -> bytes:
        with self.connect() as sock:
            sock.sendall(data)
            self.turn()
            return sock.makefile("rb").read()


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "folders", lambda uid: (str(tmp_path / "nowhere" / "own"), str(tmp_path / "own")))
    made = World()
    yield made
    made.control.close()
    made.selector.close()
    assert not (tmp_path / "own").exists()


def test_only_its_owner_can_reach_it(world, tmp_path):
    assert stat.S_IMODE(os.stat(tmp_path / "own").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(world.control._path).st_mode) == 0o600


def test_a_request_is_answered(world):
    assert json.loads(world.ask(b'{"do": "echo", "x": 1}\n')) == {"do": "echo", "x": 1}


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{\n", b'{"do": "nothing"}\n', b'{"do": []}\n', b"\xff\n"])
def test_what_makes_no_sense_is_answered_with_the_commands(world, line):
    assert json.loads(world.ask(line)) == {"ok": False, "why": "commands are echo, keep"}


def test_a_request_that_is_too_long_is_the_end(world):
    with world.connect() as sock:
        sock.sendall(b"x" * LINE_BYTES)
        world.turn()
        sock.sendall(b"x")
        world.turn()
        assert sock.recv(10) == b""


def test_a_caller_that_reads_nothing_is_dropped_and_nothing_waits_for_it(world):
    with world.connect() as sock:
        sock.sendall(b'{"do": "keep"}\n')
        world.turn()
        (caller,) = world.kept
        for _ in range(1000):
            caller.say({"why": "x" * 10000})
        assert caller.socket.fileno() == -1


def test_one_that_comes_when_there_are_many_takes_the_place_of_a_silent_one(world):
    silent = [world.connect() for _ in range(MOST_CALLERS)]
    assert json.loads(world.ask(b'{"do": "echo"}\n')) == {"do": "echo"}
    for sock in silent:
        sock.close()


def test_where_no_descriptor_is_left_a_caller_is_turned_away_and_does_not_wait(world):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        highest = os.dup(sock.fileno())
        os.close(highest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        try:
            sock.connect(world.control._path)
            world.turn()
            assert sock.recv(10) == b""
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert json.loads(world.ask(b'{"do": "echo"}\n')) == {"do": "echo"}


def test_a_folder_that_others_may_enter_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setattr(control, "folders", lambda uid: (str(tmp_path / "open"), str(tmp_path / "link")))
    made = World()
    assert made.control._path == ""
    made.control.close()
    made.selector.close()


def test_what_a_killed_server_left_is_removed(world, tmp_path):
    here = control.namespace_of("self")
    (tmp_path / "own" / f"999999999-{here}.sock").touch()
    (tmp_path / "own" / f"999999999-{here + 1}.sock").touch()
    again = World()
    assert not (tmp_path / "own" / f"999999999-{here}.sock").exists()
    os.unlink(tmp_path / "own" / f"999999999-{here + 1}.sock")
    again.control.close()
    again.selector.close()
