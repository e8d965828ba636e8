"""Measuring one server under one workload: started for it alone, checked, measured, stopped.

Nothing is timed before the server has given the right answer (status, body, length), and each function returns a
``Measurement`` whatever happens: a server that fails is a line of the result with its reason.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import alone, browser, holders, load
from benchmarks.figures import ALONE, Measurement
from benchmarks.peers import Job, Peer
from benchmarks.processes import Processes, ServerFailed
from benchmarks.workloads import STATIC_BODY, STATIC_NAME, App, Kind, Workload

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = ("PRODSERVE", "DJANGO_", "FLASK_", "GUNICORN_", "GRANIAN_", "UWSGI_")
START_S = 15.0
CONNECTIONS_PER_CLIENT = 15_000
MIB = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """How long and how much: ``seconds`` of one run, after ``warm_up_s`` of load that does not count.

    The idle workloads' connections are divided by ``shrink`` and left alone for ``rest_s`` before memory is read.

    ``sites`` are the prepared folders of the applications that have one; the pins are commands that bind to a core.
    """

    seconds: float
    warm_up_s: float
    rest_s: float
    shrink: int
    sites: Mapping[App, Path]
    server_pin: tuple[str, ...] = ()
    client_pin: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One response: ``wire_bytes`` is its length with head and framing."""

    status: int
    body: bytes
    wire_bytes: int


@dataclass(frozen=True)
class Served:
    """A server that runs and was checked."""

    processes: Processes
    port: int
    answer: Answer


def measure(workload: Workload, peer: Peer, settings: Settings) -> Measurement:
    """Measure; what goes wrong is the measurement's ``problem``."""
    try:
        with serving(workload, peer, settings) as served:
            return KINDS[workload.kind](workload, peer, settings, served)
    except (ServerFailed, OSError, ValueError) as error:
        return Measurement(workload.name, peer.name, problem=str(error))


def measure_alone(workload: Workload, settings: Settings) -> Measurement:
    """What the workload's application costs without a server."""

    try:
        cost_us = alone.cpu_us(
            workload.app,
            workload.path,
            settings.seconds,
            cwd=settings.sites.get(workload.app, ROOT),
            env=environment(),
            prefix=settings.server_pin,
        )
    except (ServerFailed, OSError, ValueError) as error:
        return Measurement(workload.name, ALONE, problem=str(error))
    return Measurement(workload.name, ALONE, {"cpu_us": cost_us})


def environment() -> dict[str, str]:
    """What servers inherit: this repository can be imported, output is not held back, no settings are inherited."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextmanager
def serving(workload: Workload, peer: Peer, settings: Settings) -> Iterator[Served]:
    """The server, running and checked; its files lie in memory where the machine has ``/dev/shm``."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as name:
        folder = Path(name)
        static = folder / "static" if workload.static else None
        if static is not None:
            static.mkdir()
            (static / STATIC_NAME).write_bytes(STATIC_BODY)
        port = free_port()
        launch = peer.launch(Job(workload.app, port, folder, workload.workers, static))
        for path, text in launch.files.items():
            path.write_text(text)
        commands = [(*settings.server_pin, *command) for command in launch.commands]
        with Processes(
            commands, environment(), settings.sites.get(workload.app, ROOT), folder / "server.log"
        ) as server:
            yield Served(server, port, first_answer(workload, server, port))


def first_answer(workload: Workload, server: Processes, port: int) -> Answer:
    """Wait until the server answers, and check what it says; ServerFailed otherwise."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            answer = ask(port, workload.path)
            break
        except (OSError, http.client.HTTPException) as error:
            if server.ended():
                raise server.failed("ended at its start") from error
            if time.monotonic() > deadline:
                raise server.failed(f"no answer within {START_S:g} s ({error})") from error
            time.sleep(0.05)
    wrong = wrong_answer(workload, answer)
    if wrong:
        raise server.failed(wrong)
    return answer


def wrong_answer(workload: Workload, answer: Answer) -> str | None:
    """What is wrong with it, or ``None``."""
    if answer.status != 200:
        return f"status {answer.status}"
    if workload.contains not in answer.body or workload.body not in (None, answer.body):
        return f"wrong body: {answer.body[:100]!r}"
    return None


def ask(port: int, path: str, timeout_s: float = 10.0) -> Answer:
    """Send the browser's request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as conn:
        conn.sendall(browser.request(port, path))
        counter = _Counter(conn)
        response = http.client.HTTPResponse(counter)  # type: ignore[arg-type]  # it only calls makefile
        response.begin()
        body = response.read()
        return Answer(response.status, body, counter.received)


