"""The one command behind ``manage.py prodserve``, ``flask prodserve`` and ``python -m prodserve``.

It runs twice. In the first process it resolves the configuration, checks what can be checked, chooses the execution
model and replaces the process by the supervisor. In a generation process, which runs the user's program again, it
goes on as that generation. What it decides is decided by pure functions in its neighbours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

from ..adapter import Adapter, Advice
from ..config.explain import explain
from ..config.options import ORDERS, POSITIONAL, Config
from ..config.resolve import DEFAULT, Resolution, reloaded, trace
from ..errors import ConfigError, Problem, ProdserveError
from ..files.roots import all_roots, file_advice
from ..observe.log import Log
from ..observe.tracebacks import app_traceback
from ..supervisor import activation
from ..supervisor.privileges import in_container
from . import unit
from .check import findings
from .model import Model, choose
from .preflight import debug_advice, preflight, root_advice

if TYPE_CHECKING:
    from ..worker.boot import Role

EXIT_APP = 1
EXIT_CONFIG = 2


class AppFailed(ProdserveError):
    """The project's own code failed before anything was served: its traceback, then one line."""


def serve(adapter: Adapter, given: Mapping[str, object], program: str) -> NoReturn:
    """Serve the project of ``adapter`` until a signal ends it; never returns.

    ``given``: the options that were typed, by name, as ``prodserve.cli.typed`` collects them. ``program``: how the
    user calls this, ``python manage.py prodserve``. Exits with 2 if the configuration can't be served, and with 1 if
    the project can't be loaded; the supervisor's own exit codes follow.
    """
    from ..worker.boot import role

    mine = role()
    try:
        if mine is not None:
            _generation(adapter, given, mine)
        if given.get(POSITIONAL) in ORDERS:
            from . import orders

            orders.carry_out(given, program)
        _first_process(adapter, given, program)
    except ConfigError as error:
        refuse(program, error)
    except AppFailed as error:
        _give_up(str(error), EXIT_APP)


def app_failed(what: str, error: BaseException) -> NoReturn:
    """End because code of the project raised ``error``: its traceback without our frames, then one line."""
    _give_up(_failure(what, error), EXIT_APP)


def _failure(what: str, error: BaseException) -> str:
    return f"{app_traceback(error)}\nprodserve: {what}: {type(error).__name__}"


def in_generation() -> bool:
    """Whether this process is a generation: the first process has checked the project already."""
    from ..worker.boot import role

    return role() is not None


def refuse(program: str, error: ConfigError) -> NoReturn:
    """End with every problem of ``error``, each with its fix."""
    problems = "\n".join(f"  {problem}".replace("\n", "\n  ") for problem in error.problems)
    _give_up(f"{program}: can't start\n{problems}", EXIT_CONFIG)


def _give_up(text: str, status: int) -> NoReturn:
    """In a generation process, ``prodserve.worker.boot`` hands the text of ``SystemExit`` to the supervisor's log."""
    if in_generation():
        sys.exit(text)
    sys.stderr.write(f"{text}\n")
    sys.exit(status)


def _generation(adapter: Adapter, given: Mapping[str, object], role: Role) -> NoReturn:
    from ..worker import generation

    running = Config.from_plain(role.config)
    config, kept = reloaded(running, activation.unchanged(_resolve(adapter, given), running))
    with _project_code("the application can't be loaded"):
        debug = adapter.debug()
    preflight(debug, config)
    if kept:
        names = ", ".join(option.name for option in kept)
        Log(role.log_fd, role.log_level).warning(f"changed, but only a restart takes it over: {names}")
    generation.run(adapter, config, role)


def _first_process(adapter: Adapter, given: Mapping[str, object], program: str) -> NoReturn:
    wants_unit = given.get(POSITIONAL) == unit.WORD
    if wants_unit:
        given = {name: value for name, value in given.items() if name != POSITIONAL}
    resolution = activation.activated(_resolve(adapter, given), activation.passed(os.environ, os.getpid()))
    if wants_unit:
        _print_unit(resolution.config, program)
    if given.get("explain"):
        print("\n".join(explain(resolution)))
        sys.exit(0)
    with _project_code("the application can't be loaded"):
        debug = adapter.debug()
        reasons = adapter.thread_reasons() if resolution.config.worker_model != "threads" else ()
    preflight(debug, resolution.config)
    source = resolution.sources["worker_model"]
    model = choose(resolution.config.worker_model, "" if source.layer == DEFAULT else source.where, reasons)
    advice = (
        *debug_advice(debug, resolution.config),
        *model.advice(),
        *root_advice(resolution.config, container=in_container(os.environ)),
    )
    if given.get("check_config"):
        _check(adapter, resolution.config, model, advice)
    _launch(adapter, resolution.config, model, advice, program)


def _print_unit(config: Config, program: str) -> NoReturn:
    from ..supervisor.program import current_program

    print(unit.printed(unit.this_project(program, current_program(), config, os.environ), config), end="")
    sys.exit(0)


def _resolve(adapter: Adapter, given: Mapping[str, object]) -> Resolution:
    with _project_code("the project's settings can't be read"):
        settings = adapter.settings()
    return trace(given, os.environ, settings)


def _check(adapter: Adapter, config: Config, model: Model, advice: tuple[Advice, ...]) -> NoReturn:
    with _project_code("the application can't be loaded"):
        adapter.load()
        roots = all_roots(config, adapter)
        facts = adapter.facts()
        found = (*advice, *facts.advice, *file_advice(config, adapter))
    print("\n".join(findings(config, facts, model, roots, found)))
    sys.exit(0)


def _launch(adapter: Adapter, config: Config, model: Model, advice: tuple[Advice, ...], program: str) -> NoReturn:
    from ..supervisor import launch
    from ..supervisor.program import current_program

    if hasattr(sys, "ps1"):
        what = "the server has to run your program again, and this is a Python prompt"
        raise ConfigError([Problem("start", what, f"type it in a shell: {program}")])
    ours = current_program()
    facts = asdict(adapter.facts())
    try:
        launch.start(
            {
                "program": ours.to_plain(),
                "cwd": ours.cwd,
                "command": program,
                "model": model.name,
                "reasons": list(model.reasons),
                "pinned": model.pinned,
                "facts": facts,
                "advice": [asdict(one) for one in advice],
                "config": config.to_plain(),
            }
        )
    except OSError as error:
        raise ConfigError([Problem("start", f"{sys.executable} can't be started again: {error}")]) from error


@contextmanager
def _project_code(what: str) -> Iterator[None]:
    """Around code of the project: whatever it raises is its author's to read, without our frames."""
    try:
        yield
    except ProdserveError:
        raise
    except Exception as error:  # a rim: the project may raise anything
        raise AppFailed(_failure(what, error)) from error
