"""How many connections there may be, and who makes room for others."""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from uvicorn.server import ServerState

from nfcbridge.server import connection, http, listener
from nfcbridge.server.apploop import STOP_TIMEOUT, AppLoop
from nfcbridge.server.http import HttpServer, bind
from tests.server.apps import Lively
from tests.server.tls import client_context, server_context

# Seconds after which a test has failed.
SOON = 10.0

REQUEST = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.fixture
def app() -> Lively:
    return Lively()


@pytest.fixture
def loop(app: Lively, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppLoop]:
    monkeypatch.setattr(http, "GRACE", 0.01)  # calls of these tests that wait do so for ever
    with AppLoop(app, report=lambda _problem, _error: None) as running:
        yield running


@pytest.fixture
def server(loop: AppLoop, monkeypatch: pytest.MonkeyPatch) -> HttpServer:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 2)
    return loop.serve_http("127.0.0.1", 0)


@pytest.fixture
def tls_server(loop: AppLoop, monkeypatch: pytest.MonkeyPatch) -> HttpServer:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 2)
    return loop.serve_http("127.0.0.1", 0, ssl_context=server_context())


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), SOON)


def ask(connection: socket.socket) -> bytes:
    """One answer on a connection that stays open."""
    connection.sendall(REQUEST)
    octets = b""
    while not octets.endswith(b"0\r\n\r\n"):
        piece = connection.recv(65_536)
        assert piece, octets
        octets += piece
    return octets


def is_cut(connection: socket.socket) -> bool:
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


def test_the_bounds_are_those_that_are_told() -> None:
    assert listener.MAX_CONNECTIONS == 256
    assert (connection.HEAD_TIMEOUT, connection.BODY_TIMEOUT, connection.KEEP_ALIVE) == (10.0, 30.0, 30)


def test_as_many_connections_as_there_may_be_stay_open(server: HttpServer) -> None:
    with connect(server) as first, connect(server) as second:
        for _ in range(2):
            assert ask(first).startswith(b"HTTP/1.1 200 ")
            assert ask(second).startswith(b"HTTP/1.1 200 ")


def test_one_more_takes_the_place_of_the_one_that_was_idle_the_longest(server: HttpServer) -> None:
    with connect(server) as first, connect(server) as second:
        ask(first)
        ask(second)
        ask(first)
        with connect(server) as third:
            assert ask(third).startswith(b"HTTP/1.1 200 ")
            assert is_cut(second)
            assert ask(first).startswith(b"HTTP/1.1 200 ")


def test_who_sends_half_a_request_makes_room_too(server: HttpServer) -> None:
    with connect(server) as first, connect(server) as second:
        first.sendall(b"GET /x HTTP/1.1\r\n")
        second.sendall(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\na")
        for _ in range(4):
            assert httpx2.get(f"{server.url}/x").status_code == 200
        assert is_cut(first)


def test_one_more_is_503_while_all_are_being_answered(server: HttpServer, app: Lively) -> None:
    with connect(server) as first, connect(server) as second:
        for one in (first, second):
            app.begun.clear()
            one.sendall(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
            assert app.begun.wait(SOON)
        answer = httpx2.get(f"{server.url}/x")
        assert answer.status_code == 503
        assert answer.json() == {"success": False, "cause": "too many connections"}
        assert answer.headers["connection"] == "close"


def test_with_tls_one_more_is_closed_while_all_are_being_answered(tls_server: HttpServer, app: Lively) -> None:
    context = client_context()
    with (
        context.wrap_socket(connect(tls_server), server_hostname="localhost") as first,
        context.wrap_socket(connect(tls_server), server_hostname="localhost") as second,
    ):
        for one in (first, second):
            app.begun.clear()
            one.sendall(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
            assert app.begun.wait(SOON)
        with connect(tls_server) as third:
            assert is_cut(third)


def test_a_handshake_that_is_not_finished_counts_and_makes_room(tls_server: HttpServer) -> None:
    with connect(tls_server) as first, connect(tls_server), connect(tls_server):
        assert is_cut(first)
        with client_context().wrap_socket(connect(tls_server), server_hostname="localhost") as fourth:
            assert ask(fourth).startswith(b"HTTP/1.1 200 ")


def test_of_a_handshake_and_an_idle_connection_the_older_makes_room(tls_server: HttpServer) -> None:
    with client_context().wrap_socket(connect(tls_server), server_hostname="localhost") as first:
        ask(first)
        with connect(tls_server) as second, connect(tls_server):
            assert is_cut(first)
            second.setblocking(False)
            with pytest.raises(BlockingIOError):
                second.recv(1)


def test_what_fails_when_a_connection_is_accepted_does_not_end_the_accepting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "RETRY_ACCEPT", 0.0)
    faults = [errno.ECONNABORTED, errno.EMFILE]

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        accept, made = loop.sock_accept, asyncio.Event()

        async def failing(listening: socket.socket) -> Any:
            if faults:
                raise OSError(faults.pop(), "made up")
            return await accept(listening)

        class Accepted(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                made.set()
                transport.abort()

        monkeypatch.setattr(loop, "sock_accept", failing)
        with bind("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
            accepting = listener.Listener(listening, Accepted, ServerState(), None)  # type: ignore[arg-type]
            accepting.close()  # it was not started
            await accepting.wait_closed()
            accepting.start()
            await asyncio.wait_for(made.wait(), SOON)
            accepting.close()
            await accepting.wait_closed()

    asyncio.run(scenario())
    assert faults == []


def test_a_handshake_that_never_ends_does_not_hold_up_the_stop(tls_server: HttpServer, loop: AppLoop) -> None:
    with connect(tls_server) as connection:
        connection.sendall(b"\x16\x03\x01")
        with connect(tls_server):
            pass
        loop.stop(SOON)
        assert is_cut(connection)


def test_idle_connections_do_not_hold_up_the_stop_whatever_their_peers_do(
    tls_server: HttpServer, loop: AppLoop
) -> None:
    with client_context().wrap_socket(connect(tls_server), server_hostname="localhost") as silent:
        ask(silent)
        began = time.monotonic()
        loop.stop(SOON)
        assert time.monotonic() - began < STOP_TIMEOUT
        assert silent.recv(1) == b""
