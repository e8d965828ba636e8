"""``package.module:app`` – the text that names a WSGI app – and how it is found.

``parse_target`` is pure; ``find`` imports. Mistakes of the text are ``ConfigError`` with what was probably meant;
what the user's own module raises passes through.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..adapter import WSGIApp
from ..config.resolve import nearest
from ..errors import ConfigError, Problem

DEFAULT_NAMES = ("app", "application")
FACTORY_NAMES = ("create_app", "make_app")
USUAL = "package.module:app, package.module:create_app() or package.module"

_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Target:
    """A module and what to take from it; ``name`` is empty for ``app`` or ``application``, ``call`` for a factory."""

    module: str
    name: str = ""
    call: bool = False
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        if not self.call:
            return f"{self.module}:{self.name}" if self.name else self.module
        given = [repr(value) for value in self.args] + [f"{name}={value!r}" for name, value in self.kwargs]
        return f"{self.module}:{self.name}({', '.join(given)})"


def parse_target(text: str) -> Target:
    """Read ``module``, ``module:name``, ``module:name.attribute`` or ``module:factory("literal", key=1)``."""
    module, colon, expression = text.strip().partition(":")
    if not _MODULE.fullmatch(module) or (colon and not expression.strip()):
        raise _problem(text, f"names no app{_file_hint(text)}", f"name it as {USUAL}")
    if not colon:
        return Target(module)
    try:
        tree: ast.expr = ast.parse(expression.strip(), mode="eval").body
        if isinstance(tree, ast.Call):
            args = tuple(ast.literal_eval(value) for value in tree.args)
            kwargs = tuple((str(word.arg), ast.literal_eval(word.value)) for word in tree.keywords if word.arg)
            if len(kwargs) == len(tree.keywords):
                return Target(module, _dotted(tree.func), True, args, kwargs)
            raise ValueError
        return Target(module, _dotted(tree))
    except (SyntaxError, ValueError):
        what = f"{expression!r} is neither a name nor the call of a factory with plain values"
        raise _problem(text, what, f"name it as {USUAL}") from None


def find(target: Target) -> WSGIApp:
    """Import the module and take the app from it."""
    module = _import(target)
    for name in (target.name,) if target.name else DEFAULT_NAMES:
        try:
            found = _attribute(module, name)
        except AttributeError:
            continue
        app = found(*target.args, **dict(target.kwargs)) if target.call else found
        return _checked(target, name, app)
    raise _problem(target, _missing(target, module), _instead(target, module))


def _import(target: Target) -> ModuleType:
    try:
        return importlib.import_module(target.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if target.module != missing and not target.module.startswith(missing + "."):
            raise
        where = f"there is no module {missing!r}; the current folder is {os.getcwd()}{_file_hint(str(target))}"
        raise _problem(target, where, "start it in the folder that contains the module, or correct the name") from None


def _attribute(module: ModuleType, dotted: str) -> Any:
    found: Any = module
    for name in dotted.split("."):
        found = getattr(found, name)
    return found


def _checked(target: Target, name: str, app: Any) -> WSGIApp:
    """What the server can call, or what is wrong with it."""
    if not callable(app):
        what = f"{name}{'()' if target.call else ''} is a {type(app).__name__}, not a WSGI app"
        raise _problem(target, what, f"name the app: {USUAL}")
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        raise _problem(target, f"{name} is an ASGI app; this is a WSGI server", "take the WSGI form of the app")
    if not target.call and name in FACTORY_NAMES:
        raise _problem(target, f"{name} is a factory", f"call it: '{target.module}:{name}()'")
    return app  # type: ignore[no-any-return]


def _missing(target: Target, module: ModuleType) -> str:
    names = target.name or " or ".join(DEFAULT_NAMES)
    return f"{module.__name__} ({getattr(module, '__file__', None) or 'no file'}) has no {names}"


def _instead(target: Target, module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if not name.startswith("_") and callable(value)]
    for name in FACTORY_NAMES:
        if not target.name and name in names:
            return f"call the factory: '{target.module}:{name}()'"
    likely = nearest(target.name, names) if target.name else None
    return f"did you mean {target.module}:{likely}?" if likely else f"name it as {USUAL}"


def _dotted(tree: ast.expr) -> str:
    """``name`` or ``name.attribute``; ``ValueError`` for anything else."""
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute):
        return f"{_dotted(tree.value)}.{tree.attr}"
    raise ValueError


def _file_hint(text: str) -> str:
    """A path was typed, as other tools want it."""
    path, _, name = text.partition(":")
    if not path.endswith(".py"):
        return ""
    folder, file = os.path.split(path)
    return f"; without folder and ending: '{file[:-3]}{':' + name if name else ''}'" + (
        f", started in {folder}" if folder else ""
    )


def _problem(target: Target | str, what: str, fix: str) -> ConfigError:
    return ConfigError([Problem(str(target), what, fix)])
