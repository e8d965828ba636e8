"""Requests that take too long, in a live worker: who is answered what and when, and who is not harmed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from typing import Any

import pytest
from prodserve.engine.limits import Limits

from tests.server import wait_until

from .client import Client, request
from .conftest import ROOT, Worker, working

MODELS = [("greenlets", "epoll"), ("threads", "epoll")]
LIMIT_S = 0.6
LIMITS = {"timeout": LIMIT_S, "timeout_for": ["/patient/=30", "/hasty/=0.3"], "slow_request": 0.3, "slots": 10}
OWN = {
    "/patient/sleep?s=1.3": 200,
    "/hasty/sleep?s=0.9": 503,
    "/sleep?s=1.3&own=5": 200,
    "/sleep?s=1.3&own=0": 200,
    "/patient/sleep?s=1.3&own=0.2": 503,
    "/sleep?s=0.9&own=0.2": 503,
    "/sleep?s=0.3": 200,
}
"""Requests, and what they are answered."""
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


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_over_its_deadline_is_answered_503_in_time_and_its_stack_is_logged(late: Worker, method: str) -> None:
    with late.connect() as client:
        status, took_s = ask(client, f"/sleep?s=1.5&name={method}", method)
    assert status == 503
    assert LIMIT_S <= took_s < LIMIT_S + 2
    late.server.wait_for_log(f"{method} /sleep?s=1.5&name={method} HTTP/1.1: running for")
    log = late.server.log()
    assert "over its deadline, answered 503" in log
    assert "in wait\n        time.sleep(seconds)" in log
    assert "unhandled" not in log


def test_the_exception_reaches_the_code_that_waits_in_a_greenlet_and_only_that(late: Worker) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(late.connect()) for _ in range(3)]
        clients[0].send(request("/sleep?s=1.3&name=long"))
        clients[1].send(request("/patient/sleep?s=1.3&name=neighbour"))
        clients[2].send(request("/sleep?s=0.1&name=short"))
        assert [client.reply().status for client in (clients[2], clients[0], clients[1])] == [200, 503, 200]
    wait_until(lambda: "long" in state(late)["ended"], 5)
    ended = state(late)["ended"]
    assert ended["neighbour"] == ended["short"] == "done"
    assert ended["long"] == ("RequestTimeout" if late.model == "greenlets" else "done")


def test_prefixes_and_requests_have_deadlines_of_their_own(late: Worker) -> None:
    with ExitStack() as stack:
        clients = {target: stack.enter_context(late.connect()) for target in OWN}
        for target, client in clients.items():
            client.send(request(target))
        assert {target: client.reply().status for target, client in clients.items()} == OWN


def test_a_response_that_was_begun_is_cut_at_the_deadline_and_its_iterator_closed(late: Worker) -> None:
    with late.connect() as client:
        client.send(request("/stream?s=0.1&name=cut"))
        reply = client.reply()
    assert reply.status == 200
    assert reply.cut
    assert 3 <= len(reply.body) // 5 <= 20
    wait_until(lambda: "cut" in state(late)["ended"], 5)


def test_what_a_stream_says_after_its_deadline_is_not_sent(late: Worker) -> None:
    with late.connect() as client:
        client.send(request("/talker?s=0.1&name=talker"))
        reply = client.reply()
    assert reply.cut
    assert set(reply.body.split(b"block")) == {b""}
    wait_until(lambda: "talker" in state(late)["ended"], 5)


def test_a_client_that_does_not_read_is_cut_at_the_deadline_too(late: Worker) -> None:
    with late.connect(receive_bytes=4096) as client:
        client.send(request("/flood?name=flood"))
        wait_until(lambda: "flood" in state(late)["ended"], 8)
        assert client.reply().cut


def test_what_an_application_does_behind_its_response_harms_no_client(late: Worker) -> None:
    with late.connect() as client:
        assert client.ask("/late-close?s=1.5&name=behind").body == b"behind"
        assert client.ask("/sleep?s=0").status == 200
    wait_until(lambda: "behind" in state(late)["ended"], 8)
    with late.connect() as client:
        assert client.ask("/late-close?s=8&own=0.1&name=long-behind").body == b"long-behind"
        assert client.ask("/sleep?s=0").status == 200
    late.server.wait_for_log("its response is out, but its slot is not free")


def test_a_slow_request_is_named_once_with_its_stack_and_goes_on(late: Worker) -> None:
    with late.connect() as client:
        client.send(request("/patient/stream?s=1.3&name=stream"))
        client.until(b"block")
        with late.connect() as other:
            assert ask(other, "/patient/sleep?s=1.3&name=slow")[0] == 200
    line = "GET /patient/sleep?s=1.3&name=slow HTTP/1.1: running for"
    named = [entry for entry in late.server.log().splitlines() if line in entry]
    assert len(named) == 1
    assert named[0].endswith(": slow")
    assert "/patient/stream" not in late.server.log(), "what is being answered is not slow"


def test_an_exception_swallowed_leaves_a_stuck_slot_and_the_others_serve(late: Worker) -> None:
    with late.connect() as client:
        status, took_s = ask(client, f"/swallow?s={3.5 if late.model == 'greenlets' else 1.3}&name=stubborn")
    assert status == 503
    assert took_s < LIMIT_S + 2
    with late.connect() as client:
        assert ask(client, "/sleep?s=0")[0] == 200
    if late.model == "greenlets":
        late.server.wait_for_log("still running 2 s after it was interrupted")
    wait_until(lambda: state(late)["ended"].get("stubborn") == "done", 10)


def test_what_a_late_thread_says_reaches_nobody_not_even_the_next_request(late: Worker) -> None:
    with late.connect() as client:
        client.send(request("/sleep?s=1.2&name=talker") + request("/sleep?s=0&name=behind"))
        reply = client.reply()
        assert (reply.status, reply["connection"]) == (503, "close")
        assert client.at_end()


@pytest.fixture(params=MODELS, ids=lambda kind: kind[0])
def one_slot(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker that runs one request at a time, and in which none waits for long."""
    with working(request.param, APP, ROOT, slots=1, queue_timeout=0.6, access_logfile="-") as worker:
        yield worker


