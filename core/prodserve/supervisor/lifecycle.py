"""What the supervisor decides: three total tables, (state, event) -> (state, actions), without any effect of their own.

``WORKER`` is the life of one worker slot, ``GENERATION`` that of a generation of workers, ``SERVER`` that of the whole.
``supervision`` collects events, steps these tables and carries the actions out. Every pair has a row; one that says
"nothing happens" says it on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import TypeVar

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)
A = TypeVar("A", bound=Enum)

Table = Mapping[tuple[S, E], tuple[S, tuple[A, ...]]]

BACKOFF_S = (0.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before the next attempt, by the number of failures in a row before it; the last for all that follow."""
SHORT_LIFE_S = 5.0
"""A process that lived shorter counts as failed in a row."""
LONG_LIFE_S = 60.0
"""A generation process that lived longer is replaced at once, whatever happened to those before it."""
PATIENCE = 3
"""Deaths before being ready after which workers of a new generation are not waited for, while an older one serves."""
DUMP_S = 1.0
"""What a hung worker gets to write where it hangs before it is killed."""
KILL_AGAIN_S = 5.0
"""Between two attempts to kill a process; the kernel may hold one for a while (uninterruptible sleep)."""
MARGIN_S = 2.0
"""After ``graceful_timeout``, within which a worker ends its requests by itself, before it is killed."""


def backoff_s(failures: int) -> float:
    """Seconds to wait before the attempt that follows ``failures`` failures in a row."""
    return BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]


class Worker(Enum):
    """States of a worker slot."""

    EMPTY = auto()
    """No process, none asked for yet."""
    FORKING = auto()
    """Asked for; its PID is not known yet."""
    UNWANTED = auto()
    """Asked for, and no longer wanted before its PID was known."""
    STARTING = auto()
    READY = auto()
    """It accepts connections."""
    WORN = auto()
    """It serves on until its successor does."""
    HUNG = auto()
    """It stopped beating, or never began; asked to write where it is, then killed."""
    BACKOFF = auto()
    """It died; the next one starts when its time has come."""
    DRAINING = auto()
    """Told to end; killed when its time is up."""
    GONE = auto()


class WorkerEvent(Enum):
    """What happens to a worker slot."""

    START = auto()
    """A process is wanted."""
    FORKED = auto()
    READY = auto()
    DIED = auto()
    STALE = auto()
    """No heartbeat for longer than ``hang_timeout``, or not ready within ``start_timeout``."""
    DUE = auto()
    """The time of the last ``ARM_…`` action has come."""
    WORE_OUT = auto()
    """It has answered enough requests, grown too large, or asks for it: another one takes its place."""
    RELIEVED = auto()
    """Its successor accepts."""
    RETIRE = auto()
    """End, gracefully."""
    KILL = auto()
    """End at once."""
    CUT = auto()
    """The fork server is gone: what was asked for will never come."""


class WorkerAction(Enum):
    """What is done for a worker slot."""

    FORK = auto()
    SUCCEED = auto()
    """Start a successor, in a slot of its own."""
    TERM = auto()
    KILL = auto()
    DUMP = auto()
    """Make the process write the stack of every thread (SIGUSR1)."""
    ARM_BACKOFF = auto()
    ARM_DUMP = auto()
    ARM_DRAIN = auto()
    ARM_KILL = auto()
    DISARM = auto()


class Generation(Enum):
    """States of a generation."""

    LOADING = auto()
    """Its process imports the application."""
    STARTING = auto()
    """The application is loaded, its workers start."""
    TRIAL = auto()
    """Its workers accept, beside those of an older generation, which stays if one of them crashes."""
    SERVING = auto()
    ORPHANED = auto()
    """Its process is gone, its workers go on; those that end are not replaced."""
    RETIRING = auto()
    """Its workers finish what they have."""
    GONE = auto()


