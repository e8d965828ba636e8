"""The tables that decide everything: complete, and right along the paths that matter."""

from __future__ import annotations

from itertools import product

import pytest
from prodserve.supervisor import lifecycle
from prodserve.supervisor.lifecycle import (
    GENERATION,
    SERVER,
    WORKER,
    Generation,
    GenerationAction,
    GenerationEvent,
    Server,
    ServerAction,
    ServerEvent,
    Worker,
    WorkerAction,
    WorkerEvent,
    backoff_s,
)

TABLES = [
    (WORKER, Worker, WorkerEvent, WorkerAction, Worker.EMPTY),
    (GENERATION, Generation, GenerationEvent, GenerationAction, Generation.LOADING),
    (SERVER, Server, ServerEvent, ServerAction, Server.STARTING),
]
NAMES = ["worker", "generation", "server"]


@pytest.mark.parametrize(("table", "states", "events", "actions", "first"), TABLES, ids=NAMES)
def test_every_state_has_a_row_for_every_event_and_no_other(table, states, events, actions, first):
    assert set(table) == set(product(states, events))


@pytest.mark.parametrize(("table", "states", "events", "actions", "first"), TABLES, ids=NAMES)
def test_every_action_is_taken_somewhere_and_every_state_can_be_reached(table, states, events, actions, first):
    assert {action for _, taken in table.values() for action in taken} == set(actions)
    reached, new = set(), {first}
    while new:
        reached |= new
        new = {table[state, event][0] for state in new for event in events} - reached
    assert reached == set(states)


@pytest.mark.parametrize(
    ("table", "event", "last"),
    [
        (WORKER, [WorkerEvent.KILL, WorkerEvent.FORKED, WorkerEvent.DIED], Worker.GONE),
        (GENERATION, [GenerationEvent.KILL, GenerationEvent.EMPTY], Generation.GONE),
        (SERVER, [ServerEvent.QUIT, ServerEvent.EMPTY], Server.STOPPED),
    ],
    ids=NAMES,
)
def test_every_state_comes_to_an_end_when_it_is_told_to(table, event, last):
    for state in type(last):
        assert walk(table, state, *event)[0] is last


def walk(table, state, *events):
    actions = []
    for event in events:
        state, taken = table[state, event]
        actions += [action.name for action in taken]
    return state, actions


E = WorkerEvent

WORKER_PATHS = [
    ("starts and serves", [E.START, E.FORKED, E.READY], Worker.READY, ["FORK"]),
    ("may be ready before its parent says so", [E.START, E.READY, E.FORKED], Worker.READY, ["FORK"]),
    (
        "dies and is replaced when its time comes",
        [E.START, E.FORKED, E.READY, E.DIED, E.DUE],
        Worker.FORKING,
        ["FORK", "ARM_BACKOFF", "DISARM", "FORK"],
    ),
    (
        "hangs: writes where, is killed, is replaced",
        [E.START, E.FORKED, E.READY, E.STALE, E.STALE, E.DUE, E.DIED, E.DUE],
        Worker.FORKING,
        ["FORK", "DUMP", "ARM_DUMP", "KILL", "ARM_KILL", "ARM_BACKOFF", "DISARM", "FORK"],
    ),
    (
        "that never becomes ready is killed and replaced",
        [E.START, E.FORKED, E.STALE, E.DUE, E.DIED],
        Worker.BACKOFF,
        ["FORK", "DUMP", "ARM_DUMP", "KILL", "ARM_KILL", "ARM_BACKOFF"],
    ),
    (
        "drains within its time",
        [E.START, E.FORKED, E.READY, E.RETIRE, E.DIED],
        Worker.GONE,
        ["FORK", "TERM", "ARM_DRAIN", "DISARM"],
    ),
    (
        "is killed when its time to drain is over, again and again",
        [E.START, E.FORKED, E.READY, E.RETIRE, E.DUE, E.DUE, E.DIED],
        Worker.GONE,
        ["FORK", "TERM", "ARM_DRAIN", "KILL", "ARM_KILL", "KILL", "ARM_KILL", "DISARM"],
    ),
    (
        "retired before it was born ends as soon as it is",
        [E.START, E.RETIRE, E.FORKED, E.DIED],
        Worker.GONE,
        ["FORK", "TERM", "ARM_DRAIN", "DISARM"],
    ),
    (
        "that is worn serves until its successor does",
        [E.START, E.FORKED, E.READY, E.WORE_OUT, E.WORE_OUT, E.RELIEVED, E.DIED],
        Worker.GONE,
        ["FORK", "SUCCEED", "TERM", "ARM_DRAIN", "DISARM"],
    ),
    (
        "that dies worn is not replaced twice",
        [E.START, E.FORKED, E.READY, E.WORE_OUT, E.DIED, E.RELIEVED],
        Worker.GONE,
        ["FORK", "SUCCEED"],
    ),
    (
        "that hangs worn is killed",
        [E.START, E.FORKED, E.READY, E.WORE_OUT, E.STALE, E.RELIEVED, E.DUE, E.DIED],
        Worker.GONE,
        ["FORK", "SUCCEED", "DUMP", "ARM_DUMP", "KILL", "ARM_KILL", "DISARM"],
    ),
    ("is not waited for when nobody can start it", [E.START, E.CUT], Worker.GONE, ["FORK"]),
    ("goes on when its fork server dies", [E.START, E.FORKED, E.READY, E.CUT], Worker.READY, ["FORK"]),
]


