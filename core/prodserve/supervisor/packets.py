"""The messages between the supervisor and a generation process: one JSON object a packet (docs/architecture.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LIMIT_BYTES = 65536
"""Of one packet. A packet is sent whole or not at all, so it has to fit into a socket's buffer."""


def encode(message: Mapping[str, Any]) -> bytes:
    """One packet. A ``why`` that is too long loses its middle."""
    packet, why, kept = _pack(message), str(message.get("why", "")), LIMIT_BYTES
    while len(packet) > LIMIT_BYTES and kept > 1:
        kept //= 2
        packet = _pack({**message, "why": f"{why[: kept // 2]}\n  […]\n{why[-kept // 2 :]}"})
    return packet


def _pack(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace")


def decode(packet: bytes) -> dict[str, Any]:
    """The message of one packet; ``ValueError`` for anything else."""
    message = json.loads(packet)
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return message
