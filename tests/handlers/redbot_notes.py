"""REDbot as a program of its own (its event loop is one for the whole process): what it notes about some URLs.

``python -m tests.handlers.redbot_notes`` reads a JSON list of ``{"url", "method", "headers"}`` from its standard input,
examines one after the other, with REDbot's further requests (conditional, ranges, negotiation), and prints a JSON list
of the notes of each: ``[check, note, subject, level]``.
"""

from __future__ import annotations

import json
import sys
from configparser import ConfigParser
from typing import Any

import thor
from redbot.resource import HttpResource

LIMIT_S = 30


def main() -> None:
    """Examine what standard input says."""
    wanted: list[dict[str, Any]] = json.load(sys.stdin)
    config = ConfigParser()
    config.read_dict({"redbot": {"enable_local_access": "True"}})
    found: list[list[list[str]]] = []

    def examine_next() -> None:
        if len(found) == len(wanted):
            thor.stop()
            return
        one = wanted[len(found)]
        resource = HttpResource(config["redbot"])
        resource.set_request(one["url"], one["method"], [tuple(field) for field in one["headers"]])

        def done() -> None:
            found.append(notes(resource))
            thor.schedule(0, examine_next)

        resource.on("check_done", done)
        resource.check()

    thor.schedule(0, examine_next)
    thor.schedule(LIMIT_S, thor.stop)
    thor.run()
    json.dump(found, sys.stdout)


def notes(resource: HttpResource) -> list[list[str]]:
    """Of the response itself, and of those to the further requests; an error of the connection is a note, too."""
    checks = [resource, *resource.subreqs.values()]
    errors = [[each.check_id, "FETCH_ERROR", str(each.fetch_error), "bad"] for each in checks if each.fetch_error]
    return errors + [
        [each.check_id, type(note).__name__, note.subject, note.level.value]
        for each in checks
        for note in each.response.notes
    ]


if __name__ == "__main__":
    main()
