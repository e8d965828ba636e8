"""A project and its program in one file, for the tests of the processes: a few lines in the place of the engine.

``python stand_in.py PORT [name=value …]`` serves with a small worker: one thread, one request at a time. The "project"
is the file ``app.py`` in the current directory; it is loaded again by each generation.
"""

from __future__ import annotations

import os
import runpy
import select
import signal
import socket
import sys
import time

from prodserve.adapter import Facts
from prodserve.config.options import Config
from prodserve.supervisor.launch import start
from prodserve.supervisor.program import current_program
from prodserve.worker import generation
from prodserve.worker.boot import role


class Adapter:
    """Loads ``app`` from app.py: a function from a path to a text."""

    def load(self):
        return runpy.run_path("app.py")["app"]

    def static_roots(self):
        return []

    def facts(self):
        return Facts("stand-in", "app.py")

    def before_fork(self):
        return


def serve(app, adapter, config, model, listeners, beat, ready, lifeline_fd):  # noqa: PLR0917
    """Answer requests until SIGTERM or the end of the lifeline."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    sockets = [socket.socket(fileno=fd) for fd, _ in listeners]
    ready()
    while True:
        beat()
        readable = select.select([*sockets, reader, lifeline_fd], [], [], 0.2)[0]
        if reader in readable or lifeline_fd in readable:
            return
        for listening in readable:
            try:
                connection, _ = listening.accept()
            except BlockingIOError:
                continue
            connection.setblocking(True)
            with connection:
                path = connection.recv(65536).split()[1].decode()
                body = str(app(path)).encode()
                head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)


def main():
    port, *settings = sys.argv[1:]
    config = Config.from_plain({"bind": [f"127.0.0.1:{port}"], **dict(s.split("=", 1) for s in settings)})
    if role() is not None:
        generation.run(Adapter(), config, role(), serve)
    time.sleep(0)
    start(
        {
            "program": current_program().to_plain(),
            "command": "python stand_in.py",
            "model": os.environ.get("MODEL", "threads"),
            "reasons": [],
            "facts": {},
            "config": config.to_plain(),
        }
    )


if __name__ == "__main__":
    main()
