"""Further static roots from the command line: ``--static /url=/dir``."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..adapter import StaticRoot
from ..errors import ConfigError, Problem


def extra_roots(static: Sequence[str]) -> list[StaticRoot]:
    """The roots that ``--static`` names, in its order. Raises ``ConfigError`` with everything that is wrong.

    They behave as folders of nginx do: ``index.html`` stands for its directory, browsers revalidate each use.
    """
    roots: list[StaticRoot] = []
    problems: list[Problem] = []
    for given in static:
        url, equals, directory = given.partition("=")
        where = f"--static {given}"
        if not equals or not url.startswith("/") or not directory:
            problems.append(Problem(where, "is not of the form /url=/directory", "--static /downloads=/srv/downloads"))
        elif not os.path.isdir(directory):
            problems.append(Problem(where, f"{directory} is not a directory", "create it, or correct the path"))
        else:
            prefix = url if url.endswith("/") else url + "/"
            roots.append(StaticRoot(prefix, os.path.abspath(directory), index=True, source="--static"))
    if problems:
        raise ConfigError(problems)
    return roots