class GenerationEvent(Enum):
    """What happens to a generation."""

    LOADED = auto()
    FAILED = auto()
    """The application can't be loaded."""
    LOST = auto()
    """Its process is gone."""
    READY = auto()
    """All of its workers accept."""
    DUE = auto()
    """Its trial is over, or the time that it had to become ready."""
    STUMBLED = auto()
    """Its workers die before they are ready, or in its trial, while an older generation serves."""
    EMPTY = auto()
    """None of its workers is left, or will be started."""
    RETIRE = auto()
    KILL = auto()


class GenerationAction(Enum):
    """What is done for a generation."""

    START_WORKERS = auto()
    CUT_WORKERS = auto()
    RETIRE_WORKERS = auto()
    KILL_WORKERS = auto()
    ARM_TRIAL = auto()
    """See after a while whether it has proven itself; at once if no older generation serves."""
    TAKE_OVER = auto()
    """Older generations retire."""
    REPLACE = auto()
    """Another generation is started in its stead."""
    FAIL = auto()
    """The server learns that this generation will not serve."""
    RELEASE = auto()
    """The fork server is told to end."""
    DUMP_PROCESS = auto()
    """The process writes where it hangs, and is killed."""
    KILL_PROCESS = auto()


class Server(Enum):
    """States of the whole."""

    STARTING = auto()
    """Nothing was served yet."""
    SERVING = auto()
    STOPPING = auto()
    KILLING = auto()
    STOPPED = auto()


class ServerEvent(Enum):
    """What happens to the whole."""

    UP = auto()
    """A generation is ready and has taken over."""
    FAILURE = auto()
    """A generation will not serve."""
    HUP = auto()
    TERM = auto()
    INT = auto()
    QUIT = auto()
    EMPTY = auto()
    """No process is left."""


class ServerAction(Enum):
    """What is done for the whole."""

    ANNOUNCE = auto()
    """Print what is served now."""
    RELOAD = auto()
    """A new generation; one that is not ready yet is given up for it."""
    RETRY = auto()
    """Where no generation can replace its workers, try another one after a while."""
    RETIRE_ALL = auto()
    KILL_ALL = auto()
    FAILED = auto()
    """The exit code will be 1."""


def _rows(*rows: tuple[Iterable[S] | S, Iterable[E] | E, S | None, tuple[A, ...]]) -> Table[S, E, A]:
    """A table from rows for several states and events; a target of ``None`` means: the state stays."""
    table: dict[tuple[S, E], tuple[S, tuple[A, ...]]] = {}
    for states, events, target, actions in rows:
        for state in [states] if isinstance(states, Enum) else states:
            for event in [events] if isinstance(events, Enum) else events:
                if (state, event) in table:
                    raise ValueError(f"two rows for {state} and {event}")
                table[state, event] = (state if target is None else target, actions)
    return table


_W, _WE, _WA = Worker, WorkerEvent, WorkerAction
_DRAIN = (_WA.TERM, _WA.ARM_DRAIN)
_FINISH = (_WA.KILL, _WA.ARM_KILL)
_FRESH = (_W.EMPTY, _W.FORKING, _W.UNWANTED, _W.STARTING, _W.HUNG, _W.BACKOFF, _W.DRAINING)
"""Neither worn nor to be relieved."""

