"""prodserve: the production server that is already inside your Django or Flask project.

Importing this package imports nothing else: the supervisor and every ``flask`` command load it. What applications use
of it comes with its first use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # for type checkers only, and without the import
if TYPE_CHECKING:
    from .errors import ClientDisconnected as ClientDisconnected
    from .errors import RequestTimeout as RequestTimeout
    from .views import deadline as deadline

VERSION = "0.1.0"

_PUBLIC = {"deadline": "views", "RequestTimeout": "errors", "ClientDisconnected": "errors"}


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'prodserve' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"prodserve.{_PUBLIC[name]}"), name)
