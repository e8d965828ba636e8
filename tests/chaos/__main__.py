"""``python -m tests.chaos``: chaos for some minutes; ends with 1 if anything failed that nothing excuses."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.session import session


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--crowd", type=int, default=1000, help="hostile clients of each of five kinds")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--model", choices=("greenlets", "threads"), default="greenlets")
    parser.add_argument("--only", action="append", help="this event alone; may be repeated")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each hostile client is a descriptor
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        good = session(
            Path(folder), seconds=given.seconds, seed=given.seed, crowd=given.crowd, clients=given.clients,
            model=given.model, only=given.only, say=lambda text: print(text, flush=True),
        )  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
