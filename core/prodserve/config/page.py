"""The page docs/settings.md, generated from the table: ``python -m prodserve.config.page > docs/settings.md``."""

from __future__ import annotations

from itertools import groupby

from .options import ACTIONS, OPTIONS, POSITIONAL, POSITIONAL_HELP, Option

HEAD = """\
# Settings

Generated from the one table in `core/prodserve/config/options.py` by `python -m prodserve.config.page > docs/settings.md`; edits belong there.

Each setting can be given in three places. The first that has it decides:

1. on the command line: `--keep-alive 20`
2. as an environment variable: `PRODSERVE_KEEP_ALIVE=20` (an empty variable counts as absent)
3. in the framework's settings, Django's `settings.PRODSERVE` or Flask's `app.config["PRODSERVE"]`: `PRODSERVE = {"KEEP_ALIVE": 20}` (keys in any case, with dashes or underscores)

A name that is not on this page is an error that names the nearest one. `--explain` prints every value and where it comes from; `--check-config` checks all of it and loads the application.
Sizes are bytes, or `256K`, `10M`, `1G` (K is 1024). Times are seconds, or `500ms`, `2m`, `1h`. Where several values are possible, the option is repeated, a variable separates them by commas, and a setting is a list.
*Reload* marks what SIGHUP takes over from the framework's settings; the rest needs a restart.
"""  # noqa: E501


def page() -> str:
    """The whole page, as Markdown."""
    parts = [HEAD, "## the command line only\n", f"- `{POSITIONAL}` – {POSITIONAL_HELP}"]
    parts += [f"- `{action.flag}` – {action.help}" for action in ACTIONS]
    parts.append("")
    for group, options in groupby(OPTIONS, key=lambda option: option.group):
        parts += [f"## {group}\n", *map(_entry, options)]
    return "\n".join(parts)


def _entry(option: Option) -> str:
    usage = f"{option.flag}, --no-{option.flag[2:]}" if option.kind.boolean else f"{option.flag} {option.kind.metavar}"
    reload = " · *reload*" if option.reload else ""
    return (
        f"### {option.name}\n\n`{usage}` · `{option.variable}` · default `{option.default_text}`{reload}\n\n"
        f"{option.help}\n"
    )


if __name__ == "__main__":
    print(page(), end="")
