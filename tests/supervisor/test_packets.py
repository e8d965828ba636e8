"""Messages between supervisor and generation, and small things beside them."""

from __future__ import annotations

import signal

import pytest
from prodserve.supervisor.fleet import describe_status
from prodserve.supervisor.packets import LIMIT_BYTES, decode, encode


@pytest.mark.parametrize("message", [{"do": "fork", "slot": 3}, {"event": "failed", "why": "größer\n\x00\udcff"}])
def test_a_message_arrives(message):
    assert decode(encode(message))["why" if "why" in message else "do"].startswith(("fork", "größer"))


@pytest.mark.parametrize("why", ["x" * 10**6, "\U0001f40d" * 10**6, "\x01" * 10**6])
def test_a_long_traceback_loses_its_middle_so_that_it_fits_a_packet(why):
    packet = encode({"event": "failed", "why": why + "ValueError: the end"})
    assert len(packet) <= LIMIT_BYTES
    assert decode(packet)["why"].endswith("ValueError: the end")


@pytest.mark.parametrize("packet", [b"", b"{", b"[]", b"3"])
def test_what_is_no_message_is_refused(packet):
    with pytest.raises(ValueError):
        decode(packet)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "ended with exit code 0"),
        (70 << 8, "ended with exit code 70"),
        (int(signal.SIGKILL), "was killed by SIGKILL"),
        (40, "was killed by signal 40"),
    ],
)
def test_the_end_of_a_process_is_told_in_words(status, text):
    assert describe_status(status) == text
