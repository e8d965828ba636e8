"""What can be asked of a running server through its control socket: one method each, and the table ``commands``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prodserve.supervisor.banner import reload_line
from prodserve.supervisor.control import Caller, Command
from prodserve.supervisor.fleet import Generation
from prodserve.supervisor.lifecycle import Generation as GenerationState
from prodserve.supervisor.supervision import Supervision


class Commands:
    """Answers requests. ``describe`` gives what tells this server from others."""

    def __init__(self, supervision: Supervision, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._supervision = supervision
        self._describe = describe
        self._waiting: dict[int, list[Caller]] = {}
        """Who waits for the fate of which generation."""
        self.commands: Mapping[str, Command] = {"hello": self.hello, "reload": self.reload, "stop": self.stop}

    def hello(self, _: Mapping[str, Any], caller: Caller) -> None:
        """Who is this?"""
        caller.say({"ok": True, **self._describe()}, last=True)

    def reload(self, _: Mapping[str, Any], caller: Caller) -> None:
        """Load the code anew: the caller hears of it when it serves, or why it does not."""
        number = self._supervision.reload()
        if number is None:
            caller.say({"ok": False, "why": "the server is ending, or can start no process"}, last=True)
            return
        caller.say({"event": "loading", "generation": number})
        self._waiting.setdefault(number, []).append(caller)

    def decided(self, generation: Generation) -> None:
        """A generation serves, or never will."""
        if generation.state is GenerationState.SERVING:
            text = reload_line(generation.number, len(generation.workers), generation.loaded)
            answer: dict[str, Any] = {"ok": True, "text": text}
        else:
            answer = {"ok": False, "why": generation.why or "the server is ending"}
        for caller in self._waiting.pop(generation.number, ()):
            caller.say(answer, last=True)

    def stop(self, _: Mapping[str, Any], caller: Caller) -> None:
        """End, as by SIGTERM: the connection closes when it has ended."""
        self._supervision.stop()
        caller.say({"event": "stopping"})
