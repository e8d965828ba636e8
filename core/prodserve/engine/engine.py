"""The engine of a worker: listening sockets, connections, the clock that they share, and the turn-taking between them.

Runs in gevent's hub. It knows how requests come in and answers go out; what makes the answers is given to it: ``files``
answers inside the loop, ``task`` makes one of a request for a slot.
"""

from __future__ import annotations

import os
import time
import traceback
from _socket import socket as raw_socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from posix import close as close_now  # gevent's os.close waits for the loop to come round
from typing import Any, Protocol

from ..clock import http_date
from ..h1.head import HeadReader, Limits, RequestLine
from ..http.answer import Answer, plain_answer
from ..http.conditional import Unless
from ..http.segments import FileSlice, Segment
from ..observe.access_log import AccessLog
from ..observe.log import Log
from .admission import Room, Shares
from .body import Body
from .connection import CLOSED, ENDINGS, IDLE, LINGER, NEVER, Connection
from .greenlet_slots import GreenletSlots
from .memory import SPOOLED_FROM_BYTES, Memory, spool
from .pace import seconds_per_byte
from .poller import EpollPoller, WatcherPoller
from .tasks import Task
from .thread_slots import ThreadSlots

UNEVEN = 2
"""Connections that a worker may hold more than the sibling with the fewest, beside an eighth of that one's."""
YIELD_S = 0.002
YIELDS = 5
"""How long, and how often, a worker that holds more leaves a connection to the others until it sees that they take any:
the sibling may be busy with a view, or dead."""
LAST_ACCEPTS = 1024
"""Connections that a worker takes from the backlog when it begins to drain."""
RESUMED = 64
TURN_S = 0.001
"""How many connections go on, and for how long, before the loop looks for new events again."""
FORGET_HEAD_S = 3
"""A connection that has been idle for so long forgets its last head."""
HURRIED_S = 5
"""While requests wait for a slot, a client that keeps one busy by not reading has no more time than that."""
TICK_S = 1.0
TRIM_AFTER = 500
"""Forgotten heads that are worth a look at the heap (``worker.heap``), once no more are being forgotten."""
TRIM_AFTER_BYTES = 32 << 20
"""And the bytes of responses that have gone from memory to temporary files."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds that a client may take, and bytes a second that it must move (0: any number)."""

    keep_alive: float = 75
    head: float = 30
    body: float = 60
    body_rate: int = 240
    write: float = 60
    write_rate: int = 240


class Files(Protocol):
    """What answers requests for files inside the loop."""

    prefixes: tuple[bytes, ...]

    def hot(self, target: bytes, now_s: int, accept_encoding: str | None) -> Answer | None: ...
    def hot_unchanged(self, target: bytes, now_s: int, unless: Unless | None) -> Answer | None: ...
    def answer(self, method: str, target: bytes, fields: Mapping[str, str], now_s: int) -> Answer | None: ...


class Place(Protocol):
    """How this worker and its siblings see one another (``observe.board``)."""

    def hold(self, connections: int) -> None: ...
    def fewest(self) -> int: ...


class Listener:
    """A listening socket, seen by the poller."""

    __slots__ = ("base", "deadline", "engine", "fd", "out", "sock")

    def __init__(self, engine: Engine, fd: int, base: dict[str, Any]) -> None:
        self.engine = engine
        self.fd = fd
        self.base = base
        self.out = None
        self.deadline = NEVER
        self.sock: Any = raw_socket(fileno=fd)

    def readable(self) -> None:
        """Accept one connection, unless a sibling holds far fewer: then leave it the time to come for it."""
        engine = self.engine
        fewest = engine.place.fewest()
        if engine.connections > fewest + UNEVEN + (fewest >> 3) and engine.may_yield(fewest):
            engine.yield_accepting()
        else:
            self.accept(1)

    def accept(self, most: int) -> None:
        """Accept up to ``most`` connections."""
        engine = self.engine
        for _ in range(most):
            if engine.connections >= engine.connection_limit and not engine.make_room():
                engine.pause_accepting()
                return
            try:
                fd, address = self.sock._accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == EMFILE and engine.make_room():
                    continue
                if error.errno in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
                    engine.log.error(f"no connection can be accepted for now: {error.strerror}")
                    engine.pause_accepting()
                    return
                continue  # the client was gone before we came (accept(2))
            os.set_blocking(fd, False)
            engine.enter(fd, address, self.base)

    def writable(self) -> None:
        """Never happens."""

    def input_ended(self) -> None:
        """Never happens."""

    def hangup(self) -> None:
        """The socket was shut down: nothing more will come."""
        self.engine.poller.remove(self.fd)

    def expire(self) -> None:
        """Never happens."""


