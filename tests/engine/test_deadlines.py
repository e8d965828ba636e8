"""Requests that take too long, in a live worker: who is answered what and when, and who is not harmed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.server import wait_until

from .client import Client, request
from .conftest import ROOT, Worker, working

MODELS = [("greenlets", "epoll"), ("threads", "epoll")]
LIMIT_S = 1.0
LIMITS = {"timeout": LIMIT_S, "timeout_for": ["/patient/=30", "/hasty/=0.3"], "slow_request": 0.5, "slots": 6}
APP = "tests.apps.late:framework"


@pytest.fixture(scope="module", params=MODELS, ids=lambda kind: kind[0])
def late(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker with short deadlines."""
    with working(request.param, APP, ROOT, **LIMITS) as worker:
        yield worker


def state(worker: Worker) -> dict[str, Any]:
    with worker.connect() as client:
        told: dict[str, Any] = client.ask("/patient/state", "Connection: close").json
        return told


def ask(client: Client, target: str, method: str = "GET") -> tuple[int, float]:
    """The status of the answer, and after how many seconds it came."""
    begun = time.monotonic()
    client.socket.settimeout(15)
    client.send(request(target, method=method))
    return client.reply(method).status, time.monotonic() - begun


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_request_over_its_deadline_is_answered_503_in_time_and_its_stack_is_logged(late: Worker, method: str) -> None:
    with late.connect() as client:
        status, took_s = ask(client, f"/sleep?s=8&name={method}", method)
    assert status == 503
    assert LIMIT_S <= took_s < LIMIT_S + 2
    late.server.wait_for_log(f"{method} /sleep?s=8&name={method} HTTP/1.1: running for 1.")
    log = late.server.log()
    assert "over its deadline, answered 503" in log
    assert "in wait\n        time.sleep(seconds)" in log
    assert "unhandled" not in log


def test_the_exception_reaches_the_code_that_waits_in_a_greenlet_and_only_that(late: Worker) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(late.connect()) for _ in range(3)]
        clients[0].send(request("/sleep?s=2&name=long"))
        clients[1].send(request("/patient/sleep?s=2&name=neighbour"))
        clients[2].send(request("/sleep?s=0.1&name=short"))
        assert [client.reply().status for client in (clients[2], clients[0], clients[1])] == [200, 503, 200]
    wait_until(lambda: "long" in state(late)["ended"], 5)
    ended = state(late)["ended"]
    assert ended["neighbour"] == ended["short"] == "done"
    assert ended["long"] == ("RequestTimeout" if late.model == "greenlets" else "done")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/patient/sleep?s=1.6", 200),
        ("/hasty/sleep?s=0.9", 503),
        ("/sleep?s=1.6&own=5", 200),
        ("/sleep?s=1.6&own=0", 200),
        ("/patient/sleep?s=3&own=0.2", 503),
        ("/sleep?s=0.9&own=0.2", 503),
        ("/sleep?s=0.3", 200),
    ],
)
def test_prefixes_and_requests_have_deadlines_of_their_own(late: Worker, target: str, status: int) -> None:
    with late.connect() as client:
        assert ask(client, target)[0] == status


def test_a_response_that_was_begun_is_cut_at_the_deadline_and_its_iterator_closed(late: Worker) -> None:
    with late.connect() as client:
        client.send(request("/stream?s=0.1&name=cut"))
        reply = client.reply()
    assert reply.status == 200
    assert reply.cut
    assert 5 <= len(reply.body) // 5 <= 30
    wait_until(lambda: "cut" in state(late)["ended"], 5)


def test_a_slow_request_is_named_once_with_its_stack_and_goes_on(late: Worker) -> None:
    with late.connect() as client:
        assert ask(client, "/patient/sleep?s=2&name=slow")[0] == 200
    line = "GET /patient/sleep?s=2&name=slow HTTP/1.1: running for"
    named = [entry for entry in late.server.log().splitlines() if line in entry]
    assert len(named) == 1
    assert named[0].endswith(": slow")


def test_an_exception_swallowed_leaves_a_stuck_slot_and_the_others_serve(late: Worker) -> None:
    with late.connect() as client:
        status, took_s = ask(client, "/swallow?s=4&name=stubborn")
    assert status == 503
    assert took_s < LIMIT_S + 2
    with late.connect() as client:
        assert ask(client, "/sleep?s=0")[0] == 200
    if late.model == "greenlets":
        late.server.wait_for_log("still running 2 s after it was interrupted")
    wait_until(lambda: state(late)["ended"].get("stubborn") == "done", 10)


def test_what_a_late_thread_says_reaches_nobody_not_even_the_next_request(late: Worker) -> None:
    with late.connect() as client:
        client.send(request("/sleep?s=1.5&name=talker") + request("/sleep?s=0&name=behind"))
        reply = client.reply()
        assert (reply.status, reply["connection"]) == (503, "close")
        assert client.at_end()
