"""One response, as it leaves: what an application says, and what it must not say."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.server import response
from nfcbridge.server.response import MAX_LINES, header_line
from tests.server.test_connection import DrivenLoop, Wire, head, status_of

START = {"type": "http.response.start", "status": 200}
LENGTH_2 = START | {"headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body"}


@pytest.fixture
def wire() -> Iterator[Wire]:
    loop = DrivenLoop()
    asyncio.set_event_loop(loop)
    wire = Wire(loop)
    yield wire
    wire.transport.close()
    wire.settle()
    asyncio.set_event_loop(None)
    loop.close()


def says(wire: Wire, *messages: dict[str, Any], pause: asyncio.Event | None = None) -> None:
    """Make the application say this, after `pause` what follows the first message."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(messages[0])
        if pause is not None:
            await pause.wait()
        for message in messages[1:]:
            await send(message)

    wire.connection.app = app


def test_head_and_body_are_one_write(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    says(wire, LENGTH_2, BODY | {"body": b"ok"})
    writes: list[bytes] = []
    monkeypatch.setattr(wire.transport, "write", writes.append)
    wire.send(head())
    assert writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]


def test_a_body_in_pieces_of_a_known_length(wire: Wire) -> None:
    says(wire, LENGTH_2, BODY | {"body": b"o", "more_body": True}, BODY | {"body": b"k"})
    assert wire.send(head()).endswith(b"content-length: 2\r\n\r\nok")
    assert not wire.is_closed()


def test_a_stream_begins_at_once(wire: Wire) -> None:
    go = asyncio.Event()
    says(wire, START, BODY | {"body": b"a", "more_body": True}, BODY | {"more_body": True}, BODY, pause=go)
    assert wire.send(head()).endswith(b"transfer-encoding: chunked\r\n\r\n")
    go.set()
    wire.settle()
    assert wire.transport.written.endswith(b"1\r\na\r\n0\r\n\r\n")


def test_the_last_piece_of_a_stream_may_have_content(wire: Wire) -> None:
    says(wire, START | {"headers": [(b"Transfer-Encoding", b"chunked")]}, BODY | {"body": b"a"})
    octets = wire.send(head())
    assert octets.endswith(b"1\r\na\r\n0\r\n\r\n")
    assert octets.count(b"transfer-encoding: chunked") == 1


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"2")]])
def test_head_has_no_content(wire: Wire, headers: list[tuple[bytes, bytes]]) -> None:
    says(wire, START | {"headers": headers}, BODY | {"body": b"ok"})
    octets = wire.send(head(method=b"HEAD"))
    assert octets.endswith(b"\r\n\r\n")
    assert (b"content-length: 2" in octets) is bool(headers)
    assert b"chunked" not in octets
    assert status_of(wire.send(head(method=b"HEAD"))) == 200


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content_have_none(wire: Wire, status: int) -> None:
    says(wire, START | {"status": status}, BODY)
    octets = wire.send(head())
    assert status_of(octets) == status
    assert octets.endswith(b"\r\n\r\n")
    assert b"chunked" not in octets
    assert not wire.is_closed()


@pytest.mark.parametrize("value", [b"close", b"x, Close"])
def test_an_application_may_end_the_connection(wire: Wire, value: bytes) -> None:
    says(wire, LENGTH_2 | {"headers": [*LENGTH_2["headers"], (b"connection", value)]}, BODY | {"body": b"ok"})  # type: ignore[misc]
    octets = wire.send(head())
    assert octets.count(b"connection: ") == 1
    assert wire.is_closed()


