"""The summary of a command that made copies: what was written in each coding, and what was not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..files.encoded import CODING_SUFFIXES
from .amounts import counted, size_text
from .beside import Result

HEADINGS = ("coding", "files", "before", "after", "saved")


def rows(results: Iterable[Result]) -> Iterator[tuple[str, ...]]:
    """One row for each coding that copies were made in."""
    done = list(results)
    for coding in CODING_SUFFIXES:
        made = [(result.job.file.state.size, result.sizes[coding]) for result in done if coding in result.sizes]
        if made:
            before, after = (sum(sizes) for sizes in zip(*made, strict=True))
            saved = f"{100 * (before - after) / before:.0f} %"
            yield coding, str(len(made)), size_text(before), size_text(after), saved


def table(results: Iterable[Result]) -> Iterator[str]:
    """The rows under their headings, in columns; nothing where there is no row."""
    lines = [HEADINGS, *rows(results)]
    if len(lines) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *others = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "   ".join((first, *others)).rstrip()


def verdict(results: Iterable[Result], current: int) -> str:
    """One sentence on all files that may be worth a copy."""
    done = list(results)
    compressed = sum(bool(result.sizes) for result in done)
    failed = sum(bool(result.problem) for result in done)
    parts = [(compressed, "compressed"), (current, "current"), (len(done) - compressed - failed, "not worth it")]
    parts += [(failed, "failed")] if failed else []
    total = len(done) + current
    return f"{counted(total, 'file')}: " + ", ".join(f"{count} {what}" for count, what in parts)
