"""Heads of responses: what an application may say, in which bytes, and what never reaches a client."""

from __future__ import annotations

import random
from typing import Any

import pytest
from prodserve.errors import AppError
from prodserve.http.response_head import REMEMBERED, REMEMBERED_CHARACTERS, HeadWriter

Headers = list[tuple[str, str]]


def prefix(status: str, headers: Headers) -> bytes:
    return HeadWriter().read(status, headers).prefix


STATUSES: list[tuple[str, bytes]] = [
    ("200 OK", b"HTTP/1.1 200 OK\r\n"),
    ("200", b"HTTP/1.1 200 \r\n"),
    ("404 Not Found", b"HTTP/1.1 404 Not Found\r\n"),
    ("299 Nobody knows", b"HTTP/1.1 299 Nobody knows\r\n"),
    ("200 caf\xe9", b"HTTP/1.1 200 caf\xe9\r\n"),
    ("200 \u20ac", b"HTTP/1.1 200 ?\r\n"),
    ("999 Odd", b"HTTP/1.1 999 Odd\r\n"),
]


@pytest.mark.parametrize(("status", "line"), STATUSES)
def test_a_status_is_sent_as_the_app_says_it(status: str, line: bytes) -> None:
    head = HeadWriter().read(status, [])
    assert head.prefix == line
    assert head.status == int(status[:3])


@pytest.mark.parametrize(
    "status",
    [
        "",
        "OK",
        "20 OK",
        "2000 OK",
        "099 X",
        "100 Continue",
        "101 Switching Protocols",
        "200  OK\r\n",
        "200 OK\r\nA: 1",
        "200 OK\n",
        "200 \x00",
        "200 \x7f",
        "200\tOK",
        " 200 OK",
        "2٠٠ OK",
        b"200 OK",
        200,
        None,
        ["200 OK"],
    ],
)
def test_what_is_no_status_is_the_fault_of_the_app(status: Any) -> None:
    with pytest.raises((AppError, TypeError)):
        HeadWriter().read(status, [])


LINES: list[tuple[tuple[str, str], bytes]] = [
    (("Content-Type", "text/plain"), b"Content-Type: text/plain\r\n"),
    (("content-type", "text/plain; charset=utf-8"), b"content-type: text/plain; charset=utf-8\r\n"),
    (("X-Empty", ""), b"X-Empty: \r\n"),
    (("X-Tab", "a\tb"), b"X-Tab: a\tb\r\n"),
    (("X-Latin", "caf\xe9\x80\xff"), b"X-Latin: caf\xe9\x80\xff\r\n"),
    (("!#$%&'*+-.^_`|~09Az", "x"), b"!#$%&'*+-.^_`|~09Az: x\r\n"),
    (("Location", "/a?b=c#d"), b"Location: /a?b=c#d\r\n"),
]


@pytest.mark.parametrize(("header", "line"), LINES)
def test_a_header_is_sent_as_the_app_says_it(header: tuple[str, str], line: bytes) -> None:
    assert prefix("200 OK", [header]) == b"HTTP/1.1 200 OK\r\n" + line


FORGED: list[Any] = [
    ("X-A", "1\r\nSet-Cookie: forged"),
    ("X-A", "1\nB: 2"),
    ("X-A", "1\rB: 2"),
    ("X-A", "1\r\n"),
    ("X-A", "\x00"),
    ("X-A", "\x1b[31m"),
    ("X-A", "\x7f"),
    ("X-A\r\nB", "1"),
    ("X-A:", "1"),
    ("X A", "1"),
    ("X-A ", "1"),
    ("", "1"),
    ("X-\xe9", "1"),
    ("X\x00", "1"),
    ("X-A", "\u20ac"),
    ("X-A", "\u010a"),
    ("\u212aey", "1"),
    ("X-A", 1),
    ("X-A", None),
    (b"X-A", b"1"),
    ("X-A",),
    ("X-A", "1", "2"),
    "X-A: 1",
    None,
    ("Content-Length", "-1"),
    ("Content-Length", "five"),
    ("Content-Length", ""),
    ("Content-Length", "1_0"),
    ("Content-Length", " 5"),
    ("Content-Length", "5, 5"),
    ("Content-Length", "\xb2"),
]


@pytest.mark.parametrize("header", FORGED, ids=repr)
def test_what_is_no_header_reaches_no_client(header: Any) -> None:
    writer = HeadWriter()
    for _ in range(2):  # also not when it comes again
        with pytest.raises(AppError):
            writer.read("200 OK", [("Content-Type", "text/plain"), header])


