"""The user's program runs again in the generation as its user started it: every way in which projects are started."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

from tests.server import clean_environ

PYTHON = sys.executable
BIN = Path(sys.executable).parent
MAIN = "import probe\nif __name__ == '__main__':\n    probe.serve()\n"
MANAGE = """#!{python}
import os, sys
{before}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
import probe
probe.look()
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django_prodserve"]
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "nowhere.at.all"
"""
HELLO = """
import flask, probe
probe.look()
app = flask.Flask("hello")
def create_app(name="x"):
    return app
"""


@pytest.fixture
def folder(tmp_path):
    """A place with programs of every form."""
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "run").write_text(f"#!{PYTHON}\n{MAIN}")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "main.py").write_text(MAIN)
    (tmp_path / "linked.py").symlink_to(tmp_path / "sub" / "main.py")
    (tmp_path / "away.py").write_text("import os\nos.chdir('/')\n" + MAIN)
    (tmp_path / "down.py").write_text("import os\nos.chdir('sub')\n" + MAIN)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text(MAIN)
    zipapp.create_archive(tmp_path / "package", tmp_path / "app.pyz")
    (tmp_path / "patched.py").write_text(
        "import probe, threading\nfrom prodserve.worker.boot import role\n"
        "import sys; 'gevent' in sys.modules or role() and sys.exit('not patched')\n"
        "probe.serve('greenlets')\n"
    )
    return tmp_path


@pytest.fixture
def site(tmp_path):
    """A Django project and a Flask app."""
    (tmp_path / "mysite").mkdir()
    (tmp_path / "mysite" / "__init__.py").write_text("")
    (tmp_path / "mysite" / "settings.py").write_text(SETTINGS)
    (tmp_path / "mysite" / "urls.py").write_text("urlpatterns = []\n")
    manage = tmp_path / "manage.py"
    manage.write_text(MANAGE.format(python=PYTHON, before=""))
    manage.chmod(0o755)
    (tmp_path / "away.py").write_text(MANAGE.format(python=PYTHON, before=f"sys.path.append({str(tmp_path)!r})"))
    (tmp_path / "hello.py").write_text(HELLO)
    (tmp_path / "sub").mkdir()
    return tmp_path


def looks(tmp_path, command, cwd, env=None, **more):
    """Run a program until its server has ended; the looks of the first process and of the generation."""
    probe = tmp_path / "probe.jsonl"
    environ = clean_environ({"PYTHONPATH": str(Path(__file__).parent), "PROBE": str(probe), **(env or {})})
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False, **more
    )
    seen = [json.loads(line) for line in probe.read_text().splitlines()] if probe.exists() else []
    assert [one["role"] for one in seen] == [False, True], f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 1, done.stderr
    assert "probed" in done.stderr
    first, second = ({k: v for k, v in one.items() if k not in ("pid", "role")} for one in seen)
    return first, second


PROGRAMS = {
    "a script": [PYTHON, "main.py", "serve", "a b"],
    "a script below": [PYTHON, "sub/main.py"],
    "a script with a dot": [PYTHON, "./main.py"],
    "an executable script": ["./run", "x"],
    "a symlink": [PYTHON, "linked.py"],
    "a script that goes away": [PYTHON, "away.py"],
    "a script that goes down": [PYTHON, "down.py"],
    "a module": [PYTHON, "-m", "main", "-x"],
    "a package": [PYTHON, "-m", "package", "x"],
    "a directory": [PYTHON, "package"],
    "a zip file": [PYTHON, "app.pyz", "x"],
    "code": [PYTHON, "-c", "import probe; probe.serve()", "x", "y"],
    "flags": [PYTHON, "-W", "ignore", "-Xdev", "-OBu", "main.py"],
    "flags before a module": [PYTHON, "-X", "utf8", "-bBm", "main"],
    "coverage as a module": [PYTHON, "-m", "coverage", "run", "--data-file=cov", "main.py", "x"],
    "coverage as a command": [str(BIN / "coverage"), "run", "--data-file=cov", "main.py", "x"],
    "coverage of a module": [str(BIN / "coverage"), "run", "--data-file=cov", "-m", "package"],
    "a patched program": [PYTHON, "patched.py"],
}


@pytest.mark.parametrize("command", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_sees_itself_as_its_user_started_it(folder, tmp_path, command):
    first, second = looks(tmp_path, command, folder)
    assert first == second


def test_a_script_may_be_started_from_anywhere(folder, tmp_path):
    first, second = looks(tmp_path, [PYTHON, "../main.py"], folder / "sub")
    assert first == second
    first, second = looks(tmp_path_of(tmp_path, "2"), [PYTHON, str(folder / "main.py")], "/")
    assert first == second


def tmp_path_of(tmp_path, name):
    """Another folder for the looks."""
    (tmp_path / name).mkdir()
    return tmp_path / name


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 brought PYTHONSAFEPATH")
@pytest.mark.parametrize("command", [[PYTHON, "main.py"], [PYTHON, "-P", "main.py"]])
def test_a_safe_path_stays_safe(folder, tmp_path, command):
    first, second = looks(tmp_path, command, folder, {"PYTHONSAFEPATH": "1"} if "-P" not in command else None)
    assert first == second
    assert str(folder) not in second["path"]


def test_nothing_of_the_current_directory_is_imported_before_the_program(folder, tmp_path):
    for name in ("prodserve", "json", "gevent", "typing"):
        (folder / "sub" / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    first, second = looks(tmp_path, [PYTHON, "../main.py"], folder / "sub")
    assert first == second


def test_an_inherited_descriptor_stays_open_in_the_generation(folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        fd = inherited.fileno()
        first, second = looks(tmp_path, [PYTHON, "main.py"], folder, {"LISTEN_FDS": "1"}, pass_fds=[fd])
    assert first["inherited"] == second["inherited"] == [fd]


def test_the_supervisor_has_the_process_number_that_the_user_started(folder, tmp_path):
    environ = clean_environ({"PYTHONPATH": str(Path(__file__).parent), "PROBE": str(tmp_path / "probe.jsonl")})
    with subprocess.Popen([PYTHON, "main.py"], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True) as process:
        _, errors = process.communicate(timeout=60)
    first, second = map(json.loads, (tmp_path / "probe.jsonl").read_text().splitlines())
    assert first["pid"] == process.pid != second["pid"]
    assert f"[{process.pid}]" in errors


DJANGO = {
    "manage.py": [PYTHON, "manage.py", "prodserve", "0"],
    "./manage.py": ["./manage.py", "prodserve", "0"],
    "with settings": [PYTHON, "manage.py", "prodserve", "0", "--settings=mysite.settings"],
    "with flags": [PYTHON, "-W", "ignore", "-OB", "manage.py", "prodserve", "0"],
    "python -m django": [PYTHON, "-m", "django", "prodserve", "0", "--settings=mysite.settings", "--pythonpath=."],
    "django-admin": [str(BIN / "django-admin"), "prodserve", "0", "--settings=mysite.settings", "--pythonpath=."],
    "coverage run": [str(BIN / "coverage"), "run", "--data-file=cov", "manage.py", "prodserve", "0"],
}


@pytest.mark.parametrize(
    ("command", "model"),
    [(DJANGO["manage.py"], "greenlets"), *((command, "threads") for command in DJANGO.values())],
    ids=["manage.py, patched", *DJANGO],
)
def test_a_django_project_is_started_again_as_it_was(site, tmp_path, command, model):
    first, second = looks(tmp_path, [*command, "--worker-model", model], site)
    assert first == second
    assert second["settings"] == "mysite.settings"


FLASK = {
    "flask": [str(BIN / "flask"), "--app", "hello"],
    "python -m flask": [PYTHON, "-X", "dev", "-m", "flask", "--app", "hello:create_app('x y')"],
}


@pytest.mark.parametrize("command", FLASK.values(), ids=FLASK.keys())
def test_a_flask_app_is_started_again_as_it_was(site, tmp_path, command):
    first, second = looks(tmp_path, [*command, "prodserve", "0", "--worker-model", "threads"], site)
    assert first == second


def test_a_program_of_a_virtual_environment_stays_in_it(folder, tmp_path):
    venv = tmp_path / "venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=60)
    library = next(venv.glob("lib/python*/site-packages"))
    root = Path(__file__).parents[2] / "core"
    (library / "ours.pth").write_text(f"{root}\n")
    first, second = looks(tmp_path, [str(venv / "bin" / "python"), "main.py"], folder)
    assert first == second
    assert second["prefix"] == str(venv)


def test_a_prompt_is_told_what_to_type_instead(tmp_path):
    code = "import sys; sys.argv = ['']; import prodserve.supervisor.program as p; p.current_program()"
    done = subprocess.run([PYTHON, "-"], input=code, capture_output=True, text=True, timeout=60, check=False)
    assert "fix: type it in a shell: python manage.py prodserve" in done.stderr


def test_a_reload_follows_a_symlink_that_was_switched(tmp_path):
    """``/srv/current -> releases/1`` is how many deploy; the shell's name of the directory is kept."""
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(
            "import os, sys\nfrom prodserve.supervisor.program import current_program\nprint(current_program().cwd)"
        )
    current = tmp_path / "current"
    current.symlink_to("1")
    environ = clean_environ({"PWD": str(current)})
    done = subprocess.run(
        [PYTHON, "main.py"], cwd=current, env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == str(current)
    shutil.rmtree(tmp_path / "1")
    assert os.path.islink(current)