def test_a_header_of_the_same_length_as_one_that_counts_is_none(wire: Wire) -> None:
    others = [(b"x" * 10, b"close"), (b"x" * 14, b"7"), (b"x" * 17, b"chunked"), (b"connection", b"x")]
    says(wire, START | {"headers": [*others, (b"transfer-encoding", b"x")]}, BODY | {"body": b"ok"})
    assert wire.send(head()).endswith(b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    assert not wire.is_closed()


def test_a_client_of_http_1_0_gets_an_end(wire: Wire) -> None:
    says(wire, LENGTH_2, BODY | {"body": b"ok"})
    octets = wire.send(b"GET / HTTP/1.0\r\n\r\n")
    assert b"connection: close\r\n" in octets
    assert wire.is_closed()


def test_what_is_added_to_every_response_changes_with_time(wire: Wire) -> None:
    says(wire, LENGTH_2, BODY | {"body": b"ok"})
    for date in (b"Sun", b"Sun", b"Mon"):
        wire.state.default_headers = [(b"date", date)]
        assert b"date: " + date + b"\r\n" in wire.send(head())


# What must not be


@pytest.mark.parametrize(
    "messages",
    [
        [BODY],
        [START, START],
        [START, {"type": "http.response.trailers"}],
        [LENGTH_2, BODY | {"body": b"long"}],
        [LENGTH_2, BODY | {"body": b"l"}],
        [LENGTH_2],
        [START | {"headers": [(b"x", b"a\r\nset-cookie: b")]}, BODY],
        [START | {"headers": [(b"x y", b"a")]}, BODY],
        [LENGTH_2, BODY | {"body": b"ok"}, BODY],
    ],
)
def test_an_application_that_breaks_the_rules_gets_nothing_broken_through(
    wire: Wire, messages: list[dict[str, Any]]
) -> None:
    says(wire, *messages)
    octets = wire.send(head())
    assert b"set-cookie" not in octets
    if octets.startswith(b"HTTP/1.1 500 "):
        assert octets.endswith(b'\r\n\r\n{"success":false,"cause":"internal error"}')
        assert b"connection: close" in octets
    assert wire.is_closed() or octets.endswith(b"ok")


def test_an_application_that_raises_before_it_answers_is_500_in_json(wire: Wire) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError

    wire.connection.app = app
    octets = wire.send(head())
    assert status_of(octets) == 500
    assert b"content-type: application/json" in octets
    assert octets.endswith(b'{"success":false,"cause":"internal error"}')


def test_a_peer_that_takes_nothing_more_holds_up_the_application_until_it_does(wire: Wire) -> None:
    says(wire, LENGTH_2, BODY | {"body": b"ok"})
    wire.connection.pause_writing()
    assert wire.send(head()) == b""
    wire.connection.resume_writing()
    wire.settle()
    assert wire.transport.written.endswith(b"ok")


def test_what_an_application_says_to_a_peer_that_is_gone_is_forgotten(wire: Wire) -> None:
    go = asyncio.Event()
    says(wire, START, BODY | {"body": b"a"}, pause=go)
    began = wire.send(head())
    wire.connection.connection_lost(ConnectionResetError())
    wire.transport.closing = True
    go.set()
    wire.settle()
    assert wire.transport.written == began


# Header lines


@pytest.mark.parametrize("octet", range(256))
def test_every_octet_is_allowed_in_a_header_or_not(octet: int) -> None:
    token = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    char = bytes([octet])
    for name, value, allowed in (
        (b"x" + char, b"", octet in token),
        (b"x", char, octet == 0x09 or (octet >= 0x20 and octet != 0x7F)),
    ):
        if allowed:
            assert header_line(name, value) == name.lower() + b": " + value + b"\r\n"
        else:
            with pytest.raises(RuntimeError, match="not a header"):
                header_line(name, value)


def test_a_header_without_a_name_is_none() -> None:
    with pytest.raises(RuntimeError, match="not a header"):
        header_line(b"", b"x")


def test_a_header_line_is_checked_once_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "_lines", {})
    assert header_line(b"X-Name", b"Value") == b"x-name: Value\r\n"
    assert list(response._lines) == [(b"X-Name", b"Value")]  # noqa: SLF001


def test_lines_are_remembered_up_to_a_bound_and_lengths_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "_lines", {})
    header_line(b"content-length", b"1")
    for number in range(MAX_LINES + 1):
        header_line(b"x", b"%d" % number)
    assert len(response._lines) == MAX_LINES  # noqa: SLF001
    assert (b"content-length", b"1") not in response._lines  # noqa: SLF001
