"""The messages between the supervisor and a generation process: one JSON object a packet (docs/architecture.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LIMIT_BYTES = 65536
"""Of one packet. A packet is sent whole or not at all, so it has to fit into a socket's buffer."""
LONGEST_TEXT = 20000
"""Characters of a traceback that are sent: at most three bytes each in JSON's worst case that occurs."""


def encode(message: Mapping[str, Any]) -> bytes:
    """One packet. A long ``why`` loses its middle."""
    why = message.get("why")
    if isinstance(why, str) and len(why) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        message = {**message, "why": f"{why[:half]}\n  […]\n{why[-half:]}"}
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace")


def decode(packet: bytes) -> dict[str, Any]:
    """The message of one packet; ``ValueError`` for anything else."""
    message = json.loads(packet)
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return message
