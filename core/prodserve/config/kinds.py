"""The kinds of value that a setting can have, each with its one parser and its one way to be shown.

A parser takes what was typed (text from a command line or an environment variable) or what stands in a
framework's settings (text or the typed value) and returns the typed value, or raises ``ValueError`` with a
sentence for the user. Nothing else in the server converts settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .addresses import parse_bind

YEAR_S = 31_536_000.0

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|min|h)?", re.ASCII)
_UNIT_S = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_UNIT_BYTES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Kind:
    """How values of one kind are read, shown, and named in help."""

    parse: Callable[[object], Any]
    metavar: str
    show: Callable[[Any], str] = str
    many: bool = False
    """A tuple of values: the option may be repeated, a variable separates them by commas, a setting is a list."""
    boolean: bool = False
    """The option is ``--name`` and ``--no-name``, without a value."""

    def read(self, value: object) -> Any:
        """The typed value, or ``ValueError``; for ``many`` a tuple of them, or what is wrong with each."""
        if not self.many:
            return self.parse(value)
        if isinstance(value, str):
            parts: list[object] = [part.strip() for part in value.split(",") if part.strip()]
        elif isinstance(value, list | tuple):
            parts = list(value)
        elif isinstance(value, dict):
            parts = [f"{name}={part}" for name, part in value.items()]
        else:
            parts = [value]
        values, wrong = [], []
        for part in parts:
            try:
                values.append(self.parse(part))
            except ValueError as error:
                wrong.append(str(error))
        if wrong:
            raise ValueError("; and ".join(wrong))
        return tuple(values)

    def text(self, value: Any) -> str:
        """The value as ``--explain`` and the settings page show it."""
        if self.many:
            return ", ".join(map(self.show, value)) or "none"
        return self.show(value)


def parse_size(value: object) -> int:
    """Bytes: ``8190``, ``10M``, ``1.5G``, ``256 KiB``. K is 1024."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a size, such as 8190, 256K, 10M or 1G")
    return int(float(match[1]) * _UNIT_BYTES[match[2].upper()]) if match[2] or "." in match[1] else int(match[1])


def parse_seconds(value: object) -> float:
    """Seconds: ``30``, ``1.5``, ``30s``, ``500ms``, ``2m``, ``1h``."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a time in seconds, such as 30, 1.5, 500ms or 2m")
    return float(match[1]) * _UNIT_S[match[2]]


def parse_boolean(value: object) -> bool:
    """``True``/``False``, or true, yes, on, 1 and their opposites."""
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if known is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return known


def parse_whole(value: object, low: int, high: int | None = None) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        number = int(value)
    else:
        raise ValueError(f"{value!r} is not a whole number")
    if number < low or (high is not None and number > high):
        raise ValueError(f"{number} is out of range: " + (f"at least {low}" if high is None else f"{low} to {high}"))
    return number


def parse_umask(value: object) -> int:
    """The bits that new files do not get, as a shell has them: ``022``, ``0o022``; a number is taken as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"(?:0[oO])?[0-7]{1,4}", value.strip()):
        number = int(value.strip().lower().removeprefix("0o"), 8)
    else:
        raise ValueError(f"{value!r} is not a umask, such as 022 or 007")
    if not 0 <= number <= 0o777:
        raise ValueError(f"{number:o} is not a umask: 000 to 777, in octal digits")
    return number


