"""Raw requests from ``tests/corpus`` and the ways in which bytes arrive.

TCP keeps the order of bytes and nothing else: whatever a server makes of a request must not depend on the pieces in
which it comes. So every case over raw bytes runs with each arrival.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

Arrival = Callable[[bytes], Iterator[bytes]]

FOLDER = Path(__file__).parent / "corpus"


def whole(raw: bytes) -> Iterator[bytes]:
    """All at once."""
    yield raw


def byte_by_byte(raw: bytes) -> Iterator[bytes]:
    """As an impatient terminal sends it."""
    for at in range(len(raw)):
        yield raw[at : at + 1]


def ragged(raw: bytes) -> Iterator[bytes]:
    """In pieces of chance lengths, the same ones in each run."""
    chance = random.Random(len(raw))
    at = 0
    while at < len(raw):
        size = chance.choice((1, 2, 3, 5, 8, 21, 144, 1500))
        yield raw[at : at + size]
        at += size


ARRIVALS: tuple[Arrival, ...] = (whole, byte_by_byte, ragged)


def valid(name: str) -> bytes:
    """The good request of that name."""
    return (FOLDER / "valid" / f"{name}.http").read_bytes()


def names(kind: str) -> list[str]:
    """The names of all requests that are ``valid`` or ``invalid``."""
    return sorted(path.stem for path in (FOLDER / kind).glob("*.http"))


def invalid(name: str) -> tuple[bytes, int]:
    """The bad request of that name, and the status that it deserves."""
    return (FOLDER / "invalid" / f"{name}.http").read_bytes(), int(name[:3])
