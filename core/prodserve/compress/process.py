"""The process that fills the cache folder in the background: a fresh interpreter at the lowest priority.

It knows nothing of the app and inherits no connection: what it is to do stands in a memory file, what it has to say
goes to the log on its standard error. It ends with the process that started it, in whatever way that one ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from typing import NoReturn

from ..observe.log import Log
from ..observe.memory_file import read_json
from ..observe.title import set_title
from .encoders import available
from .errand import roots_of
from .filling import Filling
from .store import Store

_PR_SET_PDEATHSIG = 1


def main(parent: int) -> NoReturn:
    """Do what the record on standard input says for the process ``parent``; ends this process."""
    step_back(parent)
    plain = read_json(0)
    sys.path += [path for path in plain["path"] if path not in sys.path]  # where brotli is found, if it is
    log = Log(2, plain["log_level"])
    filling = Filling(
        Store(plain["folder"], plain["limit_bytes"], time.time),
        available(),
        time.time,
        time.sleep,
        lambda: os.getppid() == parent,
        time.monotonic if plain["rests"] else None,
    )
    began_s = time.monotonic()
    try:
        filling.run(roots_of(plain), plain["follow_links"])
    except OSError as error:
        log.warning(f"encoded copies can't be written to {plain['folder']}: {error.strerror}")
    if text := filling.outcome.text(time.monotonic() - began_s):
        log.info(text)
    else:
        log.debug("no static file had to be compressed")
    if filling.outcome.full:
        log.warning(
            f"the encoded copies of the static files do not all fit into {plain['limit_bytes'] >> 20} MB "
            f"({plain['folder']}); raise --cache-size, or make them ahead of time"
        )
    os._exit(0)


def step_back(parent: int) -> None:
    """Be no trouble: no descriptors of others, no CPU that anybody else wants, and no life after ``parent``'s."""
    os.closerange(3, 1 << 16)
    set_title("prodserve: compressing static files")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends them to all; whoever started this one decides
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # forbidden in some containers; being nice is enough
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # it is served last by the disk as well then
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where memory runs out, a worker must not be the one that is killed
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
