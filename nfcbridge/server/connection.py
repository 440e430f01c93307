"""One HTTP connection: uvicorn's, with an end to everything that its peer can make large or slow.

    head of a request                  MAX_HEAD octets, MAX_FIELDS fields       431, 414
    its body                           MAX_BODY octets                          413
    no HTTP, no host or two of them                                             400
    time for a head, or for nothing    HEAD_TIMEOUT                             408, or closed without a word
    time for a body after it           BODY_TIMEOUT                             408
    time between requests              KEEP_ALIVE                               closed
    time to take an answer             TAKE_TIMEOUT                             cut off

httptools sets no such limits by itself. What is refused here never gets to the application, so that it is told in the
form of the charge controller's failures, for people.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Octets of a request line with its header fields. A query of 4,000 characters may be percent-encoded, 12 octets each.
# A head that is longer is waited for up to what asyncio reads at once, 262,144 octets, and then refused.
MAX_HEAD: Final = 65_536
# Header fields of a request; a browser sends 20.
MAX_FIELDS: Final = 100
# Octets of a request's body: five times what our controller takes, for other applications.
MAX_BODY: Final = 1_048_576
# Seconds from the first octet of a head to its last, and those that a new connection has for its first octet.
HEAD_TIMEOUT: Final = 10.0
# Seconds from there to the last octet of the body.
BODY_TIMEOUT: Final = 30.0
# Seconds between two requests. An app that shows the state asks more often.
KEEP_ALIVE: Final = 30
# Seconds that a peer may leave more of an answer unread than the system's buffers and ours (65,536 octets) hold.
TAKE_TIMEOUT: Final = 30.0

# What uvicorn says of single connections: a broken request is its sender's news, and what the application did wrong is
# reported. Whoever wants to read it nevertheless gives this logger a handler.
_logger = logging.getLogger(__name__)
_logger.addHandler(logging.NullHandler())
_logger.setLevel(logging.WARNING)


def refusal(status: HTTPStatus, cause: str) -> bytes:
    """A whole response, after which the connection is closed."""
    body = msgspec.json.encode({"success": False, "cause": cause})
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "cache-control: no-store\r\n"
        "x-content-type-options: nosniff\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


class _RefusedError(Exception):
    """Raised through the parser, which then gives up."""


class Connection(HttpToolsProtocol):
    """One connection.

    Attributes:
        since: when its peer was last waited for to begin: the loop's time, in seconds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, whatever uvicorn gives
        super().__init__(*args, **kwargs)
        self.logger = _logger
        self.since = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._timed: tuple[int, bool] | None = None  # the request, and whether it is its body that the timer is for
        self._stuck: asyncio.TimerHandle | None = None
        self._begun = 0  # requests
        self._receiving = False  # a request has begun and is not complete
        self._in_head = False
        self._head = 0  # octets of the head so far, as far as they came in reads of their own
        self._largest = 0  # that the head can be, with what is being read
        self._hosts = 0
        self._length = 0
        self._body = 0
        self._reason: tuple[HTTPStatus, str] | None = None

    @property
    def waiting(self) -> bool:
        """Whether this server waits for the peer: for a request or the rest of one, or for the end."""
        return self._receiving or self._all_answered or self.transport.is_closing()

    def drop(self) -> None:
        """Cut it off."""
        self.connections.discard(self)
        self.transport.abort()

    # The network

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A peer has connected."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._stop_timer()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take octets from the network."""
        receiving, in_head, begun = self._receiving, self._in_head, self._begun
        self._largest = self._head + len(data) if in_head else len(data)
        super().data_received(data)
        if self._in_head:
            if in_head and self._begun == begun:
                self._head += len(data)
            elif not receiving and self._begun == begun + 1:
                self._head = len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head of more than {MAX_HEAD} octets")
        self._watch()

    def pause_writing(self) -> None:
        """The peer does not take what it asked for."""
        super().pause_writing()
        self._stuck = self.loop.call_later(TAKE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    # The parser

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._begun += 1
        self._receiving = self._in_head = True
        self._head = self._hosts = self._length = self._body = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field is complete."""
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            self._length = int(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head of a request is complete."""
        if self._largest > MAX_HEAD:
            self._measure_head()
        if len(self.headers) > MAX_FIELDS:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_FIELDS} header fields")
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() != "1.0"):
            self._give_up(HTTPStatus.BAD_REQUEST, "not one Host")  # RFC 9112, section 3.2
        if self._length > MAX_BODY:
            self._give_up(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY} octets")
        super().on_headers_complete()
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body += len(body)
        if self._body > MAX_BODY:  # it came in chunks, which do not tell the length of all
            self._give_up(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY} octets")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._receiving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A response is complete."""
        super().on_response_complete()
        self.since = self.loop.time()

    # Refusals

    def send_400_response(self, msg: str) -> None:
        """The parser has given up, or was made to."""
        status, cause = self._reason or (HTTPStatus.BAD_REQUEST, "not HTTP")
        self._refuse(status, cause)

    def _measure_head(self) -> None:
        # Name, colon, space, value and line feed of each field; the method has few octets.
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) > MAX_HEAD:
            self._give_up(HTTPStatus.REQUEST_URI_TOO_LONG, "path or query too long")
        if len(self.url) + fields > MAX_HEAD:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head of more than {MAX_HEAD} octets")

    def _give_up(self, status: HTTPStatus, cause: str) -> None:
        self._reason = (status, cause)
        raise _RefusedError

    def _refuse(self, status: HTTPStatus, cause: str) -> None:
        cycle = self.cycle  # the response to the last request whose head is complete
        if self._in_body:
            # The response is that of this request; it may have begun, or be complete already.
            if not cycle.response_started:
                self.transport.write(refusal(status, cause))
            cycle.disconnected = True
            cycle.message_event.set()
        elif self._all_answered:
            self.transport.write(refusal(status, cause))
        else:
            # It is the next request that is refused. Those before it are answered, and that is the end.
            cycle.keep_alive = False
            return
        self.transport.close()

    @property
    def _all_answered(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    @property
    def _in_body(self) -> bool:
        return self._receiving and not self._in_head

    # Time

    def _watch(self) -> None:
        """See to it that a timer runs while the peer is waited for: one for each head, and one for each body."""
        timed = (self._begun, self._in_body) if self.waiting else None
        if timed != self._timed:
            self._stop_timer()
            if timed is not None:
                self._start_timer()
            self._timed = timed

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(BODY_TIMEOUT if self._in_body else HEAD_TIMEOUT, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if self.flow.read_paused:
            self._start_timer()  # it is the application that does not take the body
        elif self._receiving:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request was not complete in time")
        else:
            self.transport.close()
