"""The content codings that files are encoded in ahead of time: as small as each of them can within a sane time.

gzip is always there; brotli and zstd where their packages are installed (or Python brings zstd, from 3.14 on). They
are imported when they are asked for: a server that compresses nothing has none of them in memory. All of them let
other threads run while they work.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from ..files.encoded import CODING_SUFFIXES

PACKAGES = {"br": "brotli", "zstd": "zstandard"}
"""What to install for a coding."""
SLOW_LIMIT_BYTES = 1024 * 1024
"""Up to here the best compression is worth its time: 1.5 s of brotli for a megabyte, and 20 times less a step below."""
DENSE = 0.95
"""What a quick look can't make smaller than this share of it is not worth a copy."""


class Encoder(NamedTuple):
    """One coding: ``encode`` makes a copy that every browser can read, ``decode`` is its inverse."""

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]


def available() -> dict[str, Encoder]:
    """The codings that can be made here."""
    makers: Mapping[str, Callable[[], Encoder]] = {"br": _brotli, "zstd": _zstd, "gzip": _gzip}
    found = {}
    for coding in CODING_SUFFIXES:
        try:
            found[coding] = makers[coding]()
        except ImportError:
            continue
    return found


def worth_encoding(content: bytes) -> bool:
    """Whether encoding makes it clearly smaller, found out by the quickest look at it; the same answer each time."""
    return len(gzip.compress(content, 1, mtime=0)) <= DENSE * len(content)


def _brotli() -> Encoder:
    brotli: Any = import_module("brotli")

    def encode(content: bytes) -> bytes:
        return bytes(brotli.compress(content, quality=11 if len(content) <= SLOW_LIMIT_BYTES else 9))

    return Encoder(encode, brotli.decompress)


def _zstd() -> Encoder:
    """Level 19 needs a window of at most 8 MB, which is what a browser has to provide (RFC 9659); higher ones more."""
    try:
        zstd: Any = import_module("compression.zstd")
    except ImportError:
        return _zstandard()

    def encode(content: bytes) -> bytes:
        return bytes(zstd.compress(content, level=_zstd_level(content)))

    return Encoder(encode, zstd.decompress)


def _zstandard() -> Encoder:
    zstandard: Any = import_module("zstandard")

    def encode(content: bytes) -> bytes:
        return bytes(zstandard.ZstdCompressor(level=_zstd_level(content)).compress(content))

    def decode(content: bytes) -> bytes:
        return bytes(zstandard.ZstdDecompressor().decompress(content))

    return Encoder(encode, decode)


def _zstd_level(content: bytes) -> int:
    return 19 if len(content) <= SLOW_LIMIT_BYTES else 12


def _gzip() -> Encoder:
    """Without a time of its own: the same content gives the same copy."""
    return Encoder(lambda content: gzip.compress(content, 9, mtime=0), gzip.decompress)
