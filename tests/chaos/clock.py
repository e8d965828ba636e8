"""The clock of the machine jumps (libfaketime), under the same load: nobody notices, and no worker is replaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from glob import glob
from http.client import HTTPConnection
from pathlib import Path

from tests.chaos import processes
from tests.chaos.load import loaded
from tests.chaos.project import serving
from tests.chaos.verdict import judge, table
from tests.server import wait_until

JUMPS = ("+10d", "-10d", "+400d", "+0d")
STAY_S = 0.5
DAY_S = 86400


def library() -> str | None:
    """libfaketime, where Debian puts it; ``None``: it isn't installed."""
    found = glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


def jumping(folder: Path, *, seed: int, say: Callable[[str], None], clients: int, model: str) -> bool:
    """One short session. Whether all is well; without libfaketime it is left out, and says so."""
    faketime = library()
    if faketime is None:
        say("the jumps of the clock are left out: apt install faketime")
        return True
    clock = folder / "clock"
    clock.write_text(JUMPS[-1])
    env = {
        "LD_PRELOAD": faketime, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    began_s = time.monotonic()
    with serving(folder, model, env) as server, loaded(server.port, clients, seed) as load:
        before = set(processes.titled(server, "worker"))
        for jump in JUMPS:
            clock.write_text(jump)
            away_s = int(jump[:-1]) * DAY_S
            wait_until(lambda away_s=away_s: abs(date_s(server.port) - time.time() - away_s) < 60, 10, f"it is {jump}")
            time.sleep(STAY_S)
        kept = set(processes.titled(server, "worker")) == before
    verdict = judge([request for client in load for request in client.requests], [], [])
    say(f"the clock jumped by {', '.join(JUMPS)}: workers {'stayed' if kept else 'were REPLACED'}")
    for line in table(verdict, began_s):
        say(line)
    return kept and not verdict.failed


def date_s(port: int) -> float:
    """What time it is, by an answer of the server."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        return parsedate_to_datetime(str(connection.getresponse().headers["Date"])).timestamp()
    finally:
        connection.close()
