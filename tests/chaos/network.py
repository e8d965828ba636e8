"""A network that delays, drops and corrupts (faulty), as a process: ``python -m tests.chaos.network PORT SEED``.

Prints the port on which it stands for the server's one, and goes on until it is ended.
"""

from __future__ import annotations

import asyncio
import random
import sys

from faulty.core import FaultyProxy
from faulty.middlewares import CorruptBytesMiddleware, DropMiddleware, LatencyMiddleware


async def stand_between(port: int) -> None:
    """Serve."""
    async with FaultyProxy("127.0.0.1", 0, "127.0.0.1", port) as proxy:
        for rule in (LatencyMiddleware(1, 50), DropMiddleware(0.05), CorruptBytesMiddleware(0.2)):
            proxy.add_egress_rule(rule)
            proxy.add_ingress_rule(rule)
        assert proxy._server is not None
        print(proxy._server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    random.seed(int(sys.argv[2]))
    asyncio.run(stand_between(int(sys.argv[1])))
