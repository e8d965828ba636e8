"""Whether a process that has loaded an app may be forked: what the import started and a fork would break.

Native threads die in the child, with whatever they hold; greenlets go on in every child; connected sockets are shared
by all. Datagram sockets (syslog, statsd) do no harm. ``inherited_state`` is taken before and after; the difference,
in words, goes to the log.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from _socket import SO_TYPE, SOCK_DGRAM, SOL_SOCKET
from _socket import socket as raw_socket
from typing import Any, NamedTuple

_OWN_OF_GEVENT = ("Hub", "_WorkerGreenlet")
"""The hub, and what runs in the threads of its pool: they end with the hub."""


class Inherited(NamedTuple):
    """Threads, greenlets and sockets of this process: what each is called, by its identity."""

    threads: dict[int, str]
    greenlets: dict[int, str]
    sockets: dict[int, str]

    def since(self, before: Inherited) -> list[str]:
        """What is here and was not before, in words."""
        found = []
        for here, then in zip(self, before, strict=True):
            found += [name for key, name in here.items() if key not in then]
        return found


def inherited_state(model: str) -> Inherited:
    """What this process has now."""
    return Inherited(_threads(), _greenlets() if model == "greenlets" else {}, _sockets())


def release_hub() -> None:
    """Drop the hub that an import may have created (a lock that was waited for, a look-up of a name), with the native
    threads of its pool: the workers make their own. One on which greenlets of the app wait stays."""
    hub_module = sys.modules.get("gevent._hub_local")
    hub = hub_module.get_hub_if_exists() if hub_module is not None else None
    if hub is not None and not _greenlets():
        hub.destroy(destroy_loop=True)


def _threads() -> dict[int, str]:
    """Native threads but this one, by the kernel's number; Python knows the names of its own."""
    try:
        tids = [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return {
            thread.native_id or 0: f"thread {thread.name}"
            for thread in threading.enumerate()
            if thread is not threading.current_thread()
        }
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    return {tid: f"thread {names.get(tid, tid)}" for tid in tids if tid != os.getpid()}


def _greenlets() -> dict[int, str]:
    """Greenlets that run or wait to run, without this one and the hub."""
    module = sys.modules.get("greenlet")
    if module is None:
        return {}
    current = module.getcurrent()
    # By type(): isinstance() asks an object for its class, and a lazy one of Django makes itself to answer.
    return {
        id(one): f"greenlet {describe_greenlet(one)}"
        for one in gc.get_objects()
        if issubclass(type(one), module.greenlet) and one and one is not current and one.parent is not None
        if type(one).__qualname__ not in _OWN_OF_GEVENT
    }


def describe_greenlet(one: Any) -> str:
    """Its function, as far as it tells."""
    function = getattr(one, "_run", None) or getattr(one, "run", None)
    return str(getattr(function, "__qualname__", None) or type(one).__qualname__)


def _sockets() -> dict[int, str]:
    """Stream sockets, by descriptor."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return {}
    found = {}
    for fd in map(int, names):
        try:
            if not os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                continue
            sock = raw_socket(fileno=fd)
        except OSError:
            continue
        try:
            if sock.getsockopt(SOL_SOCKET, SO_TYPE) != SOCK_DGRAM:
                found[fd] = f"socket {fd}{_ends(sock)}"
        finally:
            sock.detach()
    return found


def _ends(sock: raw_socket) -> str:
    try:
        peer = sock.getpeername()
    except OSError:
        return f" on {_text(sock.getsockname())}"
    return f" to {_text(peer)}" if peer else " of a pair"


def _text(address: Any) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address or "nothing")
