"""What must hold before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from prodserve.adapter import Advice, Facts, StaticRoot
from prodserve.cli.check import findings
from prodserve.cli.model import Model, choose
from prodserve.cli.preflight import debug_advice, debug_problems, folder_problems
from prodserve.config.options import Config
from prodserve.config.resolve import resolve

DEBUG = [
    (False, ["0:80"], False, True),
    (True, ["8000"], False, True),
    (True, ["[::1]:8000", "unix:/a"], False, True),
    (True, ["0:80"], False, False),
    (True, ["8000", "10.0.0.1:80"], False, False),
    (True, ["fd://3"], False, False),
    (True, ["0:80"], True, True),
]


@pytest.mark.parametrize(("debug", "bind", "allowed", "served"), DEBUG)
def test_debug_mode_is_served_only_to_this_machine_unless_allowed(
    debug: bool, bind: list[str], allowed: bool, served: bool
) -> None:
    config = resolve({"bind": bind, "allow_debug": allowed}, {})
    assert (debug_problems(debug, config) == []) is served


def test_the_refusal_names_the_address_and_every_way_out() -> None:
    (problem,) = debug_problems(True, resolve({"bind": ["8000", "0:80"]}, {}))
    assert "0.0.0.0:80 can be reached" in problem.what
    assert "127.0.0.1:80" in problem.fix
    assert "--allow-debug" in problem.fix


@pytest.mark.parametrize(
    ("debug", "given", "words"),
    [
        (False, {}, ""),
        (True, {}, "fine on this machine"),
        (True, {"addrport": "0:80", "allow_debug": True}, "others can connect"),
    ],
)
def test_debug_mode_is_never_silent(debug: bool, given: dict[str, object], words: str) -> None:
    assert words in " ".join(one.what for one in debug_advice(debug, resolve(given, {})))
    assert bool(debug_advice(debug, resolve(given, {}))) is debug


def test_folders_that_are_not_there_are_found_before_the_start(tmp_path: Path) -> None:
    given = {
        "pid": str(tmp_path / "no" / "pid"),
        "access_logfile": str(tmp_path / "no" / "access.log"),
        "error_logfile": str(tmp_path),
        "temp_dir": str(tmp_path / "no"),
        "static": [f"/a/={tmp_path / 'no'}"],
        "internal": [f"/a/={tmp_path / 'no'}", f"/b/={tmp_path}", f"/b={tmp_path}"],
    }
    where = [problem.where.split()[0] for problem in folder_problems(resolve(given, {}))]
    assert where == [
        "--pid",
        "--access-logfile",
        "--error-logfile",
        "--temp-dir",
        "--static",
        "--internal",
        "--internal",
    ]


def test_folders_that_are_there_are_no_problem(tmp_path: Path) -> None:
    given = {"pid": str(tmp_path / "pid"), "temp_dir": str(tmp_path), "static": [f"/a/={tmp_path}"]}
    given |= {"internal": [f"/a/={tmp_path}"]}
    assert list(folder_problems(resolve({**given, "access_logfile": "none"}, {}))) == []


MODELS = [
    ("auto", "", [], Model("greenlets")),
    ("auto", "", ["SQLite"], Model("threads", ("SQLite",))),
    ("threads", "--worker-model", [], Model("threads", (), "--worker-model")),
    ("greenlets", "--worker-model", ["SQLite"], Model("greenlets", ("SQLite",), "--worker-model")),
]


@pytest.mark.parametrize(("configured", "pinned", "reasons", "model"), MODELS)
def test_threads_are_chosen_for_a_reason_and_never_against_the_users_word(
    configured: str, pinned: str, reasons: list[str], model: Model
) -> None:
    assert choose(configured, pinned, reasons) == model


def test_greenlets_against_the_reasons_are_advised_against() -> None:
    (advice,) = choose("greenlets", "--worker-model", ["SQLite"]).advice()
    assert "SQLite" in advice.what
    assert advice.fix == "--worker-model threads"
    assert choose("auto", "", ["SQLite"]).advice() == ()


def test_a_check_says_everything_that_starting_would_find_out(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a")
    roots = [
        StaticRoot("/static/", directory=str(tmp_path), source="STATIC_ROOT"),
        StaticRoot("/b/", files={"b": "/b"}),
    ]
    facts = Facts("WSGI", "hello:app", [("module", "hello.py")])
    advice = [Advice("no fire escape", "build one")]
    lines = list(findings(Config(), facts, Model("threads", ("SQLite",)), roots, advice))
    assert lines == [
        "WSGI application hello:app can be loaded",
        "module: hello.py",
        "addresses: http://127.0.0.1:8000",
        "execution model: threads (SQLite)",
        "static files: /static/ from STATIC_ROOT, 1 file",
        "static files: /b/, 1 file",
        "! no fire escape\n    fix: build one",
        "the configuration can be served; see the advice above",
    ]
