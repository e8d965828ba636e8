"""Readiness of descriptors, in two implementations: one epoll for all of them, or gevent watchers one by one.

Both promise the same, edge-triggered as in epoll(7): after ``readable()`` was called, the next call comes when *more*
has arrived, and a target that could not write all of its output (``want_write``) is told once when it can. A target
that left something unread says so by ``rearm`` before it relies on being called again.

The epoll object is private and its descriptor is the one watcher that gevent's loop knows: no watcher, greenlet or
timer a connection, and no system call to change what is waited for.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from gevent import monkey

EPOLL = (
    monkey.get_original("select", "epoll") if hasattr(select, "epoll") or monkey.is_module_patched("select") else None
)
"""``select.epoll``, also where gevent has patched it away."""

BATCH = 64
"""Events taken at once; small, so that the app's own sockets get their turn in the loop (engine.md)."""

READ, WRITE, ERROR, HANGUP, INPUT_ENDED = 0x001, 0x004, 0x008, 0x010, 0x2000
DEAD = ERROR | HANGUP
OVER = DEAD | INPUT_ENDED
EXCLUSIVE, EDGE = 1 << 28, 1 << 31


class Target(Protocol):
    """What a poller tells of readiness."""

    out: Any
    """Output that waits for the descriptor to become writable, or None."""
    deadline: float

    def readable(self) -> None: ...
    def writable(self) -> None: ...
    def input_ended(self) -> None: ...
    def hangup(self) -> None: ...
    def expire(self) -> None: ...


class Poller:
    """What is common to both: the table of targets, indexed by descriptor."""

    def __init__(self) -> None:
        self.table: list[Any] = [None] * 64
        self.woken_s = monotonic()
        """When the loop last came round to sockets: the time from which a request counts, also while it waits for its
        turn behind others of the same round."""
        self.flush: Callable[[], None] = lambda: None
        """Called when a round is over: what came in together is begun together."""
        self.failed: Callable[[Any, Exception], None]
        """Told of what a target raised. Nothing may get through to gevent: it drops a watcher that has raised."""

    def _enter(self, fd: int, target: Target) -> None:
        table = self.table
        if fd >= len(table):
            table.extend([None] * (fd + 64 - len(table)))
        table[fd] = target


class EpollPoller(Poller):
    """One epoll, nested in gevent's loop."""

    def __init__(self, loop: Any) -> None:
        super().__init__()
        assert EPOLL is not None
        self.epoll = EPOLL()
        self.watcher = loop.io(self.epoll.fileno(), 1)
        self.watcher.start(self.ready)

    def add(self, fd: int, target: Target) -> None:
        """Watch a connection, once and for all."""
        self._enter(fd, target)
        self.epoll.register(fd, READ | WRITE | INPUT_ENDED | EDGE)

    def add_listener(self, fd: int, target: Target) -> None:
        """Watch a listening socket that other processes watch too: one of them is woken for a connection."""
        self._enter(fd, target)
        self.epoll.register(fd, READ | EXCLUSIVE)

    def remove(self, fd: int) -> None:
        """Forget a descriptor that stays open; one that is closed is forgotten by the kernel."""
        self.table[fd] = None
        self.epoll.unregister(fd)

    def forget(self, fd: int) -> None:
        """Forget a descriptor that is about to be closed."""
        self.table[fd] = None

    def rearm(self, fd: int) -> None:
        """Nothing to do: edges come by themselves."""

    want_write = rearm

    def ready(self) -> None:
        """Serve one batch of events. Runs in the hub."""
        table = self.table
        self.woken_s = monotonic()
        for fd, mask in self.epoll.poll(0, BATCH):
            target = table[fd]
            if target is None:
                continue
            try:
                if mask & 1:
                    target.readable()  # switch
                if target.out is not None and mask & 4:
                    target.writable()  # switch
                if mask & OVER and table[fd] is target:
                    if mask & DEAD:
                        target.hangup()
                    else:
                        target.input_ended()
            except Exception as error:  # a rim: the others of this round have nothing to do with it
                self.failed(target, error)
        try:
            self.flush()  # switch
        except Exception as error:
            self.failed(None, error)

    def close(self) -> None:
        """Stop watching."""
        self.watcher.stop()
        self.watcher.close()
        self.epoll.close()


class WatcherPoller(Poller):
    """One gevent watcher a descriptor: for platforms without epoll, and to test that the engine needs none."""

    def __init__(self, loop: Any) -> None:
        super().__init__()
        self.loop = loop
        self.readers: dict[int, Any] = {}
        self.writers: dict[int, Any] = {}

    def add(self, fd: int, target: Target) -> None:
        """Watch a connection."""
        self._enter(fd, target)
        self.readers[fd] = self.loop.io(fd, 1)
        self.rearm(fd)

    add_listener = add

    def remove(self, fd: int) -> None:
        """Forget a descriptor."""
        self.table[fd] = None
        for watchers in (self.readers, self.writers):
            watcher = watchers.pop(fd, None)
            if watcher is not None:
                watcher.stop()
                watcher.close()

    forget = remove

    def rearm(self, fd: int) -> None:
        """Call ``readable`` when there is something to read."""
        watcher = self.readers.get(fd)
        if watcher is not None and not watcher.active:
            watcher.start(self._readable, fd)

    def want_write(self, fd: int) -> None:
        """Call ``writable`` once when there is room."""
        watcher = self.writers.get(fd)
        if watcher is None:
            watcher = self.writers[fd] = self.loop.io(fd, 2)
        if not watcher.active:
            watcher.start(self._writable, fd)

    def _readable(self, fd: int) -> None:
        self.woken_s = monotonic()
        target = self.table[fd]
        if target is not None:
            try:
                target.readable()  # switch
                if self.table[fd] is target and getattr(target, "more", False):
                    self.readers[fd].stop()
                self.flush()  # switch
            except Exception as error:  # a rim
                self.failed(target, error)

    def _writable(self, fd: int) -> None:
        watcher = self.writers.get(fd)
        if watcher is not None:
            watcher.stop()
        target = self.table[fd]
        if target is not None and target.out is not None:
            try:
                target.writable()  # switch
            except Exception as error:  # a rim
                self.failed(target, error)

    def close(self) -> None:
        """Stop watching."""
        for fd in list(self.readers):
            self.remove(fd)


def make_poller(kind: str, loop: Any) -> EpollPoller | WatcherPoller:
    """``auto``, ``epoll`` or ``watchers``."""
    if kind == "watchers" or (kind == "auto" and EPOLL is None):
        return WatcherPoller(loop)
    return EpollPoller(loop)
