"""What is looked at to find out whether a loaded app may be forked."""

from __future__ import annotations

import gevent
from prodserve.worker.shareability import inherited_state


class Lazy:
    """Made when it is first asked for its class, as Django's ``default_storage``; this one can't be made."""

    @property
    def __class__(self) -> type:
        raise LookupError("it can't be made")

    def __init__(self) -> None:
        self.held: list[object] = []


def test_lazy_objects_of_the_app_are_left_alone() -> None:
    lazy = Lazy()
    assert inherited_state("greenlets") is not None
    assert lazy.held == []


def test_a_greenlet_that_waits_is_found_and_named() -> None:
    before = inherited_state("greenlets")
    waiting = gevent.spawn(gevent.sleep, 1000)
    gevent.sleep(0)
    try:
        assert any("greenlet" in reason for reason in inherited_state("greenlets").since(before))
    finally:
        waiting.kill()
