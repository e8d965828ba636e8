"""What heads of requests mean, and which are refused: the corpus, however its bytes arrive."""

from __future__ import annotations

from typing import Any

import pytest
from prodserve.errors import BadRequest, HeadTooLarge, ProtocolError, TargetTooLong
from prodserve.h1.head import HeadReader, Limits, persists

from tests.arrivals import Arrival, invalid, names, valid, whole

from .reading import BASE, read_request

PLAIN = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": "", "HTTP_HOST": "example.org"}
ROOT = {**PLAIN, "PATH_INFO": "/", "RAW_URI": "/", "REQUEST_URI": "/"}
POST = {**ROOT, "REQUEST_METHOD": "POST"}
PUT = {**ROOT, "REQUEST_METHOD": "PUT"}
HTTP_10 = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.0", "QUERY_STRING": "", "PATH_INFO": "/"}
HTTP_10 |= {"RAW_URI": "/", "REQUEST_URI": "/"}


def at(path: str, raw: str, **more: str) -> dict[str, str]:
    return {**PLAIN, "PATH_INFO": path, "RAW_URI": raw, "REQUEST_URI": raw, **more}


ENVIRON: dict[str, dict[str, str]] = {
    "absolute-form": at("/a/b", "/a/b?c", QUERY_STRING="c", HTTP_HOST="other.example:81"),
    "absolute-form-without-path": at("/", "/?q", QUERY_STRING="q", HTTP_HOST="other.example"),
    "asterisk-form": at("", "*", REQUEST_METHOD="OPTIONS"),
    "chunked": {**POST, "HTTP_TRANSFER_ENCODING": "chunked"},
    "chunked-in-capitals": {**POST, "HTTP_TRANSFER_ENCODING": "CHUNKED"},
    "connection-close-among-others": {**ROOT, "HTTP_CONNECTION": "TE, Close"},
    "double-slashes": at("//a//../b/", "//a//../b/"),
    "empty-value": {**ROOT, "HTTP_X_EMPTY": ""},
    "expect-continue": {**PUT, "HTTP_EXPECT": "100-Continue", "CONTENT_LENGTH": "5"},
    "expect-of-an-http-1.0-client": {
        **HTTP_10,
        "REQUEST_METHOD": "PUT",
        "HTTP_EXPECT": "100-continue",
        "CONTENT_LENGTH": "5",
    },
    "get-with-a-body": {**ROOT, "CONTENT_LENGTH": "5"},
    "host-empty": {**ROOT, "HTTP_HOST": ""},
    "host-ipv6": {**ROOT, "HTTP_HOST": "[::1]:8000"},
    "host-with-port": {**ROOT, "HTTP_HOST": "example.org:8000"},
    "http-1.0-keep-alive": {**HTTP_10, "HTTP_CONNECTION": "Keep-Alive"},
    "http-1.0-without-host": HTTP_10,
    "latin-1-value": {**ROOT, "HTTP_X_NAME": "caf\xe9"},
    "length-with-leading-zeros": {**PUT, "CONTENT_LENGTH": "0005"},
    "long-field": {**ROOT, "HTTP_X_LONG": "v" * 8180},
    "long-line": at("/" + "p" * 8170, "/" + "p" * 8170),
    "many-fields": {**ROOT, **{f"HTTP_X_{i}": str(i) for i in range(99)}},
    "no-space-behind-the-colon": {**ROOT, "HTTP_X_A": "1"},
    "odd-token-name": {**ROOT, "HTTP_!#$%&'*+.^`|~9": "x"},
    "one-empty-line-before": ROOT,
    "other-methods": at("/dav", "/dav", REQUEST_METHOD="PROPFIND"),
    "percent-encoded": at("/~user/\xc3\xa9/;v=1", "/%7Euser/%C3%A9%2F;v=1?x=%C3%A9", QUERY_STRING="x=%C3%A9"),
    "post-with-length": {**at("/form", "/form"), "REQUEST_METHOD": "POST", "CONTENT_TYPE": "text/plain"}
    | {"CONTENT_LENGTH": "5"},
    "post-with-length-zero": {**POST, "CONTENT_LENGTH": "0"},
    "proxy-field": ROOT,
    "repeated-fields": {**ROOT, "HTTP_X_A": "1,2", "HTTP_ACCEPT": "text/html,*/*"},
    "simple-get": at("/path", "/path?a=1&b=%20", QUERY_STRING="a=1&b=%20"),
    "tabs-and-spaces-around-a-value": {**ROOT, "HTTP_X_A": "a b\tc"},
    "two-cookies": {**ROOT, "HTTP_COOKIE": "a=1; b=2"},
    "underscore-names": {**ROOT, "HTTP_X_REAL_IP": "1.2.3.4"},
    "websocket-upgrade": at("/chat", "/chat", HTTP_CONNECTION="keep-alive, Upgrade", HTTP_UPGRADE="websocket"),
}
"""What the app sees of each good request, beside the server's own part."""

CLOSING = {"connection-close-among-others", "http-1.0-without-host", "expect-of-an-http-1.0-client"}


