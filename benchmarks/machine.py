"""Where and with what it was measured: goes into every result."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

DISTRIBUTIONS = (
    "prodserve", "gevent", "httptools", "django", "flask", "bjoern", "granian", "waitress", "pyuwsgi", "gunicorn",
    "gunicorn_h1c",
)  # fmt: skip


def description(root: Path) -> dict[str, object]:
    """Processor, kernel, load, interpreter, versions, and the commit of ``root``."""
    return {
        "processor": _processor(),
        "cpus": sorted(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "versions": {name: version for name in DISTRIBUTIONS if (version := _version(name))} | _nginx(),
        "commit": _output(["git", "-C", str(root), "describe", "--always", "--dirty"]),
    }


def pins(cpus: list[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Command prefixes that bind the server to one core and the load generator to another; none on a single core."""
    if len(cpus) < 2 or shutil.which("taskset") is None:
        return (), ()
    return ("taskset", "-c", str(cpus[0])), ("taskset", "-c", str(cpus[1]))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _nginx() -> dict[str, str]:
    said = _output(["nginx", "-v"])
    return {"nginx": said.rpartition("/")[2]} if said else {}


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip() if done.returncode == 0 else ""
