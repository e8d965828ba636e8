"""What the server says when it is ready: plain data in, a few aligned lines out.

The data are the launch record and the generation's ``loaded`` message (docs/architecture.md), and what the supervisor
knows by itself. At most 14 lines or so: what does not fit is counted, and ``--check-config`` shows all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prodserve import VERSION
from prodserve.config.options import DEFAULT_SLOTS

MOST_ROOTS = 3
MOST_ADVICE = 3

_BOLD, _YELLOW, _DIM, _PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[2m", "\x1b[0m"

Row = tuple[str, str]


def banner(
    record: Mapping[str, Any],
    loaded: Mapping[str, Any],
    *,
    urls: Sequence[str],
    workers: int,
    workers_why: str,
    pid: int,
    colour: bool = False,
) -> list[str]:
    """The lines. ``urls`` as they were bound; ``workers_why``: the sum behind the number, ``""`` if it was given."""
    facts = loaded.get("facts") or record.get("facts") or {}
    config = loaded.get("config") or record["config"]
    rows: list[Row] = [("address" if at == 0 else "", url) for at, url in enumerate(urls)]
    rows += [(str(label), str(text)) for label, text in facts.get("lines", ())]
    rows.append(("model", model_text(record, config.get("slots"))))
    rows.append(("workers", workers_text(workers, workers_why, loaded)))
    rows += static_rows(loaded.get("static", ()))
    title = " · ".join(part for part in (f"prodserve {VERSION}", facts.get("framework"), facts.get("app")) if part)
    lines = [_paint(title, _BOLD, colour), *_aligned(rows, colour)]
    lines += advice_lines([*record.get("advice", ()), *facts.get("advice", ())], colour)
    lines.append(_paint(f"  stop: Ctrl-C or kill {pid}   reload: kill -HUP {pid}", _DIM, colour))
    return lines


def model_text(record: Mapping[str, Any], slots: int | None) -> str:
    """``threads, 8 requests at a time in each worker, because of SQLite``."""
    model = record["model"]
    text = f"{model}, {slots or DEFAULT_SLOTS[model]} requests at a time in each worker"
    if record.get("pinned"):
        return f"{text} ({record['pinned']})"
    reasons = record.get("reasons", ())
    return f"{text}, because of {_some(reasons, 3)}" if reasons else f"{text}: nothing in sight that blocks them"


def workers_text(workers: int, why: str, loaded: Mapping[str, Any]) -> str:
    """``2 = 2 CPUs: affinity 2, cgroup quota none, host 64``, and why memory is not shared where it isn't."""
    text = f"{workers} = {why}" if why else f"{workers}"
    if loaded.get("shareable", True):
        return text
    return f"{text}; each loads the app itself, because of {_some(loaded.get('because', ()), 2)}"


def static_rows(roots: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One row a root, in the order in which they are asked: ``/static/  131 files from STATIC_ROOT``."""
    texts = [root_text(root) for root in roots]
    if len(texts) > MOST_ROOTS + 1:
        texts[MOST_ROOTS:] = [f"and {len(texts) - MOST_ROOTS} more: --check-config shows them"]
    return [("files" if at == 0 else "", text) for at, text in enumerate(texts)]


def root_text(root: Mapping[str, Any]) -> str:
    """``/media/  12 files from MEDIA_ROOT (uploads, sandboxed)``."""
    urls = ", ".join(root["urls"])
    text = urls if root.get("files") is None else f"{urls}  {_files(root['files'], root.get('exact', True))}"
    text += f" from {root['where']}" if root.get("where") else ""
    return f"{text} (uploads, sandboxed)" if root.get("uploads") else text


def advice_lines(advice: Sequence[Mapping[str, str]], colour: bool = False) -> list[str]:
    """What is missing, each with its fix; the same advice only once."""
    unlike = list({one["what"]: one for one in advice}.values())
    shown = unlike if len(unlike) <= MOST_ADVICE + 1 else unlike[:MOST_ADVICE]
    lines = []
    for one in shown:
        lines.append(_paint(f"  ! {one['what']}", _YELLOW, colour))
        if one.get("fix"):
            lines.append(f"    fix: {one['fix']}")
    if len(unlike) > len(shown):
        lines.append(_paint(f"  ! and {len(unlike) - len(shown)} more: --check-config shows them", _YELLOW, colour))
    return lines


def reload_line(number: int, workers: int, loaded: Mapping[str, Any]) -> str:
    """The one line after a reload."""
    facts = loaded.get("facts") or {}
    what = " ".join(part for part in (facts.get("framework"), facts.get("app")) if part)
    return f"generation {number} serves now: {workers} worker{'s' if workers != 1 else ''}, {what or 'reloaded'}"


def _aligned(rows: Sequence[Row], colour: bool) -> list[str]:
    width = max(len(label) for label, _ in rows)
    return [f"  {_paint(label.ljust(width), _DIM, colour)}  {text}" for label, text in rows]


def _files(count: int, exact: bool) -> str:
    text = "1 file" if count == 1 else f"{count:,} files"
    return text if exact else f"more than {text}"


def _some(texts: Sequence[str], most: int) -> str:
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def _paint(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{_PLAIN}" if colour and text.strip() else text
