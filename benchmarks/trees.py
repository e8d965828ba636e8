"""The files that the static workloads ask for: planted before the first round, the same for every server.

Everything about a tree follows from its declaration: names, sizes and contents are made by generators with a fixed
seed. The files lie in memory where the machine has room for them there, so that no disk is measured.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
MEMORY_AT_LEAST = 1 << 30
"""Bytes that must be free there; else the files lie where temporary files do."""
PER_FOLDER = 1000


@dataclass(frozen=True)
class Tree:
    """``count`` files of ``smallest`` to ``largest`` bytes; ``encoded`` copies (``.br``, ``.gz``) lie beside each."""

    stem: str
    suffix: str
    smallest: int
    largest: int
    count: int = 1
    encoded: bool = False

    def name(self, number: int) -> str:
        """Of the file with that number, relative to the root; a folder holds at most ``PER_FOLDER`` files."""
        if self.count == 1:
            return f"{self.stem}{self.suffix}"
        return f"{number // PER_FOLDER:03}/{self.stem}-{number:06}{self.suffix}"

    def names(self) -> tuple[str, ...]:
        """Of all files."""
        return tuple(self.name(number) for number in range(self.count))

    def content(self, number: int) -> bytes:
        """The same bytes each time; text that can be compressed where there are encoded copies, else noise."""
        chance = random.Random(number)
        size = chance.randint(self.smallest, self.largest)
        return _style_sheet(chance, size) if self.encoded else chance.randbytes(size)


def _style_sheet(chance: random.Random, size: int) -> bytes:
    """Rules as in a site's own style sheet: a small vocabulary, many numbers."""
    names = [f"{chance.choice(('btn', 'card', 'nav', 'table', 'form'))}-{chance.randrange(1000)}" for _ in range(300)]
    properties = ("margin", "padding", "width", "min-height", "border-radius", "font-size", "line-height", "gap")
    rules, length = [], 0
    while length < size:
        body = ";".join(
            f"{chance.choice(properties)}:{chance.randrange(1000) / 100}rem" for _ in range(chance.randint(2, 6))
        )
        rules.append(
            f".{chance.choice(names)}>.{chance.choice(names)}{{color:#{chance.randrange(1 << 24):06x};{body}}}\n"
        )
        length += len(rules[-1])
    return "".join(rules).encode()[:size]


def plant(tree: Tree, root: Path, codings: tuple[str, ...]) -> None:
    """Write all files of ``tree`` under ``root``, the encoded copies in these codings (``br``, ``gzip``)."""
    for number in range(tree.count):
        path = root / tree.name(number)
        if number % PER_FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        content = tree.content(number)
        path.write_bytes(content)
        if tree.encoded and "br" in codings:
            Path(f"{path}.br").write_bytes(importlib.import_module("brotli").compress(content))
        if tree.encoded and "gzip" in codings:
            Path(f"{path}.gz").write_bytes(gzip.compress(content, mtime=0))


def codings(nginx_brotli: Path) -> tuple[str, ...]:
    """Those in which there are encoded copies: Brotli only where nginx's module for it and Python's are installed."""
    both = nginx_brotli.exists() and importlib.util.find_spec("brotli") is not None
    return ("br", "gzip") if both else ("gzip",)


@contextmanager
def planted(tree: Tree | None, nginx_brotli: Path) -> Iterator[Path | None]:
    """The root of the planted tree, removed at the end; ``None`` where there is none to plant."""
    if tree is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-tree-", dir=roomy()) as name:
        plant(tree, Path(name), codings(nginx_brotli))
        yield Path(name)


def roomy() -> Path | None:
    """``/dev/shm`` if there is room; ``None``: where temporary files usually lie."""
    usable = os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > MEMORY_AT_LEAST
    return IN_MEMORY if usable else None
