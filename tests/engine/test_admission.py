"""Who gets in: a share for each address, and newcomers before those that idle."""

from __future__ import annotations

import mmap
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from prodserve.engine.admission import HALF_HEAD_S, NAMED, REPORT_S, STALLED_S, Shares, network, spared
from prodserve.engine.connection import BODY, HEAD, IDLE, LINGER, RUNNING, SENDING
from prodserve.engine.engine import Engine, Timeouts
from prodserve.engine.greenlet_slots import GreenletSlots
from prodserve.engine.poller import EpollPoller
from prodserve.h1.head import Limits
from prodserve.observe.flights import ROW_BYTES, Cells
from prodserve.observe.log import Log

from tests.server import wait_until

from .client import Client, request
from .conftest import KINDS, Worker, nothing_left, working

NETWORKS = [
    ("192.0.2.1", "192.0.2.1"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
    ("fe80::1%eth0", "fe80::/64"),
    ("127.0.0.1", ""),
    ("127.8.8.8", ""),
    ("::1", ""),
    ("::ffff:127.0.0.1", ""),
    ("", ""),
]


@pytest.mark.parametrize(("host", "counted"), NETWORKS)
def test_an_address_counts_as_its_owner_has_it(host: str, counted: str) -> None:
    assert network(host) == counted


@pytest.fixture
def warnings() -> list[str]:
    """What was written to the log."""
    return []


def test_an_address_has_its_share_and_no_more(warnings: list[str]) -> None:
    shares = Shares(2, warnings.append)
    assert [shares.admit("192.0.2.1") for _ in range(5)] == [True, True, False, False, False]
    assert shares.admit("192.0.2.2")
    assert all(shares.admit("127.0.0.1") for _ in range(5))
    assert len(warnings) == 1
    assert "192.0.2.1" in warnings[0] and "limit_connections_per_address" in warnings[0]
    shares.leave("192.0.2.1")
    assert [shares.admit("192.0.2.1") for _ in range(2)] == [True, False]


def test_a_share_is_forgotten_with_its_last_connection(warnings: list[str]) -> None:
    shares = Shares(2, warnings.append)
    for number in range(10_000):
        assert shares.admit(f"2001:db8:{number:x}::1")
    for number in range(10_000):
        shares.leave(f"2001:db8:{number:x}::2")
    assert not shares._held


def test_the_log_is_told_once_a_minute_however_many_come(warnings: list[str]) -> None:
    shares = Shares(1, warnings.append)
    shares.report(1000)
    for number in range(NAMED + 500):
        for _ in range(3):
            shares.admit(f"2001:db8:{number:x}::1")
    assert len(warnings) == NAMED
    for second in range(REPORT_S + 1):
        shares.report(1000 + second)
    assert warnings[NAMED:] == [warnings[-1]]
    assert warnings[-1].startswith(f"{2 * (NAMED + 500)} connections")
    assert not shares._refused


KEEP_ALIVE_S, HEAD_S, NOW_S = 75, 30, 1000
SPARED = [
    ("has just been answered", {"state": IDLE, "started": 5.0, "deadline": NOW_S + KEEP_ALIVE_S}, None),
    ("idle for a while", {"state": IDLE, "started": 5.0, "deadline": NOW_S + KEEP_ALIVE_S - 9}, (0, NOW_S - 9)),
    ("has just come", {"state": IDLE, "started": 0.0, "deadline": NOW_S + HEAD_S}, None),
    ("has never said a word", {"state": IDLE, "started": 0.0, "deadline": NOW_S + HEAD_S - 8}, (0, NOW_S - 8)),
    ("will be read", {"state": IDLE, "started": 0.0, "deadline": NOW_S, "more": True}, None),
    ("has more in its buffer", {"state": IDLE, "started": 0.0, "deadline": NOW_S, "buffer": b"G"}, None),
    ("sends its head", {"state": HEAD, "started": 0.0, "deadline": NOW_S + HEAD_S - 1}, None),
    (
        "sends its head for long",
        {"state": HEAD, "started": 0.0, "deadline": NOW_S + HEAD_S - HALF_HEAD_S},
        (1, NOW_S - HALF_HEAD_S),
    ),
    *((f"state {state}", {"state": state, "started": 5.0, "deadline": NOW_S}, None) for state in (LINGER, RUNNING)),
    ("sends or reads", {"state": SENDING, "out": [b""], "stalled_s": lambda now_s: -100.0}, None),
    ("has been stalled for a moment", {"state": SENDING, "out": [b""], "stalled_s": lambda now_s: STALLED_S - 1}, None),
    ("does not read", {"state": SENDING, "out": [b""], "stalled_s": lambda now_s: 20.0}, (2, -20.0)),
    ("does not read a stream", {"state": RUNNING, "out": [b""], "stalled_s": lambda now_s: 20.0}, (2, -20.0)),
    ("does not send its body", {"state": BODY, "stalled_s": lambda now_s: 20.0}, (2, -20.0)),
]


@pytest.mark.parametrize(("facts", "rank"), [row[1:] for row in SPARED], ids=[row[0] for row in SPARED])
def test_those_are_spared_without_whom_nobody_loses_an_answer(facts: dict[str, Any], rank: object) -> None:
    connection: Any = SimpleNamespace(**{"more": False, "buffer": b"", "out": None, **facts})
    assert spared(connection, NOW_S, KEEP_ALIVE_S, HEAD_S) == rank


@pytest.fixture(params=[KINDS[0], KINDS[-1]], ids="-".join)
def full(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker that takes four connections."""
    with working(request.param, worker_connections=4) as worker:
        yield worker


def in_time(act: Callable[[], object]) -> float:
    """How long it took."""
    started = time.monotonic()
    act()
    return time.monotonic() - started


def test_a_newcomer_takes_the_place_of_the_one_that_has_been_idle_for_longest(full: Worker) -> None:
    with nothing_left(full), ExitStack() as stack:
        held = stack.enter_context(full.connect())
        held.send(request("/hold?name=held"))
        sending = stack.enter_context(full.connect())
        sending.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel")
        oldest = stack.enter_context(full.connect())
        assert oldest.ask("/").status == 200
        time.sleep(1.1)  # the age of the oldest
        second = stack.enter_context(full.connect())
        assert second.ask("/").status == 200
        with full.connect() as late:
            assert in_time(lambda: late.ask("/")) < 1.9
            assert oldest.at_end()
            assert second.ask("/").status == 200
        sending.send(b"lo")
        assert sending.reply().json["length"] == 5
        second.ask("/release?name=held")
        assert held.reply().body == b"held\n"


def test_a_crowd_of_silent_clients_does_not_keep_others_out(full: Worker) -> None:
    with nothing_left(full), ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(full.connect())
        with full.connect() as late:
            late.socket.settimeout(30)
            assert late.ask("/").status == 200
        full.server.wait_for_log("were closed to make room")


def test_half_sent_heads_give_way_too(full: Worker) -> None:
    with nothing_left(full), ExitStack() as stack:
        clients = [stack.enter_context(full.connect()) for _ in range(4)]
        for client in clients:
            client.send(b"GET / HT")
        with full.connect() as late:
            late.socket.settimeout(15)
            assert late.ask("/").status == 200
        wait_until(lambda: any(is_closed(client) for client in clients), 5)
        assert sum(map(is_closed, clients)) == 1


def test_uploads_and_downloads_that_do_not_move_give_way_at_last() -> None:
    with working(KINDS[0], worker_connections=4) as full, nothing_left(full), ExitStack() as stack:
        upload = stack.enter_context(full.connect())
        upload.send(request("/echo", "Content-Length: 10000000", method="POST"))
        download = stack.enter_context(full.connect())
        download.send(request("/whole?size=50000000"))
        bodies = [stack.enter_context(full.connect()) for _ in range(2)]
        for client in bodies:
            client.send(request("/echo", "Content-Length: 5", method="POST") + b"hel")
        late = stack.enter_context(full.connect())
        late.send(request("/"))
        end = time.monotonic() + 30
        while not select.select([late.socket], [], [], 0.1)[0] and time.monotonic() < end:
            upload.send(b"x" * 100)
            assert download.socket.recv(1000)
        assert late.reply().status == 200
        assert sum(map(is_closed, bodies)) == 1
        assert not is_closed(upload) and not is_closed(download)


def is_closed(client: Client) -> bool:
    client.socket.settimeout(0.01)
    try:
        return not client.socket.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def test_where_all_are_busy_a_newcomer_waits(full: Worker) -> None:
    with nothing_left(full), ExitStack() as stack:
        clients = [stack.enter_context(full.connect()) for _ in range(4)]
        clients[0].send(request("/blocks?count=2&size=10&gate=all"))
        clients[1].send(request("/hold?name=all"))
        clients[2].send(request("/hold?name=all"))
        clients[3].send(request("/echo", "Connection: close", "Content-Length: 5", method="POST") + b"hel")
        late = stack.enter_context(full.connect())
        late.send(request("/"))
        late.socket.settimeout(2.5)
        with pytest.raises(TimeoutError):
            late.reply()
        clients[3].send(b"lo")
        assert clients[3].reply().json["length"] == 5
        late.socket.settimeout(5)
        assert late.reply().status == 200
        assert late.ask("/release?name=all").status == 200
        for client in clients[:3]:
            assert client.reply().status == 200


class Alone:
    """A place on the board of which there is only one."""

    def hold(self, connections: int) -> None: ...

    def fewest(self) -> int:
        return 0


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[tuple[Engine, Path]]:
    """An engine that takes two connections of an address, and its log."""
    hub = gevent.get_hub()
    cells = Cells(mmap.mmap(-1, ROW_BYTES), 0)
    with (tmp_path / "log").open("wb") as log:
        engine = Engine(
            loop=hub.loop,
            poller=EpollPoller(hub.loop),
            slots=GreenletSlots(hub, 1, 1, lambda: None, lambda: None, lambda: None, cells),
            task=lambda *_: None,  # type: ignore[arg-type,return-value]
            files=None,
            limits=Limits(),
            timeouts=Timeouts(),
            connection_limit=10,
            address_limit=2,
            body_memory_bytes=1000,
            temp_dir=None,
            log=Log(log.fileno()),
            access=None,
            trim=lambda: None,
            place=Alone(),
        )
        yield engine, tmp_path / "log"
        engine.cut()
        engine.close()


def comes(engine: Engine, address: object) -> socket.socket:
    """A client from that address."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    engine.enter(ours.detach(), address, {})
    theirs.settimeout(5)
    return theirs


def stays(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return bool(client.recv(1))
    except BlockingIOError:
        return True


def test_what_is_over_the_share_of_an_address_is_closed_at_once_until_one_of_them_goes(
    sharing: tuple[Engine, Path],
) -> None:
    engine, log = sharing
    with ExitStack() as stack:
        clients = [stack.enter_context(comes(engine, ("192.0.2.1", 5000 + number))) for number in range(4)]
        clients += [stack.enter_context(comes(engine, ("127.0.0.1", 5000 + number))) for number in range(4)]
        clients += [
            stack.enter_context(comes(engine, ("2001:db8::1", 5000, 0, 0))),
            stack.enter_context(comes(engine, "")),
        ]
        assert [stays(client) for client in clients] == [True, True, False, False] + [True] * 6
        assert engine.connections == 8
        assert log.read_text().count("192.0.2.1") == 1
        clients[0].close()
        for _ in range(1000):
            if engine.connections == 7:
                break
            gevent.sleep(0.001)
        again = [stack.enter_context(comes(engine, ("192.0.2.1", 6000 + number))) for number in range(2)]
        assert [stays(client) for client in again] == [True, False]