WORKER: Table[Worker, WorkerEvent, WorkerAction] = _rows(
    (_W.EMPTY, _WE.START, _W.FORKING, (_WA.FORK,)),
    (_W.EMPTY, (_WE.RETIRE, _WE.KILL, _WE.CUT), _W.GONE, ()),
    (_W.EMPTY, (_WE.FORKED, _WE.READY, _WE.DIED, _WE.STALE, _WE.DUE), None, ()),
    (_W.FORKING, _WE.FORKED, _W.STARTING, ()),
    (_W.FORKING, _WE.READY, _W.READY, ()),  # the worker's word may come before its parent's
    (_W.FORKING, (_WE.RETIRE, _WE.KILL), _W.UNWANTED, ()),
    (_W.FORKING, _WE.CUT, _W.GONE, ()),
    (_W.FORKING, _WE.DIED, _W.BACKOFF, (_WA.ARM_BACKOFF,)),
    (_W.FORKING, (_WE.START, _WE.STALE, _WE.DUE), None, ()),
    (_W.UNWANTED, (_WE.FORKED, _WE.READY), _W.DRAINING, _DRAIN),
    (_W.UNWANTED, (_WE.CUT, _WE.DIED), _W.GONE, ()),
    (_W.UNWANTED, (_WE.START, _WE.STALE, _WE.DUE, _WE.RETIRE, _WE.KILL), None, ()),
    (_W.STARTING, _WE.READY, _W.READY, ()),
    ((_W.STARTING, _W.READY), _WE.DIED, _W.BACKOFF, (_WA.ARM_BACKOFF,)),
    ((_W.STARTING, _W.READY, _W.WORN), _WE.RETIRE, _W.DRAINING, _DRAIN),
    ((_W.STARTING, _W.READY, _W.WORN, _W.HUNG), _WE.KILL, _W.DRAINING, _FINISH),
    (_W.STARTING, (_WE.START, _WE.FORKED, _WE.DUE, _WE.CUT), None, ()),
    ((_W.STARTING, _W.READY), _WE.STALE, _W.HUNG, (_WA.DUMP, _WA.ARM_DUMP)),
    ((_W.READY, _W.WORN), (_WE.START, _WE.FORKED, _WE.READY, _WE.DUE, _WE.CUT), None, ()),
    (_W.READY, _WE.WORE_OUT, _W.WORN, (_WA.SUCCEED,)),
    (_W.READY, _WE.RELIEVED, None, ()),
    (_W.WORN, _WE.RELIEVED, _W.DRAINING, _DRAIN),
    (_W.WORN, _WE.STALE, _W.DRAINING, (_WA.DUMP, _WA.ARM_DUMP)),
    (_W.WORN, _WE.DIED, _W.GONE, ()),  # its successor is on its way
    (_W.WORN, _WE.WORE_OUT, None, ()),
    (_W.HUNG, _WE.DUE, _W.HUNG, _FINISH),
    (_W.HUNG, _WE.DIED, _W.BACKOFF, (_WA.ARM_BACKOFF,)),
    (_W.HUNG, _WE.RETIRE, _W.DRAINING, _FINISH),
    (_W.HUNG, (_WE.START, _WE.FORKED, _WE.READY, _WE.STALE, _WE.CUT), None, ()),
    (_W.BACKOFF, _WE.DUE, _W.FORKING, (_WA.DISARM, _WA.FORK)),
    (_W.BACKOFF, (_WE.RETIRE, _WE.KILL, _WE.CUT), _W.GONE, (_WA.DISARM,)),
    (_W.BACKOFF, (_WE.START, _WE.FORKED, _WE.READY, _WE.DIED, _WE.STALE), None, ()),
    (_W.DRAINING, (_WE.DUE, _WE.KILL), _W.DRAINING, _FINISH),
    (_W.DRAINING, _WE.DIED, _W.GONE, (_WA.DISARM,)),
    (_W.DRAINING, (_WE.START, _WE.FORKED, _WE.READY, _WE.STALE, _WE.RETIRE, _WE.CUT), None, ()),
    (_FRESH, (_WE.WORE_OUT, _WE.RELIEVED), None, ()),
    (_W.GONE, tuple(_WE), None, ()),
)

_G, _GE, _GA = Generation, GenerationEvent, GenerationAction

_AT_WORK = (_G.STARTING, _G.TRIAL, _G.SERVING, _G.ORPHANED)
_GIVE_UP = (_GA.RETIRE_WORKERS, _GA.FAIL)

