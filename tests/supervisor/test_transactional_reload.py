"""A reload is a transaction: new code serves once it has been checked, has answered, and has lived for a while."""

from __future__ import annotations

import re
import signal
from urllib.error import HTTPError

import pytest

from tests.server import wait_until
from tests.supervisor.project import APP, MODELS, Requests, ask, serving, workers_of

KEPT = "the new code is not used, the old goes on serving: "
CRASHING = APP.replace('"one"', '"two"').replace(
    "    elif path", "    if path == '/two':\n        os._exit(3)\n    elif path", 1
)
FRONT = "\ndef app(environ, start_response):\n    if environ['PATH_INFO'] == '/': {line}\n"


def front_page(line):
    """The project with another front page."""
    return APP.replace("\ndef app(environ, start_response):\n", FRONT.format(line=line))


def reload(server, folder, text):
    (folder / "wapp.py").write_text(text)
    server.send(signal.SIGHUP)


@pytest.mark.parametrize("model", MODELS)
def test_code_that_can_not_answer_the_front_page_is_not_used(folder, model):
    with serving(folder, model=model, workers=1) as server, Requests(server) as requests:
        wait_until(lambda: requests.bodies)
        reload(server, folder, front_page("raise LookupError('no front page')"))
        server.wait_for_log(KEPT + "the warm-up request GET / failed")
        server.wait_for_log("LookupError: no front page")
        reload(server, folder, front_page("start_response('503 Busy', []); return []"))
        server.wait_for_log(KEPT + "the warm-up request GET / was answered with status 503")
        assert set(requests.bodies) == {"one"}
    assert requests.failures == []


def test_any_answer_but_a_server_error_will_do(folder):
    lines = [
        "start_response('404 Not Found', []); return []",
        "start_response('302 Found', [('Location', '/login')]); return []",
        "start_response('200 OK', []); return iter(lambda: b'tick', b'')",
    ]
    with serving(folder, workers=1) as server:
        for number, line in enumerate(lines, 2):
            reload(server, folder, front_page(line))
            server.wait_for_log(f"generation {number} serves now")


def test_another_page_can_be_asked_for_or_none(folder):
    broken = front_page("raise LookupError('no front page')")
    with serving(folder, "--warm-up", "/other?way", workers=1) as server:
        reload(server, folder, broken)
        server.wait_for_log("generation 2 serves now")
    with serving(folder, "--warm-up", "none", workers=1) as server:
        reload(server, folder, broken)
        server.wait_for_log("generation 2 serves now")


def test_a_server_whose_front_page_is_broken_comes_up_and_says_so(folder):
    (folder / "wapp.py").write_text(front_page("raise LookupError('no front page')"))
    with serving(folder, workers=1) as server:
        assert "served all the same, since no other code is: the warm-up request GET / failed" in server.log()
        assert ask(server, "/other").startswith("one")


@pytest.mark.parametrize("model", MODELS)
def test_what_the_warm_up_request_leaves_behind_does_not_keep_workers_from_sharing_memory(folder, model):
    line = "threading.Thread(target=time.sleep, args=(99,), daemon=True, name='lazy').start()"
    (folder / "wapp.py").write_text(front_page(line))
    with serving(folder, model=model) as server:
        assert "the warm-up request GET / left " in server.log()
        assert "the application is loaded once more without it" in server.log()
        assert "memory is not shared" not in server.log()
        assert ask(server, "/other").startswith("one")


def test_a_crash_in_the_first_seconds_brings_the_old_code_back(folder):
    with serving(folder, "--reload-trial", "30", workers=2) as server:
        workers = workers_of(server)
        reload(server, folder, CRASHING)
        server.wait_for_log("generation 2 is ready; in 30 s the one before it ends")
        wait_until(lambda: ask(server).startswith("two"))
        wait_until(lambda: crash(server))
        server.wait_for_log(KEPT + "a worker ended with exit code 3 within 30 s after the reload")
        wait_until(lambda: workers_of(server) == workers)
        assert ask(server).startswith("one")


def crash(server):
    """Whether a worker of the new code got that request."""
    try:
        ask(server, "/two")
    except HTTPError:
        raise
    except OSError:
        return True
    return False


def test_what_survives_its_trial_takes_over_and_a_later_crash_is_only_a_crash(folder):
    with serving(folder, "--reload-trial", "0.5", workers=1) as server:
        reload(server, folder, CRASHING)
        server.wait_for_log("generation 2 serves now")
        wait_until(lambda: ask(server).startswith("two"))
        assert crash(server)
        wait_until(lambda: ask_or_none(server) is not None)
        assert ask(server).startswith("two")


def ask_or_none(server):
    try:
        return ask(server)
    except OSError:
        return None


@pytest.mark.parametrize("model", MODELS)
def test_code_that_loads_for_ever_is_given_up_and_the_log_says_where_it_was(folder, model):
    with serving(folder, "--start-timeout", "1", model=model, workers=1) as server, Requests(server) as requests:
        reload(server, folder, "import time\ndef forever():\n    time.sleep(99)\nforever()\n" + APP)
        server.wait_for_log(KEPT + "it was not ready within 1 s (--start-timeout)")
        wait_until(lambda: re.search(r'wapp\.py", line 3,? in forever', server.log()))
        assert set(requests.bodies) == {"one"}
    assert requests.failures == []


def test_workers_that_never_become_ready_are_given_up_and_the_log_says_where_they_were(folder):
    hang = (
        "import os, time\ndef hang():\n    time.sleep(99)\n"
        "from prodserve.worker.boot import role\nif role().generation > 1: os.register_at_fork(after_in_child=hang)\n"
    )
    (folder / "wapp.py").write_text("import os\nfrom prodserve.worker.boot import role\n" + APP)
    with serving(folder, "--start-timeout", "1", model="threads", workers=1) as server:
        reload(server, folder, hang + APP)
        server.wait_for_log("has not become ready within 1 s")
        server.wait_for_log('wapp.py", line 3 in hang')
        server.wait_for_log(KEPT + "it was not ready within 1 s (--start-timeout)")
        assert ask(server).startswith("one")


def test_many_reloads_with_a_slow_import_fail_no_request(folder):
    slow = "import time\ntime.sleep(0.2)\n" + APP
    (folder / "wapp.py").write_text(slow)
    with serving(folder, workers=1) as server, Requests(server) as requests:
        for number in range(2, 7):
            server.send(signal.SIGHUP)
            server.wait_for_log(f"generation {number} serves now")
    assert requests.failures == []
    assert len(requests.bodies) > 50