def parse_name(value: object) -> str:
    """The name of a user or group, or its number."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or any(char in text for char in ":/\0\n"):
        raise ValueError(f"{value!r} is not the name or number of a user or group")
    return text


def parse_path(value: object) -> str:
    """The path of a file or folder, as text; ``pathlib`` paths are taken too."""
    text = value if isinstance(value, str) else getattr(value, "__fspath__", lambda: None)()
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ValueError(f"{value!r} is not a path")
    return text


def parse_target(value: object) -> str:
    """The target of a request: ``/``, ``/health?deep=1``."""
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable() or set(value) & {" ", "#"}:
        raise ValueError(f"{value!r} is not a path of this site, such as / or /health")
    return value


def parse_static(value: object) -> str:
    """``/url/=/folder``: a URL prefix and the folder whose files are found under it."""
    return _parse_root(value, "a static root, such as '/downloads/=/srv/downloads'")


def parse_internal(value: object) -> str:
    """``/url/=/folder``: the same for files that only a view can have sent."""
    return _parse_root(value, "a root of protected files, such as '/internal/=/srv/protected'")


def _parse_root(value: object, what: str) -> str:
    prefix, equals, folder = value.partition("=") if isinstance(value, str) else ("", "", "")
    if not equals or not prefix.startswith("/") or not folder:
        raise ValueError(f"{value!r} is not {what}")
    return f"{prefix}={folder}"


def parse_prefix_seconds(value: object) -> str:
    """``/reports/=120``: a URL prefix and a time, which is brought into its shortest form; 0: no limit."""
    prefix, equals, text = value.rpartition("=") if isinstance(value, str) else ("", "", "")
    if not equals or not prefix.startswith("/"):
        raise ValueError(f"{value!r} is not a URL prefix and a time, such as '/reports/=120'")
    return f"{prefix}={show_seconds(parse_seconds(text))}"


def prefix_seconds(text: str) -> tuple[str, float]:
    """The two parts of what ``parse_prefix_seconds`` made."""
    prefix, _, number = text.rpartition("=")
    return prefix, float(number)


def show_size(value: int) -> str:
    """The shortest exact form: ``1G``, ``256K``, ``8190``."""
    for unit in ("G", "M", "K"):
        if value and value % _UNIT_BYTES[unit] == 0:
            return f"{value // _UNIT_BYTES[unit]}{unit}"
    return str(value)


def show_seconds(value: float) -> str:
    """``75``, ``0.5``: without the unit, so that it may be typed again."""
    return f"{value:g}" if value < 1e6 else f"{value:.0f}"


def show_boolean(value: bool) -> str:
    """``yes`` or ``no``."""
    return "yes" if value else "no"


def whole(low: int = 1, high: int | None = None, metavar: str = "N") -> Kind:
    """A whole number within bounds."""
    return Kind(lambda value: parse_whole(value, low, high), metavar)


def size(low: int = 1) -> Kind:
    """Bytes, at least ``low``."""

    def parse(value: object) -> int:
        number = parse_size(value)
        if number < low:
            raise ValueError(f"{number} bytes are too few: at least {low}")
        return number

    return Kind(parse, "SIZE", show_size)


def seconds(low: float = 0.0) -> Kind:
    """A time, at least ``low`` seconds and at most a year."""

    def parse(value: object) -> float:
        number = parse_seconds(value)
        if not low <= number <= YEAR_S:
            raise ValueError(f"{number:g} seconds are out of range: {low:g} to {YEAR_S:g}")
        return number

    return Kind(parse, "SECONDS", show_seconds)


def choice(*names: str, on: str = "", off: str = "") -> Kind:
    """One of a few words; ``on`` and ``off`` are also meant by true and false, as in settings."""

    def parse(value: object) -> str:
        word = str(value).strip().lower()
        if word in names:
            return word
        try:
            meant = on if parse_boolean(value) else off
        except ValueError:
            meant = ""
        if not meant:
            raise ValueError(f"{value!r} is none of {', '.join(names)}")
        return meant

    return Kind(parse, "{" + ",".join(names) + "}")


def optional(kind: Kind, absent: str) -> Kind:
    """``kind``, or ``None``, which is typed and shown as the word ``absent``."""

    def parse(value: object) -> Any:
        if value is None or (isinstance(value, str) and value.strip().lower() == absent):
            return None
        return kind.parse(value)

    return Kind(parse, kind.metavar, lambda value: absent if value is None else kind.show(value))


SWITCH = Kind(parse_boolean, "", show_boolean, boolean=True)
PATH = Kind(parse_path, "PATH")
NAME = Kind(parse_name, "NAME")
UMASK = Kind(parse_umask, "OCTAL", lambda value: f"{value:03o}")
TARGET = Kind(parse_target, "/PATH")
ADDRESSES = Kind(parse_bind, "ADDRESS", many=True)
STATIC_ROOTS = Kind(parse_static, "/URL/=FOLDER", many=True)
INTERNAL_ROOTS = Kind(parse_internal, "/URL/=FOLDER", many=True)
PREFIX_SECONDS = Kind(parse_prefix_seconds, "/URL/=SECONDS", many=True)
