"""From the first process to the supervisor: this process is replaced, its PID, parent and open descriptors stay.

The supervisor is a fresh interpreter without ``site`` and without the environment's influence (``-I -S``): nothing of
the project can be imported there, not even by accident. It gets one JSON record through an inherited memory file.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import prodserve
from prodserve.observe.memory_file import write_json
from prodserve.supervisor import notify

SUPERVISOR = (
    "import sys; sys.path.append(sys.argv[1]); from prodserve.supervisor.main import main; main(int(sys.argv[2]))"
)


def package_root() -> str:
    """The directory from which ``prodserve`` is imported."""
    return os.path.dirname(os.path.dirname(os.path.abspath(prodserve.__file__)))


def _gevent_root() -> str | None:
    """The directory that holds gevent; the generation needs it before the program has set up its ``sys.path``."""
    spec = importlib.util.find_spec("gevent")
    return os.path.dirname(os.path.dirname(spec.origin)) if spec and spec.origin else None


def parse_environ(block: bytes) -> dict[str, str]:
    """The variables of ``/proc/PID/environ``; empty where something else was written over them."""
    entries = block.rstrip(b"\0").split(b"\0")
    if not all(entry.find(b"=") > 0 for entry in entries):
        return {}
    pairs = (entry.partition(b"=") for entry in entries)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _initial_environ() -> dict[str, str]:
    """The environment that this process was started with, before the program changed it. A generation begins with it:
    what the program sets (from a ``.env`` file, say) is set again by each generation, from the file as it is then."""
    try:
        with open("/proc/self/environ", "rb") as file:
            return parse_environ(file.read()) or dict(os.environ)
    except OSError:
        return dict(os.environ)


def supervisor_command(executable: str, root: str, fd: int, label: str) -> list[str]:
    """The command line of the supervisor; ``label`` is only there to be read in a list of processes."""
    return [executable, "-I", "-S", "-c", SUPERVISOR, root, str(fd), "prodserve", label]


def start(record: Mapping[str, Any]) -> NoReturn:
    """Replace this process by the supervisor of ``record`` (docs/architecture.md). Returns only by ``OSError``.

    The program ends here, so its exit handlers run, and standard output and error are flushed; other threads just end.
    """
    root = package_root()
    environ = _initial_environ()
    whole = {
        **record,
        "root": root,
        "roots": [path for path in (root, _gevent_root()) if path],
        "executable": sys.executable,
        "orig_argv": list(sys.orig_argv),
        "environ": {name: value for name, value in environ.items() if name not in notify.VARIABLES},
        "service": {name: value for name, value in environ.items() if name in notify.VARIABLES},
    }
    fd = write_json("prodserve-launch", whole)
    os.set_inheritable(fd, True)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    command = supervisor_command(sys.executable, root, fd, str(record.get("command", "")))
    try:
        os.execve(sys.executable, command, os.environ)
    finally:
        os.close(fd)
