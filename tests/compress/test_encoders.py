"""The content codings."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys

import brotli
import pytest
import zstandard
from prodserve.compress.encoders import SLOW_LIMIT_BYTES, available, worth_encoding

TEXT = b"".join(b"a { margin: %d %d }\n" % (n, n * n) for n in range(400))
CODINGS = ("br", "zstd", "gzip")
DECODERS = {
    "br": brotli.decompress,
    "zstd": lambda content: zstandard.ZstdDecompressor(max_window_size=8 << 20).decompress(content),
    "gzip": gzip.decompress,
}
"""zstd as a browser has it: with a window of 8 MB (RFC 9659)."""


def test_all_codings_are_there_in_the_order_of_preference() -> None:
    assert tuple(available()) == CODINGS


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [1, 1000, SLOW_LIMIT_BYTES + 1])
def test_a_copy_decodes_to_the_content(coding: str, size: int) -> None:
    content = (TEXT * (1 + size // len(TEXT)))[:size]
    encoder = available()[coding]
    encoded = encoder.encode(content)
    assert DECODERS[coding](encoded) == content == encoder.decode(encoded)
    assert encoder.encode(content) == encoded


def test_what_is_dense_is_not_worth_it() -> None:
    assert worth_encoding(TEXT)
    assert not worth_encoding(random.Random(1).randbytes(5000))
    assert not worth_encoding(gzip.compress(TEXT))


@pytest.mark.parametrize(
    ("absent", "left"),
    [(("brotli",), "zstd,gzip"), (("brotli", "zstandard", "compression.zstd"), "gzip"), (("zstandard",), "br,gzip")],
)
def test_a_coding_whose_package_is_missing_is_left_out(absent: tuple[str, ...], left: str) -> None:
    if "zstandard" in absent and "compression.zstd" not in absent and sys.version_info >= (3, 14):
        pytest.skip("this Python brings zstd")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}, None)); "
        "from prodserve.compress.encoders import available; print(*available(), sep=',')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == left


def test_no_encoder_is_imported_before_it_is_asked_for() -> None:
    for module in ("prodserve.compress.folder", "prodserve.compress.process", "prodserve.worker.compressing"):
        code = f"import sys, {module}; print(*{{'brotli', 'zstandard', 'rich'}} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == ""
