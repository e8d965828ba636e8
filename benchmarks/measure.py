"""Measuring one server under one workload: started for it alone, checked, measured, stopped.

Nothing is timed before the server has given the right answer (status, body, length), and each function returns a
``Measurement`` whatever happens: a server that fails is a line of the result with its reason.
"""

from __future__ import annotations

import dataclasses
import http.client
import io
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import alone, browser, downloads, holders, load
from benchmarks.figures import ALONE, Measurement
from benchmarks.peers import Job, Peer
from benchmarks.processes import Processes, ServerFailed
from benchmarks.trees import roomy
from benchmarks.workloads import App, Kind, Workload

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = ("PRODSERVE", "DJANGO_", "FLASK_", "GUNICORN_", "GRANIAN_", "UWSGI_")
START_S = 15.0
CHECKING_CONNECTIONS = 4
NOT_YET = (502, 503)
"""What a proxy answers until the server behind it has started."""
CONNECTIONS_PER_CLIENT = 15_000
HELLOS = 1000
MIB = 1024 * 1024
ENCODED_SUFFIXES = (".br", ".gz")


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
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    """A server that runs, ``start_s`` after its start at the latest, and was checked.

    The requests have ``fields`` besides the browser's; a response has ``wire_bytes`` on the average.
    """

    processes: Processes
    port: int
    start_s: float
    wire_bytes: float
    fields: tuple[tuple[str, str], ...]


def measure(workload: Workload, peer: Peer, settings: Settings, static: Path | None = None) -> Measurement:
    """Measure; what goes wrong is the measurement's ``problem``. ``static`` has the files of the workload's tree."""
    try:
        if workload.kind == "growth":
            return _growth(workload, peer, settings, static)
        with serving(workload, peer, settings, static) as served:
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
def serving(workload: Workload, peer: Peer, settings: Settings, static: Path | None = None) -> Iterator[Served]:
    """The server, running and checked; its files lie in memory where the machine has ``/dev/shm``."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=roomy()) as name:
        folder = Path(name)
        port = free_port()
        encoded = workload.tree is not None and workload.tree.encoded
        launch = peer.launch(Job(workload.app, port, folder, workload.workers, static, encoded))
        for path, text in launch.files.items():
            path.write_text(text)
        commands = [(*settings.server_pin, *command) for command in launch.commands]
        started = time.monotonic()
        with Processes(
            commands, environment(), settings.sites.get(workload.app, ROOT), folder / "server.log"
        ) as server:
            first = first_answer(workload, server, port)
            start_s = time.monotonic() - started
            fields = workload.fields
            if workload.revalidates:
                if wrong := wrong_answer(dataclasses.replace(workload, status=200), first):
                    raise server.failed(wrong)
                fields = (*fields, *validators(first))
            yield Served(server, port, start_s, checked(workload, server, port, fields, static), fields)


def first_answer(workload: Workload, server: Processes, port: int) -> Answer:
    """Wait until the server answers; ServerFailed where it does not."""
    deadline = time.monotonic() + START_S
    choice = workload.choices[-1] if workload.choices else ""
    while True:
        try:
            (answer,) = ask_all(port, [browser.request(port, workload.path, workload.fields, choice)])
            if answer.status not in NOT_YET or time.monotonic() > deadline:
                return answer
        except (OSError, http.client.HTTPException) as error:
            if server.ended():
                raise server.failed("ended at its start") from error
            if time.monotonic() > deadline:
                raise server.failed(f"no answer within {START_S:g} s ({error})") from error
        time.sleep(0.02)


def validators(answer: Answer) -> tuple[tuple[str, str], ...]:
    """What a browser that kept this answer adds when it asks again."""
    given = (("If-None-Match", answer.fields.get("etag")), ("If-Modified-Since", answer.fields.get("last-modified")))
    return tuple((name, value) for name, value in given if value is not None)


def checked(
    workload: Workload, server: Processes, port: int, fields: Sequence[tuple[str, str]], static: Path | None
) -> float:
    """Ask for everything that will be asked for, once; bytes of a response on the average. ServerFailed if wrong."""
    choices = workload.choices or ("",)
    requests = (browser.request(port, workload.path, fields, choice) for choice in choices)
    lengths = []
    for choice, answer in zip(choices, ask_all(port, requests), strict=True):
        right = right_body(workload, choice, static) if workload.tree and static else None
        if wrong := wrong_answer(workload, answer, right):
            raise server.failed(wrong)
        lengths.append(answer.wire_bytes)
    return statistics.fmean(lengths)


def right_body(workload: Workload, choice: str, static: Path) -> bytes:
    """What the response is to contain: the file, its encoded copy, a part of it, or nothing in a 304."""
    path = static / workload.path.replace(browser.COUNTER, choice).removeprefix("/static/")
    beside = [path.with_name(path.name + suffix) for suffix in ENCODED_SUFFIXES]
    if workload.status == 304:
        return b""
    if workload.status == 206:
        first, _, last = choice.partition("-")
        with path.open("rb") as file:
            file.seek(int(first))
            return file.read(int(last) - int(first) + 1)
    return next((each for each in beside if each.exists()), path).read_bytes()


def wrong_answer(workload: Workload, answer: Answer, right: bytes | None = None) -> str | None:
    """What is wrong with it, or ``None``; ``right`` is the whole body, where the workload does not know it."""
    if answer.status != workload.status:
        return f"status {answer.status}"
    if workload.contains not in answer.body or (workload.body if right is None else right) not in (None, answer.body):
        return f"wrong body: {answer.body[:100]!r}"
    return None


def ask(port: int, path: str, timeout_s: float = 10.0) -> Answer:
    """Send the browser's request on a connection of its own."""
    (answer,) = ask_all(port, [browser.request(port, path)], timeout_s)
    return answer


