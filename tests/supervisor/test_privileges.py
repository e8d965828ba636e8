"""Users and their rights: what is decided as tables, what is done with real processes of real users (root only)."""

from __future__ import annotations

import grp
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest
from prodserve.cli.preflight import root_advice
from prodserve.config.options import Config
from prodserve.errors import ConfigError
from prodserve.supervisor.privileges import Identity, Need, change, environ_of, find, in_container, likely_user, missing
from prodserve.supervisor.reserved_ports import Surroundings, ways

from tests.examples.sites import copy_of
from tests.others import STRANGER, as_user, needed, open_folder
from tests.server import clean_environ, free_port, running, wait_until

WEB = Identity(33, 33, (33, 44), "web", "/var/www")
ROOT = Identity(0, 0, (0,), "root", "/root")

WAPP = """
import json, os

def app(environ, start_response):
    back = []
    for setter in (os.setuid, os.setgid, os.seteuid, os.setegid):
        try:
            setter(0)
        except PermissionError:
            back.append("refused")
    umask = os.umask(0)
    os.umask(umask)
    found = {
        "uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(), "back": back,
        "umask": umask, "environ": dict(os.environ),
    }
    body = json.dumps(found).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.mark.parametrize(
    ("wanted", "euid", "egid", "becomes"),
    [
        (None, 0, 0, None),
        (None, 1000, 1000, None),
        (WEB, 0, 0, WEB),
        (WEB, 33, 33, None),
        (ROOT, 0, 0, None),
        (WEB._replace(uid=0), 0, 0, WEB._replace(uid=0)),
    ],
)
def test_root_becomes_who_is_named_and_that_user_itself_stays(wanted, euid, egid, becomes):
    assert change(wanted, euid, egid, any_group=False) == becomes


@pytest.mark.parametrize(
    ("euid", "egid", "flag"), [(1000, 1000, "--user"), (1000, 33, "--user"), (33, 1000, "--group")]
)
def test_who_is_not_root_becomes_nobody_else(euid, egid, flag):
    what = rf"{flag}: only root can serve as web \(uid 33\), and this process has uid {euid} and gid {egid}"
    with pytest.raises(ConfigError, match=what):
        change(WEB, euid, egid, any_group=False)


def test_where_no_group_is_named_a_user_may_be_in_any():
    assert change(WEB, 33, 1000, any_group=True) is None


@pytest.mark.parametrize(
    ("user", "group", "what"),
    [
        ("no-such-user", None, "--user: there is no user 'no-such-user' here"),
        ("root", "no-such-group", "--group: there is no group 'no-such-group' here"),
        (str(STRANGER), None, "has no entry among the users, so its group is unknown\n    fix: --group 54321"),
    ],
)
def test_who_is_unknown_is_named_with_a_way_out(user, group, what):
    with pytest.raises(ConfigError) as caught:
        find(user, group)
    assert what in str(caught.value)


def test_users_are_found_by_name_and_by_number():
    root = find("root", None)
    assert root == find("0", None)
    assert (root.uid, root.gid, root.name) == (0, 0, "root")
    assert find(None, None) is None
    assert find(str(STRANGER), str(STRANGER)) == Identity(STRANGER, STRANGER, (STRANGER,), "", "/")
    own = find(None, str(STRANGER))
    assert (own.uid, own.gid) == (os.geteuid(), STRANGER)


def test_home_and_name_are_the_users_and_other_variables_stay():
    before = {"HOME": "/root", "USER": "root", "LOGNAME": "root", "LANG": "C"}
    assert environ_of(WEB, before) == {"HOME": "/var/www", "USER": "web", "LOGNAME": "web", "LANG": "C"}
    assert environ_of(WEB._replace(name="", home="/"), before) == {"HOME": "/", "LANG": "C"}


def test_what_a_user_may_not_do_is_named_with_its_fix(tmp_path):
    there, absent = str(tmp_path), str(tmp_path / "absent")
    wanted = [Need("--here", there, os.R_OK, "read", "none"), Need("--gone", absent, os.R_OK, "read", "make it")]
    assert [str(one) for one in missing(None, wanted)] == [
        f"--gone: this user may not read: {absent}\n    fix: make it"
    ]


@pytest.mark.parametrize(
    ("user", "container", "warned"), [(None, False, True), (None, True, False), ("root", False, False)]
)
def test_root_is_warned_unless_it_is_wanted_or_that_of_a_container(user, container, warned):
    advice = root_advice(Config(user=user), container=container)
    assert bool(advice) is (warned and os.geteuid() == 0)
    assert all(one.fix.startswith("--user ") for one in advice)


@pytest.mark.parametrize("environ", [{"container": "podman"}, {"container": "lxc", "PATH": "/bin"}])
def test_a_container_is_known_by_its_variable(environ):
    assert in_container(environ)


BARE = Surroundings(1024, "ann", systemd=False, container=False, setcap=False, program="/usr/bin/python3")


@pytest.mark.parametrize(
    ("here", "has", "lacks"),
    [
        (BARE, ["--user ann", "sudo sysctl net.ipv4.ip_unprivileged_port_start=80"], ["setcap", "systemd"]),
        (BARE._replace(setcap=True), ["sudo setcap cap_net_bind_service=+ep /usr/bin/python3"], ["systemd"]),
        (BARE._replace(systemd=True), ['"prodserve unit"'], ["setcap"]),
        (BARE._replace(container=True, setcap=True), ["--sysctl net.ipv4.ip_unprivileged_port_start=0"], ["sudo"]),
    ],
)
def test_the_ways_to_a_reserved_port_are_those_of_this_machine(here, has, lacks):
    text = "\n".join(ways(80, here))
    assert text.startswith("use a port from 1024 on, such as 8080")
    assert [one for one in has if one not in text] == []
    assert [one for one in lacks if one in text] == []


def test_a_project_is_served_as_the_owner_of_its_folder(tmp_path):
    mine = pwd.getpwuid(os.geteuid()).pw_name
    assert (likely_user(str(tmp_path)) == mine) is (os.geteuid() != 0)


def _reserved_port():
    for port in range(800, 1024):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.skip("no port below 1024 is free")


def _ask(server):
    with urlopen(server.url + "/", timeout=30) as response:
        return json.load(response)


@pytest.mark.parametrize("model", ["greenlets", "threads"])
def test_root_binds_a_reserved_port_and_another_user_serves_for_good(model):
    python, environ = needed()
    port = _reserved_port()
    nobody = pwd.getpwuid(65534)
    with open_folder() as folder:
        (folder / "wapp.py").write_text(WAPP)
        command = [python, "-m", "prodserve", "wapp:app", str(port), "--bind", "unix:app.sock", "--workers", "1"]
        command += ["--user", nobody.pw_name, "--umask", "027", "--pid", "pid", "--worker-model", model]
        command += ["--access-logfile", "access.log", "--error-logfile", "error.log"]
        with running(command, port, cwd=folder, env=environ) as server:
            found = _ask(server)
            assert found["uids"] == [65534] * 3
            assert found["gids"] == [nobody.pw_gid] * 3
            assert set(found["groups"]) == set(os.getgrouplist(nobody.pw_name, nobody.pw_gid))
            assert found["back"] == ["refused"] * 4
            assert found["umask"] == 0o027
            assert (found["environ"]["HOME"], found["environ"]["USER"]) == (nobody.pw_dir, nobody.pw_name)
            socket_file = (folder / "app.sock").stat()
            assert (socket_file.st_uid, socket_file.st_gid) == (65534, nobody.pw_gid)
            assert socket_file.st_mode & 0o777 == 0o750
            assert (folder / "access.log").stat().st_uid == 65534
            assert int((folder / "pid").read_text()) == server.process.pid
            assert os.stat(f"/proc/{server.process.pid}").st_uid == 0
            server.send(signal.SIGHUP)
            wait_until(lambda: "generation 2" in (folder / "error.log").read_text())
            assert _ask(server)["uids"] == [65534] * 3
        assert "GET / HTTP/1.1" in (folder / "access.log").read_text()
        assert not (folder / "app.sock").exists()
        assert not (folder / "pid").exists()


def test_what_the_other_user_lacks_is_named_before_anything_is_served():
    python, environ = needed()
    with open_folder() as folder:
        (folder / "wapp.py").write_text(WAPP)
        (folder / "secret").mkdir(mode=0o700)
        (folder / "access.log").touch(mode=0o600)
        command = [python, "-m", "prodserve", "wapp:app", str(free_port()), "--user", "65534", "--group", "65534"]
        command += ["--temp-dir", "secret", "--access-logfile", "access.log"]
        done = subprocess.run(
            command, cwd=folder, env=clean_environ(environ), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert "(uid 65534) may not write to this folder: secret\n      fix: chown secret" in done.stderr
    assert "--access-logfile: " in done.stderr
    assert done.stderr.count("fix:") == 2


def test_a_link_in_the_place_of_a_log_is_not_given_away():
    python, environ = needed()
    with open_folder() as folder:
        (folder / "wapp.py").write_text(WAPP)
        (folder / "shadow").touch(mode=0o600)
        (folder / "access.log").symlink_to("shadow")
        command = [python, "-m", "prodserve", "wapp:app", "0", "--user", "65534", "--access-logfile", "access.log"]
        done = subprocess.run(
            command, cwd=folder, env=clean_environ(environ), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        assert (folder / "shadow").stat().st_uid == 0


def test_a_user_who_may_not_bind_a_port_is_told_what_to_do():
    python, environ = needed()
    with open(f"/proc/sys/{'net.ipv4.ip_unprivileged_port_start'.replace('.', '/')}") as file:
        first = int(file.read())
    if first == 0:
        pytest.skip("everybody may bind every port here")
    with open_folder() as folder:
        (folder / "wapp.py").write_text(WAPP)
        done = subprocess.run(
            [*as_user(65534), python, "-m", "prodserve", "wapp:app", str(min(first, 1024) - 1)],
            cwd=folder, env=clean_environ(environ), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"ports below {first} are reserved\n      fix: use a port from {first} on" in done.stderr


HERMIT = (
    "mount --make-rprivate / && umount -l /dev/shm; mount -o remount,ro,bind / && ! touch /tmp/x 2>/dev/null && "
    f"exec setpriv --reuid={STRANGER} --regid={STRANGER} --clear-groups "
    'env -u HOME -u USER -u LOGNAME -u XDG_CACHE_HOME "$@"'
)
"""Nothing can be written, there is no shared memory, and nobody knows the user."""


@pytest.mark.parametrize(
    ("name", "words", "path"),
    [("django_site", ["manage.py"], "/admin/login/"), ("flask_site", ["-m", "flask", "--app", "postcards"], "/")],
)
def test_an_example_is_served_where_nothing_can_be_written_by_a_user_without_a_name_and_a_home(name, words, path):
    python, environ = needed()
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be had here")
    port = free_port()
    with open_folder() as folder:
        site = copy_of(name, folder)
        if name == "django_site":
            command = [sys.executable, "manage.py", "collectstatic", "--no-input", "-v0"]
            subprocess.run(command, cwd=site, env=clean_environ(), check=True)
        serve = [python, *words, "prodserve", f"127.0.0.1:{port}", "--workers", "2", "--warm-up", "none"]
        with running(["unshare", "--mount", "sh", "-c", HERMIT, "sh", *serve], port, cwd=site, env=environ) as server:
            server.wait_for_log("stop: Ctrl-C")
            with urlopen(server.url + path, timeout=30) as response:
                assert response.status == 200
            assert os.stat(f"/proc/{server.process.pid}").st_uid == STRANGER
            assert server.stop() == 0
            said = server.log()
    assert "WARNING" not in said
    assert "ERROR" not in said
    assert "  ! " not in said


def test_the_group_of_a_user_without_one_can_be_named():
    group = grp.getgrgid(0).gr_name
    assert find(str(STRANGER), group).gid == 0
