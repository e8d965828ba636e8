"""``--explain``: every setting, its value and where that comes from, as aligned plain text."""

from __future__ import annotations

from .options import OPTIONS
from .resolve import Resolution


def explain(resolution: Resolution) -> list[str]:
    """One line a setting, under a heading; the order is that of ``--help``."""
    rows = [("setting", "value", "from")]
    for option in OPTIONS:
        source = resolution.sources[option.name]
        origin = f"{source.layer}: {source.where}" if source.where else source.layer
        rows.append((option.name, option.kind.text(getattr(resolution.config, option.name)), origin))
    name_width, value_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{name:<{name_width}}  {value:<{value_width}}  {origin}" for name, value, origin in rows]
