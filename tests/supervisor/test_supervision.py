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


@pytest.fixture
def trial(tmp_path):
    """One whose first generation serves, and whose second has become ready beside it."""
    world = World(tmp_path / "log", reload_trial=3.0)
    world.supervision.start()
    world.serve(1, 100)
    world.supervision.signalled(signal.SIGHUP)
    world.serve(2, 200)
    yield world
    world.close()


def test_new_code_serves_beside_the_old_until_its_trial_is_over(trial):
    assert trial.states == ["SERVING", "TRIAL"]
    trial.after(2.9)
    assert trial.states == ["SERVING", "TRIAL"]
    trial.after(0.2)
    assert trial.states == ["RETIRING", "SERVING"]
    assert trial.fates == [(1, "SERVING", ""), (2, "SERVING", "")]


def test_a_crash_in_the_trial_sends_the_new_code_away(trial):
    worker = trial.supervision.generations[1].workers[0]
    trial.says(2, event="exited", slot=worker.row, pid=worker.pid, status=signal.SIGSEGV)
    assert trial.states == ["SERVING", "RETIRING"]
    assert trial.fates[1:] == [(2, "RETIRING", "a worker was killed by SIGSEGV within 3 s after the reload")]


def test_a_worker_that_somebody_ended_in_the_trial_has_not_crashed(trial):
    worker = trial.supervision.generations[1].workers[0]
    trial.says(2, event="exited", slot=worker.row, pid=worker.pid, status=0)
    assert trial.states == ["SERVING", "TRIAL"]


def test_another_reload_ends_the_trial(trial):
    assert trial.supervision.reload() == 3
    assert trial.states == ["SERVING", "RETIRING", "LOADING"]
    assert trial.fates[1:] == [(2, "RETIRING", "it was given up for another reload")]


def test_the_old_process_may_die_while_the_new_code_is_on_trial(trial):
    trial.supervision.ended(NO_SUCH_PID + 1, signal.SIGKILL)
    assert trial.states == ["ORPHANED", "TRIAL"]
    trial.after(3.1)
    assert trial.states[-1] == "SERVING"


def loaded(world, number, why):
    world.says(number, event="loaded", shareable=True, because=[], why=why)


def test_unfit_code_is_served_only_where_no_other_code_is(tmp_path):
    world = World(tmp_path / "log", reload_trial=0.0)
    world.supervision.start()
    loaded(world, 1, "no front page")
    assert world.states == ["STARTING"]
    assert "served all the same, since no other code is: no front page" in world.log()
    world.serve(1, 100)
    world.supervision.signalled(signal.SIGHUP)
    loaded(world, 2, "no database")
    assert world.states == ["SERVING"]
    assert world.fates[1:] == [(2, "GONE", "no database")]
    world.close()


def test_unfit_code_is_not_served_either_while_workers_of_a_lost_process_go_on(world):
    world.supervision.ended(NO_SUCH_PID + 1, signal.SIGKILL)
    world.after(0.1)
    loaded(world, 2, "no front page")
    assert world.states == ["ORPHANED"]
    world.after(31)  # all attempts follow one another after pauses
    assert len(world.ends) > 2


def test_no_reload_is_started_by_a_server_that_ends(world):
    world.supervision.stop()
    assert world.supervision.reload() is None


def test_a_fork_server_that_does_not_fork_is_replaced(world):
    worker = world.supervision.generations[0].workers[0]
    world.says(1, event="exited", slot=worker.row, pid=worker.pid, status=9)
    world.after(0)
    for _ in range(122):
        world.after(1)
    assert "does not start the workers that it was asked for, and is killed" in world.log()
    world.supervision.ended(NO_SUCH_PID + 1, signal.SIGKILL)
    assert world.states == ["ORPHANED"]


@pytest.mark.parametrize("asked", [False, True], ids=["by requests", "by itself"])
def test_a_worn_worker_serves_until_its_successor_does(tmp_path, asked):
    world = World(tmp_path / "log", max_requests=100, hang_timeout=0.0)
    world.supervision.start()
    world.serve(1, 100)
    worn, other = world.supervision.generations[0].workers
    world.board.write(worn.row, 1, 0 if asked else 100, 0, 0, 0)
    world.board.write(other.row, 1, 99, 0, 0, 0)
    if asked:
        world.board.claim(worn.row, 1).ask_for_successor()
    pids = worn.pid, other.pid
    worn.pid = other.pid = os.getpid()  # it is this process that has written on the board
    world.after(1)
    worn.pid, other.pid = pids
    assert [told["do"] for told in world.hears(1)] == ["fork"]
    successor = world.supervision.generations[0].workers[2]
    assert (worn.state.name, other.state.name, successor.state.name) == ("WORN", "READY", "FORKING")
    world.says(1, event="forked", slot=successor.row, pid=NO_SUCH_PID + 300)
    world.says(1, event="ready", slot=successor.row, pid=NO_SUCH_PID + 300)
    assert worn.state.name == "DRAINING"
    world.says(1, event="exited", slot=worn.row, pid=worn.pid, status=0)
    assert world.supervision.generations[0].workers == [other, successor]
    assert ("asks for it" if asked else "it has answered 100 requests") in world.log()
    world.close()
