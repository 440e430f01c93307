"""The HTTP door, asked by httpx2 and by octets on a socket."""

import asyncio
import errno
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from nfcbridge.charger import Controller, FixedPasswords, Role, create_app
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.errors import LinkError
from nfcbridge.server import apploop, http
from nfcbridge.server.apploop import AppLoop
from nfcbridge.server.http import HttpServer, bind
from tests.server.apps import Lively
from tests.server.tls import client_context, server_context

# Seconds after which a test has failed.
SOON = 10.0


@pytest.fixture
def app() -> Lively:
    return Lively()


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def loop(app: Lively, problems: list[str]) -> Iterator[AppLoop]:
    with AppLoop(app, report=lambda problem, error: problems.append(f"{problem}: {error!r}")) as running:
        yield running


@pytest.fixture
def server(loop: AppLoop) -> HttpServer:
    return loop.serve_http("127.0.0.1", 0)


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), SOON)


def read_to_the_end(connection: socket.socket) -> bytes:
    octets = b""
    while piece := connection.recv(65_536):
        octets += piece
    return octets


# Served


def test_port_0_takes_a_free_port_and_tells_it(server: HttpServer) -> None:
    assert server.port > 0
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert httpx2.get(f"{server.url}/x").json() == {"ok": True}


def test_requests_over_http_see_the_lifespan_state_and_their_peer(server: HttpServer, app: Lively) -> None:
    with httpx2.Client(base_url=server.url) as client:
        for _ in range(2):
            client.get("/x")
    assert [scope["state"] for scope in app.scopes] == [{"name": "lively"}] * 2
    assert app.log == ["lifespan.startup"]
    assert app.scopes[0]["client"] == app.scopes[1]["client"]  # one connection, kept alive
    assert app.scopes[0]["client"][0] == "127.0.0.1"


def test_no_header_changes_who_the_client_is(server: HttpServer, app: Lively) -> None:
    httpx2.get(f"{server.url}/x", headers={"x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.1"})
    assert app.scopes[0]["client"][0] == "127.0.0.1"


