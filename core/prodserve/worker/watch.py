"""``--reload``: a process that watches the project's files and tells the supervisor which ones have changed.

It runs beside the server with the user's interpreter, since ``watchfiles`` is installed there; the supervisor decides
what comes of a change. ``watched`` says, in the generation, where the project's own files are.
"""

from __future__ import annotations

import os
import select
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import NoReturn

TEMPLATES = (".html", ".htm", ".jinja", ".jinja2", ".j2", ".txt", ".xml", ".mo", ".toml", ".ini", ".env")
"""What is watched besides Python files."""
LOOK_MS = 500
"""Between two looks whether the supervisor is still there."""
MOST_NAMED = 5


def watched(modules: Mapping[str, ModuleType]) -> list[str]:
    """The folders of the project's own modules, the outermost only: neither Python's own nor installed packages."""
    library = tuple(
        os.path.join(sysconfig.get_paths()[name], "") for name in ("stdlib", "platstdlib", "purelib", "platlib")
    )
    ours = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "")
    found = set()
    for name, module in list(modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not os.path.isabs(file) or file.startswith((*library, ours)):
            continue
        folder = os.path.dirname(file)
        depth = name.count(".") + (1 if os.path.basename(file).startswith("__init__.") else 0)
        for _ in range(depth):
            folder = os.path.dirname(folder)
        found.add(folder if folder not in ("/", os.path.expanduser("~")) else os.path.dirname(file))
    return outermost(found - {"/"})


def outermost(folders: Iterable[str]) -> list[str]:
    """Without those that lie in others of them."""
    kept: list[str] = []
    for folder in sorted(folders):
        if not any(folder == other or folder.startswith(other + os.sep) for other in kept):
            kept.append(folder)
    return kept


def main(control_fd: int, folders: list[str]) -> NoReturn:
    """Watch until the supervisor has closed its end of ``control_fd``."""
    import watchfiles

    from prodserve.observe.title import set_title
    from prodserve.supervisor.packets import encode

    set_title("prodserve: watches files for --reload")
    poll = select.poll()
    poll.register(control_fd, select.POLLIN)
    there = [folder for folder in folders if os.path.isdir(folder)]
    changes = watchfiles.watch(
        *there,
        watch_filter=watchfiles.PythonFilter(extra_extensions=TEMPLATES),
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )
    for changed in changes:
        if poll.poll(0):
            break
        if changed:
            files = sorted(os.path.relpath(path) for _, path in changed)
            os.write(control_fd, encode({"event": "changed", "files": files[:MOST_NAMED], "count": len(files)}))
    sys.exit(0)
