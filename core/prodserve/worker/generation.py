"""A generation process after our command was reached: loads the app once, then forks workers as it is told.

It decides nothing: the supervisor says "fork slot 2" and hears "slot 2 ended with 9" (docs/architecture.md). No gevent
hub exists here, so that none is inherited: it waits with the system's own ``poll``, and calls ``fork`` and ``waitpid``
past gevent's versions. It waits for its workers by name, never for children of the app. The supervisor's death closes
the control socket, which ends this process; its workers see their lifeline end.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import os
import posix
import signal
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from prodserve.adapter import Adapter, StaticRoot, WSGIApp
from prodserve.config.options import Config
from prodserve.files.census import count_files
from prodserve.files.roots import all_roots, file_advice
from prodserve.handlers.static import StaticFiles
from prodserve.observe.board import Board
from prodserve.observe.log import Log
from prodserve.observe.title import set_title
from prodserve.observe.tracebacks import app_traceback
from prodserve.supervisor.nursery import CANNOT_START
from prodserve.supervisor.packets import LIMIT_BYTES, decode, encode
from prodserve.worker.boot import LOAD_FAILED, Role, native_poll, start_again
from prodserve.worker.compressing import Compressing
from prodserve.worker.shareability import inherited_state, release_hub
from prodserve.worker.site_files import find_files
from prodserve.worker.warm_up import warm_up
from prodserve.worker.watch import watched

WORKER_FAILED = 70
POLL_MS = 250
"""Between two looks at the workers where the kernel can't tell of their end (no ``pidfd_open``)."""
CALM_MS = 1000
"""So long after the last order, the workers of the generation serve: then static files are compressed."""


def run(adapter: Adapter, config: Config, role: Role) -> NoReturn:
    """Be the generation process, or the one worker of it that ``role`` names; ends the process."""
    log = Log(role.log_fd, role.log_level)
    try:
        app = adapter.load()
        roots = all_roots(config, adapter)
        static = [describe_root(root) for root in roots]
        facts = asdict(adapter.facts())
        facts["advice"] = [*facts["advice"], *map(asdict, file_advice(config, adapter))]
        loaded_state = inherited_state(role.model)
        why = unfit(app, adapter, config, role)
        adapter.before_fork()
        files = find_files(roots, config)
        importlib.import_module("prodserve.worker.worker")  # with gevent and the engine: shared by the workers
    except BaseException as error:  # whatever the app raised, the supervisor is told, and this process ends
        tell(role, {"event": "failed", "why": load_failure(error)})
        _leave(LOAD_FAILED)
    release_hub()
    state = inherited_state(role.model)
    because = state.since(role.before)
    if because and because == state.since(loaded_state) and not why:
        log.info(
            f"the warm-up request GET {config.warm_up} left {', '.join(because)} behind: the application is loaded "
            "once more without it, so that workers share its memory; --warm-up none saves the time"
        )
        start_again(role)
    gc.collect()
    gc.freeze()  # the collector of the workers then never touches what they share
    loaded = {
        "event": "loaded",
        "shareable": not because,
        "because": because,
        "why": why,
        "watch": watched(sys.modules) if config.reload else [],
        "facts": facts,
        "static": static,
        "config": config.to_plain(),
    }
    if not tell(role, loaded):
        _leave(0)
    board = Board.open(role.board_fd, role.board_slots)
    life = WorkerLife(app, adapter, config, roots, files, role, board, log)
    compressing = Compressing(roots, config, role.log_fd, log)
    ForkServer(role, life.live, log, compressing).serve()
    _leave(0)


def unfit(app: WSGIApp, adapter: Adapter, config: Config, role: Role) -> str:
    """What speaks against serving what was loaded, ``""``: nothing. Looked at once a generation, not in each of its
    processes; the checks of the first one were made by the first process."""
    if role.solo is not None or role.warmed:
        return ""
    wrong = adapter.check() if role.generation > 1 else ()
    if wrong:
        return "\n".join(("the checks of the project found errors", *wrong))
    return warm_up(app, adapter, config.warm_up) if config.warm_up is not None else ""


def describe_root(root: StaticRoot) -> dict[str, Any]:
    """What the banner says of one root."""
    count = count_files(root)
    names = list(root.files or ()) if root.url_prefix == "/" else []
    return {
        "urls": [f"/{name}" for name in names] or [root.url_prefix],
        "where": "" if names else root.source or root.directory or "",
        "files": None if names else count.files,
        "exact": count.exact,
        "uploads": root.uploads,
    }


def load_failure(error: BaseException) -> str:
    """Why the app can't be loaded, for the log."""
    if isinstance(error, SystemExit) and not isinstance(error.code, str):
        return f"the application called sys.exit({error.code or 0}) while it was loaded\n" + app_traceback(error)
    return app_traceback(error)


def tell(role: Role, message: Mapping[str, Any]) -> bool:
    """Send a message to the supervisor; whether it still listens."""
    try:
        os.write(role.control_fd, encode(message))
    except OSError:
        return False
    return True


