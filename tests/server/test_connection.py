"""One HTTP connection, octet by octet, on a transport that keeps what is written and a clock that is set by hand."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.server.connection import (
    BODY_TIMEOUT,
    HEAD_TIMEOUT,
    KEEP_ALIVE,
    MAX_BODY,
    MAX_FIELDS,
    MAX_HEAD,
    TAKE_TIMEOUT,
    Connection,
)
from tests.server.apps import OK

READ = 262_144  # octets that asyncio reads at most at once


class DrivenLoop(asyncio.SelectorEventLoop):
    """A loop whose time is set by hand."""

    now = 1000.0

    def time(self) -> float:
        return self.now


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.written = b""
        self.closing = self.aborted = self.reading_paused = False
        self._protocol = protocol

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_event_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False


class App:
    """An application that reads bodies, and answers when it may.

    Attributes:
        bodies: what was sent to it.
        go: set while it may answer.
        gone: requests whose client went away first.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.go = asyncio.Event()
        self.go.set()
        self.gone = 0
        self.begin_early = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/unread":
            for message in OK:
                await send(message)
            return
        if self.begin_early:
            await send(OK[0])
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            body += message["body"]
            more = message["more_body"]
        await self.go.wait()
        self.bodies.append(body)
        for answer in OK[1 if self.begin_early else 0 :]:
            await send(answer)


class Wire:
    """A connection and its peer."""

    def __init__(self, loop: DrivenLoop) -> None:
        self.loop = loop
        self.app = App()
        config = uvicorn.Config(
            self.app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE,
        )
        config.load()
        self.state = uvicorn.server.ServerState()
        self.connection = Connection(config=config, server_state=self.state, app_state={}, _loop=loop)
        self.transport = Transport(self.connection)
        self.connection.connection_made(self.transport)

    def send(self, octets: bytes) -> bytes:
        """What is written in answer to octets that are read at once."""
        assert len(octets) <= READ
        before = len(self.transport.written)
        if not self.transport.closing:
            self.connection.data_received(octets)
        self.settle()
        return self.transport.written[before:]

    def is_closed(self) -> bool:
        return self.transport.closing

    def is_waiting(self) -> bool:
        return self.connection.waiting

    def is_cut_off(self) -> bool:
        return self.transport.aborted

    def settle(self) -> None:
        """Let everything happen that can happen now."""

        async def turns() -> None:
            for _ in range(20):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def advance(self, seconds: float) -> None:
        self.loop.now += seconds
        self.settle()


@pytest.fixture
def wire() -> Iterator[Wire]:
    loop = DrivenLoop()
    asyncio.set_event_loop(loop)
    wire = Wire(loop)
    yield wire
    wire.transport.close()
    wire.settle()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    wire.settle()
    asyncio.set_event_loop(None)
    loop.close()


def head(*fields: bytes, target: bytes = b"/x", method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"host: a", *fields, b"", b""])


def status_of(octets: bytes) -> int:
    assert octets.startswith(b"HTTP/1.1 "), octets
    assert octets.count(b"HTTP/1.1 ") == 1
    return int(octets.split()[1])


def check_refusal(octets: bytes, status: int, cause: str) -> None:
    """A whole response, of which people and clients can make something."""
    assert status_of(octets) == status
    start, _, body = octets.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in start.split(b"\r\n")[1:])
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"x-content-type-options"] == b"nosniff"
    assert fields[b"cache-control"] == b"no-store"
    assert fields[b"connection"] == b"close"
    assert int(fields[b"content-length"]) == len(body)
    content = json.loads(body)
    assert content["success"] is False
    assert cause in content["cause"]


# How much


def size_of(octets: bytes) -> int:
    """Octets of a head as they are counted: the target, and each field with colon, space and line feed."""
    line, *fields = octets.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return len(line.split()[1]) + sum(len(field) + 2 for field in fields)


def head_of(size: int) -> bytes:
    bare = head(b"x: ")
    octets = head(b"x: " + b"a" * (size - size_of(bare)))
    assert size_of(octets) == size
    return octets


def test_a_head_of_the_largest_size_is_read_and_one_octet_more_is_431(wire: Wire) -> None:
    assert status_of(wire.send(head_of(MAX_HEAD))) == 200
    check_refusal(wire.send(head_of(MAX_HEAD + 1)), 431, f"more than {MAX_HEAD} octets")
    assert wire.is_closed()


