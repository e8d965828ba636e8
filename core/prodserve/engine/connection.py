"""One client connection speaking HTTP/1.x: reads requests, has them answered one after another, writes the answers.

Its life is the table below. It owns a descriptor, no socket object; while it is idle it owns no buffer, parser,
greenlet or timer. Everything here runs in the loop (the hub); app code reaches it only through ``engine.slots``.

| state | waits for | leaves when |
| --- | --- | --- |
| IDLE | the first byte of a request | it comes; keep-alive time is over |
| HEAD | the rest of a head | it is whole, wrong, or late |
| BODY | the rest of a body | it is whole, wrong, too large, late, or comes too slowly (``pace``) |
| LINGER | the client to close, what it sends is thrown away (RFC 9112 §9.6) | it closes, or time is over |
| RUNNING | whoever makes the response | its last byte is handed over |
| SENDING | the client to read the rest | all is written, or it reads too slowly (``pace``) |
| CLOSED | nothing | |
"""

from __future__ import annotations

import os
from _socket import AF_INET, IPPROTO_TCP, MSG_MORE, SO_LINGER, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, TCP_CORK
from _socket import socket as raw_socket
from collections import deque
from errno import ECONNRESET, EPIPE
from posix import close as close_now  # gevent's os.close waits for the loop to come round
from struct import pack
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..errors import ClientGone, HeadTooLarge, LateRequest, Overloaded, ProtocolError
from ..h1.head import REMEMBERED_HEAD_BYTES, Fields, RequestLine
from ..http.answer import REMEMBERED_BYTES, Answer, plain_answer, without_body
from ..http.segments import FileSlice, HeldFile, Segment
from .body import Body
from .pace import untaken_bytes

if TYPE_CHECKING:
    from .engine import Engine

IDLE, HEAD, BODY, LINGER, RUNNING, SENDING, CLOSED = range(7)
"""Those before RUNNING read."""

READ_BYTES = 65536
TURN_BYTES = 1 << 20
"""What one connection may read of a body or write of a response before the others get their turn."""
LONG_PART_BYTES = 8192
"""A part of a head that is taken however little room there is."""
LINGER_S = 5
LINGER_BYTES = 1 << 20
LOOK_S = 1
"""A client that reads must have earned as much by a look at it: deadlines are looked at once a second."""
NO_LINGER = pack("ii", 1, 0)
NEVER = float("inf")

KEEP_11, KEEP_10, CLOSE = range(3)
"""How a response ends its head: without a word, ``Connection: keep-alive``, ``Connection: close``; index of
``Engine.endings``."""

ENDINGS = (b"\r\n", b"Connection: keep-alive\r\n\r\n", b"Connection: close\r\n\r\n")
"""The same without a date, for heads to which the app has given one."""

read = os.read
write = os.write
writev = os.writev
CORKED_BYTES = 262144
STREAM = SOCK_STREAM | SOCK_NONBLOCK
"""Without the second one, ``socket.setdefaulttimeout`` of an app would make us wait."""
sendfile = os.sendfile


