"""A worker process: puts engine, slots, files and app together, serves until it is told to end, and ends in order.

``SIGTERM`` and the end of the lifeline (the supervisor died) drain: no new connections, running requests finish within
the graceful time-out, the rest is cut and named in the log. ``SIGQUIT`` ends at once. ``SIGINT`` is the supervisor's
business.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from _socket import AF_INET, AF_INET6, AF_UNIX
from _socket import socket as raw_socket
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent.event import Event

from .. import VERSION, views
from ..adapter import Adapter, StaticRoot, WSGIApp
from ..config.kinds import prefix_seconds
from ..config.options import DEFAULT_SLOTS, Config
from ..engine.deadlines import Deadlines
from ..engine.engine import Engine, Timeouts
from ..engine.greenlet_slots import GreenletSlots
from ..engine.limits import Limits as RequestLimits
from ..engine.poller import make_poller
from ..engine.thread_slots import ThreadSlots
from ..h1.head import Limits
from ..handlers.places import exposed, internal_roots
from ..handlers.protected import PassedOn, ProtectedFiles
from ..handlers.static import StaticFiles
from ..handlers.wsgi import Replace, WSGIHandler, base_environ
from ..observe.access_log import AccessLog
from ..observe.board import Beat
from ..observe.log import Log
from ..observe.tracebacks import app_traceback
from . import heap
from .watchdog import Watchdog

RESERVED_DESCRIPTORS = 256
"""Left to the app and to files out of the process's limit."""
HOUSEKEEPING_S = 10
DRAIN_IDLE_S = 1.0
"""A client may be sending its next request right now: a draining worker answers it rather than closing under it."""


def run(
    app: WSGIApp,
    adapter: Adapter,
    config: Config,
    roots: Sequence[StaticRoot],
    files: StaticFiles | None,
    model: str,
    listeners: Sequence[tuple[int, str]],
    beat: Beat,
    ready: Callable[[], None],
    lifeline_fd: int,
) -> None:
    """Be the worker until the end; ``listeners`` are (descriptor, URL). Called in its own process."""
    Worker(app, adapter, config, roots, files, model, listeners, beat, lifeline_fd).serve(ready)


def open_log(path: str, standard: int) -> int | None:
    """The descriptor of a log: ``-`` is the standard one, ``none`` no log."""
    if path == "none":
        return None
    if path == "-":
        return standard
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def server_address(fd: int) -> tuple[str, str]:
    """SERVER_NAME and SERVER_PORT of a listening socket."""
    sock = raw_socket(fileno=fd)
    try:
        if sock.family in (AF_INET, AF_INET6):
            host, port = sock.getsockname()[:2]
            return host, str(port)
        return "localhost", "80" if sock.family == AF_UNIX else "0"
    finally:
        sock.detach()


