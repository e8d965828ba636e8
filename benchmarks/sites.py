"""The sites as the benchmarks use them: copies with databases of their own; nothing in the repository changes."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.workloads import App


def prepared(apps: Iterable[App], root: Path, folder: Path) -> tuple[dict[App, Path], dict[App, str]]:
    """Copy the site of each app that has one into ``folder`` and prepare it.

    Returns the folders, and for the apps that cannot be measured here the reason.
    """
    sites, broken = {}, {}
    for app in dict.fromkeys(apps):
        if importlib.util.find_spec(app.needs) is None:
            broken[app] = f"{app.needs} not installed"
        elif app.site:
            try:
                sites[app] = _copy(app, root, folder)
            except subprocess.CalledProcessError as error:
                broken[app] = f"{app.site}: {' '.join(error.cmd[1:])}: {error.stderr.strip()[-300:]}"
            except OSError as error:
                broken[app] = f"{app.site}: {error}"
    return sites, broken


def _copy(app: App, root: Path, folder: Path) -> Path:
    copy = folder / Path(app.site).name
    shutil.copytree(root / app.site, copy, ignore=shutil.ignore_patterns("*.sqlite3*", "staticfiles", "__pycache__"))
    for words in app.prepare:
        subprocess.run([sys.executable, "manage.py", *words], cwd=copy, check=True, capture_output=True, text=True)
    return copy
