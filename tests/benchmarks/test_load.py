"""What wrk's summary says, and which runs do not count."""

from __future__ import annotations

import json

import pytest

from benchmarks.load import ERRORS, Summary, parse, problem

COUNTS = {"requests": 1000, "duration_us": 2_000_000, "bytes": 130_000, "p50_us": 640, "p99_us": 1250}


def output(**changes: int) -> str:
    counts = {**COUNTS, **dict.fromkeys(ERRORS, 0), **changes}
    return f"Running 2s test @ http://127.0.0.1\n  1 threads\nSUMMARY {json.dumps(counts)}\n"


def test_a_summary_is_read() -> None:
    assert parse(output()) == Summary(1000, 2.0, 130_000, 0.64, 1.25, {})


def test_output_without_a_summary_is_an_error_that_shows_it() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


@pytest.mark.parametrize("kind", ERRORS)
def test_a_run_with_errors_does_not_count(kind: str) -> None:
    assert problem(parse(output(**{kind: 3})), 130) == f"errors of 1000 requests: 3 {kind}"


def test_a_run_without_an_answer_does_not_count() -> None:
    assert problem(parse(output(requests=0, bytes=0)), 130) == "no request was answered"


@pytest.mark.parametrize(("expected_bytes", "counts"), [(130, True), (132, True), (140, False), (90, False)])
def test_responses_of_another_length_do_not_count(expected_bytes: int, counts: bool) -> None:
    assert (problem(parse(output()), expected_bytes) is None) is counts
