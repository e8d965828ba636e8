"""Which file the header of a response names: X-Accel-Redirect by a URI, X-Sendfile by a path (see ``protected``).

A header's value is the app's, but parts of it came from clients: so ``..`` is refused in any form, and nothing outside
of the directories of ``--internal`` has a place. Here nothing is opened; links are the business of whoever does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from email.errors import HeaderParseError
from email.header import decode_header
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ..adapter import StaticRoot
from ..errors import Problem

_ENCODED_WORD = re.compile(r"=\?utf-8\?[bq]\?[!-~]*\?=", re.IGNORECASE).fullmatch


class Nowhere(Exception):
    """The header names nothing that could be sent; the text says why."""


class Place(NamedTuple):
    """Where a file should be: a directory of ``--internal`` and a relative name."""

    directory: str
    name: str


def internal_roots(internal: Sequence[str]) -> list[StaticRoot]:
    """The directories that ``--internal`` names, longest prefix first; what is not on the disk holds no file."""
    split = [given.partition("=") for given in internal]
    roots = [
        StaticRoot(url.rstrip("/") + "/", os.path.abspath(directory), source="--internal")
        for url, _, directory in split
    ]
    return sorted(roots, key=lambda root: -len(root.url_prefix))


def internal_problems(internal: Sequence[str]) -> Iterator[Problem]:
    """Everything that is wrong with ``--internal``."""
    seen = set()
    for given in internal:
        url, _, directory = given.partition("=")
        prefix = url.rstrip("/") + "/"
        if not os.path.isdir(directory):
            yield Problem(f"--internal {given}", f"{directory} is not a directory", "create it, or correct the path")
        elif prefix in seen:
            yield Problem(f"--internal {given}", f"{prefix} is given twice", "leave one of them out")
        seen.add(prefix)


def exposed(internal: Sequence[StaticRoot], public: Sequence[StaticRoot]) -> Iterator[str]:
    """Warnings about protected files that everybody can ask for, since their directory is in one that is served."""
    for root in internal:
        directory = os.path.realpath(root.directory or "")
        for other in public:
            around = os.path.realpath(other.directory) if other.directory else None
            if around is not None and f"{directory}/".startswith(around.rstrip("/") + "/"):
                yield (
                    f"--internal {root.url_prefix}={root.directory} protects nothing: everybody gets its files at "
                    f"{other.url_prefix} ({other.source or around}); fix: move it out of {around}"
                )


def as_meant(value: str) -> bytes:
    """The bytes that an app meant by the value of a header.

    UTF-8 in the guise of Latin-1 (PEP 3333), Latin-1 that is no UTF-8, text that is neither, or the encoded word that
    Django makes of what is not Latin-1."""
    if _ENCODED_WORD(value):
        try:
            return b"".join(part if isinstance(part, bytes) else part.encode() for part, _ in decode_header(value))
        except HeaderParseError:
            return value.encode()
    try:
        raw = value.encode("latin-1")
        raw.decode("utf-8")
    except UnicodeError:
        return value.encode("utf-8", "surrogateescape")
    return raw


def relative_name(path: bytes) -> str:
    """The name of a file below a directory; ``Nowhere`` for what names none or could lead out."""
    steps = path.split(b"/")
    if b"\0" in path:
        raise Nowhere("there is a NUL in it")
    if b".." in steps:
        raise Nowhere("there is a .. in it")
    if steps[-1] in (b"", b"."):
        raise Nowhere("it is a directory")
    return os.fsdecode(b"/".join([step for step in steps if step not in (b"", b".")]))


def place_of_uri(value: str, roots: Iterable[StaticRoot]) -> Place:
    """Where the URI of an X-Accel-Redirect leads: decoded, without its query. The longest prefix alone counts."""
    raw = as_meant(value).partition(b"?")[0]
    if not raw.startswith(b"/"):
        raise Nowhere("it is not a path that begins with a slash")
    path = unquote_to_bytes(raw)
    for root in roots:
        prefix = os.fsencode(root.url_prefix)
        if path.startswith(prefix):
            return Place(root.directory or "", relative_name(path[len(prefix) :]))
    raise Nowhere(f"no directory stands for it; fix: --internal {prefix_of(path)}=/the/directory")


def places_of_path(value: str, roots: Iterable[StaticRoot]) -> Iterator[Place]:
    """Where the path of an X-Sendfile may lead: as it stands and, as Apache and lighttpd take it, percent-decoded.

    The longest directory alone counts, by the name that was given for it or by its real one."""
    raw = as_meant(value)
    if not raw.startswith(b"/"):
        raise Nowhere("it is not an absolute path")
    known = [(root.directory or "", base) for root in roots for base in _names_of(root.directory or "")]
    known.sort(key=lambda pair: -len(pair[1]))
    found = False
    for path in dict.fromkeys((raw, unquote_to_bytes(raw))):
        for directory, base in known:
            if path.startswith(base):
                found = True
                yield Place(directory, relative_name(path[len(base) :]))
                break
    if not found:
        folder = os.path.dirname(os.fsdecode(raw))
        raise Nowhere(f"it is in no directory of --internal; fix: --internal /internal/={folder}")


def prefix_of(path: bytes) -> str:
    """What is probably meant to be the prefix: the first step of a path."""
    steps = os.fsdecode(path).split("/")
    return f"/{steps[1]}/" if len(steps) > 2 else "/internal/"


def _names_of(directory: str) -> set[bytes]:
    return {os.fsencode(name.rstrip("/") + "/") for name in (directory, os.path.realpath(directory))}