def descriptor_limit() -> int:
    """How many descriptors this process may have; raises its soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # the soft limit it is
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def connection_limit(configured: int | None, descriptors: int) -> int:
    """How many connections a process with so many descriptors may hold."""
    room = max(descriptors - RESERVED_DESCRIPTORS, descriptors // 2)
    return room if configured is None else min(configured, room)


class Worker:
    """One worker process."""

    def __init__(
        self,
        app: WSGIApp,
        adapter: Adapter,
        config: Config,
        roots: Sequence[StaticRoot],
        files: StaticFiles | None,
        model: str,
        listeners: Sequence[tuple[int, str]],
        beat: Beat,
        lifeline_fd: int,
    ) -> None:
        self.adapter = adapter
        self.config = config
        self.beat = beat
        error_fd = open_log(config.error_logfile, 2)
        self.log = Log(2 if error_fd is None else error_fd, config.log_level)
        access_fd = open_log(config.access_logfile, 1)
        access = None if access_fd is None else AccessLog(access_fd, time.time(), self.log.warning)
        heap.limit_arenas()
        self.descriptors = descriptor_limit()
        self.files = files
        self.hub = gevent.get_hub()
        loop = self.hub.loop
        slots_class = GreenletSlots if model == "greenlets" else ThreadSlots
        size = config.slots if config.slots is not None else DEFAULT_SLOTS[model]
        self.slots = slots_class(
            self.hub,
            size,
            config.queue_size,
            self.hook(adapter.slot_idle),
            self.hook(adapter.worker_stopping),
            self.hook(adapter.slot_interrupted),
            beat.cells,
        )
        self.deadlines = Deadlines(
            loop=loop,
            slots=self.slots,
            limits=RequestLimits(
                run_s=config.timeout,
                prefixes=tuple(prefix_seconds(text) for text in config.timeout_for),
                slow_s=config.slow_request,
                queue_s=config.queue_timeout,
                cancel=config.cancel_on_disconnect,
            ),
            log=self.log,
            replace=self.ask_for_successor,
        )
        views.limit_setter = self.deadlines.set_limit
        self.watchdog: Watchdog | None = None
        if isinstance(self.slots, GreenletSlots) and config.block_warning:
            self.watchdog = Watchdog(self.hub, self.slots, config.block_warning, self.log)
        self.engine = Engine(
            loop=loop,
            poller=make_poller(config.poller, loop),
            slots=self.slots,
            task=WSGIHandler(app, self.slots, self.log_app_error, self.replacement(roots), bool(config.internal)).task,
            files=self.files,
            limits=Limits(
                line_bytes=config.limit_request_line,
                fields=config.limit_request_fields,
                field_bytes=config.limit_request_field_size,
                head_bytes=config.limit_request_head,
                body_bytes=config.limit_request_body,
            ),
            timeouts=Timeouts(
                keep_alive=config.keep_alive,
                head=config.head_timeout,
                body=config.body_timeout,
                body_rate=config.min_body_rate,
                write=config.write_timeout,
                write_rate=config.min_write_rate,
            ),
            connection_limit=connection_limit(config.worker_connections, self.descriptors),
            address_limit=config.limit_connections_per_address,
            body_memory_bytes=config.body_memory,
            client_memory_bytes=config.client_memory,
            temp_dir=config.temp_dir,
            log=self.log,
            access=access,
            trim=heap.trim,
            place=beat,
        )
        for fd, _url in listeners:
            host, port = server_address(fd)
            self.engine.listen(fd, base_environ(host, port, f"prodserve/{VERSION}", sys.stderr, multiprocess=True))
        self.ended = Event()
        self.at_once = False
        self.watchers: list[Any] = []
        for number, action in ((signal.SIGTERM, self.terminate), (signal.SIGQUIT, self.quit)):
            watcher = loop.signal(number)
            watcher.start(self.hook(action))
            self.watchers.append(watcher)
        signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN: programs that the app starts would inherit it
        signal.signal(signal.SIGUSR2, lambda *_: self.log.error(self.deadlines.dump()))
        lifeline = loop.io(lifeline_fd, 1)
        lifeline.start(self.hook(self.drain))
        timer = loop.timer(1.0, 1.0)
        timer.start(self.hook(self.tick))
        self.watchers += [lifeline, timer]
        self.lifeline = lifeline
        self.ends = loop.timer(max(config.shutdown_delay, 0.001))
        self.watchers.append(self.ends)
        self.ticks = 0
        self.deadline_s = float("inf")
        os.register_at_fork(after_in_child=self.let_go)

    def replacement(self, public: Sequence[StaticRoot]) -> Replace:
        """What is sent in place of responses that name a file."""
        roots = internal_roots(self.config.internal)
        if not roots:
            return PassedOn(self.log.warning)
        for text in exposed(roots, public):
            self.log.warning(text)
        return ProtectedFiles(roots, self.log.error, self.config.follow_symlinks)

    def hook(self, call: Callable[[], None]) -> Callable[[], None]:
        """``call``, at the rim of a slot: what it raises is logged, the slot goes on."""

        def guarded() -> None:
            try:
                call()
            except Exception as error:  # a rim: the slot must survive the adapter
                self.log.error(f"{call.__qualname__} failed\n{app_traceback(error)}")

        return guarded

    def log_app_error(self, line: str, error: BaseException) -> None:
        """An exception that left the app."""
        self.log.error(f"{line}: unhandled {type(error).__name__}\n{app_traceback(error)}")

    def serve(self, ready: Callable[[], None]) -> None:
        """Accept until told to end."""
        self.hook(self.adapter.worker_started)()
        self.tick()
        if self.watchdog is not None:
            self.watchdog.start()
        self.engine.start_accepting()
        ready()
        self.ended.wait()  # switch
        self.finish()

    def tick(self) -> None:
        """Once a second: show that the loop turns."""
        engine = self.engine
        self.beat(engine.requests, engine.connections, self.slots.busy, self.slots.waiting)
        if self.files is not None:
            spare = self.descriptors - RESERVED_DESCRIPTORS - engine.connections
            self.files.tick(engine.now_s, max(0, spare) * 3 // 4)
        self.ticks += 1
        if self.ticks % HOUSEKEEPING_S == 0:
            self.slots.housekeep()
        if time.monotonic() > self.deadline_s:
            self.quit()

    def terminate(self) -> None:
        """End; where the whole server does, only after ``shutdown_delay``, within which connections are still taken."""
        if self.config.shutdown_delay and self.beat.server_ends() and not self.engine.draining:
            self.engine.announce_end()
            self.ends.start(self.hook(self.drain))
        elif not self.ends.active:
            self.drain()

    def drain(self) -> None:
        """End when the running requests are answered, or the graceful time-out is over."""
        self.lifeline.stop()
        if self.engine.closed_to_new:
            return
        self.deadline_s = time.monotonic() + self.config.graceful_timeout
        self.engine.on_empty = self.ended.set
        self.engine.drain(DRAIN_IDLE_S)

    def ask_for_successor(self, reason: str) -> None:
        """Have the supervisor start another worker in the place of this one, which then drains."""
        self.log.error(f"this worker should be replaced: {reason}")
        self.beat.ask_for_successor()

    def let_go(self) -> None:
        """In a child process that the app has forked: nothing of the server goes on there."""
        self.deadlines.stop()
        if self.watchdog is not None:
            self.watchdog.stop()
        watchers, self.watchers = self.watchers, []
        for watcher in watchers:
            watcher.stop()
        if watchers:
            self.engine.let_go()

    def quit(self) -> None:
        """End now."""
        self.at_once = True
        self.ended.set()

    def finish(self) -> None:
        """Cut what still runs, naming it, and give everything back."""
        running = self.engine.cut()
        if running:
            names = "".join(f"\n{line}" for line in running[:20])
            self.log.warning(f"{len(running)} requests were cut at the end:{names}")
        self.slots.stop()
        for _ in range(20):
            if not self.slots.alive or self.at_once:
                break
            gevent.sleep(0.02)  # switch
        self.hook(self.adapter.worker_stopping)()
        self.deadlines.close()
        if self.watchdog is not None:
            self.watchdog.close()
        for watcher in self.watchers:
            watcher.stop()
            watcher.close()
        self.engine.close()
