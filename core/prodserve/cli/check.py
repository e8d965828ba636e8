"""``--check-config``: everything that starting would find out, without starting: the lines it prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..adapter import Advice, Facts, StaticRoot
from ..config.options import Config
from ..files.census import Count, count_files
from .model import Model

MOST_FILES = 100_000
COUNTING_S = 1.0


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
        kind = "uploads" if root.uploads else "static files"
        yield f"{kind}: {root.url_prefix}{source}, {count_text(count_files(root, MOST_FILES, COUNTING_S))}"
    for one in advice:
        yield f"! {one.what}" + (f"\n    fix: {one.fix}" if one.fix else "")
    yield "the configuration is good" if not advice else "the configuration can be served; see the advice above"


def count_text(count: Count) -> str:
    """``1 file``, ``more than 100,000 files``."""
    text = f"{count.files:,} file{'' if count.files == 1 else 's'}"
    return text if count.exact else f"more than {text}"
