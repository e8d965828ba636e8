"""What the URL rules of an app say literally, before any request."""

from __future__ import annotations

from collections.abc import Iterable

from prodserve.adapter import AppPaths


def app_paths(rules: Iterable[str]) -> AppPaths:
    """The paths of ``rules``: ``/robots.txt`` is one, ``/orders/<int:id>`` begins with ``/orders/``."""
    exact: set[str] = set()
    beginnings: set[str] = set()
    for rule in rules:
        text, variable, _ = rule.partition("<")
        (beginnings if variable else exact).add(text)
    return AppPaths(frozenset(exact), tuple(sorted(beginnings - {"/"})), all="/" in beginnings)