def test_the_size_of_a_head_does_not_depend_on_how_it_comes(wire: Wire) -> None:
    for octets, status in ((head_of(MAX_HEAD - 100), 200), (head_of(MAX_HEAD + 1), 431)):
        assert wire.send(octets[:1000]) == b""
        assert wire.send(octets[1000:5000]) == b""
        assert status_of(wire.send(octets[5000:])) == status


def test_an_unfinished_head_is_not_waited_for_beyond_the_largest_size(wire: Wire) -> None:
    start = b"GET /x HTTP/1.1\r\nhost: a\r\nx: "
    assert wire.send(start + b"a" * (MAX_HEAD - len(start) - 1)) == b""
    assert wire.send(b"a") == b""
    check_refusal(wire.send(b"a"), 431, f"more than {MAX_HEAD} octets")


def test_an_unfinished_head_after_a_request_in_the_same_read_is_bounded_too(wire: Wire) -> None:
    assert status_of(wire.send(head() + b"GET /x HTTP/1.1\r\nx: " + b"a" * 1000)) == 200
    assert wire.send(b"a" * MAX_HEAD) == b""
    assert status_of(wire.send(b"a")) == 431


def test_a_head_that_is_broken_and_too_large_has_one_answer(wire: Wire) -> None:
    assert wire.send(b"GET /x HTTP/1.1\r\nx: ") == b""
    check_refusal(wire.send(b"a" * MAX_HEAD + b"\0"), 400, "not HTTP")


def test_a_head_that_comes_octet_by_octet_is_read(wire: Wire) -> None:
    octets = head(b"connection: close")
    for index in range(len(octets) - 1):
        assert wire.send(octets[index : index + 1]) == b""
    assert status_of(wire.send(octets[-1:])) == 200


def test_a_target_that_alone_is_too_large_is_414(wire: Wire) -> None:
    check_refusal(wire.send(head(target=b"/" + b"a" * MAX_HEAD)), 414, "path or query too long")


def test_the_most_fields_are_read_and_one_more_is_431(wire: Wire) -> None:
    assert status_of(wire.send(head(*[b"x: 1"] * (MAX_FIELDS - 1)))) == 200
    check_refusal(wire.send(head(*[b"x: 1"] * MAX_FIELDS)), 431, f"more than {MAX_FIELDS} header fields")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_the_largest_size_is_read_and_one_octet_more_is_413(wire: Wire, *, chunked: bool) -> None:
    answer = b""
    for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
        if chunked:
            octets = (
                head(b"transfer-encoding: chunked", method=b"POST") + b"%x\r\n" % size + b"a" * size + b"\r\n0\r\n\r\n"
            )
        else:
            octets = head(b"content-length: %d" % size, method=b"POST") + b"a" * size
        answer = b"".join(wire.send(octets[start : start + READ]) for start in range(0, len(octets), READ))
        assert status_of(answer) == status
    check_refusal(answer, 413, f"more than {MAX_BODY} octets")
    assert [len(body) for body in wire.app.bodies] == [MAX_BODY]
    assert wire.app.gone == (1 if chunked else 0)


def test_a_body_is_not_counted_to_the_head(wire: Wire) -> None:
    octets = head(b"content-length: %d" % (READ - 100), method=b"POST") + b"a" * (READ - 100)
    assert status_of(wire.send(octets[:READ]) + wire.send(octets[READ:])) == 200
    assert status_of(wire.send(head())) == 200


# What is no request


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"HELO there\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xfc HTTP/1.1\r\nhost: a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        head(b"content-length: 1", b"content-length: 2"),
        head(b"content-length: 1", b"transfer-encoding: chunked"),
        head(b"content-length: x"),
        head(b"content-length: -1"),
        head(b"x : 1"),
        head(b"x: \x00"),
        head(b" x: 1"),
    ],
)
def test_what_is_not_http_is_400(wire: Wire, octets: bytes) -> None:
    check_refusal(wire.send(octets), 400, "not HTTP")
    assert wire.is_closed()
    assert wire.app.bodies == []


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),  # HTTP/0.9
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\nhost: a\r\nHOST: b\r\n\r\n", 400),
    ],
)
def test_a_request_has_one_host(wire: Wire, octets: bytes, status: int) -> None:
    answer = wire.send(octets)
    assert status_of(answer) == status
    if status == 400:
        check_refusal(answer, 400, "not one Host")


def test_a_body_that_breaks_off_is_400_and_does_not_reach_the_application(wire: Wire) -> None:
    assert wire.send(head(b"transfer-encoding: chunked", method=b"POST") + b"1\r\na\r\n") == b""
    check_refusal(wire.send(b"x\r\n"), 400, "not HTTP")
    assert (wire.app.bodies, wire.app.gone) == ([], 1)


