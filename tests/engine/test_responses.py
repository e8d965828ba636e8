"""What the client gets of what the app answers: whole and in step, or visibly cut, whatever the app does."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from tests.server import wait_until

from .conftest import Worker

CONTENT = bytes(range(256)) * 4096
"""What is in the app's file."""


def closed(worker: Worker, name: str) -> int:
    """How often the response of that name was closed, once it was."""
    wait_until(lambda: worker.state()["closed"].get(name), 5, f"{name} is closed")
    count: int = worker.state()["closed"][name]
    return count


@pytest.mark.parametrize("kind", ["list", "tuple", "generator", "iterator", "set", "bytearray", "memoryview", "file"])
def test_whatever_the_app_returns_reaches_the_client(worker: Worker, kind: str) -> None:
    with worker.connect() as client:
        for _ in range(2):
            assert client.ask(f"/pieces?kind={kind}").body == b"onetwo"


@pytest.mark.parametrize("kind", ["empty", "empty-blocks", "none"])
def test_an_answer_without_a_body_has_the_length_zero(worker: Worker, kind: str) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask(f"/pieces?kind={kind}")
            assert (reply.status, reply["content-length"], reply.body) == (200, "0", b"")


def test_the_length_is_computed_where_the_whole_body_is_known(worker: Worker) -> None:
    with worker.connect() as client:
        assert client.ask("/pieces?kind=list")["content-length"] == "6"
        assert client.ask("/pieces?kind=generator")["transfer-encoding"] == "chunked"
        assert client.ask("/blocks?length=30")["content-length"] == "30"


FAULTY = ["text", "text&length", "text-first", "text-first&length", "text-later", "text-empty", "number"]


@pytest.mark.parametrize("kind", FAULTY)
def test_text_where_bytes_belong_ends_in_an_error_and_never_in_silence(worker: Worker, kind: str) -> None:
    for _ in range(3):
        with worker.connect() as client:
            reply = client.ask(f"/pieces?kind={kind}")
            assert reply.status == 500 or reply.cut
            assert reply.body in (b"500 Internal Server Error\n", b"good")


@pytest.mark.parametrize("kind", FAULTY)
def test_text_where_bytes_belong_ends_in_an_error_also_where_the_head_is_known(worker: Worker, kind: str) -> None:
    with worker.connect() as client:
        for _ in range(3):  # of the same head, so that it is remembered
            assert client.ask("/whole?size=4&length=4").body == b"wwww"
            assert client.ask("/whole?size=8&length=8").body == b"w" * 8
    with worker.connect() as client:
        reply = client.ask(f"/pieces?kind={kind}")
        assert reply.status == 500 or reply.cut


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("target", ["/raise", "/raise?started=1", "/raise?kind=exit", "/unstarted", "/twice"])
def test_an_app_that_fails_is_answered_for_with_500(worker: Worker, target: str, method: str) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask(target, method=method)
            assert (reply.status, reply["connection"]) == (500, None)
            assert reply.body == (b"" if method == "HEAD" else b"500 Internal Server Error\n")
        assert client.ask("/").status == 200
    worker.server.wait_for_log(f"{method} {target} HTTP/1.1: unhandled")


def test_an_app_that_fails_behind_its_first_block_is_seen_to_be_cut(worker: Worker) -> None:
    for number, target in enumerate(("/blocks?raise=1", "/blocks?raise=1&length=30", "/write?raise=1")):
        with worker.connect() as client:
            reply = client.ask(f"{target}&name=cut{number}-{worker.model}-{worker.poller}")
            assert (reply.status, reply.cut) == (200, True), target
            assert reply.body in (b"a" * 10, b"written ")
            assert client.at_end()


def test_an_app_that_fails_before_its_first_block_is_answered_for_with_500(worker: Worker) -> None:
    name = f"early-{worker.model}-{worker.poller}"
    with worker.connect() as client:
        assert client.ask(f"/blocks?raise=0&name={name}").status == 500
        assert client.ask("/").status == 200
    assert closed(worker, name) == 1


