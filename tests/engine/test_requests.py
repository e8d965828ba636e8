"""How requests reach the app: one after another, in pieces, with bodies, and never as what they are not."""

from __future__ import annotations

import hashlib
import random

import pytest

from tests.arrivals import Arrival, byte_by_byte, invalid, names, valid

from .client import request
from .conftest import Worker


def test_a_connection_serves_many_requests(worker: Worker) -> None:
    with worker.connect() as client:
        for number in range(5):
            reply = client.ask(f"/echo?n={number}")
            assert reply.status == 200 and reply["connection"] is None
            assert reply.json["environ"]["QUERY_STRING"] == f"n={number}"


def test_requests_sent_at_once_are_answered_in_order(worker: Worker) -> None:
    with worker.connect() as client:
        client.send(b"".join(request(f"/echo?n={number}") for number in range(100)))
        for number in range(100):
            assert client.reply().json["environ"]["QUERY_STRING"] == f"n={number}"


def test_requests_of_all_kinds_sent_at_once_are_answered_in_order(worker: Worker, arrive: Arrival) -> None:
    chunked = request("/echo", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n0\r\nA: 1\r\n\r\n"
    raw = [
        ("GET", request("/")),
        ("POST", request("/echo", method="POST", body=b"hello")),
        ("HEAD", request("/", method="HEAD")),
        ("POST", chunked),
        ("GET", request("/blocks")),
        ("GET", request("/status?code=204")),
        ("PUT", b"\r\n" + request("/echo", method="PUT", body=b"x" * 3000)),
        ("GET", request("/", "Connection: close")),
    ]
    with worker.connect() as client:
        for piece in arrive(b"".join(data for _, data in raw)):
            client.send(piece)
        replies = [client.reply(method) for method, _ in raw]
        assert client.at_end()
    assert [reply.status for reply in replies] == [200, 200, 200, 200, 200, 204, 200, 200]
    assert [replies[i].json["length"] for i in (1, 3, 6)] == [5, 5, 3000]
    assert replies[4].body == b"a" * 10 + b"b" * 10 + b"c" * 10


def test_the_app_sees_the_whole_environ(worker: Worker) -> None:
    with worker.connect() as client:
        host, port = client.socket.getsockname()
        environ = client.ask("/a%20b?c=%20", "X-A: 1").json["environ"]
    assert environ == {
        "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%20",
        "RAW_URI": "/a%20b?c=%20",
        "REQUEST_URI": "/a%20b?c=%20",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(worker.port),
        "SERVER_SOFTWARE": environ["SERVER_SOFTWARE"],
        "REMOTE_ADDR": host,
        "REMOTE_PORT": str(port),
        "HTTP_HOST": "x",
        "HTTP_X_A": "1",
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def test_heads_that_repeat_with_other_values_reach_the_app_as_they_are(worker: Worker) -> None:
    chance = random.Random(3)
    with worker.connect() as client:
        for _ in range(200):
            fields = {
                "HTTP_X_A": [chance.choice("12") for _ in range(chance.choice((1, 1, 1, 2)))],
                "HTTP_COOKIE": [chance.choice("ab") for _ in range(chance.choice((1, 1, 1, 2)))],
                "HTTP_ACCEPT": ["x"] * chance.choice((1, 1, 0)),
            }
            lines = [f"{name[5:].replace('_', '-')}: {value}" for name, values in fields.items() for value in values]
            target = chance.choice(("/one", "/two?q"))
            environ = client.ask(target, *lines).json["environ"]
            joined = {name: ("; " if "COOKIE" in name else ",").join(values) for name, values in fields.items()}
            seen = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
            assert seen == {"HTTP_HOST": "x", **{name: value for name, value in joined.items() if value}}
            assert environ["RAW_URI"] == target


def test_a_plain_head_behind_one_with_a_body_has_none(worker: Worker) -> None:
    with worker.connect() as client:
        for _ in range(3):
            assert client.ask("/echo", method="POST", body=b"hello").json["length"] == 5
            assert client.ask("/echo").json["length"] == 0
            assert client.ask("/echo", method="POST").json["length"] == 0
            assert client.ask("/echo", method="POST", body=b"bye").json["length"] == 3


@pytest.mark.parametrize(
    ("fields", "version", "connection"),
    [
        ((), "1.1", None),
        (("Connection: close",), "1.1", "close"),
        (("Connection: keep-alive",), "1.1", None),
        (("Connection: keep-alive, close",), "1.1", "close"),
        ((), "1.0", "close"),
        (("Connection: keep-alive",), "1.0", "keep-alive"),
        (("Connection: Upgrade", "Upgrade: websocket"), "1.1", None),
    ],
)
def test_the_connection_goes_on_as_the_client_wishes(
    worker: Worker, fields: tuple[str, ...], version: str, connection: str | None
) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask("/", *fields, version=version)
            assert (reply.status, reply["connection"]) == (200, connection)
            if connection == "close":
                assert client.at_end()
                break


def test_what_follows_the_last_request_of_a_connection_is_not_read(worker: Worker) -> None:
    with worker.connect() as client:
        client.send(request("/", "Connection: close") + request("/release?name=never"))
        assert client.reply().status == 200
        assert client.at_end()


def test_the_body_is_asked_for_where_the_client_waits_for_that(worker: Worker) -> None:
    with worker.connect() as client:
        for body in (b"hello", b"again"):
            client.send(request("/echo", "Expect: 100-continue", "Content-Length: 5", method="PUT"))
            assert client.reply().status == 100
            client.send(body)
            assert client.reply().json["length"] == 5


@pytest.mark.parametrize(
    ("fields", "version", "body"),
    [
        (("Expect: 100-continue", "Content-Length: 5"), "1.1", b"hello"),
        (("Expect: 100-continue", "Content-Length: 5"), "1.0", b"hello"),
        (("Expect: 100-continue", "Content-Length: 0"), "1.1", b""),
        (("Expect: 100-continue",), "1.1", b""),
    ],
)
def test_the_body_is_not_asked_for_where_that_makes_no_sense(
    worker: Worker, fields: tuple[str, ...], version: str, body: bytes
) -> None:
    with worker.connect() as client:
        client.send(request("/echo", *fields, method="PUT", version=version) + body)
        assert client.reply().json["length"] == len(body)


@pytest.mark.parametrize("fields", [("Content-Length: 2000000000",), ("Content-Length: 5", "Transfer-Encoding: x")])
def test_a_body_that_is_not_wanted_is_not_asked_for(worker: Worker, fields: tuple[str, ...]) -> None:
    with worker.connect() as client:
        client.send(request("/echo", "Expect: 100-continue", *fields, method="PUT"))
        assert client.reply().status in (400, 413)
        client.socket.shutdown(1)
        assert client.at_end()


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 262144, 262145, 3_000_000])
def test_bodies_of_all_sizes_arrive_unchanged(worker: Worker, size: int) -> None:
    body = random.Random(size).randbytes(size)
    expected = hashlib.sha256(body).hexdigest()
    chunks = [body[at : at + 50000] for at in range(0, size, 50000)]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in chunks) + b"0\r\n\r\n"
    with worker.connect() as client:
        for _ in range(2):
            told = client.ask("/echo", method="POST", body=body).json
            assert (told["length"], told["sha256"]) == (size, expected)
            client.send(request("/echo", "Transfer-Encoding: chunked", method="POST") + chunked)
            told = client.reply().json
            assert (told["length"], told["sha256"]) == (size, expected)
            assert told["environ"]["CONTENT_LENGTH"] == str(size)
            assert "HTTP_TRANSFER_ENCODING" not in told["environ"]


