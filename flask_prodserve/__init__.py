"""Flask plug-in: ``flask --app hello prodserve``. Importing it imports neither gevent nor the server."""

from .extension import ProdServe

__all__ = ["ProdServe"]
