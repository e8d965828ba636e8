"""WSGI (PEP 3333): one request run by the application, on a slot.

``WSGIHandler`` makes a ``WSGIRequest`` in the loop; its ``run`` is called on a slot and never raises. Whatever the app
does – yields too much or too little, raises before or after its first byte, sends a forged header – the connection
stays in step with its client or is cut, and ``close()`` of the response is called exactly once, on that slot.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import IO, Any, Protocol

from ..adapter import WSGIApp
from ..engine.connection import CLOSED, Connection
from ..engine.limits import LEFT_S
from ..engine.nobody import NOBODY
from ..errors import AppError, ClientGone, Interrupted
from ..h1.chunked import LAST_CHUNK, chunk
from ..h1.head import RequestLine
from ..http.answer import Answer, plain_answer
from ..http.framing import Framing, response_framing
from ..http.response_head import AppHead, HeadWriter
from ..http.segments import FileSlice, Segment

BLOCK_BYTES = 65536

EMPTY, LENGTH, CHUNKED, CLOSE = Framing.EMPTY, Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE

Replace = Callable[[RequestLine, Mapping[str, Any], Sequence[tuple[str, str]], AppHead], Answer | None]
"""Called for a response that hands its request over to the server: request line, environ, the app's headers, their
head. The answer is sent in place of the app's response; ``None``: that one stands."""


class Slots(Protocol):
    """What of the slots is needed here."""

    def respond(self, connection: Connection, data: bytes) -> None: ...
    def transmit(self, connection: Connection, segment: Segment, final: bool) -> None: ...
    def abandon(self, connection: Connection) -> None: ...


class FileWrapper:
    """``wsgi.file_wrapper`` (PEP 3333, "Optional Platform-Specific File Handling"): a file that the server may send."""

    def __init__(self, filelike: IO[bytes], block_size: int = BLOCK_BYTES) -> None:
        self.filelike = filelike
        self.block_size = max(block_size, BLOCK_BYTES)
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration


def base_environ(host: str, port: str, software: str, errors: Any, multiprocess: bool) -> dict[str, Any]:
    """The part of the environ that all requests on one listening socket share."""
    return {
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_SOFTWARE": software,
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": errors,
        "wsgi.multithread": True,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }


