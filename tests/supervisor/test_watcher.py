"""``--reload``: what is saved is served, and what is saved broken is shown while the last good code serves on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from types import ModuleType

import pytest
from prodserve.worker.watch import outermost, watched

from tests.server import clean_environ, wait_until
from tests.supervisor.project import APP, ask, children, serving


def module(name, file):
    made = ModuleType(name)
    made.__file__ = file
    return made


LIBRARY = sysconfig.get_paths()["purelib"]


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        ({"__main__": "/srv/shop/manage.py", "shop.views": "/srv/shop/shop/views.py"}, ["/srv/shop"]),
        (
            {"shop": "/srv/a/shop/__init__.py", "shop.x.y": "/srv/a/shop/x/y.py", "z": "/srv/b/z.py"},
            ["/srv/a", "/srv/b"],
        ),
        ({"six": f"{LIBRARY}/six.py", "os": os.__file__, "none": None, "odd": "odd.py"}, []),
        ({"app": "/app.py"}, []),
    ],
    ids=["a Django project", "two places", "not the project's", "the root"],
)
def test_the_folders_of_the_projects_own_modules_are_watched(files, folders):
    assert watched({name: module(name, file) for name, file in files.items()}) == folders


def test_a_folder_in_another_is_watched_once():
    assert outermost(["/a/b", "/a", "/ab", "/a"]) == ["/a", "/ab"]


def test_what_is_saved_is_served_and_what_is_broken_is_shown(folder):
    with serving(folder, "--reload", "--reload-trial", "30", workers=1) as server:
        watcher = next(pid for pid, title in titles(server) if "watches files" in title)
        (folder / "wapp.py").write_text("def app(:\n")
        server.wait_for_log("changed: wapp.py")
        server.wait_for_log("SyntaxError")
        assert ask(server).startswith("one")
        (folder / "wapp.py").write_text(APP.replace('"one"', '"two"'))
        wait_until(lambda: ask(server).startswith("two"))
        (folder / "page.html").write_text("new")
        server.wait_for_log("changed: page.html")
        os.kill(watcher, signal.SIGKILL)
        server.wait_for_log("files are no longer watched")
        wait_until(lambda: ask(server).startswith("two"))


def titles(server):
    wait_until(lambda: any("watches files" in title for title in children(server.process.pid).values()))
    return children(server.process.pid).items()


def test_a_killed_server_leaves_no_watcher_behind(folder):
    with serving(folder, "--reload", workers=1) as server:
        titles(server)
        server.send(signal.SIGKILL)
        server.wait()
        wait_until(lambda: not server.pids())


def test_without_watchfiles_the_line_that_installs_it_is_shown(folder):
    (folder / "hidden.py").write_text(
        "import sys\nsys.modules['watchfiles'] = None\nfrom prodserve.__main__ import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "hidden.py", "wapp:app", "0", "--reload"],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert f"fix: {sys.executable} -m pip install 'prodserve[reload]'" in done.stderr
