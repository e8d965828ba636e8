"""The first code in a generation process: patches where the model wants it, then runs the user's program again.

The program – ``manage.py``, ``python -m django``, ``flask``, a zip file – does whatever it always does, and comes to
our command, which asks ``role()`` and goes on in ``prodserve.worker.generation``. Nothing is imported before the patch
that the patch has to reach. What the program sees of itself (``sys.argv``, ``sys.path``, ``__main__``) is
what it would see if its user had started it.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from prodserve.worker.shareability import Inherited

native_poll = getattr(select, "poll", None)
"""``select.poll`` as it was before gevent replaced it: the fork server waits without a hub."""

LOAD_FAILED = 70


class Role(NamedTuple):
    """What this process was started for. No environment variable says it: the app's own children must not know."""

    generation: int
    model: str
    solo: int | None
    """The one slot whose worker this process becomes; ``None``: it forks the workers of a generation."""
    control_fd: int
    lifeline_fd: int
    board_fd: int
    board_slots: int
    log_fd: int
    log_level: str
    listeners: tuple[tuple[int, str], ...]
    """Descriptor and URL of each."""
    config: Mapping[str, Any]
    """What the server was started with, as ``Config.to_plain`` has it."""
    before: Inherited
    """Threads, greenlets and sockets of this process before any code of the project ran."""
    warmed: bool = False
    """The warm-up request was answered by a process before this one."""

    @property
    def fds(self) -> tuple[int, ...]:
        """Every descriptor that belongs to the server."""
        own = (self.control_fd, self.lifeline_fd, self.board_fd, self.log_fd)
        return (*(fd for fd in own if fd > 2), *(fd for fd, _ in self.listeners))


_role: Role | None = None
_record: Mapping[str, Any] = {}
"""What this process was started with."""


def role() -> Role | None:
    """The role of this process; ``None`` in a process that a user started."""
    return _role


def main(record_fd: int, model: str) -> NoReturn:
    """Be the generation process of the record behind ``record_fd``; ``sys.argv[3:]`` are the roots on ``sys.path``."""
    if model == "greenlets":
        from gevent import monkey

        monkey.patch_all()
    from prodserve.observe.memory_file import read_json
    from prodserve.worker.shareability import inherited_state

    record = read_json(record_fd)
    plain = record["role"]
    listeners = tuple((fd, url) for fd, url in plain["listeners"])
    global _role, _record
    _record = record
    _role = Role(
        **{**plain, "listeners": listeners, "config": record["config"], "before": inherited_state(plain["model"])}
    )
    for fd in _role.fds:
        os.set_inheritable(fd, False)
    _show_where_it_hangs(_role.log_fd)
    _listen_to_nobody()
    _set_title(f"prodserve: generation {_role.generation} ({record['command']})")
    del sys.path[len(sys.path) - len(record["roots"]) :]
    sys.orig_argv = record["orig_argv"]
    try:
        run_program(record["program"])
    except BaseException as error:  # the rim of the process: the supervisor hears why, the process ends
        _report(_role, error)
    else:
        _report(_role, None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(LOAD_FAILED)


def start_again(role_: Role) -> NoReturn:
    """Become a fresh process in the same role and with the same PID, whose app need not answer a warm-up request."""
    import atexit

    from prodserve.observe.memory_file import write_json
    from prodserve.supervisor.nursery import become, boot_command

    fd = write_json("prodserve-generation", {**_record, "role": {**_record["role"], "warmed": True}})
    command = boot_command(_record, fd, role_.model)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    become(command, _record["environ"], _record["program"]["cwd"], [fd, *role_.fds])


def run_program(program: Mapping[str, Any]) -> None:
    """Run the user's program as ``__main__``, as ``python FLAGS TARGET REST`` would."""
    kind, target, rest = program["kind"], program["target"], program["rest"]
    sys.argv[:] = [program["argv0"], *rest]
    safe_path = getattr(sys.flags, "safe_path", False)
    start = os.getcwd()
    path = os.path.join(start, target)
    if kind == "c":
        if not safe_path:
            sys.path.insert(0, "")
        _execute(target, "<string>", None)
    elif kind == "m":
        if not safe_path:
            sys.path.insert(0, start)
        _run_module(target, True)
    elif _is_container(path):
        sys.path.insert(0, path)
        _run_module("__main__", False)
    elif target.endswith(".pyc"):
        import runpy

        runpy.run_path(path, run_name="__main__")
    else:
        if not safe_path:
            sys.path.insert(0, _script_folder(target))
        with open(path, "rb") as file:
            source = file.read()
        _execute(source, path, path)


def _script_folder(target: str) -> str:
    """``sys.path[0]`` of a script. The command of coverage.py puts the program's own folder there if what it finds is
    the folder of the outermost frame's file; that frame is ours and has no file, so for it that is the current one."""
    if os.path.basename(target).startswith("coverage"):
        return os.getcwd()
    return os.path.dirname(os.path.realpath(target))


def _is_container(target: str) -> bool:
    """Whether it is a directory or zip file with a ``__main__`` module, by Python's own rule: an importer knows it."""
    from pkgutil import get_importer

    return get_importer(target) is not None


def _run_module(name: str, alter_argv: bool) -> None:
    """What the interpreter itself calls for ``-m`` and for containers; its public forms undo their work at the end."""
    import runpy
    from types import ModuleType

    sys.modules["__main__"] = ModuleType("__main__")
    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]


def _execute(source: str | bytes, filename: str, path: str | None) -> None:
    """Run source code in a new ``__main__`` that stays, so that what it defines can be found there (``pickle``)."""
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    module = ModuleType("__main__")
    if path is not None:
        module.__file__ = path
        module.__loader__ = SourceFileLoader("__main__", path)
    sys.modules["__main__"] = module
    exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)


def _show_where_it_hangs(log_fd: int) -> None:
    """On SIGUSR1, which is sent before a process that loads for ever is killed. ``faulthandler`` shows what runs; where
    the program waits in gevent, that is the hub, so the greenlet of the program is shown as well."""

    def show(number: int, frame: object) -> None:
        greenlet = sys.modules.get("greenlet")
        main = current = greenlet.getcurrent() if greenlet is not None else None
        while main is not None and main.parent is not None:
            main = main.parent
        if main is not current and main is not None and main.gr_frame is not None:
            import traceback

            text = "".join(traceback.format_stack(main.gr_frame))
            os.write(log_fd, f"Waits in gevent, called by (most recent call last):\n{text}".encode("utf-8", "replace"))

    signal.signal(signal.SIGUSR1, show)
    faulthandler.register(signal.SIGUSR1, log_fd, chain=True)


def _listen_to_nobody() -> None:
    """A terminal signals all of its processes; here the supervisor decides. Handlers, unlike ``SIG_IGN``, are not
    inherited by the programs that the app starts."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, _nothing)


def _nothing(number: int, frame: object) -> None:
    return


def _set_title(title: str) -> None:
    from prodserve.observe.title import set_title

    set_title(title)


def _report(role_: Role, error: BaseException | None) -> None:
    """Tell the supervisor that the program ended before it came to our command."""
    from prodserve.observe.tracebacks import app_traceback
    from prodserve.supervisor.packets import encode

    if error is None or isinstance(error, SystemExit):
        code = error.code if isinstance(error, SystemExit) else 0
        if isinstance(code, str):
            why = code
        else:
            why = f"the program ended with exit code {code or 0} before it came to serving; what it said stands above"
    else:
        why = app_traceback(error)
    try:
        os.write(role_.control_fd, encode({"event": "failed", "why": why}))
    except OSError:
        sys.stderr.write(why + "\n")  # the supervisor is gone