class EmptyInput:
    """``wsgi.input`` of all requests without a body: nothing to read, nothing to change, so one serves all."""

    def read(self, size: int = -1) -> bytes:
        """Nothing."""
        return b""

    readline = read1 = read

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Nothing."""
        return []

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def readable(self) -> bool:
        """As of any file opened for reading."""
        return True

    seekable = readable

    def seek(self, offset: int, whence: int = 0) -> int:
        """There is only one place to be."""
        return 0

    def tell(self) -> int:
        """The beginning and the end."""
        return 0

    def close(self) -> None:
        """Nothing to give back."""


EMPTY_INPUT = EmptyInput()


class WSGIHandler:
    """Makes the tasks of one worker. ``in_front``: as for ``HeadWriter``."""

    def __init__(
        self,
        app: WSGIApp,
        slots: Slots,
        log_error: Callable[[str, BaseException], None],
        replace: Replace,
        in_front: bool,
    ) -> None:
        self.app = app
        self.slots = slots
        self.writer = HeadWriter(in_front)
        self.log_error = log_error
        self.replace = replace
        self.task = partial(WSGIRequest, self)
        """Makes a task for one whole request: ``task(connection, line, environ)``."""


class WSGIRequest:
    """One request and what the app has answered so far."""

    # Defaults stand at the class: a request that is answered in one piece sets few of them. HOT: benchmarks hello
    status: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    head: AppHead | None = None
    """Set as soon as the head is on its way: from then on the response can't be changed."""
    framing = EMPTY
    left = 0
    """Body bytes that the declared length still allows."""
    spool: IO[bytes] | None = None
    """The request's body where it has to be closed: the app may have put something else into the environ."""

    def __init__(
        self, handler: WSGIHandler, connection: Connection, line: RequestLine, environ: dict[str, Any]
    ) -> None:
        self.handler = handler
        self.connection = connection
        self.line = line
        self.environ = environ
        if "wsgi.input" in environ:
            self.spool = environ["wsgi.input"]
        else:
            environ["wsgi.input"] = EMPTY_INPUT
        environ["prodserve.client_disconnected"] = connection.is_left

    def cancel(self) -> Connection:
        """It will not run: give back what it holds, but the connection."""
        if self.spool is not None:
            discard(self.spool)
        return self.connection

    @property
    def is_answering(self) -> bool:
        """Whether the head of the response is out."""
        return self.head is not None

    def give_up(self) -> tuple[Connection | None, bool]:
        """Whatever the app says from now on does not reach the client. The connection, unless the whole response is
        out, and whether it was begun."""
        if self.head is not None and (self.framing is EMPTY or (self.framing is LENGTH and not self.left)):
            return None, True
        connection, self.connection = self.connection, NOBODY
        return connection, self.head is not None

    def is_unwanted(self) -> bool:
        """Whether the client has gone away while the request waited for its slot. One that ends its input at once and
        reads on is served, unless the queue is long: nobody can tell it from one that is gone."""
        connection = self.connection
        if connection.state != CLOSED and monotonic() - connection.started < LEFT_S:
            return False
        self.handler.slots.abandon(self.cancel())
        return True

    def run(self) -> None:
        """Run the app and hand its response over."""
        if self.connection.last and self.is_unwanted():
            return
        result: Iterable[bytes] | None = None
        try:
            result = self.handler.app(self.environ, self.start_response)  # switch
            if result.__class__ is list or result.__class__ is tuple:
                self.send_whole(result[0] if len(result) == 1 else b"".join(result))
            elif result.__class__ is not FileWrapper or not self.send_file(result):
                self.send_blocks(result)
        except ClientGone:
            pass
        except BaseException as error:  # the rim of the app: SystemExit of a view must not end the worker either
            self.failed(error)
        try:
            if result.__class__ is not list and hasattr(result, "close"):
                result.close()  # type: ignore[union-attr]  # switch
        except BaseException as error:  # the response is out: only the log can tell
            self.handler.log_error(self.line.log, error)
        if self.spool is not None:
            discard(self.spool)

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """The callable of PEP 3333; the headers are checked when they are sent."""
        if exc_info is not None:
            try:
                if self.head is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status is not None:
            raise AppError("start_response was called twice without exc_info")
        self.status = status
        self.headers = headers
        return self.write

    def write(self, data: bytes) -> None:
        """The ``write()`` of PEP 3333: sends at once."""
        self.send_block(data)

    def begin(self, length: int | None) -> bytes | None:
        """The bytes of the head; ``length`` is what is known of the body where the app has declared nothing.

        ``None``: something else has been sent instead, and the app's body is not wanted."""
        if self.status is None:
            raise AppError("the application returned without calling start_response")
        connection, line = self.connection, self.line
        head = self.handler.writer.read(self.status, self.headers)
        if head.handed:
            answer = self.handler.replace(line, self.environ, self.headers, head)
            if answer is not None:
                self.deliver(head, answer)  # switch
                return None
        if head.length is not None:
            length = head.length
        framing = self.framing = response_framing(line.method, head.status, length, line.minor)
        if head.close or framing is CLOSE:
            connection.keep = False
        connection.status = head.status
        self.left = length or 0
        self.head = head
        if length is not None and (framing is LENGTH or (framing is EMPTY and declares(head, line))):
            how = b"Content-Length: %d\r\n" % length
        elif framing is CHUNKED:
            how = b"Transfer-Encoding: chunked\r\n"
        else:
            how = b""
        return head.prefix + how + connection.ending(head.dated)

    def deliver(self, head: AppHead, answer: Answer) -> None:
        """Send ``answer`` in place of the response that the app has begun with ``head``."""
        slots, connection = self.handler.slots, self.connection
        if head.close:
            connection.keep = False
        connection.status = answer.status
        connection.sent = self.left = answer.length
        self.head, self.framing = head, LENGTH
        segments = [answer.head + connection.ending(), *answer.body]
        if not any(isinstance(segment, FileSlice) for segment in segments):
            segments = [b"".join(segments)]  # type: ignore[arg-type]
        try:
            for i, segment in enumerate(segments, 1):
                slots.transmit(connection, segment, i == len(segments))  # switch
        except BaseException:
            answer.close()
            raise
        self.framing, self.left = EMPTY, 0  # whatever the app yields from now on belongs to no response

    def send_known(self, body: bytes) -> bool:
        """Send head and body in one piece, if the app has sent just this head before and it declares just this body."""
        try:
            head = self.handler.writer.heads.get((self.status, *self.headers))
        except TypeError:  # something in it can't be looked up; whether it may be sent is checked elsewhere
            return False
        if head is None or head.length != len(body) or not head.whole or self.line.method == "HEAD":
            return False
        self.head = head
        self.framing = LENGTH
        connection = self.connection
        connection.status = head.status
        connection.sent = head.length
        self.handler.slots.respond(connection, head.whole + connection.ending() + body)
        return True

    def send_whole(self, body: bytes) -> None:
        """Send a response of which everything is known, in one piece where nothing was sent before."""
        if body.__class__ is not bytes:
            body = checked_block(body)
        if self.head is not None:
            self.send_block(body)
            self.end()
            return
        if self.send_known(body):
            return
        head = self.begin(len(body))
        slots, connection = self.handler.slots, self.connection
        if head is None:
            return
        if self.framing is EMPTY:
            slots.respond(connection, head)
        elif self.left == len(body):
            self.left = 0
            connection.sent = len(body)
            slots.respond(connection, head + body)
        else:
            slots.transmit(connection, head, not self.left)
            self.pass_on(body)
            self.end()

    def send_blocks(self, blocks: Iterable[bytes] | None) -> None:
        """Send what an iterable yields, each block as it comes."""
        for block in blocks or ():  # switch
            if block:
                self.send_block(block)
                if self.framing is EMPTY:
                    break
        self.end()

    def send_block(self, block: bytes) -> None:
        """Send one block, behind the head if it is the first."""
        if block.__class__ is not bytes:
            block = checked_block(block)
        if self.head is None:
            if self.send_known(block):
                return
            head = self.begin(None)
            if head is None:
                return
            connection = self.connection
            if self.framing is LENGTH and self.left == len(block):
                self.left = 0
                connection.sent = len(block)
                self.handler.slots.respond(connection, head + block)
                return
            self.handler.slots.transmit(
                connection, head, self.framing is EMPTY or (self.framing is LENGTH and not self.left)
            )
        self.pass_on(block)

    def pass_on(self, block: bytes) -> None:
        """Frame and send a block of a response whose head is out."""
        framing = self.framing
        if not block or framing is EMPTY:
            return
        connection, transmit = self.connection, self.handler.slots.transmit
        if framing is LENGTH:
            if len(block) > self.left:
                self.handler.log_error(
                    self.line.log, AppError("the body is longer than its Content-Length; it was cut")
                )
                block = block[: self.left]
                if not block:
                    return
            self.left -= len(block)
            connection.sent += len(block)
            transmit(connection, block, not self.left)  # switch
        else:
            connection.sent += len(block)
            transmit(connection, chunk(block) if framing is CHUNKED else block, False)  # switch

    def end(self) -> None:
        """The app has no more: send the head if there was no block, and what ends the framing."""
        if self.head is None:
            head = self.begin(0)
            if head is not None:
                self.handler.slots.transmit(self.connection, head, not self.left or self.framing is not LENGTH)
        elif self.framing is CHUNKED:
            self.framing = EMPTY  # what is written from now on would stand in the next response
            self.handler.slots.transmit(self.connection, LAST_CHUNK, True)
        elif self.framing is CLOSE:
            self.framing = EMPTY
            self.handler.slots.transmit(self.connection, b"", True)
        if self.framing is LENGTH and self.left:
            missing = AppError(f"the body is {self.left} bytes shorter than its Content-Length; the connection was cut")
            self.handler.log_error(self.line.log, missing)
            self.handler.slots.abandon(self.connection)

    def send_file(self, wrapper: FileWrapper) -> bool:
        """Let the kernel send a real file, from where it stands; False: it is none, or nothing can be known of it."""
        file = real_file(wrapper.filelike)
        if file is None or self.head is not None:
            return False
        try:
            fd = file.fileno()
            info = os.fstat(fd)
            offset = file.tell()
        except (OSError, ValueError):
            return False
        if not stat.S_ISREG(info.st_mode):
            return False
        rest = max(0, info.st_size - offset)
        head = self.begin(rest)
        if head is None:
            return True
        slots, connection = self.handler.slots, self.connection
        if self.framing is not LENGTH or not self.left:
            slots.transmit(connection, head, True)
            return True
        size, self.left = min(self.left, rest), self.left - min(self.left, rest)
        slots.transmit(connection, head, False)
        piece = FileSlice(os.dup(fd), offset, size)
        connection.sent = size
        try:
            slots.transmit(connection, piece, not self.left)
        except ClientGone:
            piece.close()
            raise
        if self.left:
            self.end()
        return True

    def failed(self, error: BaseException) -> None:
        """The app raised: log it, and answer 500 if nothing was sent yet; else the client must see the break."""
        if not (isinstance(error, Interrupted) and self.connection is NOBODY):
            self.handler.log_error(self.line.log, error)
        slots, connection = self.handler.slots, self.connection
        if self.head is not None:
            if not (self.framing is LENGTH and not self.left) and self.framing is not EMPTY:
                slots.abandon(connection)
            return
        answer = plain_answer(500)
        self.head, self.framing = AppHead(answer.status), EMPTY
        connection.status = answer.status
        connection.sent = answer.length
        body = b"" if self.line.method == "HEAD" else answer.body[0]
        try:
            slots.transmit(connection, answer.head + connection.ending() + body, True)  # type: ignore[operator]
        except ClientGone:
            return


