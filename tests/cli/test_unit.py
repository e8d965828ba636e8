"""The files for systemd that ``prodserve unit`` prints."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pytest
from prodserve.cli.unit import Project, command_words, printed, quoted, units, without_addresses
from prodserve.config.addresses import parse_bind
from prodserve.config.options import Config
from prodserve.supervisor.program import Program

from tests.examples.sites import FLASK, copy_of
from tests.server import clean_environ

SHOP = Project(
    program="python manage.py prodserve",
    command=("/srv/shop/.venv/bin/python", "manage.py", "prodserve", "--bind", "0:80", "--workers", "2"),
    folder="/srv/shop",
    user="shop",
    group="shop",
    environ={"DJANGO_SETTINGS_MODULE": "shop.live", "PRODSERVE_SLOTS": "50 %", "SECRET": "x"},
    homes=("/usr/bin/python3",),
)


def texts(project=SHOP, *binds, **settings):
    return [text for _, text in units(project, Config(bind=tuple(map(parse_bind, binds or ["0:80"])), **settings))]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("--workers", "--workers"),
        ("a b", '"a b"'),
        ("100%", "100%%"),
        ("$HOME", '"$$HOME"'),
        ('say "hi"\\', '"say \\"hi\\"\\\\"'),
        ("shop.web:create_app('x')", "\"shop.web:create_app('x')\""),
        ("", '""'),
    ],
)
def test_words_mean_to_systemd_what_they_meant_to_the_shell(word, text):
    assert quoted(word) == text


def test_the_word_unit_is_left_out_of_the_command_but_not_where_it_is_a_value():
    program = Program(("-O",), "m", "flask", "-m", ("--app", "unit", "prodserve", "unit", "--user", "unit"), "/srv")
    assert command_words("/py", program) == (
        "/py", "-O", "-m", "flask", "--app", "unit", "prodserve", "--user", "unit",
    )  # fmt: skip


def test_addresses_are_the_socket_units_business():
    assert without_addresses(["x", "--bind", "0:80", "--bind=0:81", "--workers", "2"]) == ["x", "--workers", "2"]
    service, socket = texts(SHOP, "0:80", "[::]:80", "unix:/run/shop/app.sock")
    assert "ExecStart=/srv/shop/.venv/bin/python manage.py prodserve --workers 2 --bind fd://shop\n" in service
    assert "Requires=shop.socket" in service
    assert "ListenStream=0.0.0.0:80\nListenStream=[::]:80\nListenStream=/run/shop/app.sock\n" in socket
    assert "SocketGroup=shop" in socket


@pytest.mark.parametrize("bind", ["shop.example:80", "0:0", "fd://3"])
def test_what_systemd_can_not_bind_stays_in_the_command(bind):
    (service,) = texts(SHOP, bind)
    assert "prodserve --bind 0:80 --workers 2\n" in service
    assert ("AmbientCapabilities=CAP_NET_BIND_SERVICE" in service) is bind.endswith(":80")


def test_a_service_has_the_times_of_the_settings_and_the_variables_that_decide_what_is_served():
    service, _ = texts(SHOP, graceful_timeout=61.5)
    assert "TimeoutStopSec=72\n" in service
    assert "Environment=DJANGO_SETTINGS_MODULE=shop.live\n" in service
    assert 'Environment="PRODSERVE_SLOTS=50 %%"\n' in service
    assert "SECRET" not in service


def test_homes_are_closed_unless_the_project_or_its_python_is_in_one():
    assert "ProtectHome=yes" in texts()[0]
    assert "ProtectHome=yes" not in texts(Project(**{**vars(SHOP), "folder": "/home/ann/shop"}))[0]
    assert "ProtectHome=yes" not in texts(Project(**{**vars(SHOP), "homes": ("/root/.pyenv/bin/python3",)}))[0]


def test_a_name_for_the_units_comes_of_any_folder():
    names = [Project(**{**vars(SHOP), "folder": folder}).name for folder in ("/srv/my shop/", "/", "/srv/.hidden")]
    assert names == ["my-shop", "prodserve", "hidden"]


def take_apart(text, folder):
    """By the line of awk that stands at the top of what is printed."""
    line = next(line for line in text.splitlines() if "sudo awk" in line)
    program = shlex.split(line.partition("awk ")[2])[0].replace("{file=$2}", '{file=folder "/" substr($2, 21)}')
    subprocess.run(["awk", "-v", f"folder={folder}", program], input=text, text=True, check=True)
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("site", "command"),
    [
        ("django_site", [sys.executable, "manage.py", "prodserve"]),
        ("flask_site", [FLASK, "--app", "postcards", "prodserve"]),
    ],
)
def test_what_is_printed_for_the_examples_is_accepted_by_systemd(tmp_path, site, command):
    folder = copy_of(site, tmp_path)
    words = [*command, "unit", "--bind", "0:80", "--bind", "unix:/run/app.sock", "--graceful-timeout", "20"]
    done = subprocess.run(words, cwd=folder, env=clean_environ(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "units").mkdir()
    assert take_apart(done.stdout, tmp_path / "units") == [f"{site}.service", f"{site}.socket"]
    service = (tmp_path / "units" / f"{site}.service").read_text()
    assert f"WorkingDirectory={folder}\n" in service
    assert "prodserve --graceful-timeout 20 --bind fd://" in service
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    checked = subprocess.run(
        ["systemd-analyze", "verify", *sorted(map(str, (tmp_path / "units").iterdir()))],
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_printed_text_names_the_line_that_puts_it_in_place():
    text = printed(SHOP, Config())
    assert "sudo systemctl daemon-reload && sudo systemctl enable --now shop.socket shop.service" in text