def test_a_body_that_breaks_off_after_its_answer_has_begun_is_cut_off(wire: Wire) -> None:
    wire.app.begin_early = True
    assert status_of(wire.send(head(b"transfer-encoding: chunked", method=b"POST"))) == 200
    assert wire.send(b"x\r\n") == b""
    assert wire.is_closed()
    assert wire.app.gone == 1


def test_a_client_that_waits_to_be_asked_for_the_body_is_asked(wire: Wire) -> None:
    request = head(b"content-length: 1", b"expect: 100-continue", method=b"POST")
    assert wire.send(request) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert status_of(wire.send(b"a")) == 200
    assert status_of(wire.send(head(b"content-length: 1", b"expect: something", method=b"POST") + b"a")) == 200


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            head(),
            head(method=b"HEAD"),
            head(b"content-length: 3", method=b"POST") + b"abc",
            head(b"transfer-encoding: chunked", method=b"POST") + b"3\r\nabc\r\n0\r\n\r\n",
            b"\r\n",
            b"GET /x HTTP/1.1\r\n",
            b"host: a\r\n",
        ]
    ),
)


@given(octets=st.lists(PIECES, max_size=6).map(b"".join), cuts=st.lists(st.integers(0, 300), max_size=4))
def test_whatever_comes_is_answered_or_refused_and_nothing_else_happens(octets: bytes, cuts: list[int]) -> None:
    loop = DrivenLoop()
    asyncio.set_event_loop(loop)
    wire = Wire(loop)
    try:
        places = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
        for begin, end in pairwise(places):
            wire.send(octets[begin:end])
        wire.advance(BODY_TIMEOUT + KEEP_ALIVE)
        wire.advance(BODY_TIMEOUT + KEEP_ALIVE)
        assert wire.is_closed()
        assert not wire.transport.written or wire.transport.written.startswith(b"HTTP/1.1 ")
    finally:
        asyncio.set_event_loop(None)
        loop.close()


# One after the other


def test_requests_in_one_read_are_answered_in_order(wire: Wire) -> None:
    wire.app.go.clear()
    assert wire.send(head() + head()) == b""
    wire.app.go.set()
    wire.settle()
    assert wire.transport.written.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("broken", [b"nonsense\r\n\r\n", b"GET /\r\n\r\n", head(b"x : 1")])
def test_a_broken_request_does_not_get_into_the_answer_of_the_one_before(wire: Wire, broken: bytes) -> None:
    wire.app.go.clear()
    assert wire.send(head() + broken) == b""
    wire.app.go.set()
    wire.settle()
    assert status_of(wire.transport.written) == 200
    assert wire.is_closed()


# How long


def test_who_connects_and_says_nothing_is_closed_without_a_word(wire: Wire) -> None:
    wire.advance(HEAD_TIMEOUT - 0.1)
    assert not wire.is_closed()
    wire.advance(0.2)
    assert wire.is_closed()
    assert wire.transport.written == b""


def test_an_unfinished_head_is_408_however_many_octets_still_come(wire: Wire) -> None:
    wire.advance(HEAD_TIMEOUT - 1.0)
    wire.send(b"GET /x HTTP/1.1\r\n")  # its time begins here
    for _ in range(9):
        wire.advance(HEAD_TIMEOUT / 10)
        assert wire.send(b"x: 1\r\n") == b""
    wire.advance(HEAD_TIMEOUT / 10 + 0.1)
    check_refusal(wire.transport.written, 408, "not complete in time")
    assert wire.is_closed()


def test_a_body_has_its_own_time(wire: Wire) -> None:
    wire.send(b"POST /x HTTP/1.1\r\nhost: a\r\n")
    wire.advance(HEAD_TIMEOUT - 0.1)
    wire.send(b"content-length: 2\r\n\r\n")
    wire.advance(BODY_TIMEOUT - 0.1)
    assert wire.transport.written == b""
    wire.send(b"a")
    wire.advance(0.2)
    check_refusal(wire.transport.written, 408, "not complete in time")
    assert wire.app.gone == 1


def test_a_body_that_comes_with_its_head_has_the_same_time(wire: Wire) -> None:
    wire.send(head(b"content-length: 2", method=b"POST") + b"a")
    wire.advance(BODY_TIMEOUT - 0.1)
    assert status_of(wire.send(b"a")) == 200
    wire.advance(0.2)
    assert not wire.is_closed()


