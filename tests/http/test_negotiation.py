"""Accept-Encoding: which coding is sent, as a table."""

from __future__ import annotations

import pytest
from prodserve.http.negotiation import choose_coding, coding_weights

ALL = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("accept_encoding", "available", "chosen"),
    [
        ("", ALL, "identity"),
        ("gzip", ALL, "gzip"),
        ("gzip, deflate, br, zstd", ALL, "br"),
        ("gzip, deflate, br, zstd", ("zstd", "br", "gzip"), "zstd"),
        ("gzip, deflate", ALL, "gzip"),
        ("gzip, deflate, br", ("gzip",), "gzip"),
        ("gzip, deflate, br", (), "identity"),
        ("deflate", ALL, "identity"),
        ("GZIP", ALL, "gzip"),
        ("x-gzip", ALL, "gzip"),
        # weights
        ("br;q=0.5, gzip;q=0.8", ALL, "gzip"),
        ("br;q=0.8, gzip;q=0.8", ALL, "br"),
        ("gzip;q=1.0, br;q=0.999", ALL, "gzip"),
        ("gzip; q=0.5", ALL, "gzip"),
        ("gzip ;\tQ=0.5", ALL, "gzip"),
        ("gzip;q=0.001", ALL, "gzip"),
        ("gzip;q=0", ALL, "identity"),
        ("gzip;q=0.0", ALL, "identity"),
        ("gzip;q=0.000", ALL, "identity"),
        ("br;q=0, gzip", ALL, "gzip"),
        # the star
        ("*", ALL, "br"),
        ("*;q=0.1", ALL, "br"),
        ("*;q=0", ALL, "identity"),
        ("gzip, *;q=0", ALL, "gzip"),
        ("br;q=0, *", ALL, "zstd"),
        ("gzip;q=0.1, *;q=0.5", ALL, "br"),
        ("gzip;q=0.9, *;q=0.5", ALL, "gzip"),
        # identity
        ("identity", ALL, "identity"),
        ("identity, gzip", ALL, "gzip"),
        ("identity;q=1, gzip;q=0.5", ALL, "identity"),
        ("identity;q=0.5, gzip;q=0.5", ALL, "gzip"),
        ("identity;q=0.5, gzip;q=1.0", ALL, "gzip"),
        ("identity;q=1, *;q=0", ALL, "identity"),
        ("identity;q=0", ALL, "identity"),
        ("identity;q=0, gzip", ALL, "gzip"),
        ("identity;q=0, *;q=0", ALL, "identity"),
        ("deflate, gzip;q=1.0, *;q=0.5", ("br",), "br"),
        # malformed members are passed over, the others count
        ("gzip;q=2", ALL, "identity"),
        ("gzip;q=-1", ALL, "identity"),
        ("gzip;q=0.1234", ALL, "identity"),
        ("gzip;q=nan", ALL, "identity"),
        ("gzip;q=1e3", ALL, "identity"),
        ("gzip;q=", ALL, "identity"),
        ("gzip;q", ALL, "identity"),
        ("gzip;level=5", ALL, "identity"),
        ("gz ip", ALL, "identity"),
        ("gzip;q=2, br", ALL, "br"),
        (",,gzip,,", ALL, "gzip"),
        ("notgzip", ALL, "identity"),
        ("gzip-like, br2", ALL, "identity"),
    ],
)
def test_the_coding_that_is_sent(accept_encoding: str, available: tuple[str, ...], chosen: str) -> None:
    assert choose_coding(accept_encoding, available) == chosen


def test_weights_are_read_once_for_each_coding() -> None:
    assert coding_weights("br;q=0.5, *;q=0, gzip") == {"br": 0.5, "*": 0.0, "gzip": 1.0}
