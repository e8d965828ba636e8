"""What is sent with files that strangers have uploaded, so that a browser runs nothing of them in the site's name.

Pure. Three walls, each of which holds by itself where the one before it is passed by:

- ``nosniff``: a file is what its Content-Type says, whatever it contains. A script is called plain text
  (``upload_type``), so that ``<script src>``, a module and a service worker are refused too: the other walls stand
  around what is opened, not around what a page of the site includes.
- ``Content-Disposition: attachment`` for all but what browsers show without running it: pictures, sound, films, plain
  text, PDF. Not only for what is known to be active (HTML, SVG, XML, scripts): what a browser makes of a type that is
  unknown here is unknown too, and it would save most of them anyway. A picture in a page is shown all the same, an SVG
  as well, because ``<img>`` runs no scripts.
- ``Content-Security-Policy``: what is opened nevertheless is sandboxed: no script, no form, an origin of its own.
  Sound and films keep the site's origin, because Chromium's player loads nothing without it; scripts and forms stay
  off. Chromium 156 shows a PDF inside the sandbox; old ones (before 2023 or so) showed an empty page instead.
"""

from __future__ import annotations

import os
from posixpath import basename, splitext
from urllib.parse import quote

NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
SHOWN = ("Content-Security-Policy", "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox")
PLAYED = (
    "Content-Security-Policy",
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin",
)
PLAIN_TEXT = "text/plain; charset=utf-8"
PASSIVE_FAMILIES = ("image", "audio", "video")
PASSIVE = frozenset(
    ("application/json", "application/pdf", "text/calendar", "text/css", "text/csv", "text/markdown", "text/plain")
)
"""What is shown as it is, in a page of its own."""
SCRIPTS = frozenset(
    ("text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript", "text/jscript")
)
_ACTIVE = "cjs hta htc htm html js jse mht mhtml mjs rdf shtml svg svgz swf url vbs wasm wsf xht xhtml xml xsl xslt"
ACTIVE_SUFFIXES = frozenset(f".{suffix}" for suffix in _ACTIVE.split())
"""Saved whatever they are sent as: by a type that somebody changes one day, and by what the saved file then does."""


def upload_type(content_type: str) -> str:
    """The Content-Type for an upload that would be sent as ``content_type``."""
    return PLAIN_TEXT if _essence(content_type) in SCRIPTS else content_type


def upload_fields(name: str, content_type: str) -> tuple[tuple[str, str], ...]:
    """The fields for the upload ``name``, which is sent as ``content_type``."""
    essence = _essence(content_type)
    policy = PLAYED if essence.startswith(("audio/", "video/")) else SHOWN
    if is_passive(name, essence):
        return NO_SNIFFING, policy
    return NO_SNIFFING, policy, ("Content-Disposition", attachment(name))


def is_passive(name: str, essence: str) -> bool:
    """Whether a browser may show it in a page of its own, by what it is sent as and by what it is called."""
    if splitext(name)[1].lower() in ACTIVE_SUFFIXES or essence.endswith("+xml"):
        return False
    return essence in PASSIVE or essence.partition("/")[0] in PASSIVE_FAMILIES


def attachment(name: str) -> str:
    """``attachment`` with the last part of ``name`` (RFC 6266 §4): in ASCII, and in UTF-8 (RFC 8187) where needed."""
    last = os.fsencode(basename(name)).decode("utf-8", "replace")
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in last)
    value = f'attachment; filename="{plain}"'
    return value if plain == last else f"{value}; filename*=UTF-8''{quote(last, safe='')}"


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
