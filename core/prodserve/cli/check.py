"""``--check-config``: everything that starting would find out, without starting: the lines it prints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ..adapter import Advice, Facts, StaticRoot
from ..config.options import Config
from .model import Model


def findings(
    config: Config, facts: Facts, model: Model, roots: Sequence[StaticRoot], advice: Sequence[Advice]
) -> Iterator[str]:
    """One line each, advice last; the application has been loaded, so the configuration is good."""
    yield f"{facts.framework} application {facts.app} can be loaded"
    for label, text in facts.lines:
        yield f"{label}: {text}"
    yield f"addresses: {', '.join(bind.url for bind in config.bind)}"
    why = model.pinned or ", ".join(model.reasons) or "nothing in sight blocks greenlets"
    yield f"execution model: {model.name} ({why})"
    for root in roots:
        source = f" from {root.source}" if root.source else ""
        count = count_files(root)
        yield f"static files: {root.url_prefix}{source}, {count} file{'' if count == 1 else 's'}"
    for one in advice:
        yield f"! {one.what}" + (f"\n    fix: {one.fix}" if one.fix else "")
    yield "the configuration is good" if not advice else "the configuration can be served; see the advice above"


def count_files(root: StaticRoot) -> int:
    """How many files there are under ``root`` now."""
    if root.files is not None:
        return len(root.files)
    return sum(len(files) for _, _, files in os.walk(root.directory or os.devnull))
