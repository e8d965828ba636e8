"""``python -m prodserve package.module:app`` and the console script ``prodserve``: any WSGI app."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import VERSION
from .cli import ORDERS, add_arguments, orders, serve, typed
from .cli.command import refuse
from .cli.module import ModuleAdapter
from .cli.target import USUAL
from .config.options import POSITIONAL
from .errors import ConfigError

EXAMPLES = """\
examples:
  prodserve hello:app                            the app of hello.py, on http://127.0.0.1:8000
  prodserve "shop.web:create_app('prod')" 0:80   what a factory makes, on port 80 of every address
  prodserve hello --bind unix:/run/hello.sock    "app" or "application" of hello.py, on a socket for nginx
  prodserve hello:app --explain                  every setting, and where its value comes from

Every option can also be given as a variable: --keep-alive 20 is PRODSERVE_KEEP_ALIVE=20.
prodserve reload, typed in the same folder, loads the app's new code without losing a request; prodserve stop ends it.
Django: python manage.py prodserve. Flask: flask --app hello prodserve. Both serve static files, too.
"""


def parser(prog: str) -> argparse.ArgumentParser:
    """The whole command line."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Serve a WSGI app: HTTP/1.1, several processes, many requests at once.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"prodserve {VERSION}")
    made.add_argument("app", help=f"The app, importable from the current folder: {USUAL}.")
    add_arguments(made)
    return made


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Serve; never returns. ``argv`` without the program's name; default: that of this process."""
    prog = "prodserve" if sys.argv[0].endswith("prodserve") else "python -m prodserve"
    given = vars(parser(prog).parse_args(argv))
    if given["app"] in ORDERS and given[POSITIONAL] is None:
        given[POSITIONAL], given["app"] = given["app"], ""
    if given[POSITIONAL] in ORDERS:
        orders.carry_out(typed(given), f"{prog} {given['app']}")
    try:
        adapter = ModuleAdapter(given["app"])
    except ConfigError as error:
        refuse(prog, error)
    serve(adapter, typed(given), f"{prog} {given['app']}")


if __name__ == "__main__":
    main()