def test_what_waits_too_long_for_a_slot_is_told_to_come_later_and_never_runs(one_slot: Worker) -> None:
    with one_slot.connect() as running, one_slot.connect() as waiting, one_slot.connect() as head:
        running.send(request("/sleep?s=2&name=running"))
        time.sleep(0.1)
        waiting.send(request("/sleep?s=0&name=waiting", method="POST", body=b"x" * 1000))
        head.send(request("/sleep?s=0&name=head", method="HEAD"))
        for client, method in ((waiting, "POST"), (head, "HEAD")):
            begun = time.monotonic()
            reply = client.reply(method)
            assert (reply.status, reply["retry-after"], reply["connection"]) == (503, "5", None)
            assert time.monotonic() - begun < 2
        assert running.reply().status == 200
        assert waiting.ask("/sleep?s=0&name=later").status == 200
    assert set(state(one_slot)["ended"]) - {""} == {"running", "later"}
    one_slot.server.wait_for_log("2 requests waited for a slot for more than 0.6 s")


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind[0])
def test_what_waits_for_a_slot_never_runs_when_its_client_has_gone(kind: tuple[str, str]) -> None:
    with working(kind, APP, ROOT, slots=1) as worker, worker.connect() as running, worker.connect() as waiting:
        running.send(request("/sleep?s=1.7&name=running"))
        time.sleep(0.1)
        gone = [worker.connect() for _ in range(2)]
        for number, client in enumerate(gone):
            client.send(request(f"/sleep?s=0&name=gone-{number}"))
        waiting.send(request("/sleep?s=0&name=waiting"))
        time.sleep(0.1)
        gone[0].reset()
        gone[1].socket.close()
        assert (running.reply().status, waiting.reply().status) == (200, 200)
        assert set(state(worker)["ended"]) == {"", "running", "waiting"}


