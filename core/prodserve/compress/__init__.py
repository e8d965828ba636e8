"""Encoded copies of static files, made ahead of time: by a command, or once in the background after the start."""