@pytest.mark.parametrize("name", names("valid"))
def test_a_good_request_means_what_it_says(arrive: Arrival, name: str) -> None:
    raw = valid(name)
    request = read_request(arrive, raw)
    assert request is not None and request.complete and request.rest == b""
    assert request.environ == ENVIRON[name]
    assert request.body == (b"hello" if b"hello" in raw else b"")
    assert request.fields.keep_alive == (name not in CLOSING)
    assert request.fields.expect_continue == (name == "expect-continue")


@pytest.mark.parametrize("name", names("invalid"))
def test_a_bad_request_is_refused_with_its_status(arrive: Arrival, name: str) -> None:
    raw, status = invalid(name)
    with pytest.raises(ProtocolError) as refusal:
        read_request(arrive, raw)
    assert refusal.value.status == status


@pytest.mark.parametrize("name", names("invalid"))
def test_a_bad_request_is_refused_also_by_a_reader_that_has_seen_others(arrive: Arrival, name: str) -> None:
    reader = HeadReader(Limits())
    for good in names("valid"):
        read_request(whole, valid(good), reader)
    raw, status = invalid(name)
    for _ in range(2):
        with pytest.raises(ProtocolError) as refusal:
            read_request(arrive, raw, reader)
        assert refusal.value.status == status


@pytest.mark.parametrize("name", names("valid"))
def test_a_good_request_means_the_same_each_time(arrive: Arrival, name: str) -> None:
    reader = HeadReader(Limits())
    for other in names("invalid"):
        with pytest.raises(ProtocolError):
            read_request(whole, invalid(other)[0], reader)
    for _ in range(3):
        request = read_request(arrive, valid(name), reader)
        assert request is not None and request.environ == ENVIRON[name]


def test_what_follows_a_request_is_left_for_the_next(arrive: Arrival) -> None:
    for name in names("valid"):
        request = read_request(arrive, valid(name) + b"GET /next HTTP/1.1\r\n")
        assert request is not None and request.rest == b"GET /next HTTP/1.1\r\n", name


def test_a_head_that_has_not_ended_is_waited_for(arrive: Arrival) -> None:
    for name in names("valid"):
        head = valid(name)[: valid(name).index(b"\r\n\r\n", 1) + 3]
        assert read_request(arrive, head) is None, name


EARLY: list[tuple[bytes, type[ProtocolError]]] = [
    (b"GET / HTTP/1.1\nHost", BadRequest),
    (b"\x16\x03\x01", BadRequest),
    (b"GET / HTTP/1.1\r\nA: \x00", BadRequest),
    (b"GET / HTTP/1.1\r\nA : 1\r\n", BadRequest),
    (b"GARBAGE\r\n", BadRequest),
    (b"GET /" + b"x" * 8190, TargetTooLong),
    (b"GET / HTTP/1.1\r\nA: " + b"x" * 8190 + b"\r\n", HeadTooLarge),
    (b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 101, HeadTooLarge),
    (b"GET / HTTP/1.1\r\nA: " + b"x" * 65536, HeadTooLarge),
]


@pytest.mark.parametrize(("raw", "error"), EARLY, ids=[f"{raw[:30]!r}" for raw, _ in EARLY])
def test_what_no_ending_could_make_good_is_refused_before_it_ends(raw: bytes, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        HeadReader(Limits()).check_part(raw, 0)


LIMITED = [
    (Limits(line_bytes=20), b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n", 6, TargetTooLong),
    (Limits(field_bytes=20), b"GET / HTTP/1.1\r\nHost: x\r\nX-A: %b\r\n\r\n", 15, HeadTooLarge),
    (Limits(fields=3), b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n", 2, HeadTooLarge),
]


@pytest.mark.parametrize(("limits", "raw", "room", "error"), LIMITED, ids=["line", "field", "fields"])
def test_a_limit_is_the_last_that_is_allowed(
    arrive: Arrival, limits: Limits, raw: bytes, room: int, error: type[ProtocolError]
) -> None:
    unit = b"X: 1\r\n" if limits.fields == 3 else b"p"
    assert read_request(arrive, raw % (unit * room), HeadReader(limits)) is not None
    with pytest.raises(error):
        read_request(arrive, raw % (unit * (room + 1)), HeadReader(limits))


CONNECTIONS: list[tuple[str | None, int, bool]] = [
    (None, 1, True),
    (None, 0, False),
    ("close", 1, False),
    ("CLOSE", 1, False),
    ("keep-alive, close", 1, False),
    ("keep-alive", 0, True),
    (" Keep-Alive\t,x", 0, True),
    ("keep-alive, close", 0, False),
    ("closed", 1, True),
    ("", 1, True),
    ("upgrade", 0, False),
]


@pytest.mark.parametrize(("connection", "minor", "goes_on"), CONNECTIONS)
def test_the_client_decides_whether_the_connection_goes_on(connection: str | None, minor: int, goes_on: bool) -> None:
    assert persists(connection, minor) is goes_on


def test_a_request_line_can_not_close_the_quotes_of_the_access_log(arrive: Arrival) -> None:
    request = read_request(arrive, b'GET /"\\x?" HTTP/1.1\r\nHost: x\r\n\r\n')
    assert request is not None
    assert request.line.log == "GET /\\x22\\x5cx?\\x22 HTTP/1.1"


def test_the_environ_of_the_connection_is_not_changed_by_a_head(arrive: Arrival) -> None:
    before: dict[str, Any] = dict(BASE)
    for name in names("valid"):
        read_request(arrive, valid(name))
    assert before == BASE
