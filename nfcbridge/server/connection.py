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
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nfcbridge.server.response import Response

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

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
        # One timer that always runs. Most of the time it finds nothing to do: that is less than one for each request.
        self._timer: asyncio.TimerHandle
        self._due = 0.0
        # What the rest of a request is waited for: which request, whether its head, and until when.
        self._rest = (0, False)
        self._rest_due = 0.0

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
        self._start_timer(self.since + HEAD_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        self._timer.cancel()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take octets from the network."""
        receiving, in_head, begun = self._receiving, self._in_head, self._begun
        self._largest = self._head + len(data) if in_head else len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # it is answered as if it had not asked for another protocol (RFC 9110, section 7.8)
        except httptools.HttpParserError:
            self._refuse(*(self._reason or (HTTPStatus.BAD_REQUEST, "not HTTP")))
        if self._receiving:
            if self._in_head:
                if in_head and self._begun == begun:
                    self._head += len(data)
                elif not receiving and self._begun == begun + 1:
                    self._head = len(data)
                if self._head > MAX_HEAD and not self.transport.is_closing():
                    self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head of more than {MAX_HEAD} octets")
            self._wait_for_rest()

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
        self._begun += 1
        self._receiving = self._in_head = True
        self._head = self._hosts = self._length = self._body = 0
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

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
        version = self.parser.get_http_version()
        if self._hosts != 1 and (self._hosts or version != "1.0"):
            self._give_up(HTTPStatus.BAD_REQUEST, "not one Host")  # RFC 9112, section 3.2
        if self._length > MAX_BODY:
            self._give_up(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY} octets")
        response = Response(
            scope=self._make_scope(version),
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self._in_head = False
        answered = self._all_answered
        self.cycle = response
        if answered:
            self._answer(response)
        else:  # one after the other
            self.flow.pause_reading()
            self.pipeline.appendleft((response, self.app))

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

    # The application

    def on_response_complete(self) -> None:
        """A response is complete."""
        self.since = self.loop.time()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._answer(self.pipeline.pop()[0])

    def _answer(self, response: RequestResponseCycle) -> None:
        task = self.loop.create_task(response.run_asgi(self.app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _make_scope(self, version: str) -> "HTTPScope":
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": self.parser.get_method().decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": self.headers,
        }

    # Refusals

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

    def _wait_for_rest(self) -> None:
        """See to it that the timer is there in time: for each head, and for each body."""
        rest = (self._begun, self._in_head)
        if rest != self._rest:
            self._rest = rest
            self._rest_due = self.loop.time() + (HEAD_TIMEOUT if self._in_head else BODY_TIMEOUT)
            if self._rest_due < self._due:
                self._timer.cancel()
                self._start_timer(self._rest_due)

    def _start_timer(self, due: float) -> None:
        self._due = due
        self._timer = self.loop.call_at(due, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if self._receiving:
            due = self._rest_due
            if now >= due and self.flow.read_paused:
                due = self._rest_due = now + BODY_TIMEOUT  # it is the application that does not take the body
        elif self._all_answered:
            due = self.since + (KEEP_ALIVE if self._begun else HEAD_TIMEOUT)
        else:
            due = now + HEAD_TIMEOUT  # an answer may take its time
        if now < due:
            self._start_timer(due)
        elif self._receiving:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request was not complete in time")
        else:
            self.transport.close()
