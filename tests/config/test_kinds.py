"""Each kind of value: what it reads, what it refuses, and that what it shows can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from prodserve.config.kinds import (
    INTERNAL_ROOTS,
    PATH,
    PREFIX_SECONDS,
    STATIC_ROOTS,
    SWITCH,
    Kind,
    choice,
    optional,
    seconds,
    size,
    whole,
)
from prodserve.config.options import OPTIONS, Option

AUTO = optional(whole(1, 8), "auto")
WORD = choice("debug", "info")
GRADED = choice("auto", "always", "never", on="auto", off="never")

READ = [
    (size(), "8190", 8190),
    (size(), 8190, 8190),
    (size(), "10M", 10 * 1024**2),
    (size(), "10m", 10 * 1024**2),
    (size(), "256 KiB", 256 * 1024),
    (size(), "1.5G", 3 * 1024**3 // 2),
    (size(), "2kb", 2048),
    (size(0), "0", 0),
    (seconds(), "30", 30.0),
    (seconds(), 30, 30.0),
    (seconds(), 1.5, 1.5),
    (seconds(), "1.5", 1.5),
    (seconds(), ".5", 0.5),
    (seconds(), "30s", 30.0),
    (seconds(), "500ms", 0.5),
    (seconds(), "2m", 120.0),
    (seconds(), "1 h", 3600.0),
    (whole(1, 8), "8", 8),
    (whole(1, 8), " 8 ", 8),
    (whole(1, 8), 1, 1),
    (AUTO, "auto", None),
    (AUTO, "AUTO", None),
    (AUTO, None, None),
    (AUTO, "3", 3),
    (SWITCH, True, True),
    (SWITCH, "yes", True),
    (SWITCH, "On", True),
    (SWITCH, 1, True),
    (SWITCH, "0", False),
    (SWITCH, "false", False),
    (WORD, "INFO", "info"),
    (GRADED, "always", "always"),
    (GRADED, " Never ", "never"),
    (GRADED, True, "auto"),
    (GRADED, "yes", "auto"),
    (GRADED, False, "never"),
    (GRADED, "0", "never"),
    (PATH, "/a b", "/a b"),
    (PATH, Path("/a"), "/a"),
    (STATIC_ROOTS, "/a/=/srv/a, /b/=/srv/b", ("/a/=/srv/a", "/b/=/srv/b")),
    (INTERNAL_ROOTS, "/internal/=/srv/a", ("/internal/=/srv/a",)),
    (STATIC_ROOTS, ["/a/=/srv/a,b"], ("/a/=/srv/a,b",)),
    (STATIC_ROOTS, "", ()),
    (PREFIX_SECONDS, "/reports/=120", ("/reports/=120",)),
    (PREFIX_SECONDS, "/a/=1.5s, /b/=2m", ("/a/=1.5", "/b/=120")),
    (PREFIX_SECONDS, {"/a=b/": 5, "/b/": "500ms"}, ("/a=b/=5", "/b/=0.5")),
]


@pytest.mark.parametrize(("kind", "given", "value"), READ)
def test_a_value_is_read(kind: Kind, given: object, value: object) -> None:
    assert kind.read(given) == value
    assert type(kind.read(given)) is type(value)


REFUSED = [
    (size(), "10X", "not a size"),
    (size(), "-1", "not a size"),
    (size(), "", "not a size"),
    (size(), 1.5, "not a size"),
    (size(), True, "not a size"),
    (size(64), "63", "at least 64"),
    (seconds(), "soon", "not a time"),
    (seconds(), "-1", "not a time"),
    (seconds(), -1, "not a time"),
    (seconds(), float("nan"), "not a time"),
    (seconds(), float("inf"), "not a time"),
    (seconds(), "1e9", "not a time"),
    (seconds(0.1), "0", "out of range"),
    (seconds(), "99999h", "out of range"),
    (whole(1, 8), "9", "1 to 8"),
    (whole(1), "0", "at least 1"),
    (whole(1), "1.5", "not a whole number"),
    (whole(1), "٣", "not a whole number"),
    (whole(1), 2.0, "not a whole number"),
    (whole(1), "9" * 30, "not a whole number"),
    (whole(1), True, "not a whole number"),
    (SWITCH, "maybe", "neither true nor false"),
    (SWITCH, 2, "neither true nor false"),
    (SWITCH, None, "neither true nor false"),
    (WORD, "loud", "none of debug, info"),
    (WORD, True, "none of debug, info"),
    (GRADED, "sometimes", "none of auto, always, never"),
    (GRADED, None, "none of auto, always, never"),
    (PATH, "", "not a path"),
    (PATH, "a\0b", "not a path"),
    (PATH, 3, "not a path"),
    (STATIC_ROOTS, "/srv/a", "not a static root"),
    (STATIC_ROOTS, "a=/srv/a", "not a static root"),
    (INTERNAL_ROOTS, "/srv/a", "not a root of protected files"),
    (STATIC_ROOTS, ["/a=", 3], "'/a=' .*; and 3 is not"),
]


@pytest.mark.parametrize(("kind", "given", "what"), REFUSED)
def test_a_value_is_refused_with_a_sentence(kind: Kind, given: object, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        kind.read(given)


SHOWN = [(size(), 1024**3, "1G"), (size(), 8190, "8190"), (size(0), 0, "0"), (seconds(), 75.0, "75")]


@pytest.mark.parametrize(("kind", "value", "text"), SHOWN)
def test_a_value_is_shown_in_its_shortest_form(kind: Kind, value: object, text: str) -> None:
    assert kind.text(value) == text


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.kind.many], ids=lambda o: str(o.name))
def test_every_default_can_be_typed_as_it_is_shown(option: Option) -> None:
    assert option.kind.read(option.default_text) == option.default
