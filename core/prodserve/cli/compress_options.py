"""The options of the commands that compress static files: one table, for argparse (manage.py) and click (flask)."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple


class Choice(NamedTuple):
    """One option; without ``metavar`` a switch."""

    flag: str
    metavar: str
    help: str
    many: bool = False

    @property
    def name(self) -> str:
        """``dry_run``."""
        return self.flag[2:].replace("-", "_")


CHOICES = (
    Choice("--codings", "LIST", "Which copies to make, such as br,gzip. Default: br, zstd and gzip, as installed."),
    Choice("--jobs", "N", "How many files at a time. Default: one for each CPU that this process may use."),
    Choice("--exclude", "GLOB", "Leave files out: 'vendor/*', '*.map'. May be repeated.", many=True),
    Choice("--dry-run", "", "Only show what would be written."),
)


def add_compress_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to an argparse parser."""
    for choice in CHOICES:
        attributes: dict[str, Any] = {"action": "store_true"}
        if choice.metavar:
            attributes = {"action": "append" if choice.many else "store", "metavar": choice.metavar}
        parser.add_argument(choice.flag, dest=choice.name, help=choice.help.replace("%", "%%"), **attributes)


def click_compress_options() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds them to a click command's function."""
    import click

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for choice in reversed(CHOICES):
            attributes: dict[str, Any] = {"is_flag": True}
            if choice.metavar:
                attributes = {"metavar": choice.metavar, "multiple": choice.many}
            function = click.option(choice.flag, choice.name, help=choice.help, **attributes)(function)
        return function

    return decorate
