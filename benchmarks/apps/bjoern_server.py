"""bjoern has no command of its own: ``python -m benchmarks.apps.bjoern_server module:callable PORT``."""

from __future__ import annotations

import importlib
import sys


def main(target: str, port: int) -> None:
    """Serve until a signal ends the process."""
    bjoern = importlib.import_module("bjoern")
    module, _, name = target.partition(":")
    bjoern.run(getattr(importlib.import_module(module), name), "127.0.0.1", port, listen_backlog=2048)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