@pytest.mark.parametrize(
    ("events", "state", "actions"), [p[1:] for p in WORKER_PATHS], ids=[p[0] for p in WORKER_PATHS]
)
def test_a_worker(events, state, actions):
    assert walk(WORKER, Worker.EMPTY, *events) == (state, actions)


G = GenerationEvent

GENERATION_PATHS = [
    (
        "loads, starts its workers, takes over, retires",
        [G.LOADED, G.READY, G.DUE, G.RETIRE, G.EMPTY],
        Generation.GONE,
        ["START_WORKERS", "ARM_TRIAL", "TAKE_OVER", "RETIRE_WORKERS", "RELEASE"],
    ),
    ("that can't load fails once", [G.FAILED, G.LOST], Generation.GONE, ["RELEASE", "FAIL"]),
    ("that dies while it loads fails", [G.LOST], Generation.GONE, ["RELEASE", "FAIL"]),
    (
        "that loses its process while it serves is replaced, its workers go on",
        [G.LOADED, G.READY, G.DUE, G.LOST],
        Generation.ORPHANED,
        ["START_WORKERS", "ARM_TRIAL", "TAKE_OVER", "CUT_WORKERS", "REPLACE"],
    ),
    (
        "whose workers can't start is given up",
        [G.LOADED, G.STUMBLED, G.EMPTY],
        Generation.GONE,
        ["START_WORKERS", "RETIRE_WORKERS", "FAIL", "RELEASE"],
    ),
    (
        "that crashes in its trial is given up",
        [G.LOADED, G.READY, G.STUMBLED, G.EMPTY],
        Generation.GONE,
        ["START_WORKERS", "ARM_TRIAL", "RETIRE_WORKERS", "FAIL", "RELEASE"],
    ),
    ("that loads for ever is given up", [G.DUE, G.LOST], Generation.GONE, ["DUMP_PROCESS", "FAIL"]),
    (
        "whose workers never become ready is given up",
        [G.LOADED, G.DUE, G.EMPTY],
        Generation.GONE,
        ["START_WORKERS", "KILL_WORKERS", "FAIL", "RELEASE"],
    ),
    ("that is loading is given up at once", [G.RETIRE], Generation.GONE, ["KILL_PROCESS", "RELEASE"]),
]


@pytest.mark.parametrize(
    ("events", "state", "actions"), [p[1:] for p in GENERATION_PATHS], ids=[p[0] for p in GENERATION_PATHS]
)
def test_a_generation(events, state, actions):
    assert walk(GENERATION, Generation.LOADING, *events) == (state, actions)


S = ServerEvent

SERVER_PATHS = [
    ("that can't load its first generation ends", [S.FAILURE, S.EMPTY], Server.STOPPED, ["FAILED", "KILL_ALL"]),
    ("survives a reload that fails", [S.UP, S.HUP, S.FAILURE], Server.SERVING, ["ANNOUNCE", "RELOAD", "RETRY"]),
    ("stops gracefully by SIGTERM", [S.UP, S.TERM, S.TERM, S.EMPTY], Server.STOPPED, ["ANNOUNCE", "RETIRE_ALL"]),
    ("stops at once by a second SIGINT", [S.UP, S.INT, S.INT], Server.KILLING, ["ANNOUNCE", "RETIRE_ALL", "KILL_ALL"]),
    ("stops at once by SIGQUIT", [S.UP, S.QUIT, S.EMPTY], Server.STOPPED, ["ANNOUNCE", "KILL_ALL"]),
]


@pytest.mark.parametrize(
    ("events", "state", "actions"), [p[1:] for p in SERVER_PATHS], ids=[p[0] for p in SERVER_PATHS]
)
def test_a_server(events, state, actions):
    assert walk(SERVER, Server.STARTING, *events) == (state, actions)


def test_a_process_is_replaced_at_once_and_with_growing_pauses_when_it_keeps_failing():
    pauses = [backoff_s(failures) for failures in range(20)]
    assert pauses[:2] == [0, 0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30


def test_two_rows_for_one_pair_are_refused():
    with pytest.raises(ValueError, match="two rows"):
        lifecycle._rows((Worker.GONE, E.DUE, None, ()), (Worker.GONE, E.DUE, None, ()))
