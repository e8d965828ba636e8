"""The result as a picture: horizontal bars of each workload's main metric, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.figures import Summary
from benchmarks.report import MAIN
from benchmarks.workloads import Workload

WIDTH, LABEL, BAR, GAP = 860, 180, 18, 6
OURS, OTHERS = "#0f766e", "#94a3b8"


def svg(charts: Sequence[tuple[Workload, Summary]], caption: str) -> str:
    """One chart below the other; a thin line over each bar spans the lowest to the highest round."""
    body: list[str] = []
    y = 20
    for workload, summary in charts:
        lines, y = _chart(workload, summary, y)
        body += lines
    body.append(_text(10, y + 12, caption, size=11, fill="#64748b"))
    style = 'font-family="system-ui, sans-serif" font-size="12" fill="#0f172a"'
    box = f'viewBox="0 0 {WIDTH} {y + 30}" width="{WIDTH}" height="{y + 30}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {box} {style}>', _ground(y + 30), *body, "</svg>\n"])


def _chart(workload: Workload, summary: Summary, y: int) -> tuple[list[str], int]:
    heading, metric, form = MAIN[workload.kind]
    ranked = sorted(
        (peer for peer in summary if metric in summary[peer]), key=lambda peer: summary[peer][metric].median
    )
    if not ranked:
        return [], y
    longest = max(summary[peer][metric].high for peer in ranked) or 1.0
    scale = (WIDTH - LABEL - 90) / longest
    lines = [_text(10, y + 4, f"{workload.name}: {workload.title} ({heading}, less is better)", weight="bold")]
    y += 16
    for peer in ranked:
        spread = summary[peer][metric]
        low, high, length = (max(0.0, value * scale) for value in (spread.low, spread.high, spread.median))
        middle = y + BAR / 2
        colour = OURS if peer.startswith("prodserve") else OTHERS
        lines += [
            _text(LABEL - 8, y + 13, peer, anchor="end"),
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>',
            f'<path d="M{LABEL + low:.1f} {middle}H{LABEL + high:.1f}" stroke="#0f172a" stroke-width="1"/>',
            _text(LABEL + round(high) + 8, y + 13, form(spread.median)),
        ]
        y += BAR + GAP
    return lines, y + 22


def _ground(height: int) -> str:
    return f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'


def _text(x: int, y: int, text: str, *, anchor: str = "start", weight: str = "", size: int = 0, fill: str = "") -> str:
    given = {"text-anchor": anchor, "font-weight": weight, "font-size": str(size or ""), "fill": fill}
    attributes = " ".join(f'{name}="{value}"' for name, value in given.items() if value)
    return f'<text x="{x}" y="{y}" {attributes}>{escape(text)}</text>'
