"""``flask prodserve`` and ``flask prodserve-compress``, found by Flask through the entry points ``flask.commands``.

Every ``flask`` command imports this module, so the adapter and all that serves is imported when the command runs.
"""

from __future__ import annotations

import click
from flask.cli import ScriptInfo, pass_script_info, run_command
from prodserve.cli import (
    click_command_class,
    click_compress_options,
    click_options,
    compress_files,
    serve,
    typed,
)

DEBUG_OPTION = [param for param in run_command.params if param.name == "debug"]
"""``--debug`` as ``flask run`` has it; what it means here is decided by ``prodserve.cli``."""


@click.command("prodserve", cls=click_command_class(), short_help="Run a production server.")
@click_options()
@pass_script_info
def prodserve(info: ScriptInfo, /, **collected: object) -> None:
    """Serve this app with prodserve, for production."""
    from .adapter import FlaskAdapter

    serve(FlaskAdapter(info), typed(collected), "flask prodserve")


prodserve.params[:0] = DEBUG_OPTION


@click.command("prodserve-compress", short_help="Compress the static files.")
@click_compress_options()
@pass_script_info
def compress(info: ScriptInfo, /, **given: object) -> None:
    """Write .br, .zst and .gz copies beside the files of the static folders, as prodserve and nginx serve them."""
    from .adapter import FlaskAdapter

    adapter = FlaskAdapter(info)
    compress_files(
        adapter, lambda config: adapter.static_roots(config.serve_static == "always"), given, "flask prodserve-compress"
    )
