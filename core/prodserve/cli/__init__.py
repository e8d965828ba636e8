"""The commands that users type: shared by manage.py, flask and python -m prodserve.

A framework's plug-in needs only what stands here. Importing it imports neither gevent nor the engine, because every
``flask`` command loads the plug-in.
"""

from ..config.arguments import add_arguments, click_command_class, click_options, typed
from .command import app_failed, in_generation, serve

__all__ = ["add_arguments", "app_failed", "click_command_class", "click_options", "in_generation", "serve", "typed"]
