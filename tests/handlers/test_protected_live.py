"""Protected downloads over real connections, in both execution models.

Whatever way the view answers in, the client gets the file and nothing else, and nothing is left behind."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.handing import COUNTED, WAYS
from tests.engine.client import request
from tests.engine.conftest import Worker, nothing_left, working
from tests.server import wait_until

from .files import LARGE, make_tree, write

KINDS = [("greenlets", "epoll"), ("threads", "watchers")]
HUGE_BYTES = 8 << 30
TEXT = b"0123456789" * 10
TARGET = "tests.apps.handing:app"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_tree(tmp_path_factory.mktemp("protected") / "root")
    with write(root / "huge.bin", b"begin").open("r+b") as file:
        file.truncate(HUGE_BYTES)
        file.seek(-3, 2)
        file.write(b"end")
    return root


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def shared_worker(request: pytest.FixtureRequest, root: Path) -> Iterator[Worker]:
    with working(request.param, TARGET, internal=[f"/internal/={root}"]) as worker:
        yield worker


@pytest.fixture
def worker(shared_worker: Worker) -> Iterator[Worker]:
    with nothing_left(shared_worker):
        yield shared_worker


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_the_file_takes_the_place_of_whatever_the_view_sends(worker: Worker, way: str, name: str) -> None:
    closed = worker.state()["closed"].get(way, 0)
    expected = TEXT if name == "a.txt" else LARGE
    with worker.connect() as client:
        client.send(request(f"/{way}/{name}") + request("/"))
        reply = client.reply()
        if way == "strings":
            assert (reply.status, reply.body) == (500, b"500 Internal Server Error\n")
        else:
            assert (reply.status, reply.body) == (200, expected)
            assert [value for key, value in reply.fields if key == "Set-Cookie"] == ["a=1"]
            assert reply["content-type"] == "text/x-own"
        assert not [key for key, _ in reply.fields if key.lower().startswith("x-")]
        assert client.reply().body == b"hello\n"
    assert worker.state()["closed"].get(way, 0) - closed == (way in COUNTED)


def test_a_connection_stays_in_step_through_all_kinds_of_answers(worker: Worker) -> None:
    asked = [
        ("GET", (), b"", 200, TEXT),
        ("HEAD", (), b"", 200, b""),
        ("POST", (), b"x" * 1000, 200, TEXT),
        ("GET", ("If-None-Match: *",), b"", 304, b""),
        ("POST", ("If-None-Match: *",), b"abc", 304, b""),
        ("GET", ('If-Match: "x"',), b"", 412, b"412 Precondition Failed\n"),
        ("GET", ("Range: bytes=5-6",), b"", 206, b"56"),
        ("GET", ("Range: bytes=100-",), b"", 416, None),
    ]
    with worker.connect() as client:
        for _ in range(2):
            client.send(b"".join(request("/list/a.txt", *fields, method=m, body=body) for m, fields, body, *_ in asked))
            for method, _fields, _body, status, content in asked:
                reply = client.reply(method)
                assert reply.status == status
                assert content in (None, reply.body)
        assert client.ask("/list/absent").body == b"404 Not Found\n"
        assert client.ask("/list/absent", method="HEAD").status == 404
        assert client.ask("/").body == b"hello\n"
    with worker.connect() as client:
        assert client.ask("/list/large.bin", version="1.0").body == LARGE
        assert client.at_end()


def test_internal_addresses_are_the_apps_for_clients(worker: Worker) -> None:
    with worker.connect() as client:
        assert client.ask("/internal/a.txt").json["environ"]["PATH_INFO"] == "/internal/a.txt"
        assert client.ask("/", "X-Accel-Redirect: /internal/a.txt").body == b"hello\n"


def test_what_can_t_be_sent_is_an_error_in_the_log(worker: Worker) -> None:
    with worker.connect() as client:
        assert client.ask("/list/%0a%1b[31m../x").status == 500  # such a header can't be sent at all
        assert client.ask("/list/nowhere/to/be\\found").status == 404
    worker.server.wait_for_log(r"X-Accel-Redirect: '/internal/nowhere/to/be\\found' can't be sent (404): No such file")


def test_parts_of_a_file_larger_than_the_memory_are_sent_from_the_disk(worker: Worker) -> None:
    before = worker.memory_bytes()
    with worker.connect() as client:
        assert client.ask("/list/huge.bin", "Range: bytes=-3").body == b"end"
        assert client.ask("/blocks/huge.bin", "Range: bytes=0-4, -3, 5-1000004").status == 206
        assert client.ask("/list/huge.bin", method="HEAD")["content-length"] == str(HUGE_BYTES)
        client.send(request("/list/huge.bin"))
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        assert client.take(64 << 20)[:5] == b"begin"
    assert worker.memory_bytes() - before < 16 << 20


@pytest.mark.parametrize("fields", [(), ("Range: bytes=5-7000000000",), ("Range: bytes=0-4, -4000000000, 5-999999",)])
@pytest.mark.parametrize("way", ["list", "write", "endless", "file"])
def test_a_client_that_goes_away_leaves_nothing_open(worker: Worker, way: str, fields: tuple[str, ...]) -> None:
    closed = worker.state()["closed"].get(way, 0)
    for _ in range(3):
        with worker.connect(receive_bytes=4096) as client:
            client.send(request(f"/{way}/huge.bin", *fields))
            client.until(b"\r\n\r\n")
            client.reset()
    if way == "endless":  # ``write()`` may raise before there is something to close
        wait_until(lambda: worker.state()["closed"].get(way, 0) == closed + 3, 5)


LINE = re.compile(r'"([^"]*)" ([0-9]{3}) ([0-9]+) ').search


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_access_log_has_the_status_and_the_bytes_of_the_file(
    kind: tuple[str, str], root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    with working(kind, TARGET, internal=[f"/internal/={root}"], access_logfile=str(path)) as worker:
        with worker.connect() as client:
            client.ask("/list/a.txt")
            client.ask("/blocks/large.bin")
            client.ask("/write/large.bin", "Range: bytes=100-199999")
            client.ask("/list/a.txt", "If-None-Match: *")
            client.ask("/list/a.txt", method="HEAD")
            client.ask("/list/absent")
        assert worker.server.stop(signal.SIGTERM) == 0
        found = [match.groups() for line in path.read_text().splitlines() if (match := LINE(line))]
    assert found[-6:] == [
        ("GET /list/a.txt HTTP/1.1", "200", "100"),
        ("GET /blocks/large.bin HTTP/1.1", "200", "256000"),
        ("GET /write/large.bin HTTP/1.1", "206", "199900"),
        ("GET /list/a.txt HTTP/1.1", "304", "0"),
        ("HEAD /list/a.txt HTTP/1.1", "200", "0"),
        ("GET /list/absent HTTP/1.1", "404", "14"),
    ]


def test_without_internal_directories_the_header_goes_on_to_the_server_in_front() -> None:
    with working(KINDS[0], TARGET) as worker:
        with worker.connect() as client:
            for way in ("list", "blocks", "write"):
                reply = client.ask(f"/{way}/a%20b.txt")
                assert (reply.status, reply.body) == (200, b"the view's own")
                assert reply["x-accel-redirect"] == "/internal/a b.txt"
                assert reply["x-accel-buffering"] == "no"
        worker.server.wait_for_log("fix: --internal /internal/=/the/directory")
        assert worker.server.log().count("fix: --internal") == 1


def test_a_worker_warns_of_protected_files_that_everybody_can_ask_for(root: Path) -> None:
    with working(KINDS[1], TARGET, internal=[f"/internal/={root}/sub"], media=[f"/media/={root}"]) as worker:
        worker.server.wait_for_log("protects nothing: everybody gets its files at /media/ (--media)")
