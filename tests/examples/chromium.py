"""Headless Chromium over its remote debugging pipe: enough to open pages and to ask them questions. No driver needed.

The messages are those of the DevTools protocol, JSON ended by a zero byte, on two pipes that Chromium finds as its
descriptors 3 and 4.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.server import wait_until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


class Page:
    """One tab."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to = to_browser
        self._from = os.fdopen(from_browser, "rb", buffering=0)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.answers: dict[str, int] = {}
        """Path of every response so far, and its status."""
        self._loaded = 0

    def attach(self) -> None:
        """Begin with a fresh tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """One command and its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        """Go there, and wait until everything is loaded."""
        self.then_loaded("Page.navigate", url=url)

    def then_loaded(self, method: str, timeout_s: float = 30, **params: object) -> None:
        """A command that leads to another page, and the wait for that page."""
        before, deadline = self._loaded, time.monotonic() + timeout_s
        self.call(method, **params)
        while self._loaded == before:
            assert time.monotonic() < deadline, f"{method} {params} led to no loaded page"
            self._receive()

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def ask_later(self, expression: str) -> Any:
        """The value that a promise comes to."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Write what is to be seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """Let the pipes go."""
        os.close(self._to)
        self._from.close()

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = self._from.read(65536)
            assert more, "chromium has ended"
            self._rest += more
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        if message.get("method") == "Page.loadEventFired":
            self._loaded += 1
        elif message.get("method") == "Network.responseReceived":
            response = message["params"]["response"]
            self.answers["/" + response["url"].split("/", 3)[-1]] = response["status"]
        return message


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with a profile of its own in ``folder``; it and all its processes are gone at the end."""
    assert CHROMIUM is not None
    theirs_in, to_browser = os.pipe()
    from_browser, theirs_out = os.pipe()
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "--remote-debugging-pipe"]
    # The shell puts the two pipes where Chromium looks for them, whatever their numbers are here.
    script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(theirs_in)
    os.close(theirs_out)
    page = Page(to_browser, from_browser)
    try:
        page.attach()
        yield page
        page.call("Browser.close")
        process.wait(10)
    finally:
        page.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not _group(process.pid), what="every process of chromium is gone")


def _group(leader: int) -> bool:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