def test_a_large_body_waits_on_disk_while_it_arrives(worker: Worker) -> None:
    size = 40_000_000
    before = worker.memory_bytes()
    with worker.connect() as client:
        client.send(request("/echo", f"Content-Length: {size}", method="POST"))
        client.send(b"x" * (size - 1))
        assert worker.memory_bytes() - before < size / 4
        client.send(b"x")
        assert client.reply().json["length"] == size


def test_a_body_that_the_app_does_not_read_is_not_the_next_request(worker: Worker) -> None:
    with worker.connect() as client:
        for _ in range(3):
            assert client.ask("/", method="POST", body=request("/release?name=never")).body == b"hello\n"


LIVE_INVALID = names("invalid")


def test_bad_requests_are_refused_and_the_connection_ends(worker: Worker, arrive: Arrival) -> None:
    wrong = []
    for name in LIVE_INVALID:
        raw, status = invalid(name)
        if arrive is byte_by_byte and len(raw) > 400:
            continue
        with worker.connect() as client:
            try:
                for piece in arrive(raw):
                    client.send(piece)
            except OSError:
                pass  # the server has refused and gone already
            reply = client.reply()
            client.socket.shutdown(1) if client.socket.fileno() >= 0 else None
            if (reply.status, reply["connection"], client.at_end()) != (status, "close", True):
                wrong.append((name, reply))
    assert not wrong


def test_what_follows_a_bad_request_is_never_taken_for_a_request(worker: Worker) -> None:
    for name in LIVE_INVALID:
        with worker.connect() as client:
            client.send(request("/") + invalid(name)[0] + request("/release?name=never") * 3)
            assert client.reply().status == 200
            assert client.reply().status == int(name[:3]), name
            assert client.at_end(), name


def test_good_requests_reach_the_app(worker: Worker, arrive: Arrival) -> None:
    for name in names("valid"):
        raw = valid(name)
        if arrive is byte_by_byte and len(raw) > 400:
            continue
        with worker.connect() as client:
            for piece in arrive(raw):
                client.send(piece)
            reply = client.reply()
            if reply.status == 100:
                reply = client.reply()
            assert reply.status == 200, name
            if reply.body and "json" in str(reply["content-type"]):
                assert reply.json["length"] == (5 if b"hello" in raw else 0), name
