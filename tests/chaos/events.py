"""What goes wrong, one function each: it does the harm, waits until the server is whole again, and says what was seen.

Whatever the load must not notice is asserted here; what happens to its requests is for ``verdict`` to judge.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from random import Random

from tests.chaos import processes
from tests.chaos.project import APP, ROOT, WORKERS
from tests.chaos.verdict import Kill, Shortage
from tests.server import Server, wait_until

WHOLE_S = 60.0
"""After each event there must be all workers again within it: a generation that was killed several times in a minute is
replaced ever later, at most after 30 s."""
CORPUS = ROOT / "tests" / "corpus" / "invalid"


@dataclass
class Ground:
    """What events act on, and what they leave for the verdict."""

    server: Server
    folder: Path
    random: Random
    crowd: int
    """Hostile clients of each kind."""
    kills: list[Kill] = field(default_factory=list)
    shortages: list[Shortage] = field(default_factory=list)
    version: int = 1

    def workers(self) -> list[int]:
        """Their PIDs."""
        return processes.titled(self.server, "worker")

    def victim(self) -> int:
        """One of them."""
        return self.random.choice(sorted(self.workers()))

    def supervisor(self) -> int:
        """Its PID: another one after each ``new_server``."""
        wait_until(lambda: len(processes.titled(self.server, "supervisor")) == 1, WHOLE_S, "there is one supervisor")
        return processes.titled(self.server, "supervisor")[0]

    def whole(self) -> bool:
        """Whether all workers are there and none is too many, and one answers."""
        return len(self.workers()) == WORKERS

    def deploy(self, text: str) -> None:
        """New code, and the signal that loads it."""
        (self.folder / "wapp.py").write_text(text)
        os.kill(self.supervisor(), signal.SIGHUP)

    def says(self, text: str, times: int) -> None:
        """Return when the log has said it that often."""
        wait_until(lambda: self.server.log().count(text) >= times, WHOLE_S, f"{text!r} in the log")


def killed_worker(ground: Ground) -> str:
    """SIGKILL of a random worker."""
    kill = processes.stop(ground.victim(), ground.server.port)
    os.kill(kill.pid, signal.SIGKILL)
    wait_until(lambda: kill.pid not in ground.workers(), 10, "the killed worker is gone")
    gone_s = time.monotonic()
    ground.kills.append(replace(kill, until_s=gone_s + 1.0))
    wait_until(ground.whole, WHOLE_S, "all workers are back")
    return f"{len(kill.ports)} connections lost, replaced after {time.monotonic() - gone_s:.1f} s"


def killed_generation(ground: Ground) -> str:
    """SIGKILL of the process that loaded the application: its workers serve on until others do."""
    wait_until(lambda: len(processes.titled(ground.server, "generation")) == 1, WHOLE_S, "there is one generation")
    (pid,) = processes.titled(ground.server, "generation")
    before = set(ground.workers())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ground.whole() and not before & set(ground.workers()), WHOLE_S, "a new generation serves alone")
    return "its workers served on until others did"


def good_reload(ground: Ground) -> str:
    """SIGHUP onto good code."""
    before = set(ground.workers())
    ground.version += 1
    ground.deploy(APP.replace('VERSION = "1"', f'VERSION = "{ground.version}"'))
    wait_until(lambda: ground.whole() and not before & set(ground.workers()), WHOLE_S, "the new code serves alone")
    return f"version {ground.version} serves"


def new_server(ground: Ground) -> str:
    """SIGUSR2: another supervisor takes the sockets over, with workers of its own."""
    before, old = set(ground.workers()), ground.supervisor()
    os.kill(old, signal.SIGUSR2)
    wait_until(
        lambda: processes.titled(ground.server, "supervisor") not in ([old], []) and not before & set(ground.workers()),
        WHOLE_S,
        "the new server serves alone",
    )
    wait_until(lambda: old not in processes.titled(ground.server, "supervisor"), WHOLE_S, "the old server has ended")
    return f"process {ground.supervisor()} has taken over from {old}"


def broken_reload(ground: Ground) -> str:
    """SIGHUP onto code that can't be imported."""
    before, refused = set(ground.workers()), "the new code is not used"
    times = ground.server.log().count(refused)
    ground.deploy(APP + "\nthis is not Python\n")
    ground.says(refused, times + 1)
    (ground.folder / "wapp.py").write_text(APP.replace('VERSION = "1"', f'VERSION = "{ground.version}"'))
    assert set(ground.workers()) == before, "workers were replaced by nothing"
    return "the code that was there serves on"


def stopped_worker(ground: Ground) -> str:
    """SIGSTOP of a worker: it shows no life, and is replaced."""
    kill = processes.stop(ground.victim(), ground.server.port)
    wait_until(lambda: kill.pid not in ground.workers(), WHOLE_S, "the stopped worker was ended")
    ground.kills.append(replace(kill, until_s=time.monotonic() + 1.0))
    wait_until(ground.whole, WHOLE_S, "all workers are back")
    return f"{len(kill.ports)} connections lost, replaced after {time.monotonic() - kill.from_s:.1f} s"


def full_disk(ground: Ground) -> str:
    """No file of a worker may grow over 64 KB: uploads can't be stored."""
    workers = ground.workers()
    from_s = time.monotonic()
    with processes.limited(workers, resource.RLIMIT_FSIZE, dict.fromkeys(workers, 65536)):
        time.sleep(ground.random.uniform(1.0, 2.0))
    ground.shortages.append(
        Shortage("the disk was full", from_s, time.monotonic(), frozenset({"upload"}), frozenset({503, 507}))
    )
    return "taken away and given back"


