"""The supervisor's reaction to what happens, with a clock that the test turns and processes that do not exist."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest
from prodserve.config.options import Config
from prodserve.observe.board import Board
from prodserve.observe.log import Log
from prodserve.supervisor.channel import Channel
from prodserve.supervisor.fleet import Process
from prodserve.supervisor.lifecycle import Server
from prodserve.supervisor.supervision import Supervision

NO_SUCH_PID = 2**31 - 1000
"""Far above the largest PID that Linux gives: a signal to it reaches nobody."""


class World:
    """What a supervision sees: time, processes, a log; and what it was told by them."""

    def __init__(self, path, **settings):
        self.now_s = 1000.0
        self.ends = []
        self.up = []
        self.fates = []
        self.path = path
        self.fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.board = Board.create(16)
        self.refuse = False
        self.supervision = Supervision(
            Config(**settings),
            workers=2,
            board=self.board,
            log=Log(self.fd),
            now=lambda: self.now_s,
            spawn=self.spawn,
            announce=lambda generation, again: self.up.append((generation.number, again)),
            decided=lambda generation: self.fates.append((generation.number, generation.state.name, generation.why)),
        )

    def spawn(self, generation, worker):
        if self.refuse:
            raise BlockingIOError("no more processes")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setblocking(False)
        self.ends.append(theirs)
        return Process(NO_SUCH_PID + len(self.ends), Channel(ours), generation, worker)

    def says(self, number, **message):
        """Generation process ``number`` (from 1) sends a message."""
        self.ends[number - 1].send(json.dumps(message).encode())
        self.supervision.receive(self.supervision.processes[NO_SUCH_PID + number])

    def hears(self, number):
        """What generation process ``number`` was told."""
        told = []
        while True:
            try:
                told.append(json.loads(self.ends[number - 1].recv(65536)))
            except BlockingIOError:
                return told

    def after(self, seconds):
        self.now_s += seconds
        self.supervision.tick()

    def serve(self, number, first_pid):
        """Generation ``number`` loads and its workers become ready."""
        self.says(number, event="loaded", shareable=True, because=[])
        for at, order in enumerate(told for told in self.hears(number) if told["do"] == "fork"):
            worker = {"slot": order["slot"], "pid": NO_SUCH_PID + first_pid + at}
            self.says(number, event="forked", **worker)
            self.says(number, event="ready", **worker)

    @property
    def states(self):
        return [generation.state.name for generation in self.supervision.generations]

    def log(self):
        return self.path.read_text()

    def close(self):
        for process in self.supervision.processes.values():
            process.channel.close()
        for end in self.ends:
            end.close()
        self.board.close()
        os.close(self.fd)


@pytest.fixture
def world(tmp_path):
    """One whose first generation serves."""
    world = World(tmp_path / "log", reload_trial=0.0)
    world.supervision.start()
    world.serve(1, 100)
    yield world
    world.close()


def test_it_serves_when_every_worker_is_ready(world):
    assert world.states == ["SERVING"]
    assert world.up == [(1, False)]


def test_a_machine_that_slept_does_not_make_its_workers_look_hung(world):
    world.after(3600)
    for _ in range(29):
        world.after(1)
    assert "shows no life" not in world.log()
    for _ in range(3):
        world.after(1)
    assert world.log().count("shows no life") == 2


def test_a_worker_that_beats_is_not_called_hung(world):
    world.board._now = lambda: world.now_s
    workers = world.supervision.generations[0].workers
    for _ in range(100):
        for worker in workers:
            world.board.claim(worker.row, 1)()
            worker.pid = os.getpid()
        world.after(1)
    for worker in workers:
        worker.pid = NO_SUCH_PID
    assert "shows no life" not in world.log()


def test_the_pauses_between_attempts_to_replace_a_generation_grow(world):
    world.supervision.ended(NO_SUCH_PID + 1, signal.SIGKILL)
    assert "can't start workers any more" in world.log()
    waits = []
    for number in range(2, 9):
        waited = 0.0
        while len(world.ends) < number:
            world.after(0.25)
            waited += 0.25
        waits.append(waited)
        world.says(number, event="failed", why="no luck")
        world.supervision.ended(NO_SUCH_PID + number, 70 << 8)
    assert waits == sorted(waits)
    assert waits[0] <= 0.25
    assert 8 <= waits[-1] <= 31


def test_a_system_without_processes_is_asked_again(world):
    world.refuse = True
    world.supervision.signalled(signal.SIGHUP)
    assert world.states == ["SERVING"]
    assert "no process can be started: no more processes" in world.log()
    world.refuse = False
    world.supervision.signalled(signal.SIGHUP)
    world.serve(2, 200)
    assert world.up == [(1, False), (3, True)]


def test_a_reload_is_refused_while_too_many_old_workers_have_not_ended(world):
    for number in range(2, 9):
        world.supervision.signalled(signal.SIGHUP)
        world.serve(number, 100 * number)
    world.supervision.signalled(signal.SIGHUP)
    world.serve(9, 900)
    assert "too many workers of earlier generations have not ended yet" in world.log()
    assert world.states[-1] == "SERVING"
    assert world.supervision.state is Server.SERVING


@pytest.mark.parametrize("packet", [b"[]", b"{", b'{"event": "ready"}', b'{"slot": 1}'])
def test_a_message_that_makes_no_sense_is_logged_and_harms_nothing(world, packet):
    world.ends[0].send(packet)
    world.supervision.receive(world.supervision.processes[NO_SUCH_PID + 1])
    assert "makes no sense" in world.log()
    assert world.states == ["SERVING"]


def test_a_process_that_reads_nothing_any_more_is_killed(world):
    process = world.supervision.processes[NO_SUCH_PID + 1]
    while process.channel.send({"do": "nothing"}):
        pass
    worker = world.supervision.generations[0].workers[0]
    world.after(0)
    world.says(1, event="exited", slot=worker.row, pid=worker.pid, status=9)
    world.after(0)
    assert process.kill_s is not None
