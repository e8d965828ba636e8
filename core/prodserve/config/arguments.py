"""The table of settings as command-line options, for argparse (manage.py, python -m prodserve) and click (flask).

Values are collected as they were typed; ``prodserve.config.resolve`` reads them, so that all problems are reported
at once. Options that were not typed are left out by ``typed``. click is imported only where click is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .options import ACTIONS, OPTION, OPTIONS, POSITIONAL, POSITIONAL_HELP, Option

if TYPE_CHECKING:
    import click

OTHER = "other"
NAMES = frozenset({POSITIONAL, *OPTION, *(action.name for action in ACTIONS)})


def typed(collected: Mapping[str, object]) -> dict[str, object]:
    """``given`` for ``prodserve.cli.serve``: of what a parser collected, the options of ours that were typed."""
    return {name: value for name, value in collected.items() if name in NAMES and value not in (None, ())}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add every option, in groups, and the positional address."""
    parser.add_argument(POSITIONAL, nargs="?", help=POSITIONAL_HELP)
    for title, options in groupby(OPTIONS, key=lambda option: option.group):
        group = parser.add_argument_group(title)
        for option in options:
            _add_option(group, option)
    group = parser.add_argument_group(OTHER)
    for action in ACTIONS:
        group.add_argument(action.flag, dest=action.name, action="store_true", default=None, help=action.help)


def _add_option(group: argparse._ArgumentGroup, option: Option) -> None:
    text = help_text(option).replace("%", "%%")
    if option.kind.boolean:
        group.add_argument(
            option.flag, dest=option.name, action=argparse.BooleanOptionalAction, default=None, help=text
        )
        return
    action = "append" if option.kind.many else "store"
    group.add_argument(option.flag, dest=option.name, action=action, metavar=option.kind.metavar, help=text)


def help_text(option: Option) -> str:
    """Help with the default, as every command line shows it."""
    return f"{option.help} Default: {option.default_text}."


def click_options() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds every option, and the positional address, to a click command's function."""
    from .click_form import parameters

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for add in reversed(parameters()):
            function = add(function)
        return function

    return decorate


def click_command_class() -> type[click.Command]:
    """The class for ``@click.command(cls=…)`` whose ``--help`` shows the options in their groups."""
    from .click_form import GroupedCommand

    return GroupedCommand
