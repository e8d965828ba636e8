"""Chaos: a server under steady load while everything that can go wrong does, one thing after another.

``python -m tests.chaos`` (``make chaos``) goes on for minutes; a short form runs with the tests. Only requests that
were inside a worker which this suite killed may fail.
"""