def test_an_app_that_fails_behind_its_last_byte_harms_nobody(worker: Worker) -> None:
    with worker.connect() as client:
        for _ in range(2):
            assert client.ask("/blocks?count=2&raise=1&size=10&length=10").body == b"a" * 10
            assert client.ask("/").status == 200


@pytest.mark.parametrize(
    "target", ["/whole?size=10&length=12", "/blocks?count=3&size=10&length=40", "/whole?size=0&length=5"]
)
def test_a_body_that_is_too_short_is_seen_to_be_cut(worker: Worker, target: str) -> None:
    for _ in range(2):
        with worker.connect() as client:
            reply = client.ask(target)
            assert reply.cut or (reply.status, reply["content-length"]) == (500, "26")
    worker.server.wait_for_log("shorter than its Content-Length")


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/whole?size=10&length=7", b"w" * 7),
        ("/whole?size=10&length=0", b""),
        ("/blocks?count=3&size=10&length=25", b"a" * 10 + b"b" * 10 + b"c" * 5),
        ("/blocks?count=3&size=10&length=20", b"a" * 10 + b"b" * 10),
        ("/blocks?count=3&size=10&length=0", b""),
        ("/write?length=8", b"written "),
        ("/write?length=3", b"wri"),
    ],
)
def test_a_body_that_is_too_long_is_cut_to_its_length_and_the_connection_goes_on(
    worker: Worker, target: str, body: bytes
) -> None:
    with worker.connect() as client:
        for _ in range(3):
            assert client.ask(target).body == body
            assert client.ask("/").body == b"hello\n"
    worker.server.wait_for_log("longer than its Content-Length")


@pytest.mark.parametrize(
    "target", ["/", "/blocks", "/blocks?length=30", "/whole", "/echo", "/file", "/write", "/pieces?kind=list"]
)
def test_the_answer_to_head_has_no_body(worker: Worker, target: str) -> None:
    with worker.connect() as client:
        for _ in range(2):
            head = client.ask(target, method="HEAD")
            assert head.status == 200
            if target != "/echo":
                assert head["content-length"] in (None, client.ask(target)["content-length"])
        assert client.ask("/").body == b"hello\n"


@pytest.mark.parametrize("code", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_some_statuses_have_no_body_whatever_the_app_yields(worker: Worker, code: int, method: str) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask(f"/status?code={code}", method=method)
            assert (reply.status, reply["transfer-encoding"], reply["content-length"]) == (code, None, None)
        assert client.ask("/").body == b"hello\n"


@pytest.mark.parametrize("code", ["100", "101", "099", "1000", "abc"])
def test_a_status_that_is_none_is_answered_for_with_500(worker: Worker, code: str) -> None:
    with worker.connect() as client:
        assert client.ask(f"/status?code={code}").status == 500


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_body_of_unknown_length_ends_so_that_the_client_sees_it(worker: Worker, version: str) -> None:
    with worker.connect() as client:
        reply = client.ask("/blocks?count=50&size=1000", "Connection: keep-alive", version=version)
        assert len(reply.body) == 50000
        assert (reply["transfer-encoding"], reply["connection"]) == (
            ("chunked", None) if version == "1.1" else (None, "close")
        )


def test_a_known_length_keeps_an_old_client_connected(worker: Worker) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask("/blocks?length=30", "Connection: keep-alive", version="1.0")
            assert (reply["connection"], len(reply.body)) == ("keep-alive", 30)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/write", b"written returned"),
        ("/write?alone=1", b"written "),
        ("/write?length=16", b"written returned"),
        ("/write?length=8&alone=1", b"written "),
    ],
)
def test_what_is_written_comes_before_what_is_returned(worker: Worker, target: str, body: bytes) -> None:
    with worker.connect() as client:
        for _ in range(3):
            assert client.ask(target).body == body
            assert client.ask(target, method="HEAD").status == 200
    with worker.connect() as client:
        assert client.ask(target, version="1.0").body == body


