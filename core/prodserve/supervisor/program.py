"""Which program this process is: enough to run it again in another process, as its user started it.

``split`` takes ``sys.orig_argv`` apart by the rules of Python's own command line; ``locate`` finds the script again
after the program changed its directory. Both are pure. Only the interpreter's flags are kept, never rebuilt from
``sys.flags``: what the user typed survives as typed (``-OBu``, ``-W error``, ``-X dev``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prodserve.errors import ConfigError, Problem


@dataclass(frozen=True)
class Program:
    """``python FLAGS TARGET REST`` (kind ``file``), ``python FLAGS -m TARGET REST`` (``m``) or ``-c`` (``c``)."""

    flags: tuple[str, ...]
    kind: str
    target: str
    """Path of a script, directory or zip file; name of a module; or source code."""
    argv0: str
    """``sys.argv[0]`` as the program first saw it."""
    rest: tuple[str, ...]
    cwd: str
    """The directory it was started in."""

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Program:
        """Back from ``to_plain``."""
        return cls(**{**plain, "flags": tuple(plain["flags"]), "rest": tuple(plain["rest"])})


class NoProgram(ValueError):
    """The interpreter runs no program that could be run again: a prompt, or code from standard input."""


def split(argv: Sequence[str]) -> tuple[list[str], str, str, list[str]]:
    """Take an interpreter's command line apart: flags, kind, target, rest. Raises ``NoProgram``."""
    flags: list[str] = []
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "--":
            break
        if word == "-" or not word.startswith("-"):
            words.insert(0, word)
            break
        if word.startswith("--"):
            flags.append(word)
            if word == "--check-hash-based-pycs" and words:
                flags.append(words.pop(0))
            continue
        letters, letter, value = _cluster(word)
        if letter in ("W", "X"):
            flags.append(word)
            if not value and words:
                flags.append(words.pop(0))
        elif letter in ("c", "m"):
            if letters:
                flags.append("-" + letters)
            if not value and not words:
                break
            return flags, letter, value or words.pop(0), words
        else:
            flags.append(word)
    if not words or words[0] == "-":
        raise NoProgram
    return flags, "file", words[0], words[1:]


def _cluster(word: str) -> tuple[str, str, str]:
    """``-OBc1`` is the flags ``OB``, then ``c`` with its value ``1``; letters that take no value stay together."""
    for at, letter in enumerate(word[1:], 1):
        if letter in "cmWX":
            return word[1:at], letter, word[at + 1 :]
    return word[1:], "", ""


def locate(
    typed: str, main_file: str | None, cwd: str, exists: Callable[[str], bool] = os.path.exists
) -> tuple[str, str]:
    """Where the script ``typed`` is, and the directory in which it was typed.

    ``main_file`` is ``__main__.__file__``, absolute for a script: if it ends in what was typed, then what stands before
    it is the directory in which the program started, whatever ``os.chdir`` it did since. Other programs replace it
    (``coverage run manage.py``): then it names another file, and ``typed`` is right as it stands.
    """
    if os.path.isabs(typed) or main_file is None or not os.path.isabs(main_file):
        return typed, cwd
    for tail in (typed, typed.removeprefix("./")):
        for inside in ("", "/__main__.py"):
            start = main_file.removesuffix(f"/{tail}{inside}")
            if start != main_file and exists(os.path.join(start, typed)):
                return typed, os.path.normpath(start or "/") if ".." in start else start or "/"
    return typed, cwd


def _by_shell(cwd: str, environ: Mapping[str, str]) -> str:
    """A directory by the name the shell knows: a reload then follows a symlink that was switched."""
    name = environ.get("PWD", "")
    try:
        return name if os.path.isabs(name) and os.path.samefile(name, cwd) else cwd
    except OSError:
        return cwd


def current_program() -> Program:
    """This process's own program. ``ConfigError`` where it can't be run again."""
    try:
        if not sys.executable:
            raise NoProgram
        flags, kind, target, rest = split(sys.orig_argv)
    except NoProgram:
        raise ConfigError(
            [
                Problem(
                    "start",
                    "the server has to run your program again in new processes, and this Python runs none "
                    "(an interactive prompt, code from standard input, or an embedded interpreter)",
                    "type it in a shell: python manage.py prodserve, flask --app APP prodserve, "
                    "or python -m prodserve package.module:app",
                )
            ]
        ) from None
    cwd = os.getcwd()
    argv0 = target if kind == "file" else "-" + kind
    if kind == "file":
        target, cwd = locate(target, getattr(sys.modules.get("__main__"), "__file__", None), cwd)
    return Program(tuple(flags), kind, target, argv0, tuple(rest), _by_shell(cwd, os.environ))
