"""The table of settings as click parameters. Imported only by who uses click (see ``arguments``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .arguments import OTHER, help_text
from .options import ACTIONS, OPTIONS, POSITIONAL, Option

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class GroupedOption(click.Option):
    """An option that knows its group in ``--help``, and that only the command line sets: no variable of click's."""

    def __init__(self, names: list[str], group: str, **attributes: Any) -> None:
        super().__init__(names, allow_from_autoenv=False, **attributes)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose ``--help`` shows options under the headings of the table."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each under its heading."""
        sections: dict[str, list[tuple[str, str]]] = {option.group: [] for option in OPTIONS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "group", OTHER), []).append(record)
        for title, records in sections.items():
            with formatter.section(title.capitalize()):
                formatter.write_dl(records)


def parameters() -> list[Decorator]:
    """The decorators of all parameters, in the order of help."""
    actions = [
        click.option(
            action.flag, action.name, cls=GroupedOption, group=OTHER, is_flag=True, default=None, help=action.help
        )
        for action in ACTIONS
    ]
    return [click.argument(POSITIONAL, required=False), *map(_option, OPTIONS), *actions]


def _option(option: Option) -> Decorator:
    names = (option.flag, option.name)
    attributes: dict[str, Any] = {"metavar": option.kind.metavar, "multiple": option.kind.many}
    if option.kind.boolean:
        names = (f"{option.flag}/--no-{option.flag[2:]}", option.name)
        attributes = {"is_flag": True}
    return click.option(
        *names, cls=GroupedOption, group=option.group, default=None, help=help_text(option), **attributes
    )