def ask_all(port: int, requests: Iterable[bytes], timeout_s: float = 10.0) -> Iterator[Answer]:
    """Send one request after the other, on some connections in turn, and hand over the answers."""
    conns: list[socket.socket] = []
    with ExitStack() as stack:
        for number, request in enumerate(requests):
            if number < CHECKING_CONNECTIONS:
                conns.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=timeout_s)))
            conn = conns[number % CHECKING_CONNECTIONS]
            conn.sendall(request)
            counter = _Counter(conn)
            response = http.client.HTTPResponse(counter)  # type: ignore[arg-type]  # it only calls makefile
            response.begin()
            body = response.read()
            fields = {name.lower(): value for name, value in response.getheaders()}
            yield Answer(response.status, body, counter.received, fields)


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
        template = browser.head(served.port, workload.path, workload.varying, served.fields)
        script.write(browser.wrk_script(template, workload.choices))
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
    return Measurement(workload.name, peer.name, metrics, load.problem(summary, served.wire_bytes))


def _download(workload: Workload, peer: Peer, settings: Settings, served: Served) -> Measurement:
    assert workload.tree is not None
    choices = workload.choices or ("",)
    requests = [browser.request(served.port, workload.path, served.fields, choice) for choice in choices]
    length = workload.part_bytes or workload.tree.largest
    run = partial(
        downloads.in_a_process, served.port, requests, workload.connections, status=workload.status, length=length
    )
    if settings.warm_up_s:
        run(seconds=settings.warm_up_s / 2, prefix=settings.client_pin)
    before = served.processes.cpu_ns()
    tally = run(seconds=settings.seconds, prefix=settings.client_pin)
    after = served.processes.cpu_ns()
    if before.keys() != after.keys():
        return Measurement(workload.name, peer.name, problem="the server's processes changed during the run")
    cpu_s = (sum(after.values()) - sum(before.values())) / 1e9
    metrics = {
        "cpu_us": cpu_s * 1e6 / max(1, tally.responses),
        "cpu_ms_gb": cpu_s * 1e12 / max(1, tally.body_bytes),
        "gb_s": tally.body_bytes / 1e9 / tally.duration_s,
        "responses": float(tally.responses),
        "busy": cpu_s / tally.duration_s,
        "pss_mib": served.processes.memory().pss / MIB,
    }
    return Measurement(workload.name, peer.name, metrics, tally.problem)


def _growth(workload: Workload, peer: Peer, settings: Settings, static: Path | None) -> Measurement:
    bare = dataclasses.replace(workload, tree=None, path=f"/{browser.COUNTER}", choices=("",) * HELLOS)
    of_a_file = dataclasses.replace(workload, contains=b"", body=None)
    with (
        tempfile.TemporaryDirectory(prefix="bench-empty-") as empty,
        serving(bare, peer, settings, Path(empty)) as served,
    ):
        bare_start_s, bare_pss = served.start_s, served.processes.memory().pss
    with serving(of_a_file, peer, settings, static) as served:
        start_s, pss = served.start_s, served.processes.memory().pss
    metrics = {
        "start_s": start_s,
        "later_s": start_s - bare_start_s,
        "pss_mib": pss / MIB,
        "more_mib": (pss - bare_pss) / MIB,
    }
    return Measurement(workload.name, peer.name, metrics)


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
KINDS: dict[Kind, Measure] = {"load": _load, "download": _download, "idle": _held, "crowd": _held, "memory": _memory}
