"""One worker by itself, without supervisor and generation: what the tests of the engine start.

python -m tests.engine.solo MODEL POLLER MODULE:APP PORT ['{"keep_alive": 1}']
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.argv[1] == "greenlets":
    from gevent import monkey

    monkey.patch_all()

import importlib
import json
import os
from _socket import SO_REUSEADDR, SOL_SOCKET
from _socket import socket as raw_socket
from types import SimpleNamespace
from typing import Any

from prodserve.config.options import Config
from prodserve.files.roots import configured_roots
from prodserve.observe.board import Board
from prodserve.worker import worker
from prodserve.worker.site_files import find_files

ADAPTER: Any = SimpleNamespace(
    slot_idle=lambda: None,
    slot_interrupted=lambda: None,
    worker_stopping=lambda: None,
    worker_started=lambda: None,
    media_roots=list,
)
"""A framework that has nothing to say."""


def main(model: str, poller: str, target: str, port: str, settings: str = "{}") -> None:
    """Serve until a signal ends it."""
    module, _, name = target.partition(":")
    app = getattr(importlib.import_module(module), name)
    listener = raw_socket()
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(128)
    listener.setblocking(False)
    lifeline, _held = os.pipe()
    config = Config(**{"poller": poller, **json.loads(settings)})
    place = Board.create(1).claim(0, 1)
    roots = configured_roots(config)
    files = find_files(roots, config)
    worker.run(app, ADAPTER, config, roots, files, model, [(listener.fileno(), "")], place, lambda: None, lifeline)


if __name__ == "__main__":
    main(*sys.argv[1:])
