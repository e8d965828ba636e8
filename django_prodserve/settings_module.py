"""Which settings module a program of the project names: manage.py, wsgi.py.

The two often differ (development settings in manage.py, production settings in wsgi.py), and a server started by
manage.py then serves the wrong ones. The files are read, never imported.
"""

from __future__ import annotations

import ast
import os
import sys

VARIABLE = "DJANGO_SETTINGS_MODULE"


def named_settings(source: str) -> str | None:
    """The settings module that a program's text sets or defaults to, if it says so in the usual form."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value=str(variable)), ast.Constant(value=str(name))],
            ) if variable == VARIABLE:
                return name
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value=str(variable)))], value=ast.Constant(value=str(name))
            ) if variable == VARIABLE:
                return name
    return None


def settings_named_in(path: str | None) -> str | None:
    """As ``named_settings``, of a file; ``None`` where it can't be read."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return named_settings(file.read())
    except (OSError, UnicodeDecodeError):
        return None


def other_settings(effective: str, program: str | None, wsgi: str | None) -> str | None:
    """What wsgi.py names, where the settings in effect are others only because the program defaults to them.

    ``program`` and ``wsgi`` are what the two files name. Where the settings in effect are not the program's default,
    somebody chose them.
    """
    return wsgi if wsgi is not None and wsgi != effective and program == effective else None


def program_file() -> str | None:
    """The file of the running program: manage.py."""
    return getattr(sys.modules.get("__main__"), "__file__", None)


def wsgi_file(wsgi_application: str | None) -> str | None:
    """The file that WSGI_APPLICATION is in, found from a package that is loaded already; ``None`` where it isn't."""
    module = (wsgi_application or "").rpartition(".")[0]
    package, _, name = module.rpartition(".")
    if not module:
        return None
    folders = list(getattr(sys.modules.get(package), "__path__", ())) if package else sys.path
    candidates = (os.path.join(folder, f"{name}.py") for folder in folders)
    return next((path for path in candidates if os.path.isfile(path)), None)
