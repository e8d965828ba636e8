"""wrk: one run of it, and what its summary says about the server.

A run is only worth its figures when every response was the right one. wrk counts what is not 2xx or 3xx; a wrong body
shows in the bytes per response, which must be those of the response that was checked before.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

CONNECTIONS = 64
ERRORS = ("connect", "read", "write", "status", "timeout")
BYTES_TOLERANCE = 0.02
"""Share by which bytes per response may differ: the responses that are cut off by the end of the run."""


@dataclass(frozen=True)
class Summary:
    """What wrk counted; ``errors`` has the kinds that happened only."""

    requests: int
    duration_s: float
    response_bytes: int
    p50_ms: float
    p99_ms: float
    errors: dict[str, int]


def parse(output: str) -> Summary:
    """The summary in wrk's output; ValueError where there is none."""
    for line in output.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "SUMMARY":
            found = json.loads(rest)
            return Summary(
                requests=found["requests"],
                duration_s=found["duration_us"] / 1e6,
                response_bytes=found["bytes"],
                p50_ms=found["p50_us"] / 1e3,
                p99_ms=found["p99_us"] / 1e3,
                errors={kind: found[kind] for kind in ERRORS if found[kind]},
            )
    raise ValueError(f"wrk printed no summary: {output.strip()[-300:]!r}")


def problem(summary: Summary, expected_bytes: float) -> str | None:
    """Why this run does not count, or ``None``; ``expected_bytes`` is the wire length of the right response."""
    if summary.errors:
        counts = ", ".join(f"{count} {kind}" for kind, count in summary.errors.items())
        return f"errors of {summary.requests} requests: {counts}"
    if not summary.requests:
        return "no request was answered"
    mean = summary.response_bytes / summary.requests
    if abs(mean - expected_bytes) > BYTES_TOLERANCE * expected_bytes:
        return f"responses of {mean:.0f} bytes on the average where the right one has {expected_bytes:.0f}"
    return None


def wrk(script_path: str, port: int, seconds: float, prefix: Sequence[str]) -> Summary:
    """Load the server on ``port`` for ``seconds``; ``prefix`` pins wrk to its core."""
    command = [*prefix, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script_path]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=seconds + 20, check=False
    )
    return parse(done.stdout + done.stderr)