def test_an_answer_can_be_changed_until_it_is_begun(worker: Worker) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask("/exc-info")
            assert (reply.status, reply.body) == (503, b"changed\n")
        reply = client.ask("/exc-info?late=1")
        assert (reply.status, reply.cut, reply.body) == (200, True, b"begun")
    worker.server.wait_for_log("the first answer was wrong")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "1\r\nSet-Cookie: forged"),
        ("X-A", "1\nB: 2"),
        ("X-A\r\nB", "1"),
        ("X A", "1"),
        ("X-A", "\u20ac"),
        ("X-A", "\x00"),
        ("Content-Length", "7"),
    ],
)
def test_a_header_that_is_none_is_answered_for_with_500(worker: Worker, name: str, value: str) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask(f"/header?name={quote(name)}&value={quote(value)}")
            assert reply.status == 500
            assert {name for name, _ in reply.fields} == {"Content-Type", "Content-Length", "Date"}


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("X-A", "b\tc", "b\tc"),
        ("X-A", "caf\xe9", "caf\xe9"),
        ("Transfer-Encoding", "gzip", None),
        ("Keep-Alive", "5", None),
        ("Upgrade", "h2c", None),
    ],
)
def test_headers_reach_the_client_but_those_that_are_the_servers(
    worker: Worker, name: str, value: str, sent: str | None
) -> None:
    with worker.connect() as client:
        for _ in range(3):
            reply = client.ask(f"/header?name={name}&value={quote(value)}")
            assert (reply.status, reply[name], reply.body) == (200, sent, b"hello\n")


def test_the_app_may_end_the_connection_and_set_the_date(worker: Worker) -> None:
    with worker.connect() as client:
        for _ in range(3):
            assert client.ask("/header?name=Date&value=now")["date"] == "now"
        assert client.ask("/header?name=Connection&value=close")["connection"] == "close"
        assert client.at_end()


def test_a_response_is_closed_exactly_once(worker: Worker) -> None:
    name = f"closing-{worker.model}-{worker.poller}"
    for number, (query, method) in enumerate(
        [
            ("", "GET"),
            ("&length=30", "GET"),
            ("&raise=1", "GET"),
            ("&length=20", "GET"),
            ("&length=40", "GET"),
            ("", "HEAD"),
        ]
    ):
        with worker.connect() as client:
            client.ask(f"/blocks?name={name}-{number}{query}", method=method)
        assert closed(worker, f"{name}-{number}") == 1, (query, method)


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ("", 200, CONTENT),
        ("offset=1000", 200, CONTENT[1000:]),
        ("offset=1000&length=500", 200, CONTENT[1000:1500]),
        ("length=0", 200, b""),
        (f"offset={len(CONTENT)}", 200, b""),
        (f"offset={len(CONTENT) + 10}", 200, b""),
        ("memory=1", 200, b"m" * 100000),
        ("memory=1&offset=99990", 200, b"m" * 10),
        ("memory=1&length=100000", 200, b"m" * 100000),
        ("path=/dev/null", 200, b""),
        ("path=/proc/self/comm", 200, None),
    ],
)
def test_a_file_is_sent_from_where_it_stands(worker: Worker, query: str, status: int, body: bytes | None) -> None:
    with worker.connect() as client:
        for _ in range(2):
            reply = client.ask(f"/file?{query}")
            assert (reply.status, reply.cut) == (status, False)
            assert body is None or reply.body == body
        assert client.ask("/").body == b"hello\n"
        assert client.ask(f"/file?{query}", method="HEAD").status == 200
    with worker.connect() as client:
        assert client.ask(f"/file?{query}", version="1.0").cut is False


def test_a_file_with_fewer_bytes_than_promised_is_seen_to_be_cut(worker: Worker) -> None:
    for query in (f"length={len(CONTENT) + 1}", f"offset={len(CONTENT)}&length=5", "memory=1&length=100001"):
        with worker.connect() as client:
            assert client.ask(f"/file?{query}").cut, query


def test_a_large_response_arrives_unchanged(worker: Worker) -> None:
    expected = hashlib.sha256(b"".join(b"%c" % (97 + n % 26) * 60000 for n in range(200))).hexdigest()
    for query in ("", "&length=12000000"):
        with worker.connect() as client:
            body = client.ask(f"/blocks?count=200&size=60000{query}").body
            assert hashlib.sha256(body).hexdigest() == expected
            assert len(client.ask("/whole?size=9000000").body) == 9_000_000
