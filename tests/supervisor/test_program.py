"""Which program this is: the interpreter's command line taken apart, and the script found again."""

from __future__ import annotations

import sys

import pytest
from prodserve.supervisor.program import NoProgram, Program, current_program, locate, split

LINES = [
    ("python manage.py prodserve 8000", [], "file", "manage.py", ["prodserve", "8000"]),
    ("python -W error -X dev -OBu manage.py x", ["-W", "error", "-X", "dev", "-OBu"], "file", "manage.py", ["x"]),
    ("python -Werror -Xutf8 manage.py", ["-Werror", "-Xutf8"], "file", "manage.py", []),
    ("python -uW error manage.py", ["-uW", "error"], "file", "manage.py", []),
    ("python -m django prodserve -m x", [], "m", "django", ["prodserve", "-m", "x"]),
    ("python -Om django x", ["-O"], "m", "django", ["x"]),
    ("python -mdjango x", [], "m", "django", ["x"]),
    ("python -Bc pass x", ["-B"], "c", "pass", ["x"]),
    ("python -- manage.py -x", [], "file", "manage.py", ["-x"]),
    (
        "python --check-hash-based-pycs always manage.py",
        ["--check-hash-based-pycs", "always"],
        "file",
        "manage.py",
        [],
    ),
    ("/venv/bin/python /venv/bin/flask --app a prodserve", [], "file", "/venv/bin/flask", ["--app", "a", "prodserve"]),
    ("python -I -S app.pyz", ["-I", "-S"], "file", "app.pyz", []),
]


@pytest.mark.parametrize(("line", "flags", "kind", "target", "rest"), LINES, ids=[line[0] for line in LINES])
def test_a_command_line_is_taken_apart_as_python_does(line, flags, kind, target, rest):
    assert split(line.split()) == (flags, kind, target, rest)


@pytest.mark.parametrize("line", ["python", "python -", "python -i", "python -c", "python -m", "python -W error"])
def test_an_interpreter_without_a_program_is_told_apart(line):
    with pytest.raises(NoProgram):
        split(line.split())


PLACES = [
    ("stayed", "manage.py", "/srv/manage.py", "/srv", ("manage.py", "/srv")),
    ("went elsewhere", "manage.py", "/srv/manage.py", "/", ("manage.py", "/srv")),
    ("went into a folder that has such a file too", "manage.py", "/srv/manage.py", "/srv/sub", ("manage.py", "/srv")),
    ("was typed with a dot", "./manage.py", "/srv/manage.py", "/", ("./manage.py", "/srv")),
    ("lies below", "site/manage.py", "/srv/site/manage.py", "/", ("site/manage.py", "/srv")),
    ("lies above", "../manage.py", "/srv/sub/../manage.py", "/", ("../manage.py", "/srv/sub")),
    ("is absolute", "/srv/manage.py", "/srv/manage.py", "/tmp", ("/srv/manage.py", "/tmp")),
    ("was swapped by coverage", "bin/coverage", "/srv/manage.py", "/srv", ("bin/coverage", "/srv")),
    ("is a zip file", "app.pyz", "/srv/app.pyz/__main__.py", "/", ("app.pyz", "/srv")),
    ("has a name that ends alike", "age.py", "/srv/manage.py", "/srv", ("age.py", "/srv")),
    ("has no file", "manage.py", None, "/srv", ("manage.py", "/srv")),
]


@pytest.mark.parametrize(("typed", "main", "cwd", "found"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])
def test_a_script_that(typed, main, cwd, found):
    assert locate(typed, main, cwd, exists=lambda path: True) == found


def test_a_program_survives_json():
    program = Program(("-O",), "file", "manage.py", "manage.py", ("prodserve",), "/srv")
    assert Program.from_plain({**program.to_plain(), "flags": ["-O"], "rest": ["prodserve"]}) == program


def test_the_program_that_runs_these_tests_is_known():
    program = current_program()
    assert program.kind in ("file", "m")
    assert list(program.rest) == sys.orig_argv[len(sys.orig_argv) - len(program.rest) :]
