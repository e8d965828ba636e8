"""What keeps the loop is named, and nothing is named that does not."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from traceback import FrameSummary

import pytest
from prodserve.worker.watchdog import PLACES, QUIET_S, Totals, held_s, locate, short

from tests.engine.client import request
from tests.engine.conftest import ROOT, Worker, working
from tests.server import wait_until

REPORT = re.compile(r"loop blocked (\d+) ms by (.*?) at (\S+):\d+")


def cpu_s(pid: int) -> float:
    """The CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def switches(pid: int) -> int:
    """How often the threads of a process gave up their CPU by themselves."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += int((task / "status").read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


@pytest.fixture
def watched() -> Iterator[Worker]:
    """A worker with the usual watchdog."""
    with working(("greenlets", "epoll"), "tests.apps.blocking:app", ROOT) as worker:
        yield worker


@pytest.mark.parametrize(
    ("slept_s", "ran_s", "starved_s", "held"),
    [
        (0.05, 0.0, 0.0, 0.05),  # the loop's thread waits in a system call
        (0.05, 0.05, 0.0, 0.05),  # it computes
        (0.05, 0.0, 0.05, 0.0),  # others have its CPU
        (0.05, 0.01, 0.03, 0.02),
        (30.0, 0.0, 0.0, 0.1),  # the process was stopped, or the machine asleep
        (3.0, 3.0, 0.0, 3.0),  # C code held the interpreter, and with it the watchdog
        (3.0, 1.5, 1.5, 1.5),
        (0.05, 0.0, 0.2, 0.0),
    ],
)
def test_only_what_the_loops_own_code_did_counts(slept_s: float, ran_s: float, starved_s: float, held: float) -> None:
    assert held_s(slept_s, ran_s, starved_s, 0.05) == pytest.approx(held)


def test_a_place_is_named_at_most_every_ten_seconds_with_what_it_has_cost() -> None:
    totals = Totals()
    assert totals.add("views.py:1", 0.3, 0.0) == ""
    assert totals.add("views.py:1", 0.3, 1.0) is None
    assert totals.add("views.py:2", 0.3, 1.0) == ""
    assert totals.add("views.py:1", 0.4, QUIET_S) == " (3 times here, 1.0 s in all)"
    for number in range(3 * PLACES):
        totals.add(f"other.py:{number}", 0.3, 2.0)
    assert len(totals._places) <= PLACES


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (["/srv/site/app/views.py"], "app/views.py:7"),
        (["/srv/site/app/views.py", "/srv/site/app/models.py"], "app/models.py:7"),
        (["/srv/site/app/views.py", os.__file__], "app/views.py:7"),
        (["/srv/other/views.py"], "/srv/other/views.py:7"),
        ([os.__file__], f"{os.__file__}:7"),
        ([], ""),
    ],
)
def test_the_place_is_the_innermost_one_of_the_users_own_code(files: list[str], place: str) -> None:
    frames = [FrameSummary(name, 7, "f", lookup_line=False) for name in files]
    assert locate(frames, "/srv/site", own_only=False) == place
    assert locate(frames, "/srv/site", own_only=True) == ("" if files == [os.__file__] else place)
    assert locate(frames, "", own_only=False).endswith(place.rpartition("/")[2])


def test_a_request_is_named_without_its_protocol() -> None:
    assert short("GET /x?y=1 HTTP/1.1") == "GET /x?y=1"


@pytest.mark.parametrize("kind", ["sleep", "spin", "hold"])
def test_what_blocks_the_loop_is_named_with_its_request_and_place(watched: Worker, kind: str) -> None:
    def blocked() -> bool:
        """Code that never lets go of the interpreter is seen afterwards, and on a busy machine not each time."""
        client.ask(f"/{kind}?s=0.6")
        return "loop blocked" in watched.server.log()

    with watched.connect() as client:
        wait_until(blocked, 30)
    ms, culprit, place = REPORT.findall(watched.server.log())[0]
    assert (culprit, place) == (f"GET /{kind}?s=0.6", "tests/apps/blocking.py")
    assert 250 <= int(ms) <= 3000
    assert f"in {'block' if kind == 'sleep' else kind}\n" in watched.server.log()


def test_requests_that_block_one_after_another_are_all_named(watched: Worker) -> None:
    with watched.connect() as client:
        client.send(request("/sleep?s=0.5") + request("/spin?s=0.5"))
        for _ in range(2):
            client.reply()
    wait_until(lambda: len(REPORT.findall(watched.server.log())) == 2, what="two reports")


def test_what_blocks_outside_of_requests_is_named_too(watched: Worker) -> None:
    with watched.connect() as client, watched.connect() as other:
        other.send(request("/wait?s=1.1"))
        client.ask("/background?s=0.6")
        other.reply()
    watched.server.wait_for_log("loop blocked")
    assert REPORT.findall(watched.server.log())[0][1:] == ("code outside of requests", "tests/apps/blocking.py")


def test_what_lasts_is_named_while_it_lasts(watched: Worker) -> None:
    with watched.connect() as client:
        client.socket.settimeout(15)
        client.send(request("/sleep?s=3"))
        watched.server.wait_for_log("loop blocked for 2 s so far by GET /sleep?s=3", 2.9)
        client.reply()
    wait_until(lambda: len(REPORT.findall(watched.server.log())) == 1, what="its end is told")
    assert watched.server.log().count("native_sleep(seconds)") == 1


def test_nothing_is_named_that_only_works_waits_or_was_stopped(watched: Worker) -> None:
    pid = watched.server.process.pid
    stop = time.monotonic() + 3

    def work(target: str) -> None:
        with watched.connect() as client:
            client.socket.settimeout(15)
            while time.monotonic() < stop:
                client.ask(target)

    threads = [
        threading.Thread(target=work, args=(target,))
        for target in ("/spin?s=0.05", "/spin?s=0.02", "/busy?s=0.6", "/wait?s=0.5", "/", "/")
    ]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.3)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(pid, signal.SIGCONT)
    for thread in threads:
        thread.join()
    assert "loop blocked" not in watched.server.log()


def test_a_worker_without_requests_is_left_asleep(watched: Worker) -> None:
    pid = watched.server.process.pid
    with watched.connect() as client:
        client.ask("/")
        time.sleep(0.5)
        before, cpu_before_s = switches(pid), cpu_s(pid)
        time.sleep(1.5)
        assert switches(pid) - before <= 60
        assert cpu_s(pid) - cpu_before_s <= 0.1


def test_sigusr2_writes_what_is_running_and_where_it_stands(watched: Worker) -> None:
    with watched.connect() as client, watched.connect() as other:
        client.send(request("/wait?s=1.2&name=first"))
        other.send(request("/wait?s=1.2&name=second"))
        time.sleep(0.3)
        os.kill(watched.server.process.pid, signal.SIGUSR2)
        watched.server.wait_for_log("2 requests are running, 0 wait for a slot")
        log = watched.server.log()
        for name in ("first", "second"):
            assert f"GET /wait?s=1.2&name={name} HTTP/1.1: running for" in log
        assert log.count('apps/blocking.py", line') >= 2
        client.reply()
        other.reply()