def test_the_rest_of_a_body_that_was_answered_already_is_not_waited_for_either(wire: Wire) -> None:
    assert status_of(wire.send(head(b"content-length: 2", method=b"POST", target=b"/unread"))) == 200
    wire.send(b"a")
    wire.advance(BODY_TIMEOUT + 0.1)
    assert wire.is_closed()
    assert status_of(wire.transport.written) == 200


def test_an_answer_may_take_its_time(wire: Wire) -> None:
    wire.app.go.clear()
    wire.send(head())
    wire.advance(10 * BODY_TIMEOUT)
    wire.app.go.set()
    wire.settle()
    assert status_of(wire.transport.written) == 200


def test_an_application_may_take_its_time_to_read(wire: Wire) -> None:
    wire.send(head(b"content-length: 2", method=b"POST"))
    wire.connection.flow.pause_reading()
    wire.advance(2 * BODY_TIMEOUT)
    assert not wire.is_closed()
    wire.connection.flow.resume_reading()
    wire.advance(BODY_TIMEOUT + 0.1)
    assert status_of(wire.transport.written) == 408


def test_a_connection_without_requests_is_closed(wire: Wire) -> None:
    wire.send(head())
    wire.advance(KEEP_ALIVE - 0.1)
    assert not wire.is_closed()
    assert status_of(wire.send(head())) == 200
    wire.advance(KEEP_ALIVE + 0.1)
    assert wire.is_closed()


def test_line_feeds_are_no_request(wire: Wire) -> None:
    wire.send(head())
    for _ in range(11):
        wire.advance(KEEP_ALIVE / 10)
        wire.send(b"\r\n")
    assert wire.is_closed()


def test_line_feeds_are_no_first_request_either(wire: Wire) -> None:
    for _ in range(11):
        wire.send(b"\r\n")
        wire.advance(HEAD_TIMEOUT / 10)
    assert wire.is_closed()
    assert wire.transport.written == b""


def test_half_a_request_after_an_idle_time_is_not_waited_for_longer_than_another(wire: Wire) -> None:
    wire.send(head())
    wire.advance(HEAD_TIMEOUT + 1.0)
    wire.send(b"GET")
    wire.advance(HEAD_TIMEOUT - 0.1)
    assert not wire.is_closed()
    wire.advance(0.2)
    assert b"HTTP/1.1 408 " in wire.transport.written
    assert wire.is_closed()


def test_a_request_that_asks_for_another_protocol_is_answered_in_this_one(wire: Wire) -> None:
    upgrade = head(b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-key: eA==")
    assert status_of(wire.send(upgrade)) == 200
    assert status_of(wire.send(head(b"connection: upgrade, http2-settings", b"upgrade: h2c"))) == 200


def test_each_request_has_the_whole_time(wire: Wire) -> None:
    octets = head()
    wire.send(octets[:5])
    for _ in range(3):
        wire.advance(HEAD_TIMEOUT - 0.1)
        assert status_of(wire.send(octets[5:] + octets[:5])) == 200


def test_who_does_not_take_an_answer_is_cut_off(wire: Wire) -> None:
    wire.send(head())
    wire.connection.pause_writing()
    wire.connection.resume_writing()
    wire.connection.pause_writing()
    wire.advance(TAKE_TIMEOUT - 0.1)
    assert not wire.is_cut_off()
    wire.advance(0.2)
    assert wire.is_cut_off()


def test_who_takes_an_answer_late_is_not_cut_off(wire: Wire) -> None:
    wire.app.go.clear()
    wire.send(head())
    wire.connection.pause_writing()
    wire.advance(TAKE_TIMEOUT - 0.1)
    wire.connection.resume_writing()
    wire.advance(TAKE_TIMEOUT)
    assert not wire.is_closed()


def test_a_connection_that_is_gone_leaves_no_timer(wire: Wire) -> None:
    wire.send(head())
    wire.send(b"GET")
    wire.connection.pause_writing()
    wire.connection.connection_lost(ConnectionResetError())
    wire.transport.closing = True
    wire.advance(1000.0)
    assert not wire.is_cut_off()
    assert wire.state.connections == set()


# Whose turn it is


def test_a_peer_is_waited_for_except_while_it_waits(wire: Wire) -> None:
    wire.app.go.clear()
    assert wire.is_waiting()
    wire.send(b"GET")
    assert wire.is_waiting()
    wire.send(head()[3:])
    assert not wire.is_waiting()
    wire.advance(5.0)
    wire.app.go.set()
    wire.settle()
    assert wire.is_waiting()
    assert wire.connection.since == wire.loop.now
    wire.app.go.clear()
    wire.send(head())
    wire.transport.closing = True
    assert wire.is_waiting()