def checked_block(block: Any) -> bytes:
    """A block that is no plain ``bytes`` as what it should have been; raises ``AppError`` where it can't be."""
    if isinstance(block, (bytes, bytearray, memoryview)):
        return bytes(block)
    raise AppError(f"the response must consist of bytes, not of {type(block).__name__}")


def real_file(filelike: Any) -> Any:
    """The file of the system whose bytes are just those that ``filelike.read()`` gives; None: there is none.

    Others have a ``fileno`` too: that of a ``GzipFile`` is the compressed file's. So it is asked whose ``read`` it is:
    wrappers such as those of ``tempfile`` and Django pass on that of the file inside."""
    read = getattr(filelike, "read", None)
    owner: Any = getattr(getattr(read, "__wrapped__", read), "__self__", None)
    raw = owner.raw if type(owner) in (io.BufferedReader, io.BufferedRandom) else owner
    return owner if type(raw) is io.FileIO else None


def discard(file: IO[bytes]) -> None:
    """Close a file that nobody needs any more, where even that may fail: it flushes what the disk has no room for."""
    try:
        file.close()
    except OSError:
        return


def declares(head: AppHead, line: RequestLine) -> bool:
    """Whether a response without a body says how long the body would be (RFC 9110 §8.6)."""
    return head.length is not None and (line.method == "HEAD" or head.status == 304) and head.status not in (204,)
