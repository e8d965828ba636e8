"""What the server says when it is ready."""

from __future__ import annotations

from typing import Any

import pytest
from prodserve.supervisor.banner import (
    advice_lines,
    banner,
    model_text,
    reload_line,
    root_text,
    static_rows,
    workers_text,
)

RECORD: dict[str, Any] = {"model": "threads", "reasons": ["SQLite"], "pinned": "", "config": {"slots": None}}
LOADED: dict[str, Any] = {
    "shareable": True,
    "because": [],
    "facts": {
        "framework": "Django 5.2.19",
        "app": "mysite.wsgi.application",
        "lines": [["settings", "mysite.settings (DEBUG=True)"]],
        "advice": [{"what": "no STATIC_ROOT", "fix": 'STATIC_ROOT = BASE_DIR / "static"'}],
    },
    "static": [{"urls": ["/static/"], "where": "STATIC_ROOT", "files": 131, "exact": True, "uploads": False}],
    "config": {"slots": None},
}


def lines(record: dict[str, Any] = RECORD, loaded: dict[str, Any] = LOADED, **more: Any) -> list[str]:
    known: dict[str, Any] = {"urls": ["http://127.0.0.1:8000"], "workers": 2, "workers_why": "", "pid": 7}
    return banner(record, loaded, **{**known, **more})


def test_the_whole_banner() -> None:
    assert lines(workers_why="2 CPUs: affinity 2, cgroup quota none, host 64")[1:] == [
        "  address   http://127.0.0.1:8000",
        "  settings  mysite.settings (DEBUG=True)",
        "  model     threads, 8 requests at a time in each worker, because of SQLite",
        "  workers   2 = 2 CPUs: affinity 2, cgroup quota none, host 64",
        "  files     /static/  131 files from STATIC_ROOT",
        "  ! no STATIC_ROOT",
        '    fix: STATIC_ROOT = BASE_DIR / "static"',
        "  stop: Ctrl-C or kill 7   reload: kill -HUP 7",
    ]
    assert lines()[0].endswith(" · Django 5.2.19 · mysite.wsgi.application")


def test_it_stays_short_however_much_there_is_to_say() -> None:
    advice = [{"what": f"advice {n}", "fix": "mend it"} for n in range(20)]
    facts = {**LOADED["facts"], "advice": advice}
    static = [{"urls": [f"/{n}/"], "files": n} for n in range(20)]
    assert len(lines(loaded={**LOADED, "facts": facts, "static": static})) <= 18


def test_without_colour_there_is_no_escape_code_and_with_it_the_text_is_the_same() -> None:
    plain, coloured = "\n".join(lines()), "\n".join(lines(colour=True))
    assert "\x1b" not in plain
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m"):
        assert code in coloured
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_every_address_has_its_line() -> None:
    assert lines(urls=["http://127.0.0.1:8000", "unix:/a"])[1:3] == [
        "  address   http://127.0.0.1:8000",
        "            unix:/a",
    ]


def test_advice_of_the_command_comes_first_and_the_same_only_once() -> None:
    record = {**RECORD, "advice": [{"what": "debug", "fix": ""}, {"what": "no STATIC_ROOT", "fix": "x"}]}
    advice = [line for line in lines(record) if line.startswith("  !")]
    assert advice == ["  ! debug", "  ! no STATIC_ROOT"]


MODELS: list[tuple[dict[str, Any], int | None, str]] = [
    ({"model": "greenlets"}, None, "greenlets, 100 requests at a time in each worker: nothing in sight"),
    ({"model": "threads", "reasons": ["SQLite"]}, 3, "threads, 3 requests at a time in each worker, because of SQLite"),
    ({"model": "threads", "reasons": list("abcde")}, 8, "because of a, b, c and 2 more"),
    ({"model": "greenlets", "pinned": "--worker-model", "reasons": ["SQLite"]}, 8, "each worker (--worker-model)"),
]


@pytest.mark.parametrize(("record", "slots", "text"), MODELS)
def test_the_model_is_named_with_its_reason(record: dict[str, Any], slots: int | None, text: str) -> None:
    assert text in model_text(record, slots)


WORKERS: list[tuple[str, dict[str, Any], str]] = [
    ("", {}, "2"),
    ("2 CPUs: affinity 2", {"shareable": True}, "2 = 2 CPUs: affinity 2"),
    ("", {"shareable": False, "because": ["thread x"]}, "2; each loads the app itself, because of thread x"),
]


@pytest.mark.parametrize(("why", "loaded", "text"), WORKERS)
def test_the_number_of_workers_is_explained(why: str, loaded: dict[str, Any], text: str) -> None:
    assert workers_text(2, why, loaded) == text


ROOTS: list[tuple[dict[str, Any], str]] = [
    ({"urls": ["/a/"], "files": 1, "where": ""}, "/a/  1 file"),
    ({"urls": ["/a/"], "files": 1234, "where": "--static"}, "/a/  1,234 files from --static"),
    ({"urls": ["/a/"], "files": 5000, "exact": False, "where": "x"}, "/a/  more than 5,000 files from x"),
    (
        {"urls": ["/media/"], "files": 7, "where": "MEDIA_ROOT", "uploads": True},
        "/media/  7 files from MEDIA_ROOT (uploads, sandboxed)",
    ),
    ({"urls": ["/favicon.ico", "/robots.txt"], "files": None}, "/favicon.ico, /robots.txt"),
]


@pytest.mark.parametrize(("root", "text"), ROOTS)
def test_each_root_is_named_with_its_files_and_where_they_come_from(root: dict[str, Any], text: str) -> None:
    assert root_text(root) == text


def test_static_roots_are_counted_when_there_are_many() -> None:
    rows = static_rows([{"urls": [f"/{n}/"], "files": 1} for n in range(9)])
    assert rows[0] == ("files", "/0/  1 file")
    assert rows[-1] == ("", "and 6 more: --check-config shows them")


def test_advice_that_does_not_fit_is_counted() -> None:
    assert advice_lines([{"what": str(n)} for n in range(9)])[-1] == "  ! and 6 more: --check-config shows them"


def test_a_reload_says_one_line() -> None:
    assert reload_line(2, 1, LOADED) == "generation 2 serves now: 1 worker, Django 5.2.19 mysite.wsgi.application"
