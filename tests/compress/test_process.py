"""The background process of a live server."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.server import Server, free_port, running, wait_until

from .trees import files, text, write

APP = """
import os, threading, time
if os.environ.get("WITH_THREAD"):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"app"]
"""
TITLE = b"compressing static files"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    for number in range(3):
        write(tmp_path / "tree" / f"{number}.css", text(number))
    return tmp_path


@pytest.fixture
def slow(site: Path) -> Path:
    """A tree that keeps a compressor busy for long."""
    content = random.Random(1).randbytes(400_000).hex().encode()
    for number in range(30):
        write(site / "tree" / f"slow{number}.txt", b"%d %b" % (number, content))
    return site


def serving(
    site: Path, *words: str, env: dict[str, str] | None = None, roots: Sequence[str] | None = None
) -> AbstractContextManager[Server]:
    port = free_port()
    command = [sys.executable, "-m", "prodserve", "app:app", f"127.0.0.1:{port}", "--workers", "2"]
    command += ["--static", f"/s={site / 'tree'}"] if roots is None else roots
    command += ["--access-logfile", "none", *words]
    return running(command, port, cwd=site, env={"XDG_CACHE_HOME": str(site / "cache"), **(env or {})})


def coding(server: Server, path: str = "/s/0.css") -> str | None:
    with httpx.Client(trust_env=False) as client:
        reply = client.get(server.url + path, headers={"Accept-Encoding": "gzip, br;q=1.0"})
    assert reply.status_code == 200
    return reply.headers.get("Content-Encoding")


def titled(pid: int) -> bool:
    try:
        return TITLE in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def compressors(server: Server) -> list[int]:
    return [pid for pid in server.pids() if titled(pid)]


def states(server: Server) -> dict[int, str]:
    """PID to state of all processes that descend from the server's first one: ``S``, ``R``, ``Z`` …"""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in listed.splitlines()]
    family = {server.process.pid}
    for _ in range(4):
        family |= {int(pid) for pid, parent, _ in lines if int(parent) in family}
    return {int(pid): state for pid, _, state in lines if int(pid) in family}


@pytest.mark.parametrize("with_thread", [False, True], ids=["forked workers", "an app that can't be forked"])
def test_copies_appear_while_the_server_runs_and_survive_its_restart(site: Path, with_thread: bool) -> None:
    env = {"WITH_THREAD": "1"} if with_thread else {}
    with serving(site, env=env) as server:
        assert coding(server) is None
        wait_until(lambda: coding(server) == "br", 20)
        server.wait_for_log("compressed 3 static files: ")
        wait_until(lambda: not compressors(server))
        wait_until(lambda: not [state for state in states(server).values() if state.startswith("Z")])
    with serving(site, "--log-level", "debug", env=env) as server:
        assert coding(server) == "br"
        server.wait_for_log("no static file had to be compressed")
        assert coding(server) == "br"


def test_it_takes_what_nobody_wants_and_holds_nothing_of_the_server(slow: Path) -> None:
    with serving(slow) as server:
        wait_until(lambda: compressors(server), 20)
        (pid,) = compressors(server)
        wait_until(lambda: os.sched_getscheduler(pid) == os.SCHED_IDLE)
        wait_until(lambda: Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n")
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert not [link for link in links if link.startswith(("socket:", "pipe:"))]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not compressors(server))
        wait_until(lambda: pid not in states(server))
        assert coding(server, "/s/slow7.txt") is None
        assert "ERROR" not in server.log()
        assert "WARNING" not in server.log()


def test_a_reload_ends_the_former_one(slow: Path) -> None:
    with serving(slow) as server:
        wait_until(lambda: compressors(server), 20)
        former = compressors(server)
        server.send(signal.SIGHUP)
        wait_until(lambda: compressors(server) and not set(compressors(server)) & set(former), 30)
        assert len(compressors(server)) == 1


def test_it_ends_with_a_server_that_was_killed(slow: Path) -> None:
    with serving(slow) as server:
        wait_until(lambda: compressors(server), 20)
        server.send(signal.SIGKILL)
        server.wait()
        wait_until(lambda: not server.pids())


def test_uploads_are_not_compressed_and_a_server_can_do_without_it(site: Path) -> None:
    with serving(site, "--log-level", "debug", roots=["--media", f"/s={site / 'tree'}"]) as media:
        with serving(site, "--no-compress") as none, serving(site, "--cache-dir", str(site / "mine")) as mine:
            wait_until(lambda: coding(mine) == "br", 20)
            assert coding(none) is None
            assert coding(media) is None
        assert not files(site / "cache")
        assert not compressors(media)


def test_a_folder_that_is_not_ours_alone_is_named(site: Path) -> None:
    (site / "open").mkdir()
    (site / "open").chmod(0o777)
    with serving(site, "--cache-dir", str(site / "open")) as server:
        server.wait_for_log("static files are not compressed")
        assert "install -d -m 700" in server.log()
        assert coding(server) is None


def test_a_cache_that_is_too_small_is_reported_once(site: Path) -> None:
    for number in range(300):
        write(site / "tree" / f"small{number}.css", text(1000 + number)[:1000])
    with serving(site, "--cache-size", "1M", "--workers", "1") as server:
        server.wait_for_log("do not all fit into 1 MB", 30)
        assert server.log().count("do not all fit") == 1