class Engine:
    """One per worker."""

    def __init__(
        self,
        *,
        loop: Any,
        poller: EpollPoller | WatcherPoller,
        slots: GreenletSlots | ThreadSlots,
        task: Callable[[Connection, RequestLine, dict[str, Any]], Task],
        files: Files | None,
        limits: Limits,
        timeouts: Timeouts,
        connection_limit: int,
        address_limit: int | None = None,
        body_memory_bytes: int,
        client_memory_bytes: int = 128 << 20,
        temp_dir: str | None,
        log: Log,
        access: AccessLog | None,
        trim: Callable[[], None],
        place: Place,
    ) -> None:
        self.loop = loop
        self.poller = poller
        poller.flush = self.flush
        poller.failed = self.failed
        self.answers: list[tuple[Connection, Answer]] = []
        """Ready answers of this round, sent together at its end."""
        self.slots = slots
        self.task = task
        self.files = files
        self.limits = limits
        self.timeouts = timeouts
        self.body_s_per_byte = seconds_per_byte(timeouts.body_rate)
        self.write_s_per_byte = seconds_per_byte(timeouts.write_rate)
        self.connection_limit = connection_limit
        self.shares = None if address_limit is None else Shares(address_limit, log.warning)
        self.room = Room(timeouts.keep_alive, timeouts.head, log.warning)
        self.body_memory_bytes = body_memory_bytes
        self.memory = Memory(client_memory_bytes)
        self.spooled_bytes = 0
        self.temp_dir = temp_dir
        self.log = log
        self.access = access
        self.trim = trim
        self.place = place
        self.yielded = 0
        """How often since the siblings' number last changed."""
        self._fewest = 0
        self._yielding = loop.timer(YIELD_S, YIELD_S)
        self.forgotten = 0
        self.heads = HeadReader(limits)
        self.low_water_bytes = 65536
        self.connections = 0
        self.requests = 0
        self.draining = False
        """Every answer is the last one of its connection."""
        self.closed_to_new = False
        self.accepting = False
        self.paused = False
        """Accepting has stopped for want of room, and goes on when there is some."""
        self.on_empty: Callable[[], None] | None = None
        self.idle_limit_s: float | None = None
        self._hosts: dict[str, str] = {}
        self._listeners: list[Listener] = []
        self._resumed: deque[Connection] = deque()
        self._writing: deque[Connection] = deque()
        self._scheduled = False
        self.overloaded = plain_answer(503, [("Retry-After", "5")])
        self.tick()
        self._timer = loop.timer(TICK_S, TICK_S)
        self._timer.start(self._guarded_tick)

    # Time

    def tick(self) -> None:
        """Once a second: the shared deadlines and the date, and a look at every connection."""
        now = self.now_s = int(time.monotonic())
        timeouts = self.timeouts
        self.idle_deadline = now + timeouts.keep_alive
        self.head_deadline = now + timeouts.head
        self.body_deadline = now + timeouts.body
        self.write_deadline = now + timeouts.write
        date = f"Date: {http_date(time.time())}\r\n".encode()
        self.endings = tuple(date + ending for ending in ENDINGS)
        if self.connections:
            self._sweep(now)
        self.room.report(now)
        if self.shares is not None:
            self.shares.report(now)
        if self.paused and not self.closed_to_new:
            self.start_accepting()
        if self.access is not None:
            self.access.flush(time.time())

    def _guarded_tick(self) -> None:
        try:
            self.tick()
        except Exception as error:  # a rim: a timer that raises is never called again
            self.failed(None, error)

    def _sweep(self, now: int) -> None:
        """Expire what is over its deadline: 40 ns for each of the others, which is less than any timer costs."""
        idle_limit_s = self.idle_limit_s
        forget = self.idle_deadline - (FORGET_HEAD_S if idle_limit_s is None else min(FORGET_HEAD_S, idle_limit_s))
        forgotten = held = 0
        hurried = now + HURRIED_S if self.slots.waiting else NEVER
        for target in self.poller.table[:]:
            if target is None:
                continue
            deadline = target.deadline
            if deadline < now:
                target.expire()
            elif target.__class__ is not Connection:
                continue
            elif target.state != IDLE:
                held += target.held_bytes()
                if deadline > hurried and target.waiter is not None:
                    target.deadline = hurried
            elif deadline < forget:
                if target.seen is not None:
                    target.seen = target.fields = target.line = None
                    forgotten += 1
                if idle_limit_s is not None:
                    target.close()
        self.memory.others = held
        self.forgotten += forgotten
        if (self.forgotten >= TRIM_AFTER and not forgotten) or self.spooled_bytes >= TRIM_AFTER_BYTES:
            self.forgotten = self.spooled_bytes = 0
            self.trim()

    # Connections

    def listen(self, fd: int, base: dict[str, Any]) -> None:
        """Add a listening socket; ``base`` is the part of the environ that all of its requests share."""
        self._listeners.append(Listener(self, fd, base))

    def start_accepting(self) -> None:
        """Take connections."""
        self.paused = False
        if not self.accepting:
            self.accepting = True
            for listener in self._listeners:
                self.poller.add_listener(listener.fd, listener)

    def stop_accepting(self) -> None:
        """Leave connections to the siblings, or in the backlog."""
        if self.accepting:
            self.accepting = False
            for listener in self._listeners:
                if self.poller.table[listener.fd] is not None:
                    self.poller.remove(listener.fd)

    def may_yield(self, fewest: int) -> bool:
        """Whether the sibling with the fewest connections has come for others lately: if not, it is busy, or dead."""
        if fewest != self._fewest:
            self._fewest = fewest
            self.yielded = 0
        return self.yielded < YIELDS

    def yield_accepting(self) -> None:
        """Look away from the listening sockets for a moment."""
        self.stop_accepting()
        self.yielded += 1
        self._yielding.again(self._accept_again)  # ``start`` would go on with what was left of the last time: 0

    def _accept_again(self) -> None:
        self._yielding.stop()
        if not self.closed_to_new and not self.paused:
            self.start_accepting()

    def pause_accepting(self) -> None:
        """Stop until the next tick: there may be room then, or somebody whose place can be taken."""
        self.stop_accepting()
        self.paused = True

    def make_room(self) -> bool:
        """Close a connection that is idle; False: there is none."""
        return self.room.make(self.poller.table, self.now_s)

    def enter(self, fd: int, address: Any, base: dict[str, Any]) -> None:
        """A client has come."""
        if address.__class__ is tuple:
            host, port = address[0], address[1]
            host = self._hosts.get(host) or self._remember_host(host)
        else:
            host, port = "", 0
        if self.shares is not None and not self.shares.admit(host):
            close_now(fd)
            return
        self.connections += 1
        self.place.hold(self.connections)
        self.poller.add(fd, Connection(self, fd, host, port, base))

    def _remember_host(self, host: str) -> str:
        """One string for all connections of an address: 50,000 idle connections would keep 50,000 copies."""
        if len(self._hosts) >= 10000:
            self._hosts.clear()
        self._hosts[host] = host
        return host

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections -= 1
        if self.shares is not None:
            self.shares.leave(connection.host)
        self.place.hold(self.connections)
        if self.draining and not self.connections and self.on_empty is not None:
            self.on_empty()

    def failed(self, target: Any, error: Exception) -> None:
        """A fault of ours, at the rim of one event: it is logged, and the connection that it belongs to is cut.

        A listening socket is left alone until the next tick: its event would come again at once, without end."""
        self.log.error("".join(traceback.format_exception(error)))
        if target.__class__ is Listener:
            self.pause_accepting()
        if target.__class__ is Connection:
            try:
                target.abort()
            except Exception as again:  # the rim of the rim: what is broken can't be closed either
                self.log.error(f"a connection was not closed: {again!r}")

    def make_body(self, expected: int | None) -> Body:
        """The collector of one request body."""
        return Body(
            expected,
            self.heads.check_trailers,
            limit_bytes=self.limits.body_bytes,
            memory_bytes=self.body_memory_bytes,
            memory=self.memory,
            temp_dir=self.temp_dir,
        )

    def kept(self, segment: Segment) -> Segment:
        """A part of a response that has to wait for its reader: in memory, or in a temporary file if it is long and
        there is no room."""
        if segment.__class__ is FileSlice:
            return segment
        size = len(segment)
        if size >= SPOOLED_FROM_BYTES and not self.memory.room_for(size):
            try:
                piece = spool(segment, self.temp_dir)  # type: ignore[arg-type]
                self.spooled_bytes += size
                return piece
            except OSError as error:  # then it stays: the app has made it, and the client may read it
                self.log.warning(f"a response that waits for its reader could not be stored: {error}")
        self.memory.others += size
        return segment

    def note(self, connection: Connection, line: str, status: int, sent: int = 0) -> None:
        """An access log line for a request that did not get as far as ``complete``."""
        if self.access is not None:
            seconds = time.monotonic() - connection.started if connection.started else 0.0
            self.access.add(connection.host, line, status, sent, seconds)

    # Turns

    def flush(self) -> None:
        """The end of a round: send the ready answers, and begin what is for the app.

        HOT: benchmarks static-3k: writes that follow one another wake a client once, reads between them wake it each
        time."""
        if self.answers:
            answers, self.answers = self.answers, []
            for connection, answer in answers:
                try:
                    connection.answer(answer)
                except Exception as error:  # a rim: the others of this round have nothing to do with it
                    self.failed(connection, error)
        self.slots.flush()  # switch

    def resume(self, connection: Connection) -> None:
        """Let a connection go on with its input when the others have had their turn."""
        self._resumed.append(connection)
        self._schedule()

    def resume_writing(self, connection: Connection) -> None:
        """Let a connection go on with its output when the others have had their turn."""
        self._writing.append(connection)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.loop.run_callback(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.poller.woken_s = time.monotonic()
        self._take_turns(self._writing, Connection.writable)  # switch
        self._take_turns(self._resumed, Connection.resume)  # switch
        if self._resumed or self._writing:
            self._schedule()
        self.flush()  # switch

    def _take_turns(self, waiting: deque[Connection], go_on: Callable[[Connection], None]) -> None:
        end = time.monotonic() + TURN_S
        for _ in range(min(RESUMED, len(waiting))):
            connection = waiting.popleft()
            try:
                go_on(connection)  # switch
            except Exception as error:  # a rim: the others of this round have nothing to do with it
                self.failed(connection, error)
            if time.monotonic() > end:
                return

    # Ending

    def announce_end(self) -> None:
        """Answer with ``Connection: close`` from now on, while connections are still taken."""
        self.draining = True

    def drain(self, idle_s: float) -> None:
        """Take no more connections, answer what comes on the old ones with ``Connection: close``, and close those
        that have been idle for ``idle_s`` seconds. ``on_empty`` is called when none is left."""
        if not self.paused:
            for listener in self._listeners:
                listener.accept(LAST_ACCEPTS)  # what is in the backlog was promised an answer
        self.stop_accepting()
        self.draining = self.closed_to_new = True
        self.idle_limit_s = idle_s
        for target in self.poller.table[:]:
            if target.__class__ is Connection and target.state in (IDLE, LINGER):
                if idle_s <= 0:
                    target.close()
                else:  # also one that has not sent a byte yet counts as idle from now on
                    target.deadline = min(target.deadline, self.idle_deadline)
        if not self.connections and self.on_empty is not None:
            self.on_empty()

    def cut(self) -> list[str]:
        """Close every connection; the request lines that were being answered."""
        running = []
        for target in self.poller.table[:]:
            if target.__class__ is Connection:
                if target.line is not None and target.state not in (IDLE, LINGER):
                    running.append(target.line.log)
                target.abort()
        return running

    def let_go(self) -> None:
        """In a child process that the app has forked: close our descriptors, without a word to anybody. The child
        would else serve our clients, and keep their connections open when we close them."""
        self._timer.stop()
        self._yielding.stop()
        table = self.poller.table[:]
        self.poller.close()
        self.poller.table = []
        for listener in self._listeners:
            close_now(listener.sock.detach())
        self._listeners.clear()
        for target in table:
            if target.__class__ is Connection:
                target.state = CLOSED
                close_now(target.fd)

    def close(self) -> None:
        """Give back what the engine itself holds. The listening sockets stay open: they belong to the supervisor."""
        for timer in (self._timer, self._yielding):
            timer.stop()
            timer.close()
        self.stop_accepting()
        for listener in self._listeners:
            listener.sock.detach()
        self.poller.close()
        if self.access is not None:
            self.access.flush(time.time())
