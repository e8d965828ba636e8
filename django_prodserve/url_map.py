"""What a project's URL map says of a path before any request: which views have it, or something below it, literally.

Patterns are read as texts: a rule for every path (of a site that runs in the browser, of a CMS) has no literal
beginning and so claims none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern, RegexPattern
from django.views.static import serve
from prodserve.adapter import AppPaths

_PLAIN = re.compile(r"(?:[\w/~%!@,;:='\" -]|\\[./~%!@,;:='\" -])*", re.ASCII)
"""The beginning of a regular expression that stands for itself."""
_ROUTE_END = "<"
_ENDS = ("$", r"\Z", r"\z")


class Claim(NamedTuple):
    """A path, or the beginning of one, that a pattern names."""

    text: str
    """Without the slash at its front."""
    whole: bool
    """The pattern says nothing else: the path itself."""
    view: Callable[..., Any] | None


def claims() -> Iterator[Claim]:
    """What each pattern of the project names."""
    if getattr(settings, "ROOT_URLCONF", None):
        yield from _claims(get_resolver(), "")


def app_paths() -> AppPaths:
    """The paths that the project has."""
    found = list(claims())
    return AppPaths(
        frozenset(f"/{claim.text}" for claim in found if claim.whole),
        tuple(sorted({f"/{claim.text}" for claim in found if claim.text and not claim.whole})),
        all=any(not claim.text and not claim.whole for claim in found),
    )


def view_below(prefix: str) -> str | None:
    """The name of a view of the project that answers only below ``prefix``; not Django's own for files."""
    inner = prefix.lstrip("/")
    for claim in claims():
        if claim.view is not None and claim.view is not serve and claim.text.startswith(inner):
            return f"{claim.view.__module__}.{getattr(claim.view, '__qualname__', type(claim.view).__name__)}"
    return None


def literal(pattern: str, is_route: bool) -> tuple[str, bool]:
    """The beginning of a pattern that stands for itself, and whether that is all of it."""
    if is_route:
        text, angle, _ = pattern.partition(_ROUTE_END)
        return text, not angle
    inner = pattern.removeprefix("^").removeprefix(r"\A")
    match = _PLAIN.match(inner)
    assert match is not None
    rest = inner[match.end() :]
    text = match[0]
    if rest[:1] in ("?", "*", "{"):  # the last character may be absent
        text = text[:-2] if text[-2:-1] == "\\" else text[:-1]
        rest = "" if rest in ("?", "?$", r"?\Z") else rest
    return text.replace("\\", ""), rest in ("", *_ENDS)


def _claims(resolver: URLResolver, before: str) -> Iterator[Claim]:
    for entry in resolver.url_patterns:
        is_regex = isinstance(entry.pattern, RegexPattern)
        text, whole = literal(str(entry.pattern), not is_regex)
        if isinstance(entry.pattern, LocalePrefixPattern):  # one of several languages
            text, whole = "", False
        if isinstance(entry, URLPattern):
            whole = whole and (not is_regex or str(entry.pattern).endswith(_ENDS))
            yield Claim(before + text, whole, getattr(entry.callback, "view_class", entry.callback))
        elif whole:
            yield from _claims(entry, before + text)
        else:
            yield Claim(before + text, False, None)
