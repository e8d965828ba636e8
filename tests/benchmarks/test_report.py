"""The result in words and as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.figures import ALONE, Measurement, summarise
from benchmarks.plot import svg
from benchmarks.report import aligned, workload_report
from benchmarks.workloads import OURS, WORKLOADS

HELLO = WORKLOADS["hello"]
MEASURED = [
    Measurement("hello", "bjoern", {"cpu_us": 10.0, "requests_s": 98000.0, "busy": 0.98}),
    Measurement("hello", "prodserve-greenlets", {"cpu_us": 8.0, "requests_s": 120000.0, "busy": 1.0}),
    Measurement("hello", ALONE, {"cpu_us": 0.5}),
    Measurement("hello", "waitress", {"cpu_us": 90.0}, problem="errors of 9 requests: 9 status"),
]


def report() -> str:
    return workload_report(
        HELLO, MEASURED, {"prodserve-greenlets": "yes", "bjoern": "no"}, {"granian": "granian not installed"}
    )


def test_the_best_server_comes_first_and_ratios_are_to_ours() -> None:
    lines = report().splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["(app", "prodserve-greenlets", "bjoern"]
    assert lines[4].split() == ["bjoern", "10.00", "10.00–10.00", "1.25", "98,000", "98%", "no"]


def test_what_was_skipped_and_what_does_not_count_is_said() -> None:
    assert "granian: SKIPPED, granian not installed" in report()
    assert "waitress: INVALID, errors of 9 requests: 9 status" in report()


def test_each_target_has_its_line() -> None:
    assert "MET          cpu_us of prodserve-greenlets / bjoern: 0.800 (at most 1)" in report()
    assert "NOT MEASURED cpu_us of prodserve-greenlets / granian: - (at most 0.65)" in report()


def test_targets_about_servers_that_were_not_asked_for_are_left_out() -> None:
    assert report().count("(at most") == 2
    assert "gunicorn" not in report()


def test_a_target_that_no_server_could_meet_shows_what_the_app_alone_costs() -> None:
    flask = WORKLOADS["flask-hello"]
    measured = [
        Measurement("flask-hello", peer, {"cpu_us": cost}) for peer, cost in ((ALONE, 70.0), ("gunicorn-gevent", 100.0))
    ]
    assert "; the app alone: 0.700" in workload_report(
        flask, measured, dict.fromkeys((*OURS, "gunicorn-gevent"), "no"), {}
    )


def test_a_workload_without_results_has_no_table() -> None:
    assert "CPU us/request" not in workload_report(HELLO, [], {}, {})


def test_numbers_are_aligned_to_the_right() -> None:
    assert aligned([["a", "bb", "c"], ["dd", "1", "eee"]]) == ["  a   bb  c", "  dd   1  eee"]


def test_the_picture_is_well_formed_and_has_a_bar_for_each_server() -> None:
    root = ElementTree.fromstring(svg([(HELLO, summarise(MEASURED, "hello"))], "a < b & c"))
    bars = [node for node in root.iter("{http://www.w3.org/2000/svg}rect") if node.get("rx")]
    assert len(bars) == 3
    assert "a < b & c" in "".join(root.itertext())