def no_descriptors(ground: Ground) -> str:
    """EMFILE: workers have as many files open as they may; newcomers wait, and nobody spins."""
    workers = ground.workers()
    limits = {pid: 1 + max(map(int, os.listdir(f"/proc/{pid}/fd"))) for pid in workers}
    from_s = time.monotonic()
    with processes.limited(workers, resource.RLIMIT_NOFILE, limits):
        newcomers = [_connect(ground.server.port) for _ in range(40)]
        for sock in newcomers:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: chaos\r\nConnection: close\r\n\r\n")
        before_s = processes.cpu_s(workers)
        time.sleep(1.5)
        spent_s = processes.cpu_s(workers) - before_s
    statuses = Counter(_status(sock, 20) for sock in newcomers)
    for sock in newcomers:
        sock.close()
    refusable, refusals = frozenset({"upload", "file"}), frozenset({500, 503, 507})
    ground.shortages.append(Shortage("no descriptors", from_s, time.monotonic(), refusable, refusals, reaps=True))
    assert spent_s < 1.5, f"workers used {spent_s:.1f} s of CPU in 1.5 s without descriptors"
    assert statuses == {200: 40}, f"those that waited were answered {statuses}"
    return f"{spent_s:.2f} s of CPU in 1.5 s; 40 that waited were answered"


def little_memory(ground: Ground) -> str:
    """Workers may not have 64 MB more than they have: what asks for 256 is refused by the app, the rest is served."""
    workers = ground.workers()
    limits = {pid: _virtual_bytes(pid) + (64 << 20) for pid in workers}
    with processes.limited(workers, resource.RLIMIT_AS, limits):
        statuses = Counter(_get(ground.server.port, "/grow/256") for _ in range(8))
    statuses[_get(ground.server.port, "/grow/256")] += 1
    assert statuses == {507: 8, 200: 1}, f"8 requests for too much memory, and one afterwards: {statuses}"
    return "8 were refused by the app, one was served afterwards"


def malformed_input(ground: Ground) -> str:
    """Every bad request of the corpus, at once: each is answered with its status or with the end of the connection."""
    files = sorted(CORPUS.glob("*.http")) * 3
    ground.random.shuffle(files)
    wrong: list[str] = []
    refused = Counter[int]()
    shares = [files[at::8] for at in range(8)]

    def send(share: list[Path]) -> None:
        for path in share:
            sock = _connect(ground.server.port)
            with sock:
                sock.sendall(path.read_bytes())
                status = _status(sock, 20)
            refused[status] += 1
            if status and status != int(path.name[:3]):
                wrong.append(f"{path.name}: {status}")

    _in_threads([lambda share=share: send(share) for share in shares])  # type: ignore[misc]
    assert not wrong, wrong
    return f"{len(files)} were refused: " + ", ".join(f"{count}x {status}" for status, count in sorted(refused.items()))


CROWDS = (
    b"",
    b"GET / HT",
    b"GET / HTTP/1.1\r\nHost: chaos\r\nX-Half: ",
    b"POST /sum HTTP/1.1\r\nHost: chaos\r\nContent-Length: 1000000\r\n\r\nhalf",
    b"GET /files/big.bin HTTP/1.1\r\nHost: chaos\r\n\r\n" * 20,
)


def hostile_clients(ground: Ground) -> str:
    """Crowds of clients that are silent, send half of something, or do not read what they asked for."""
    crowd = [(_connect(ground.server.port), what) for what in CROWDS for _ in range(ground.crowd)]
    try:
        for sock, what in crowd:
            sock.sendall(what)
        asked_s = time.monotonic()
        for _ in range(20):
            assert _get(ground.server.port, "/") == 200
        each_s = (time.monotonic() - asked_s) / 20
        assert each_s < 2.0, f"others waited {each_s:.1f} s each"
    finally:
        for sock, _ in crowd:
            sock.close()
    return f"{len(crowd)} of them; others were answered in {each_s * 1000:.0f} ms"


def bad_network(ground: Ground) -> str:
    """Clients behind a network that delays, drops and corrupts: whatever arrives, nobody else notices."""
    seen = Counter[int]()
    command = [sys.executable, "-m", "tests.chaos.network", str(ground.server.port), str(ground.random.randrange(1000))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as network:
        assert network.stdout is not None
        port = int(network.stdout.readline())

        def ask() -> None:
            for _ in range(6):
                with _connect(port) as sock:
                    sock.sendall(b"GET /files/big.bin HTTP/1.1\r\nHost: chaos\r\nConnection: close\r\n\r\n")
                    seen[_status(sock, 1.0)] += 1

        _in_threads([ask] * 15)
        network.kill()
    assert _get(ground.server.port, "/") == 200
    return ", ".join(f"{count}x {status or 'nothing whole'}" for status, count in sorted(seen.items()))


EVENTS: dict[str, Callable[[Ground], str]] = {
    function.__name__.replace("_", " "): function
    for function in (
        killed_worker,
        good_reload,
        new_server,
        broken_reload,
        stopped_worker,
        full_disk,
        no_descriptors,
        little_memory,
        malformed_input,
        hostile_clients,
        bad_network,
        killed_generation,
    )
}


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def _status(sock: socket.socket, timeout_s: float) -> int:
    """Of the last of the answers until the connection ends (0: none); pipelined good requests may come first."""
    sock.settimeout(timeout_s)
    status = 0
    try:
        while True:
            response = HTTPResponse(sock)
            response.begin()
            response.read()
            status = response.status
            if response.will_close:
                return status
    except (OSError, HTTPException):
        return status


def _get(port: int, path: str) -> int:
    with _connect(port) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: chaos\r\nConnection: close\r\n\r\n".encode())
        return _status(sock, 30)


def _virtual_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def _in_threads(functions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