class Connection:
    """One client."""

    __slots__ = (
        "ahead",
        "backlog",
        "base",
        "body",
        "buffer",
        "deadline",
        "engine",
        "fd",
        "fields",
        "final",
        "host",
        "keep",
        "last",
        "line",
        "more",
        "out",
        "owed",
        "port",
        "scanned",
        "seen",
        "sent",
        "started",
        "state",
        "status",
        "taken",
        "waiter",
    )

    def __init__(self, engine: Engine, fd: int, host: str, port: int, base: dict[str, Any]) -> None:
        self.engine = engine
        self.fd = fd
        self.host = host
        self.port = port
        self.base = base
        self.state = IDLE
        self.deadline: float = engine.head_deadline
        self.buffer = b""
        self.scanned = 0
        self.more = False
        """There may be unread bytes in the kernel, and no event will tell."""
        self.last = False
        """The end of the client's input is among them: it is read on until it comes."""
        self.line: RequestLine | None = None
        self.fields: Fields | None = None
        self.seen: bytes | None = None
        """The bytes of ``fields`` as they came, where a repetition of them needs no reading."""
        self.body: Body | None = None
        self.out: deque[Segment] | None = None
        self.backlog = 0
        self.owed = 0
        """While output waits: what the kernel would hold for the client, had it taken nothing since the last look."""
        self.final = False
        self.keep = False
        self.status = 0
        self.sent = 0
        self.started = 0.0
        self.waiter: Any = None
        """The slot that waits until the client has read more."""
        self.ahead = 0
        """Bytes that a slot's thread has handed over, and (``taken``) those of them that have arrived here."""
        self.taken = 0

    # Reading

    def readable(self) -> None:
        """The descriptor has something to read, or its end."""
        if self.state >= BODY:
            self.more = True  # one request at a time; the kernel keeps the rest
            if self.state < RUNNING:
                self.engine.resume(self)  # uploads come after what others are waiting for
            return
        try:
            data = read(self.fd, READ_BYTES)
        except BlockingIOError:
            self.more = False
            return
        except OSError:
            data = b""
        seen = self.seen
        if seen is not None and not self.buffer:
            # HOT: benchmarks hello, hello-vary: a head like the last one
            fields = self.fields
            if data.endswith(seen):
                heads = self.engine.heads
                first = data[: -len(seen)]
                line = heads.lines.get(first) or heads.simple(first)
            else:
                line = self.engine.heads.again(data, fields)  # type: ignore[arg-type]
                if line is not None:
                    self.seen = fields.block  # type: ignore[union-attr]
            if line is not None and line.plain:
                self.dispatch(line, fields)  # type: ignore[arg-type]
                return
        self.take_in(data)  # switch

    def take_in(self, data: bytes) -> None:
        """Go on with what was read; nothing: the input has ended."""
        if len(data) == READ_BYTES:
            self.more = True
            self.engine.resume(self)
        if not data:
            self.ended()
        elif self.state == LINGER:
            self.linger_read(len(data))
        else:
            self.buffer = self.buffer + data if self.buffer else data
            self.proceed()  # switch

    def read_on(self) -> None:
        """Read of a body, or of what is thrown away."""
        try:
            data = read(self.fd, READ_BYTES)
        except BlockingIOError:
            self.more = False
            return
        except OSError:
            data = b""
        self.take_in(data)  # switch

    def ended(self) -> None:
        """The client sends no more."""
        if self.state == IDLE and self.buffer:
            self.more = True  # requests that came before are yet to have their turn
            return
        if self.state == BODY and self.line is not None:
            self.engine.note(self, self.line.log, 400)
        self.close()

    def resume(self) -> None:
        """Go on with what is in the buffer, or unread in the kernel."""
        if self.buffer and self.state < LINGER:
            self.proceed()  # switch
        if self.more and self.state < RUNNING:
            self.more = self.last
            self.engine.poller.rearm(self.fd)
            if self.state < BODY:
                self.readable()  # switch
            else:
                self.read_on()  # switch
            if self.last and self.state < RUNNING:
                self.engine.resume(self)

    def proceed(self) -> None:
        """Take the next step with the bytes in the buffer."""
        try:
            if self.state == BODY:
                self.collect()  # switch
            else:
                self.read_head()  # switch
        except ProtocolError as error:
            self.refuse(error)

    def read_head(self) -> None:
        """Read a head if it is whole, and begin its request."""
        engine = self.engine
        data = self.buffer
        end = data.find(b"\r\n\r\n", self.scanned - 3 if self.scanned > 3 else 0)
        if data[:2] == b"\r\n":  # one empty line before a request is ignored (RFC 9112 §2.2)
            if len(data) < 4:
                end = -1
            else:
                data = data[2:]
                end = data.find(b"\r\n\r\n")
        if end < 0:
            engine.heads.check_part(data, self.scanned)
            engine.memory.others += len(data) - self.scanned
            if len(data) > LONG_PART_BYTES and not engine.memory.room_for(0):
                raise Overloaded("no room for such a head now")
            self.scanned = len(data)
            if self.state == IDLE:
                self.state = HEAD
                self.deadline = engine.head_deadline
            return
        if end > engine.limits.head_bytes:
            raise HeadTooLarge("head")
        self.buffer = data[end + 4 :]
        self.scanned = 0
        self.seen = None
        line, fields = engine.heads.read(data, end, self.base)
        self.line = line
        self.fields = fields
        environ = fields.environ
        environ["REMOTE_ADDR"] = self.host
        environ["REMOTE_PORT"] = str(self.port)
        if fields.chunked or fields.length:
            self.body = engine.make_body(None if fields.chunked else fields.length)
            self.state = BODY
            self.deadline = engine.body_deadline
            self.collect()  # switch
            if fields.expect_continue and self.state == BODY and not self.body.length and not self.buffer:
                self.send_continue()
            return
        if line.plain and fields.plain and end <= REMEMBERED_HEAD_BYTES:
            self.seen = fields.block
        self.dispatch(line, fields)

    def send_continue(self) -> None:
        """Ask for the body (RFC 9110 §10.1.1)."""
        try:
            if write(self.fd, b"HTTP/1.1 100 Continue\r\n\r\n") != 25:
                self.abort()
        except OSError:
            self.abort()

    def collect(self) -> None:
        """Feed the body with the buffer; dispatch when it is whole."""
        engine = self.engine
        body = self.body
        assert body is not None and self.line is not None and self.fields is not None
        data = self.buffer
        try:
            self.buffer = body.feed(data)
        except OSError as error:  # no room for the temporary file
            engine.log.error(f"a request body could not be stored: {error}")
            raise Overloaded("no room for a body") from None
        earned_s = (len(data) - len(self.buffer)) * engine.body_s_per_byte
        self.deadline = min(self.deadline + earned_s, engine.body_deadline)
        if not body.complete:
            return
        self.body = None
        self.dispatch(self.line, self.fields, body)

    # Answering

    def dispatch(self, line: RequestLine, fields: Fields, body: Body | None = None) -> None:
        """Have a whole request answered when the round ends: by a file, or by the app on a slot."""
        engine = self.engine
        self.state = RUNNING
        self.deadline = NEVER
        self.line = line
        self.keep = fields.keep_alive
        self.final = False
        self.status = self.sent = 0
        self.started = engine.poller.woken_s
        files = engine.files
        if files is not None and line.target.startswith(files.prefixes):
            template = fields.environ
            answer = None
            if line.method == "GET":
                if fields.conditional:
                    answer = files.hot_unchanged(line.target, engine.now_s, fields.unless)
                else:
                    answer = files.hot(line.target, engine.now_s, template.get("HTTP_ACCEPT_ENCODING"))
            if answer is None:
                answer = files.answer(line.method, line.target, template, engine.now_s)
            if answer is not None:
                if body is not None:
                    body.discard()
                engine.answers.append((self, answer))
                return
        environ = fields.environ.copy()
        environ.update(line.environ or line.for_app())
        if body is not None:
            environ["wsgi.input"] = body.take()
            environ["CONTENT_LENGTH"] = str(body.length)
            environ.pop("HTTP_TRANSFER_ENCODING", None)
        if not engine.slots.submit(engine.task(self, line, environ)):
            if body is not None:
                body.discard()
            busy = engine.overloaded
            engine.answers.append((self, without_body(busy) if line.method == "HEAD" else busy))

    def ending(self, dated: bool = False) -> bytes:
        """The end of a response's head, from Date to the blank line, as the connection goes on or not."""
        engine = self.engine
        if self.keep and not engine.draining:
            line = self.line
            kind = KEEP_11 if line is None or line.minor else KEEP_10
        else:
            self.keep = False
            kind = CLOSE
        return ENDINGS[kind] if dated else engine.endings[kind]

    def answer(self, answer: Answer) -> None:
        """Send a response that is ready: a file, an error."""
        self.status = answer.status
        self.sent = answer.length
        body = answer.body
        engine = self.engine
        ending = engine.endings[KEEP_11]
        try:
            if ending is answer.wire_ending and self.keep and self.seen is not None and not engine.draining:
                # HOT: benchmarks static-304: just this was sent within the same second
                if answer.length <= REMEMBERED_BYTES:
                    self.respond(answer.wire)
                else:
                    self.respond_in_two(answer.wire, body[0])  # type: ignore[arg-type]
            elif answer.file is not None:
                self.respond_with_file(answer.head + self.ending(), answer.file, 0, answer.length)
            elif len(body) == 1 and answer.length > REMEMBERED_BYTES and body[0].__class__ is bytes:
                self.respond_in_two(answer.whole_head(self.ending()), body[0])
            elif len(body) < 2 and (not body or body[0].__class__ is bytes):
                self.respond(answer.on_the_wire(self.ending()))
            elif len(body) == 1 and isinstance(body[0], FileSlice) and body[0].holder is not None:
                piece = body[0]
                self.respond_with_file(answer.head + self.ending(), body[0].holder, piece.offset, piece.count)
            else:
                self.transmit(answer.head + self.ending(), False)
                last = len(body) - 1
                for i, segment in enumerate(body):
                    self.transmit(segment, i == last)
        except ClientGone:
            answer.close()

    def respond_in_two(self, head: bytes, content: bytes) -> None:
        """``respond`` without joining the two first. Raises ``ClientGone``."""
        sent = 0
        if self.state == RUNNING and self.out is None:
            try:
                sent = writev(self.fd, (head, content))
            except BlockingIOError:
                pass
            except OSError:
                self.abort()
                raise ClientGone from None
        rest = sent - len(head)
        if rest == len(content):
            self.complete()
        elif rest < 0:
            self.transmit(memoryview(head)[sent:], False)
            self.transmit(content, True)
        else:
            self.transmit(memoryview(content)[rest:], True)

    def respond_with_file(self, head: bytes, file: HeldFile, offset: int, count: int) -> None:
        """Write a response whose body are ``count`` bytes of a file. Raises ``ClientGone``.

        HOT: benchmarks static-10k, static-range: the kernel sends it (measured with files that are in memory, but not
        in the processor's cache: 18 us, where reading and writing it took 23 us), and the head in the same packet (2 us
        less)."""
        sent = done = 0
        if self.state == RUNNING and self.out is None and 0 < count <= TURN_BYTES:
            sock = raw_socket(AF_INET, STREAM, 0, self.fd)  # the family does not matter to a descriptor
            try:
                sent = sock.send(head, MSG_MORE)
                if sent == len(head):
                    done = sendfile(self.fd, file.fd, offset, count)
            except OSError:  # the client can't take more now; or ``transmit`` finds out what is wrong
                pass
            finally:
                sock.detach()
            if done == count and sent == len(head):
                self.complete()
                return
        if sent != len(head):
            self.transmit(memoryview(head)[sent:], False)
        self.transmit(FileSlice(file.fd, offset + done, count - done, file), True)

    def refuse(self, error: ProtocolError) -> None:
        """Answer a broken request and end the connection: what follows can't be told from what belongs to it."""
        if self.state == CLOSED:
            return
        status = error.status
        line = self.line if self.state == BODY else None
        self.drop_body()
        self.buffer = b""
        self.state = RUNNING
        self.deadline = NEVER
        self.keep = False
        self.line = None
        self.started = 0.0
        self.engine.log.debug(f"{self.host or 'unix'}: {status} {error}")
        answer = plain_answer(status)
        self.engine.note(self, "-" if line is None else line.log, status, answer.length)
        try:
            self.transmit(answer.head + self.ending() + b"".join(answer.body), False)  # type: ignore[arg-type]
        except ClientGone:
            return
        self.more = True
        self.final = True
        if self.out is None:
            self.complete()
        else:
            self.state = SENDING

    def respond(self, data: bytes) -> None:
        """Write a response that is whole: ``transmit`` for the usual case. Raises ``ClientGone``."""
        if self.state != RUNNING or self.out is not None:
            self.transmit(data, True)
            return
        try:
            sent = write(self.fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            raise ClientGone from None
        if sent == len(data):
            self.complete()
        else:
            self.wait_to_write(memoryview(data)[sent:])
            self.final = True
            self.state = SENDING

    def wait_to_write(self, rest: memoryview) -> None:
        """Queue what the client can't take now."""
        self.out = deque((self.engine.kept(rest),))
        self.backlog = len(rest)
        self.watch_reader()
        self.engine.poller.want_write(self.fd)

    def watch_reader(self) -> None:
        """From now on the client has to read at some pace."""
        self.deadline = self.engine.write_deadline
        self.owed = untaken_bytes(self.fd)

    def keeps_reading(self) -> bool:
        """Whether the client has taken enough since the last look; if so, the deadline is put off by what it earned."""
        engine = self.engine
        owed, self.owed = self.owed, untaken_bytes(self.fd)
        patience_s = engine.timeouts.write
        earned_s = min((owed - self.owed) * engine.write_s_per_byte, patience_s)
        self.deadline = engine.now_s + earned_s
        return earned_s >= min(patience_s, LOOK_S)

    def stalled_s(self, now_s: float) -> float:
        """For how many seconds a body or a response has moved less than the least rate asks for."""
        timeouts = self.engine.timeouts
        if self.state == BODY:
            return timeouts.body - (self.deadline - now_s)
        spent_s = timeouts.write - (self.deadline - now_s)
        return spent_s - (self.owed - untaken_bytes(self.fd)) * self.engine.write_s_per_byte

    def transmit(self, segment: Segment, final: bool) -> None:
        """Write a part of the response, or queue what the client can't take yet. Raises ``ClientGone``.

        ``final``: it is the last part. A ``FileSlice`` belongs to the connection from here on."""
        if self.state == CLOSED:
            raise ClientGone
        if final:
            self.final = True
        if self.out is not None:
            self.out.append(self.engine.kept(segment))
            self.backlog += len(segment)
        elif segment.__class__ is FileSlice:
            self.transmit_file(segment, final)
            return
        else:
            try:
                sent = write(self.fd, segment)  # type: ignore[arg-type]
            except BlockingIOError:
                sent = 0
            except OSError:
                self.abort()
                raise ClientGone from None
            if sent != len(segment):
                self.wait_to_write(memoryview(segment)[sent:])  # type: ignore[arg-type]
        if final:
            if self.out is None:
                self.complete()
            else:
                self.state = SENDING

    def transmit_file(self, segment: FileSlice, final: bool) -> None:
        """``transmit`` for a file, behind which nothing waits."""
        if segment.count > CORKED_BYTES:
            self.cork(1)
            segment.corked = True
        self.out = deque((segment,))
        self.backlog = segment.count
        if final:
            self.state = SENDING
        self.writable()

    def writable(self) -> None:
        """Write what waits, until the client can take no more or the others' turn has come."""
        out = self.out
        if out is None:
            return
        turn = TURN_BYTES
        try:
            while out and turn > 0:
                turn -= self.write_first(out)
        except BlockingIOError:
            if self.deadline == NEVER:
                self.watch_reader()
                turn = TURN_BYTES
            self.engine.poller.want_write(self.fd)
        except OSError:
            self.abort()
            return
        self.owed += TURN_BYTES - turn
        if not out:
            self.out = None
            self.deadline = NEVER
            if self.final:
                self.complete()
                return
        elif turn <= 0:
            self.engine.resume_writing(self)
        if self.waiter is not None and self.backlog <= self.engine.low_water_bytes:
            self.engine.slots.release(self)  # switch

    def write_first(self, out: deque[Segment]) -> int:
        """Write from the first segment of the queue as much as goes; the number of bytes. Raises ``OSError``."""
        segment = out[0]
        if isinstance(segment, FileSlice):
            sent = sendfile(self.fd, segment.fd, segment.offset, min(segment.count, TURN_BYTES))
            if not sent and segment.count:
                raise OSError("the file was truncated: what was promised does not exist")
            segment.offset += sent
            segment.count -= sent
            if not segment.count:
                if segment.corked:
                    self.cork(0)
                segment.close()
                out.popleft()
        else:
            sent = write(self.fd, segment)
            if sent == len(segment):
                out.popleft()
            else:
                out[0] = memoryview(segment)[sent:]
        self.backlog -= sent
        return sent

    def cork(self, on: int) -> None:
        """Have the kernel send full packets only (``TCP_CORK``), from one call to the next: a large file costs a third
        less."""
        sock = raw_socket(AF_INET, STREAM, 0, self.fd)
        try:
            sock.setsockopt(IPPROTO_TCP, TCP_CORK, on)
        except OSError:  # a Unix socket has no packets
            pass
        finally:
            sock.detach()

    def complete(self) -> None:
        """The response is written: note it, and turn to the next request or close."""
        engine = self.engine
        engine.requests += 1
        line = self.line
        if line is not None:
            # HOT: benchmarks hello: inlined from Engine.note
            log = engine.access
            if log is not None:
                log.add(self.host, line.log, self.status, self.sent, monotonic() - self.started)
        self.final = False
        if not self.keep:
            if self.more or self.buffer:
                self.linger()
            else:
                self.close()
            return
        self.state = IDLE
        self.deadline = engine.idle_deadline
        if self.more or self.buffer:
            engine.resume(self)

    # Ending

    def linger(self) -> None:
        """Close our side, and let the client read our answer before the kernel tears the rest down."""
        self.state = LINGER
        self.buffer = b""
        self.sent = 0
        self.deadline = self.engine.now_s + LINGER_S
        self.seen = self.fields = None
        sock = raw_socket(fileno=self.fd)
        try:
            sock.shutdown(1)
        except OSError:
            self.close()
            return
        finally:
            sock.detach()
        self.engine.resume(self)

    def linger_read(self, size: int) -> None:
        """Throw away what the client still sends, within bounds."""
        self.sent += size
        if self.sent > LINGER_BYTES:
            self.close()
        else:
            self.more = True
            self.engine.resume(self)

    def expire(self) -> None:
        """The deadline is over."""
        if self.state in (HEAD, BODY):
            self.refuse(LateRequest("the request did not come in time"))
        elif self.state in (RUNNING, SENDING):
            if not self.keeps_reading():
                self.engine.log.debug(f"{self.host or 'unix'}: closed, the client does not read, or too slowly")
                self.abort(reset=True)
        else:
            self.abort()

    def input_ended(self) -> None:
        """The client will send no more. This is told once, maybe together with its last bytes: if the end itself was
        not read with them, it is yet to be."""
        self.more = self.last = True
        if self.state < RUNNING:
            self.engine.resume(self)

    def is_left(self) -> bool:
        """Whether the client is gone, or sends no more: what an application finds in
        ``environ["prodserve.client_disconnected"]``."""
        return self.last

    def hangup(self) -> None:
        """The kernel says that the connection is dead."""
        self.abort()

    def abort(self, reset: bool = False) -> None:
        """Close at once; a response that runs is told by ``ClientGone``. ``reset``: the kernel too forgets what it
        holds for the client, which may be megabytes for minutes."""
        if reset:
            sock = raw_socket(fileno=self.fd)
            sock.setsockopt(SOL_SOCKET, SO_LINGER, NO_LINGER)
            sock.detach()
        if self.state in (RUNNING, SENDING) and self.line is not None:
            self.engine.note(self, self.line.log, self.status or 499, self.sent)
        self.close()

    def close(self) -> None:
        """Give everything back."""
        if self.state == CLOSED:
            return
        self.state = CLOSED
        self.last = True
        engine = self.engine
        engine.poller.forget(self.fd)
        try:
            close_now(self.fd)
        except OSError as error:
            if error.errno not in (EPIPE, ECONNRESET):
                raise
        out, self.out = self.out, None
        for segment in out or ():
            if isinstance(segment, FileSlice):
                segment.close()
        self.backlog = 0
        self.drop_body()
        self.buffer = b""
        self.seen = self.fields = None
        if self.waiter is not None:
            engine.slots.release(self)  # switch
        engine.closed(self)

    def held_bytes(self) -> int:
        """What it keeps in memory beside a body."""
        size = len(self.buffer)
        for segment in self.out or ():
            if segment.__class__ is memoryview:
                size += len(segment.obj)  # type: ignore[arg-type]  # a part keeps the whole alive
            elif segment.__class__ is bytes:
                size += len(segment)
        return size

    def drop_body(self) -> None:
        """Free a body that nobody will read."""
        if self.body is not None:
            self.body.discard()
            self.body = None
