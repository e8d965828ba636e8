"""Workers whose slots are lost to requests that do not end: a successor serves first, then they are ended."""

from __future__ import annotations

import pytest

from tests.engine.client import Client, request
from tests.server import wait_until
from tests.supervisor.project import APP, MODELS, Requests, serving, workers_of

STUBBORN = APP.replace(
    '    elif path == "/spin":',
    """    elif path == "/stubborn":
        while not os.path.exists("go"):
            try:
                time.sleep(0.05)
            except Exception:
                pass
    elif path == "/spin":""",
)


@pytest.mark.parametrize("model", MODELS)
def test_a_worker_with_many_stuck_slots_is_replaced_and_nobody_else_notices(folder, model):
    (folder / "wapp.py").write_text(STUBBORN)
    options = ("--timeout", "0.5", "--slots", "4", "--graceful-timeout", "2")
    with serving(folder, *options, model=model, workers=1) as server, Requests(server) as requests:
        (first,) = workers_of(server)
        with Client(server.port) as one, Client(server.port) as other:
            one.send(request("/stubborn"))
            other.send(request("/stubborn"))
            assert [one.reply().status, other.reply().status] == [503, 503]
        server.wait_for_log("is replaced: it asks for it")
        assert "2 of 4 slots are stuck in requests over their deadlines" in server.log()
        wait_until(lambda: len(workers_of(server)) == 1 and first not in workers_of(server), 20)
        (second,) = workers_of(server)
        count = len(requests.bodies)
        wait_until(lambda: len(requests.bodies) > count + 10)
    assert requests.failures == []
    assert second != first
