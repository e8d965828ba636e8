"""The hello page of Flask's quick start."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__, static_folder=None)


@app.route("/")
def hello() -> str:
    """What Flask's quick start answers."""
    return "<p>Hello, World!</p>"
