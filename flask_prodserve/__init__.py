"""Flask plug-in: ``flask prodserve``. Importing it imports neither gevent nor the server."""