def test_a_client_that_ends_its_input_at_once_is_answered(late: Worker) -> None:
    with late.connect() as client:
        client.send(request("/sleep?s=0.2&name=half"))
        client.socket.shutdown(1)
        assert client.reply().status == 200


def test_a_stream_ends_with_its_client_and_is_closed_and_a_view_can_see_that_it_is_gone(late: Worker) -> None:
    with late.connect() as stream, late.connect() as watching:
        stream.send(request("/patient/stream?s=0.05&name=stream"))
        watching.send(request("/patient/left?s=8&name=watching"))
        stream.until(b"block")
    wait_until(lambda: {"stream", "watching"} <= set(state(late)["ended"]), 5)
    assert state(late)["ended"]["stream"].startswith("closed after")


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind[0])
def test_work_for_a_client_that_is_gone_can_be_cancelled(kind: tuple[str, str]) -> None:
    with working(kind, APP, ROOT, cancel_on_disconnect=True) as worker:
        with worker.connect() as other:
            other.send(request("/sleep?s=1.5&name=other"))
            for method in ("GET", "HEAD", "POST"):
                with worker.connect() as client:
                    client.send(request(f"/sleep?s=1.5&name={method}", method=method))
                    time.sleep(0.1)
            assert other.reply().status == 200
        cancelled = dict.fromkeys(("GET", "HEAD"), "ClientDisconnected" if kind[0] == "greenlets" else "done")
        wait_until(lambda: state(worker)["ended"] == {"": "done", "other": "done", "POST": "done", **cancelled}, 5)
        assert "[ERROR]" not in worker.server.log()


@pytest.mark.parametrize(
    ("path", "seconds"),
    [("/", 5), ("/a/", 1), ("/a/b/", float("inf")), ("/a/b/c", float("inf")), ("/ab", 5), ("/a", 5), ("", 5)],
)
def test_the_longest_prefix_counts(path: str, seconds: float) -> None:
    assert Limits(run_s=5, prefixes=(("/a/", 1), ("/a/b/", 0))).of(path) == seconds


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind[0])
def test_around_the_deadline_nobody_gets_the_answer_of_another(kind: tuple[str, str]) -> None:
    """Requests that end before, at and after their deadline, on few slots, some in pieces, some of clients that go."""
    random = Random(7)
    wrong: list[object] = []
    counts: Counter[int | str] = Counter()

    def ask_many(number: int) -> None:
        for turn in range(8):
            name = f"{number}-{turn}"
            path = random.choice(("echo", "echo", "pieces", "swallow-echo"))
            with Client(worker.port) as client:
                client.socket.settimeout(20)
                first = request(f"/{path}?s={random.uniform(0.05, 0.65):.3f}&name={name}")
                client.send(first + request(f"/echo?s=0&name={name}-next"))
                if random.random() < 0.15:
                    counts["gone"] += 1
                    client.reset()
                    continue
                reply = client.reply()
                counts["cut" if reply.cut else reply.status] += 1
                if reply.status == 200 and not reply.cut:
                    again = client.reply()
                    if (reply.body, again.status, again.body) != (name.encode(), 200, f"{name}-next".encode()):
                        wrong.append((name, reply, again))
                elif reply.cut or reply.status == 503:
                    if not client.at_end() or (reply.cut and not name.encode().startswith(reply.body)):
                        wrong.append((name, reply))
                else:
                    wrong.append((name, reply))

    with working(kind, APP, ROOT, slots=6, timeout=0.3, queue_timeout=20) as worker:
        threads = [threading.Thread(target=ask_many, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert counts[200] >= 2
        assert counts[503] >= 2
        wait_until(lambda: len(state(worker)["ended"]) > 1, 10)
        log = worker.server.log()
        assert "Traceback" not in log
        assert "were not looked at" not in log
