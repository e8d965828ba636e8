"""The sites as the benchmarks use them: copies with databases of their own, so that nothing in examples/ changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.processes import ServerFailed
from benchmarks.workloads import App


def prepared(apps: Iterable[App], root: Path, folder: Path) -> dict[App, Path]:
    """Copy the site of each app that has one into ``folder`` and prepare it; ServerFailed where that goes wrong."""
    return {app: _copy(app, root, folder) for app in dict.fromkeys(apps) if app.site}


def _copy(app: App, root: Path, folder: Path) -> Path:
    copy = folder / Path(app.site).name
    ignored = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "__pycache__")
    try:
        shutil.copytree(root / app.site, copy, ignore=ignored)
        for words in app.prepare:
            subprocess.run([sys.executable, "manage.py", *words], cwd=copy, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise ServerFailed(f"{app.site}: {' '.join(map(str, error.cmd))}: {error.stderr.strip()[-300:]}") from error
    except OSError as error:
        raise ServerFailed(f"{app.site}: {error}") from error
    return copy
