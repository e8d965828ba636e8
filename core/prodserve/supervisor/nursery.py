"""Where generation processes come from: fork, then a fresh interpreter that runs ``prodserve.worker.boot``.

By hand rather than by ``subprocess``: the supervisor waits for every child of its own and for orphans, which
``subprocess`` would have to share with it; and it stays small.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from prodserve.observe.memory_file import write_json
from prodserve.supervisor import privileges
from prodserve.supervisor.channel import Channel

BOOT = (
    "import sys; ''==sys.path[0] and sys.path.pop(0); sys.path.extend(sys.argv[3:]); "
    "from prodserve.worker.boot import main; main(int(sys.argv[1]), sys.argv[2])"
)
"""The roots come last on ``sys.path`` and are taken off again: what the user's own path has is found there."""

CANNOT_START = 71
_PR_SET_CHILD_SUBREAPER = 36


def boot_command(record: Mapping[str, Any], fd: int, model: str) -> list[str]:
    """The command line of a generation process: the user's interpreter and flags, our first line of code."""
    return [record["executable"], *record["program"]["flags"], "-c", BOOT, str(fd), model, *record["roots"]]


def spawn(record: Mapping[str, Any], role: Mapping[str, Any], inherited: Sequence[int]) -> tuple[int, Channel]:
    """Start a generation process in ``role``; gives its PID and its control channel.

    ``inherited`` are the descriptors that it gets in addition. ``OSError`` where the system gives no process.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    whole = {**record, "role": {**role, "control_fd": theirs.fileno()}}
    fd = write_json("prodserve-generation", whole)
    command = boot_command(record, fd, role["model"])
    try:
        pid = os.fork()
        if pid == 0:
            fds = [fd, theirs.fileno(), *inherited]
            become(command, record["environ"], record["program"]["cwd"], fds, record["identity"])
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(fd)
    return pid, Channel(ours)


def become(
    command: list[str],
    environ: Mapping[str, str],
    cwd: str,
    inherited: Sequence[int],
    identity: privileges.Identity | None = None,
) -> NoReturn:
    """Be ``command`` from now on, as the user ``identity``; where that fails, the process ends. A terminal's signals
    are ignored until ``boot`` has handlers for them."""
    try:
        if identity is not None:
            privileges.become(identity)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        for fd in inherited:
            os.set_inheritable(fd, True)
        os.chdir(cwd)
        os.execve(command[0], command, environ)
    except OSError as error:
        sys.stderr.write(f"prodserve: can't start {command[0]} in {cwd} as {identity or 'this user'}: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(CANNOT_START)


def adopt_orphans(adopt: bool = True) -> None:
    """Workers whose generation process dies become our children (Linux); elsewhere their end is polled for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def start_apart(run: Callable[[], NoReturn]) -> int:
    """Start a process that is no child of this one but of the system's (or service manager's) first: a manager waits
    for the end of its own children only. Gives its PID; ``OSError`` where the system gives no process."""
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe:
        adopt_orphans(False)
        try:
            between = os.fork()
            if between == 0:
                _start_and_leave(run, writer)
            _, status = os.waitpid(between, 0)
        finally:
            adopt_orphans()
            os.close(writer)
        pid = int(pipe.read() or b"0")
    if not pid:
        number = os.waitstatus_to_exitcode(status)
        raise OSError(number, os.strerror(number))
    return pid


def _start_and_leave(run: Callable[[], NoReturn], writer: int) -> NoReturn:
    """In the process between the two."""
    number = 0
    try:
        pid = os.fork()
        if pid == 0:
            run()
        os.write(writer, b"%d" % pid)
    except OSError as error:
        number = error.errno or CANNOT_START
    finally:
        os._exit(number)