GENERATION: Table[Generation, GenerationEvent, GenerationAction] = _rows(
    (_G.LOADING, _GE.LOADED, _G.STARTING, (_GA.START_WORKERS,)),
    (_G.LOADING, (_GE.FAILED, _GE.LOST), _G.GONE, (_GA.RELEASE, _GA.FAIL)),
    (_G.LOADING, _GE.DUE, _G.GONE, (_GA.DUMP_PROCESS, _GA.FAIL)),
    (_G.LOADING, (_GE.RETIRE, _GE.KILL), _G.GONE, (_GA.KILL_PROCESS, _GA.RELEASE)),
    (_G.LOADING, (_GE.READY, _GE.STUMBLED, _GE.EMPTY), None, ()),
    (_G.STARTING, _GE.READY, _G.TRIAL, (_GA.ARM_TRIAL,)),
    (_G.STARTING, _GE.DUE, _G.RETIRING, (_GA.KILL_WORKERS, _GA.FAIL)),
    (_G.TRIAL, _GE.DUE, _G.SERVING, (_GA.TAKE_OVER,)),
    ((_G.STARTING, _G.TRIAL), _GE.LOST, _G.RETIRING, (_GA.CUT_WORKERS, *_GIVE_UP)),
    ((_G.STARTING, _G.TRIAL), _GE.STUMBLED, _G.RETIRING, _GIVE_UP),
    ((_G.STARTING, _G.TRIAL), _GE.EMPTY, None, ()),
    (_G.TRIAL, _GE.READY, None, ()),
    (_G.SERVING, _GE.LOST, _G.ORPHANED, (_GA.CUT_WORKERS, _GA.REPLACE)),
    (_G.SERVING, (_GE.READY, _GE.STUMBLED, _GE.EMPTY), None, ()),
    (_G.ORPHANED, _GE.EMPTY, _G.GONE, (_GA.RELEASE,)),
    (_G.ORPHANED, (_GE.LOST, _GE.READY, _GE.STUMBLED), None, ()),
    (_AT_WORK, _GE.RETIRE, _G.RETIRING, (_GA.RETIRE_WORKERS,)),
    ((*_AT_WORK, _G.RETIRING), _GE.KILL, _G.RETIRING, (_GA.KILL_WORKERS,)),
    (_G.RETIRING, _GE.EMPTY, _G.GONE, (_GA.RELEASE,)),
    (_G.RETIRING, _GE.LOST, None, (_GA.CUT_WORKERS,)),
    (_G.RETIRING, (_GE.READY, _GE.STUMBLED, _GE.RETIRE), None, ()),
    ((*_AT_WORK, _G.RETIRING), (_GE.LOADED, _GE.FAILED), None, ()),
    ((_G.SERVING, _G.ORPHANED, _G.RETIRING), _GE.DUE, None, ()),
    (_G.GONE, tuple(_GE), None, ()),
)

_S, _SE, _SA = Server, ServerEvent, ServerAction

SERVER: Table[Server, ServerEvent, ServerAction] = _rows(
    (_S.STARTING, _SE.UP, _S.SERVING, (_SA.ANNOUNCE,)),
    (_S.STARTING, _SE.FAILURE, _S.KILLING, (_SA.FAILED, _SA.KILL_ALL)),
    (_S.SERVING, _SE.UP, None, (_SA.ANNOUNCE,)),
    (_S.SERVING, _SE.FAILURE, None, (_SA.RETRY,)),
    ((_S.STARTING, _S.SERVING), _SE.HUP, None, (_SA.RELOAD,)),
    ((_S.STARTING, _S.SERVING), (_SE.TERM, _SE.INT), _S.STOPPING, (_SA.RETIRE_ALL,)),
    ((_S.STARTING, _S.SERVING, _S.STOPPING), _SE.QUIT, _S.KILLING, (_SA.KILL_ALL,)),
    ((_S.STARTING, _S.SERVING), _SE.EMPTY, None, ()),
    (_S.STOPPING, _SE.INT, _S.KILLING, (_SA.KILL_ALL,)),
    ((_S.STOPPING, _S.KILLING), _SE.EMPTY, _S.STOPPED, ()),
    (_S.STOPPING, (_SE.UP, _SE.FAILURE, _SE.HUP, _SE.TERM), None, ()),
    (_S.KILLING, (_SE.UP, _SE.FAILURE, _SE.HUP, _SE.TERM, _SE.INT, _SE.QUIT), None, ()),
    (_S.STOPPED, tuple(_SE), None, ()),
)
