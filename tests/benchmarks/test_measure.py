"""The tables agree with each other, and a server is only measured when it gives the right answer."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Answer, Settings, measure, wrong_answer
from benchmarks.peers import PEERS, Job, custom, nginx_config
from benchmarks.workloads import HELLO_APP, WORKLOADS, Workload

SERVE = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from benchmarks.apps import hello
make_server("127.0.0.1", int(sys.argv[1]), hello).serve_forever()
"""
SETTINGS = Settings(seconds=1, warm_up_s=0, rest_s=0, shrink=1, sites={})


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "serve.py"
    path.write_text(SERVE)
    return path


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=list(WORKLOADS))
def test_the_servers_of_a_workload_and_of_its_targets_exist(workload: Workload) -> None:
    assert set(workload.peers) <= set(PEERS)
    for target in workload.targets:
        assert {target.peer, target.baseline} - {None} <= set(workload.peers)


@pytest.mark.parametrize("peer", PEERS)
def test_every_server_is_given_its_port_and_its_application(peer: str, tmp_path: Path) -> None:
    launch = PEERS[peer].launch(Job(HELLO_APP, 8123, tmp_path))
    words = " ".join([*(word for command in launch.commands for word in command), *launch.files.values()])
    assert "8123" in words
    assert "benchmarks.apps:hello" in words or peer == "nginx"


def test_nginx_logs_in_batches_and_keeps_files_open() -> None:
    text = nginx_config(8123, Path("/run/x"), "location / { return 204; }")
    assert "access_log /run/x/nginx-access.log combined buffer=64k flush=1s;" in text
    assert "open_file_cache max=20000" in text


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (200, b"Hello, world!\n", None),
        (200, b"Hello, world!", "wrong body: b'Hello, world!'"),
        (200, b"", "wrong body: b''"),
        (500, b"Hello, world!\n", "status 500"),
        (304, b"", "status 304"),
    ],
)
def test_only_the_right_answer_passes(status: int, body: bytes, problem: str | None) -> None:
    assert wrong_answer(WORKLOADS["hello"], Answer(status, body, 100)) == problem


def test_a_server_with_the_right_answer_is_measured(script: Path) -> None:
    peer = custom("reference", f"{sys.executable} {script} {{port}}")
    workload = dataclasses.replace(WORKLOADS["memory"], app=HELLO_APP, contains=b"Hello, world!\n")
    measured = measure(workload, peer, SETTINGS)
    assert measured.problem is None
    assert measured.metrics["processes"] == 1
    assert measured.metrics["pss_mib"] > 1


def test_a_server_with_another_answer_is_not(script: Path) -> None:
    workload = dataclasses.replace(WORKLOADS["memory"], app=HELLO_APP, contains=b"Good bye")
    measured = measure(workload, custom("other", f"{sys.executable} {script} {{port}}"), SETTINGS)
    assert measured.problem is not None
    assert measured.problem.startswith("wrong body: b'Hello, world!\\n'")


def test_a_server_that_ends_at_its_start_is_reported_with_its_last_words() -> None:
    measured = measure(WORKLOADS["hello"], custom("broken", f"{sys.executable} --no-such-option"), SETTINGS)
    assert measured.problem is not None
    assert "ended at its start" in measured.problem
    assert "--no-such-option" in measured.problem