def test_a_broken_request_is_400_and_nobody_else_s_business(
    server: HttpServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(server) as connection:
        connection.sendall(b"\x16\x03\x01\r\n\r\n")
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 400 ")
    assert httpx2.get(f"{server.url}/x").status_code == 200
    assert capfd.readouterr() == ("", "")


def test_an_application_that_raises_is_500_and_reported_without_the_query(
    server: HttpServer, problems: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert httpx2.get(f"{server.url}/raise?ids=abcdef12").status_code == 500
    assert problems == ["GET /raise: the application raised: ValueError('broken')"]
    assert capfd.readouterr() == ("", "")


def test_an_ipv6_address_has_brackets_in_the_url() -> None:
    class Listener:
        def getsockname(self) -> tuple[Any, ...]:
            return ("::1", 8080, 0, 0)

    server = HttpServer(Lively(), Listener(), state={})  # type: ignore[arg-type]
    assert server.url == "http://[::1]:8080"


def test_a_server_that_was_not_started_stops_at_once() -> None:
    with bind("127.0.0.1", 0) as listener:
        asyncio.run(HttpServer(Lively(), listener, state={}).stop())


def test_https_is_served_with_the_given_context(loop: AppLoop) -> None:
    server = loop.serve_http("127.0.0.1", 0, ssl_context=server_context())
    assert server.url == f"https://127.0.0.1:{server.port}"
    assert httpx2.get(f"https://localhost:{server.port}/x", verify=client_context()).json() == {"ok": True}


def test_another_application_may_be_served_over_http_in_the_same_lifespan(loop: AppLoop, app: Lively) -> None:
    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"] += "/around"
        await app(scope, receive, send)

    server = loop.serve_http("127.0.0.1", 0, app=around)
    assert httpx2.get(f"{server.url}/x").status_code == 200
    assert (app.scopes[0]["path"], app.scopes[0]["state"]) == ("/x/around", {"name": "lively"})
    assert app.log == ["lifespan.startup"]


# Addresses that cannot be had


def test_a_port_that_is_taken_is_an_error_with_a_remedy(server: HttpServer) -> None:
    with pytest.raises(LinkError, match=rf"127\.0\.0\.1:{server.port}; another program has this port"):
        bind("127.0.0.1", server.port)


def test_an_address_that_is_not_this_machine_s_is_an_error_with_a_remedy() -> None:
    with pytest.raises(LinkError, match=r"192\.0\.2\.1:0; this machine has no such address"):
        bind("192.0.2.1", 0)


def test_a_name_that_is_no_address_is_an_error_with_a_remedy() -> None:
    with pytest.raises(LinkError, match=r"no such address for HTTP: 256\.0\.0\.1;"):
        bind("256.0.0.1", 0)


@pytest.mark.parametrize(
    ("code", "remedy"), [(errno.EACCES, "ports below 1024 are for root"), (errno.ENOBUFS, "no buffer space")]
)
def test_whatever_else_the_system_says_is_told(code: int, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: socket.socket, _address: object) -> None:
        raise OSError(code, "no buffer space")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(LinkError, match=remedy):
        bind("127.0.0.1", 80)


# The stop


def test_the_times_of_a_stop_add_up_to_2_s() -> None:
    assert http.STOP_TIMEOUT + apploop.CLEAN_UP_TIMEOUT <= apploop.STOP_TIMEOUT == 2.0
    assert apploop.GRACE + apploop.CANCEL_GRACE <= http.STOP_TIMEOUT


def test_an_open_event_stream_sees_a_disconnect_and_does_not_hold_up_the_stop(
    app: Lively, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http, "GRACE", 0.01)
    loop = AppLoop(app)
    loop.start()
    server = loop.serve_http("127.0.0.1", 0)
    with connect(server) as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
        assert app.begun.wait(SOON)
        began = time.monotonic()
        loop.stop(SOON)
        assert time.monotonic() - began < apploop.STOP_TIMEOUT
    assert app.gone.is_set()
    assert app.log == ["lifespan.startup", "lifespan.shutdown"]
    assert caplog.record_tuples == []


def test_a_call_that_does_not_look_at_its_client_is_cancelled_when_the_server_stops(
    app: Lively, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http, "GRACE", 0.01)
    monkeypatch.setattr(http, "CUT_GRACE", 0.2)
    loop = AppLoop(app)
    loop.start()
    server = loop.serve_http("127.0.0.1", 0)
    with connect(server) as connection:
        connection.sendall(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        assert app.begun.wait(SOON)
        loop.stop(SOON)
    assert app.log == ["lifespan.startup", "cancelled", "lifespan.shutdown"]
    assert caplog.record_tuples == []


def test_a_call_that_cancels_itself_is_the_application_s_fault(server: HttpServer, problems: list[str]) -> None:
    assert httpx2.get(f"{server.url}/cancel").status_code == 500
    assert problems == ["GET /cancel: the application raised: CancelledError()"]


def test_the_port_is_free_again_after_the_stop(app: Lively) -> None:
    with AppLoop(app) as loop:
        server = loop.serve_http("127.0.0.1", 0)
        httpx2.get(f"{server.url}/x")
    with bind("127.0.0.1", server.port):
        pass


# The core behind it


def test_a_foreign_client_logs_in_reads_the_state_and_logs_out() -> None:
    core = create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: "Stra\u00dfe"})))
    with AppLoop(core) as loop, httpx2.Client(base_url=f"{loop.serve_http('127.0.0.1', 0).url}/v1") as client:
        assert client.get("/system_state").status_code == 401
        token = client.get("/login").json()["token"]
        hashed = subprocess.run(["sha256sum"], input=f"Stra\u00dfe{token}".encode(), capture_output=True, check=True)
        login = client.post("/login", json={"username": "operator", "password": hashed.stdout[:64].decode()})
        assert login.status_code == 200
        headers = {"authorization": login.json()["session"]["session_id"]}
        state = client.get("/system_state", headers=headers)
        assert state.headers["content-type"] == "application/json"
        assert state.json()["systemState"] == "idle"
        assert client.head("/system_state", headers=headers).content == b""
        assert client.post("/logout", headers=headers).json() == {"logged_in": False, "message": "Logged out"}
        assert client.get("/system_state", headers=headers).status_code == 401