@pytest.mark.parametrize(
    "name", ["Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "upgrade", "CONNECTION"]
)
def test_what_is_between_server_and_client_is_not_for_the_app_to_say(name: str) -> None:
    assert prefix("200 OK", [(name, "chunked"), ("X-A", "1")]) == b"HTTP/1.1 200 OK\r\nX-A: 1\r\n"


@pytest.mark.parametrize(
    ("value", "closes"), [("close", True), ("Close", True), ("x, close", True), ("keep-alive", False)]
)
def test_the_app_may_have_the_connection_closed(value: str, closes: bool) -> None:
    assert HeadWriter().read("200 OK", [("Connection", value)]).close is closes


def test_a_length_is_kept_apart_from_the_other_lines() -> None:
    head = HeadWriter().read("200 OK", [("content-length", "005"), ("X-A", "1")])
    assert (head.length, head.prefix) == (5, b"HTTP/1.1 200 OK\r\nX-A: 1\r\n")


def test_the_same_length_twice_is_one_and_two_lengths_are_none() -> None:
    assert HeadWriter().read("200 OK", [("Content-Length", "5"), ("content-length", "5")]).length == 5
    with pytest.raises(AppError):
        HeadWriter().read("200 OK", [("Content-Length", "5"), ("Content-Length", "6")])


def test_repeated_headers_stay_apart_and_in_order() -> None:
    lines = prefix("200 OK", [("Set-Cookie", "a=1"), ("X-A", "1"), ("Set-Cookie", "b=2"), ("Set-Cookie", "a=1")])
    assert lines == b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-A: 1\r\nSet-Cookie: b=2\r\nSet-Cookie: a=1\r\n"


def test_a_date_of_the_app_is_its_own() -> None:
    head = HeadWriter().read("200 OK", [("date", "Mon, 01 Jan 2024 00:00:00 GMT")])
    assert head.dated and b"date: Mon" in head.prefix


WHOLE: list[tuple[str, Headers, bytes]] = [
    ("200 OK", [("Content-Length", "5"), ("X-A", "1")], b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n"),
    ("200 OK", [("X-A", "1")], b""),
    ("204 No Content", [("Content-Length", "5")], b""),
    ("304 Not Modified", [("Content-Length", "5")], b""),
    ("200 OK", [("Content-Length", "5"), ("Connection", "close")], b""),
    ("200 OK", [("Content-Length", "5"), ("Date", "now")], b""),
]


@pytest.mark.parametrize(("status", "headers", "whole"), WHOLE)
def test_a_head_is_whole_where_nothing_is_left_to_decide(status: str, headers: Headers, whole: bytes) -> None:
    assert HeadWriter().read(status, headers).whole == whole


FOR_A_PROXY = ["X-Accel-Buffering", "x-accel-limit-rate", "X-ACCEL-Charset", "X-Accel-Expires"]


@pytest.mark.parametrize("name", ["X-Accel-Redirect", "x-accel-redirect", "X-Sendfile", "X-SENDFILE"])
def test_the_name_of_a_file_is_passed_on_unless_this_server_is_the_one_that_sends_it(name: str) -> None:
    headers = [("Content-Length", "5"), (name, "/a"), ("X-A", "1")]
    for in_front, line in ((False, f"{name}: /a\r\n".encode()), (True, b"")):
        writer = HeadWriter(in_front)
        for _ in range(2):
            head = writer.read("200 OK", headers)
            assert head.handed == ((name, "/a"),)
            assert head.prefix == b"HTTP/1.1 200 OK\r\n" + line + b"X-A: 1\r\n"
            assert head.whole == b""
        assert not writer.heads


@pytest.mark.parametrize("name", FOR_A_PROXY)
def test_what_is_said_to_a_proxy_is_passed_on_unless_there_is_none(name: str) -> None:
    assert HeadWriter().read("200 OK", [(name, "1")]).prefix == f"HTTP/1.1 200 OK\r\n{name}: 1\r\n".encode()
    assert HeadWriter(in_front=True).read("200 OK", [(name, "1")]).prefix == b"HTTP/1.1 200 OK\r\n"


def test_the_name_of_a_file_that_reaches_no_client_may_be_any_text_but_control_characters() -> None:
    head = HeadWriter(in_front=True).read("200 OK", [("X-Sendfile", "/\u0444.txt")])
    assert head.handed == (("X-Sendfile", "/\u0444.txt"),)
    for in_front, value in ((False, "/\u0444.txt"), (True, "/a\r\nB: 1")):
        with pytest.raises(AppError):
            HeadWriter(in_front).read("200 OK", [("X-Sendfile", value)])


def described(writer: HeadWriter, status: str, headers: Headers) -> tuple[Any, ...]:
    head = writer.read(status, headers)
    return head.status, head.prefix, head.whole, head.length, head.close, head.dated


def test_a_head_that_is_remembered_gives_the_same_bytes() -> None:
    chance = random.Random(7)
    pool = [header for header, _ in LINES] + [("Content-Length", "5"), ("Content-Length", "7"), ("Connection", "close")]
    pool += [("Date", "now"), ("Transfer-Encoding", "chunked"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    writer = HeadWriter()
    for _ in range(500):
        status, headers = chance.choice(STATUSES)[0], chance.choices(pool, k=chance.randrange(5))
        if {("Content-Length", "5"), ("Content-Length", "7")} <= set(headers):
            continue
        expected = described(HeadWriter(), status, headers)
        assert described(writer, status, headers) == expected
        known = writer.heads.get((status, *headers))
        assert known is None or (known.prefix, known.whole, known.length) == expected[1:4]
    assert len(writer.heads) > 20


def test_a_head_is_remembered_from_its_second_time_on() -> None:
    writer = HeadWriter()
    headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]
    writer.read("200 OK", headers)
    assert not writer.heads
    again = writer.read("200 OK", headers)
    assert writer.heads[("200 OK", *headers)] is again


def test_what_is_remembered_is_bounded_in_number_and_length() -> None:
    writer = HeadWriter()
    for number in range(3 * REMEMBERED):
        long = "v" * 300 if number % 10 == 0 else ""
        for _ in range(2):
            writer.read(f"200 OK {number}", [("Set-Cookie", f"{number}{long}")])
    for memory in (writer._statuses, writer._lines, writer.heads):
        assert 0 < len(memory) <= REMEMBERED
    assert all(len(name) + len(value) < REMEMBERED_CHARACTERS for name, value in writer._lines)
