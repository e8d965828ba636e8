"""How the end of a response is told to the client (RFC 9112 §6.3): the one place where that is decided."""

from __future__ import annotations

from enum import Enum


class Framing(Enum):
    """The ways to frame the body of a response."""

    EMPTY = "the response has no body, whatever the app yields"
    LENGTH = "Content-Length"
    CHUNKED = "Transfer-Encoding: chunked"
    CLOSE = "the end of the connection"


def bodiless(method: str, status: int) -> bool:
    """Whether a response to ``method`` with ``status`` never has a body (RFC 9110 §6.4.1)."""
    return method == "HEAD" or status < 200 or status in (204, 304)


def response_framing(method: str, status: int, length: int | None, http_minor: int) -> Framing:
    """Choose the framing for one response; ``length`` is what is known of it (RFC 9112 §6.3)."""
    if bodiless(method, status):
        return Framing.EMPTY
    if length is not None:
        return Framing.LENGTH
    return Framing.CHUNKED if http_minor >= 1 else Framing.CLOSE