class _Counter(io.RawIOBase):
    """A socket for ``HTTPResponse`` that counts what it received."""

    def __init__(self, conn: socket.socket) -> None:
        self._conn = conn
        self.received = 0

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._conn.recv_into(buffer)
        self.received += count
        return count


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _load(workload: Workload, peer: Peer, settings: Settings, served: Served) -> Measurement:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(browser.wrk_script(served.port, workload.path, workload.varying))
        script.flush()
        if settings.warm_up_s:
            load.wrk(script.name, served.port, settings.warm_up_s, settings.client_pin)
        before = served.processes.cpu_ns()
        summary = load.wrk(script.name, served.port, settings.seconds, settings.client_pin)
        after = served.processes.cpu_ns()
    if before.keys() != after.keys():
        return Measurement(workload.name, peer.name, problem="the server's processes changed during the run")
    cpu_s = (sum(after.values()) - sum(before.values())) / 1e9
    metrics = {
        "cpu_us": cpu_s * 1e6 / max(1, summary.requests),
        "requests_s": summary.requests / summary.duration_s,
        "p50_ms": summary.p50_ms,
        "p99_ms": summary.p99_ms,
        "busy": cpu_s / summary.duration_s,
        "pss_mib": served.processes.memory().pss / MIB,
    }
    return Measurement(workload.name, peer.name, metrics, load.problem(summary, served.answer.wire_bytes))


def _memory(workload: Workload, peer: Peer, settings: Settings, served: Served) -> Measurement:
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: ask(served.port, workload.path, 30.0), range(500)))
    wrong = next(filter(None, (wrong_answer(workload, one) for one in answers)), None)
    used = served.processes.memory()
    metrics = {"pss_mib": used.pss / MIB, "own_mib": used.own / MIB, "processes": float(len(served.processes.pids()))}
    return Measurement(workload.name, peer.name, metrics, wrong)


def _held(workload: Workload, peer: Peer, settings: Settings, served: Served) -> Measurement:
    count = workload.connections // settings.shrink
    with holders.Holders(1 + count // CONNECTIONS_PER_CLIENT, served.port, settings.client_pin) as clients:
        # What the first connections make a server allocate once (arenas, caches, greenlets) is not theirs. Few, as
        # the memory that they leave free is used again by those that count.
        clients.open(min(100, count))
        clients.close()
        before = settled(served.processes, settings.rest_s)
        opened = clients.open(count)
        used = settled(served.processes, settings.rest_s)
        again = clients.ask_again()
    metrics = {
        "connections": float(opened),
        "bytes_per_connection": (used - before) / max(1, opened),
        "unanswered": float(count - again),
    }
    incomplete = workload.kind == "idle" and again < count
    return Measurement(workload.name, peer.name, metrics, f"{again} of {count} answered" if incomplete else None)


def settled(server: Processes, rest_s: float) -> int:
    """The tree's own memory (anonymous and shared pages) in bytes, after it has come to rest.

    Servers let go of what a connection used some seconds after its last request: wait at least ``rest_s``, and then
    until nothing has been given back for three seconds.
    """
    started = time.monotonic()
    lowest, since = server.memory().own, started
    while (now := time.monotonic()) < max(started + rest_s, since + 3) and now < started + 2 * rest_s:
        time.sleep(0.5)
        own = server.memory().own
        if own < lowest:
            lowest, since = own, time.monotonic()
    return server.memory().own


Measure = Callable[[Workload, Peer, Settings, Served], Measurement]
KINDS: dict[Kind, Measure] = {"load": _load, "idle": _held, "crowd": _held, "memory": _memory}
