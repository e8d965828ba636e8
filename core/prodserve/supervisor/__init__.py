"""The supervisor process: standard library only, never a framework, gevent or the application."""