class ForkServer:
    """Does what the supervisor says until it says ``quit`` or is gone. ``work`` is the life of a worker in a slot;
    it is told whether it runs in a fork of this process, or in this process itself."""

    def __init__(self, role: Role, work: Callable[[int, bool], NoReturn], log: Log, compressing: Compressing) -> None:
        self._role = role
        self._work = work
        self._log = log
        self._compressing = compressing
        self._slots: dict[int, int | None] = {}
        """PID -> slot of the worker; ``None``: the process that compresses static files."""
        self._ends: dict[int, int] = {}
        """PID -> the descriptor that becomes readable when it ends, where the kernel has such."""
        self._terminated = False
        assert native_poll is not None
        self._poll = native_poll()
        self._poll.register(role.control_fd, 1)

    def serve(self) -> None:
        """Returns when this process is to end."""
        signal.signal(signal.SIGTERM, self._terminate)  # a whole control group may get it; the supervisor's word counts
        while True:
            blind = len(self._ends) < len(self._slots)
            waiting = self._compressing.due and bool(self._slots)
            ready = {fd for fd, _ in self._poll.poll(POLL_MS if blind else CALM_MS if waiting else None)}
            self._bury()
            if waiting and not ready and (pid := self._compressing.start()):
                self._watch(pid, None)
            if self._role.control_fd in ready and not self._obey():
                return

    def _obey(self) -> bool:
        """Take one order; whether there may be more."""
        packet = os.read(self._role.control_fd, LIMIT_BYTES)
        if not packet:
            return False
        order = decode(packet)
        if order["do"] == "fork":
            self._fork(order["slot"])
        elif order["do"] == "become":
            if self._role.solo is None:
                self._compressing.start_aside()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            if self._terminated:
                return False  # it was meant for the worker that this process was to be
            self._work(order["slot"], False)
        return bool(order["do"] != "quit")

    def _terminate(self, number: int, frame: object) -> None:
        self._terminated = True

    def _fork(self, slot: int) -> None:
        # The supervisor may end the worker as soon as it knows its PID: until the worker can, the signal has to wait.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pid = posix.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            self._log.error(f"no process can be started: {error}")
            tell(self._role, {"event": "exited", "slot": slot, "pid": 0, "status": CANNOT_START << 8})
            return
        if pid == 0:
            for end in self._ends.values():
                os.close(end)
            self._work(slot, True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        self._watch(pid, slot)
        tell(self._role, {"event": "forked", "slot": slot, "pid": pid})

    def _watch(self, pid: int, slot: int | None) -> None:
        """Notice the end of a child."""
        self._slots[pid] = slot
        if hasattr(os, "pidfd_open"):
            try:
                end = os.pidfd_open(pid)
            except OSError:
                end = -1  # an old kernel, or a seccomp profile: polled for
            if end >= 0:
                self._ends[pid] = end
                self._poll.register(end, 1)

    def _bury(self) -> None:
        """Report the workers that have ended."""
        for pid, slot in list(self._slots.items()):
            try:
                ended, status = posix.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, 0  # the app waited for every child: its status is lost
            if ended == 0:
                continue
            del self._slots[pid]
            end = self._ends.pop(pid, None)
            if end is not None:
                self._poll.unregister(end)
                os.close(end)
            if slot is not None:
                tell(self._role, {"event": "exited", "slot": slot, "pid": pid, "status": status})


@dataclass(frozen=True)
class WorkerLife:
    """All that a worker of this generation needs; the child of a fork has it already."""

    app: WSGIApp
    adapter: Adapter
    config: Config
    roots: Sequence[StaticRoot]
    files: StaticFiles | None
    role: Role
    board: Board
    log: Log

    def live(self, slot: int, forked: bool) -> NoReturn:
        """Be the worker of ``slot`` until the end of this process."""
        status = 0
        try:
            self._prepare(slot)
            if forked:
                self._part_from_parent()
            beat = self.board.claim(slot, self.role.generation)
            importlib.import_module("prodserve.worker.worker").run(
                self.app,
                self.adapter,
                self.config,
                self.roots,
                self.files,
                self.role.model,
                self.role.listeners,
                beat,
                lambda: self._ready(slot),
                self.role.lifeline_fd,
            )
        except BaseException as error:  # the rim of the process: there is nobody above
            self.log.error(f"worker {slot} failed\n{app_traceback(error)}")
            status = WORKER_FAILED
        _leave(status)

    def _prepare(self, slot: int) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        faulthandler.enable(self.role.log_fd)
        faulthandler.register(signal.SIGUSR1, self.role.log_fd)  # sent before a hung worker is killed
        set_title(f"prodserve: worker {slot} of generation {self.role.generation}")

    def _part_from_parent(self) -> None:
        """What belongs to all of the forked processes must not end with the first of them: a temporary directory that
        the app made while it was imported, for one."""
        for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
            finalizer.atexit = False
        if self.role.model == "greenlets":
            importlib.import_module("gevent").reinit()

    def _ready(self, slot: int) -> None:
        tell(self.role, {"event": "ready", "slot": slot, "pid": os.getpid()})
        os.close(self.role.control_fd)


def _leave(status: int) -> NoReturn:
    """End the process: the app's exit handlers run, everything else of this copy of the interpreter is dropped."""
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
