"""The errors that prodserve raises on purpose. Each one knows what it means and who has to act.

``ConfigError`` stops the process before anything is served; a ``ProtocolError`` ends one connection with the
status that its class carries; ``ClientGone`` ends one response; ``Interrupted`` ends a running request.
Anything else is a bug of ours and is logged with its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ProdserveError(Exception):
    """Base of every error that this package raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the set-up: where, what, and the line that mends it (``""``: none known)."""

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"\n    fix: {self.fix}" if self.fix else "")


class ConfigError(ProdserveError):
    """The set-up can't be served. Carries all of its problems at once, never only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ProtocolError(ProdserveError):
    """The peer broke the protocol, or a limit of ours. ``status`` is what it is answered with before the close."""

    status = 400


class BadRequest(ProtocolError):
    """The message is not HTTP (RFC 9112 §2.2), or can be read in two ways (RFC 9112 §6.3)."""


class LateRequest(ProtocolError):
    """The client began a request and did not finish it in time (RFC 9110 §15.5.9)."""

    status = 408


class ContentTooLarge(ProtocolError):
    """The body is over the limit (RFC 9110 §15.5.14)."""

    status = 413


class TargetTooLong(ProtocolError):
    """The request line is over the limit (RFC 9110 §15.5.15)."""

    status = 414


class ExpectationFailed(ProtocolError):
    """An expectation other than ``100-continue`` (RFC 9110 §10.1.1)."""

    status = 417


class HeadTooLarge(ProtocolError):
    """Too many fields, one field too long, or all of them together (RFC 6585 §5)."""

    status = 431


class NotImplementedByServer(ProtocolError):
    """A method or transfer coding that this server does not know (RFC 9110 §15.6.2)."""

    status = 501


class Overloaded(ProtocolError):
    """No application slot is free and the queue is full (RFC 9110 §15.6.4)."""

    status = 503


class VersionNotSupported(ProtocolError):
    """A major version other than HTTP/1 on an HTTP/1 connection (RFC 9110 §15.6.6)."""

    status = 505


class ClientGone(ProdserveError, OSError):
    """The client closed the connection before the response was complete. Nothing to log as an error."""


class Interrupted(ProdserveError):
    """Raised in the middle of a running request by the server. The application should let it pass: what it answers
    does not reach the client any more."""


class RequestTimeout(Interrupted):
    """The request is over its deadline (``--timeout``, ``prodserve.deadline``)."""


class ClientDisconnected(Interrupted):
    """The client is gone, and nobody will see the response (``--cancel-on-disconnect``)."""


class AppError(ProdserveError):
    """The application broke the WSGI contract (PEP 3333): a bug of the app, answered with 500 and logged."""
