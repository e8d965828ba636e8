"""The same requests to nginx and to us, over the same tree: every difference is listed here, with its reason.

What is compared: the status, the fields that a cache or a player acts on, and the body of what was found.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence

import pytest

from .nginx import needs_nginx, nginx_and_ours
from .nginx_cases import CASES, Case

pytestmark = needs_nginx

COMPARED = (
    "accept-ranges",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "location",
    "vary",
)
OF_ERRORS = ("allow", "content-range", "location")
"""Fields that are compared where the body is a text of the server's own."""


def ask(port: int, case: Case) -> dict[str, str | bytes]:
    """The compared aspects of the answer to ``case``."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
        conn.sendall(case.request(*() if "Connection" in case.fields else ("Connection: close",)))
        if "Connection" in case.fields:
            conn.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: conn.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status, *field_lines = head.decode("latin-1").split("\r\n")
    found = {name.lower(): value for name, value in (line.split(": ", 1) for line in field_lines)}
    answer: dict[str, str | bytes] = {"status": status.split(" ")[1]}
    if answer["status"] in ("200", "206", "304"):
        boundary = re.search("boundary=(.+)", found.get("content-type", ""))
        if boundary:
            body = body.replace(boundary[1].encode(), b"BOUNDARY")
            found["content-type"] = "multipart/byteranges"
            found["content-length"] = str(len(body) if len(body) else "none")
        answer["body"] = body
    names = COMPARED if answer["status"] in ("200", "206", "304") else OF_ERRORS
    return answer | {name: found[name] for name in names if name in found}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Of nginx and of our server, over the same tree."""
    with nginx_and_ours(tmp_path_factory.mktemp("nginx")) as ports:
        yield ports


@pytest.mark.parametrize("case", CASES, ids=str)
def test_our_answer_is_nginxs_except_where_a_reason_is_given(ports: tuple[int, int], case: Case) -> None:
    nginx, ours = (ask(port, case) for port in ports)
    different = {aspect for aspect in nginx.keys() | ours.keys() if nginx.get(aspect) != ours.get(aspect)}
    listed = case.reason.aspects if case.reason else frozenset()
    assert different == listed, {aspect: (nginx.get(aspect), ours.get(aspect)) for aspect in different}


def test_many_requests_in_one_packet_get_the_answers_that_each_gets_alone(ports: tuple[int, int]) -> None:
    kept = [case for case in CASES if case.method == "GET" and case.version == "1.1" and len(case.target) < 1000]
    port = ports[1]
    cases = [case for case in kept if ask(port, case)["status"] in ("200", "206", "304", "404", "412", "416")]
    assert len(cases) > 300
    for start in range(0, len(cases), 50):
        few = cases[start : start + 50]
        assert pipelined(port, few) == [(str(case), ask(port, case)["status"]) for case in few]


def pipelined(port: int, cases: Sequence[Case]) -> list[tuple[str, str]]:
    """Each case with the status of its answer on a connection that all of them share."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
        conn.sendall(b"".join(case.request() for case in cases[:-1]) + cases[-1].request("Connection: close"))
        stream = conn.makefile("rb")
        answers = []
        for case in cases:
            status, length = stream.readline().split(b" ")[1].decode(), 0
            while (line := stream.readline().lower()) != b"\r\n":
                if line.startswith(b"content-length:") and status != "304":
                    length = int(line.partition(b":")[2])
            stream.read(length)
            answers.append((str(case), status))
        assert stream.read() == b""
        return answers
