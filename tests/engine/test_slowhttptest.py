"""slowhttptest (Debian) attacks in its four modes at once, and finds the service available at every second."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .attack import descriptors, get, leaving_nothing, serving, worker

CLIENTS = 500
SECONDS = 8
MODES = {
    "slow heads": ("-H", "/"),
    "slow bodies": ("-B", "/"),
    "overlapping ranges": ("-R", "/files/large", "-t", "HEAD", "-a", "10", "-b", "3000"),
    "slow reading": ("-X", "/files/large", "-w", "1", "-y", "10", "-n", "2", "-z", "5", "-k", "3"),
}
OPTIONS = ("-c", str(CLIENTS), "-r", "200", "-i", "1", "-l", str(SECONDS), "-p", "5", "-g")
TIMES = ("--head-timeout", "5", "--body-timeout", "5", "--write-timeout", "5")

pytestmark = pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="slowhttptest is not installed")


def attack(url: str, folder: Path, name: str) -> subprocess.Popen[bytes]:
    """Begin one of the attacks; its report will be in ``folder``."""
    mode, path, *more = MODES[name]
    command = ["slowhttptest", mode, "-u", url + path, *OPTIONS, *more, "-o", name.replace(" ", "-")]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def availability(folder: Path, name: str) -> list[bool]:
    """For each second of that attack, whether a request beside it was answered."""
    with (folder / f"{name.replace(' ', '-')}.csv").open(newline="") as report:
        return [row["Service Available"] != "0" for row in csv.DictReader(report)]


def test_the_service_is_available_throughout(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        os.truncate(file.fileno(), 64 << 20)
    files = ("--static", f"/files/={tmp_path}", "--access-logfile", "none")
    with serving("greenlets", *TIMES, *files) as server:
        get(server, "/")
        with leaving_nothing(server):
            before = descriptors(worker(server))
            attacks = {name: attack(server.url, tmp_path, name) for name in MODES}
            try:
                for each in attacks.values():
                    each.wait(60)
            finally:
                for each in attacks.values():
                    each.kill()
                    each.wait()
            for name in MODES:
                seconds = availability(tmp_path, name)
                assert seconds and all(seconds), (name, seconds)
            assert len(availability(tmp_path, "slow heads")) >= 4
            assert descriptors(worker(server)) < before + 2 * CLIENTS
