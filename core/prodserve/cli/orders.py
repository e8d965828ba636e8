"""``prodserve reload`` and ``prodserve stop``: a command to the server of this project that runs already.

It is found among the processes of this user (root: of all users): every supervisor has a control socket, and tells
where it was started. ``choose`` decides which one is meant; it is pure.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from ..config.addresses import Bind, parse_bind
from ..config.options import POSITIONAL
from ..errors import ConfigError, Problem
from ..supervisor.control import paths
from ..supervisor.program import current_program
from ..supervisor.workers import alive

FAILED = 1
UNCLEAR = 2
ANSWER_S = 5.0
"""How long a server may take to say who it is."""

Running = Mapping[str, Any]
"""What a server says of itself (``supervisor.commands``)."""


def carry_out(given: Mapping[str, object], program: str) -> NoReturn:
    """Do what the first word says, one of ``ORDERS``, and end the process: 0 where it was done, 1 where the server
    could not, 2 where it is not clear which server is meant."""
    word = given[POSITIONAL]
    found = list(servers())
    try:
        server = choose([who for who, _ in found], place(), program, _wanted_binds(given), _wanted_pid(given))
    except ConfigError as error:
        problems = [*error.problems, *out_of_reach([int(who["pid"]) for who, _ in found])]
        text = "\n".join(f"  {problem}".replace("\n", "\n  ") for problem in problems)
        sys.stderr.write(f"{program.strip()} {word}: not done\n{text}\n")
        sys.exit(UNCLEAR)
    talk(str(word), server, next(path for who, path in found if who is server))


def place() -> Mapping[str, Any]:
    """Where this command was typed, as servers tell it of themselves."""
    ours = current_program()
    return {"cwd": ours.cwd, "program": ours.to_plain()}


def choose(
    running: Sequence[Running], mine: Running, command: str, binds: Sequence[str] = (), pid: int | None = None
) -> Running:
    """The one that is meant: by its PID, or an address, or the project; by the very command, where a project has
    several. ``ConfigError`` where that is none, or more than one."""
    if pid is not None:
        meant = [one for one in running if one["pid"] == pid]
    elif binds:
        meant = [one for one in running if set(binds) & set(one["binds"])]
    else:
        meant = [one for one in running if same_project(one, mine)]
    same_command = [one for one in meant if _app(one["command"]) == _app(command)]
    if len(meant) > 1 and same_command:
        meant = same_command
    if len(meant) == 1:
        return meant[0]
    what = "several servers of this project run" if meant else "no server of this project runs here"
    others = "".join(f"\n  process {one['pid']}: {one['command']}, in {one['cwd']}, {_urls(one)}" for one in running)
    known = f"; of this user's, these run:{others}" if running else ""
    fix = f"name one by its address: --bind {running[0]['binds'][0]}" if running else f"start it: {command}"
    raise ConfigError([Problem("which server", what + known, fix)])


def same_project(one: Running, other: Running) -> bool:
    """Whether both were started in the same folder, or by the same script. Folders by name or in fact: a link such as
    /srv/current may have been switched between the two."""
    return bool(_places(one) & _places(other))


def _places(one: Running) -> set[str]:
    program = one["program"]
    found = {one["cwd"]}
    if program["kind"] == "file" and program["target"].endswith(".py"):
        found.add(os.path.dirname(os.path.normpath(os.path.join(program["cwd"], program["target"]))))
    return found | set(map(os.path.realpath, found))


def _app(command: str) -> str:
    """What is served, without the way to say it: ``prodserve wapp:app`` is ``python -m prodserve wapp:app``."""
    return command.removeprefix("python -m ").strip()


def _urls(one: Running) -> str:
    return ", ".join(one["urls"])


def _wanted_binds(given: Mapping[str, object]) -> list[str]:
    binds: Any = given.get("bind") or ()
    found: list[Bind] = []
    for text in [binds] if isinstance(binds, str) else binds:
        try:
            found.append(parse_bind(text))
        except ValueError as error:
            raise ConfigError([Problem("--bind", str(error), "--bind 127.0.0.1:8000")]) from None
    return list(map(str, found))


def _wanted_pid(given: Mapping[str, object]) -> int | None:
    path = given.get("pid")
    if path is None:
        return None
    try:
        with open(str(path), encoding="ascii") as file:
            pid = int(file.read())
    except (OSError, ValueError) as error:
        raise ConfigError([Problem("--pid", f"{path} names no process ({error})", "leave --pid out")]) from None
    if not alive(pid):
        raise ConfigError([Problem("--pid", f"the process {pid} that {path} names has ended", "start the server")])
    return pid


def supervisors() -> Iterator[tuple[int, int]]:
    """PID and user of every server here, whoever may command it."""
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if re.search(rb"prodserve: supervisor|prodserve\.supervisor\.main", file.read()):
                    yield int(name), os.stat(f"/proc/{name}").st_uid
        except OSError:
            continue  # it has ended


def out_of_reach(reached: Sequence[int]) -> list[Problem]:
    """Servers that can't be asked: those of other users, and those that found no place for a control socket."""
    return [
        Problem(f"process {pid}", "it has no control socket", f"kill -HUP {pid} reloads it, kill {pid} stops it")
        if uid == os.geteuid()
        else Problem(f"process {pid}", f"a server of uid {uid}", f"as that user: sudo -u '#{uid}' …")
        for pid, uid in supervisors()
        if pid not in reached
    ]


def servers() -> Iterator[tuple[Running, str]]:
    """Every server that this user may command, and the path of its control socket."""
    for pid, uid in supervisors():
        for path in paths(pid, uid):
            seen = f"/proc/{pid}/root{path}"  # as the server sees it: a service may have a /tmp of its own
            try:
                who = next(converse("hello", seen, ANSWER_S), {})
            except OSError:
                continue
            if who.get("ok"):
                yield who, seen
                break


def converse(word: str, path: str, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
    """Say one word to a server, and give what it answers until it ends the conversation."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        sock.connect(path)
        sock.sendall(json.dumps({"do": word}).encode() + b"\n")
        with sock.makefile("rb") as lines:
            for line in lines:
                yield json.loads(line)


def talk(word: str, server: Running, path: str) -> NoReturn:
    """Have it done, say what comes of it, and end."""
    answer: dict[str, Any] = {}
    try:
        for answer in converse(word, path):
            if "event" in answer:
                print(f"{answer['event']}: process {server['pid']}, {_urls(server)}", flush=True)
    except OSError as error:
        sys.stderr.write(f"the server can't be asked: {error}\n")
        sys.exit(FAILED)
    if answer.get("ok") or (word == "stop" and answer.get("event") == "stopping"):
        print(answer.get("text", "it has ended"))
        sys.exit(0)
    kept = "the new code is not used: " if word == "reload" else ""
    sys.stderr.write(f"{kept}{answer.get('why') or 'the server ended without a word'}\n")
    sys.exit(FAILED)
