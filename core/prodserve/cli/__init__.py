"""The commands that users type: shared by manage.py, flask and python -m prodserve.

A framework's plug-in needs only what stands here. Importing it imports neither gevent nor the engine, because every
``flask`` command loads the plug-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from ..adapter import Adapter, StaticRoot
from ..config.arguments import add_arguments, click_command_class, click_options, typed
from ..config.options import ORDERS, Config
from .command import app_failed, in_generation, serve
from .compress_options import add_compress_arguments, click_compress_options

__all__ = [
    "ORDERS",
    "add_arguments",
    "add_compress_arguments",
    "app_failed",
    "click_command_class",
    "click_compress_options",
    "click_options",
    "compress_files",
    "in_generation",
    "serve",
    "typed",
]


def compress_files(
    adapter: Adapter, roots: Callable[[Config], Sequence[StaticRoot]], given: Mapping[str, object], program: str
) -> NoReturn:
    """As ``prodserve.cli.compress`` has it; imported when it is called."""
    from .compress import compress_files as run

    run(adapter, roots, given, program)
