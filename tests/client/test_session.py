"""The session: login, requests and logout, over NFC and HTTP alike."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.client.session import Session
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import ResponseError
from nfcbridge.server.emulator import Emulator

PASSWORD = "correct horse"
Open = Callable[..., Session]


@pytest.fixture(scope="module")
def charger() -> Iterator[Emulator]:
    app = create_app(Controller(passwords=FixedPasswords({Role.OPERATOR: PASSWORD})))
    with Emulator(app, ["memory:charger"], base_path=BASE_PATH, http="127.0.0.1:0") as emulator:
        yield emulator


@pytest.fixture(params=["nfc", "http"])
def opened(request: pytest.FixtureRequest, charger: Emulator) -> Open:
    """Makes a session with the charger, by either door."""

    def make(password: str = PASSWORD) -> Session:
        if request.param == "nfc":
            return Session(NfcTransport("memory:charger"), "operator", password)
        return Session(httpx2.HTTPTransport(), "operator", password, base_url=f"{charger.http_url}{BASE_PATH}")

    return make


def test_it_logs_in_asks_and_logs_out(opened: Open) -> None:
    with opened() as session:
        state = session.request("GET", "/system_state")
        assert state.status_code == 200
        assert state.json()["systemState"] == "idle"


def test_a_request_without_a_login_is_401(opened: Open) -> None:
    session = opened()
    assert session.request("GET", "/system_state").status_code == 401
    session.close()


def test_after_the_logout_the_session_is_over_and_a_second_logout_does_nothing(opened: Open) -> None:
    session = opened()
    session.login()
    session.logout()
    assert session.request("GET", "/system_state").status_code == 401
    session.logout()
    session.close()


def test_a_wrong_password_is_the_status_of_the_login(opened: Open) -> None:
    session = opened("wrong")
    assert session.login().status_code == 401
    assert session.request("GET", "/system_state").status_code == 401
    session.close()


def test_entering_with_a_wrong_password_raises_and_frees_the_link(opened: Open) -> None:
    with pytest.raises(httpx2.HTTPStatusError), opened("wrong"):
        pass
    with opened() as session:
        assert session.request("GET", "/system_state").status_code == 200


# Against a scripted controller


class Controlled:
    """A transport with answers of the test.

    Attributes:
        calls: method, path and authorization of each request.
        contents: type and content of each request.
        closed: how often it was closed.
    """

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.calls: list[tuple[str, str, str | None]] = []
        self.contents: list[tuple[str | None, bytes]] = []
        self.closed = 0
        self._answers = list(answers)

    def transport(self) -> httpx2.BaseTransport:
        controlled = self

        class Transport(httpx2.BaseTransport):
            def handle_request(self, request: httpx2.Request) -> httpx2.Response:
                authorization = request.headers.get("authorization")
                controlled.calls.append((request.method, request.url.path, authorization))
                controlled.contents.append((request.headers.get("content-type"), request.read()))
                answer = controlled._answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer

            def close(self) -> None:
                controlled.closed += 1

        return Transport()

    def session(self) -> Session:
        return Session(self.transport(), "operator", "secret", keep_alive=None)


def ok(content: Any) -> httpx2.Response:
    return httpx2.Response(200, json=content)


TOKEN = {"token": "abc"}
SESSION = {"session": {"session_id": "id1"}}


def test_the_password_is_hashed_with_the_token_and_never_sent() -> None:
    controlled = Controlled(ok(TOKEN), ok(SESSION), ok({}))
    session = controlled.session()
    session.login()
    session.request("POST", "/x", b"[1]")
    # printf secretabc | sha256sum
    digest = "f6ba18523c6942ba1e1b54f8256527ab1b8db94496cf6f4a2b6db9695c0fc6f9"
    json = "application/json"
    assert controlled.contents == [
        (None, b""),
        (json, b'{"username":"operator","password":"%s"}' % digest.encode()),
        (json, b"[1]"),
    ]
    assert controlled.calls == [("GET", "/login", None), ("POST", "/login", None), ("POST", "/x", "id1")]


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ([ok({})], "no token"),
        ([ok([])], "no token"),
        ([ok({"token": 1})], "token of the login's answer is not a string"),
        ([httpx2.Response(200, content=b"<html>")], "no token"),
        ([httpx2.Response(200, content=b"[" * 100_000)], "no token"),
        ([ok(TOKEN), ok({"session": "id"})], "no session.session_id"),
        ([ok(TOKEN), httpx2.Response(204)], "no session.session_id"),
        (
            [ok(TOKEN), ok({"session": {"session_id": None}})],
            "session.session_id of the login's answer is not a string",
        ),
    ],
)
def test_what_is_no_answer_to_a_login_is_an_error(answers: list[httpx2.Response], what: str) -> None:
    controlled = Controlled(*answers)
    with pytest.raises(ResponseError, match=what), controlled.session():
        pass
    assert controlled.closed == 1


def test_a_controller_that_refuses_a_token_is_asked_no_more() -> None:
    controlled = Controlled(httpx2.Response(429))
    assert controlled.session().login().status_code == 429
    assert len(controlled.calls) == 1


def test_a_session_that_is_over_is_not_used_any_more() -> None:
    controlled = Controlled(ok(TOKEN), ok(SESSION), httpx2.Response(401), httpx2.Response(401))
    session = controlled.session()
    session.logout()
    assert controlled.calls == []
    session.login()
    session.logout()
    session.logout()
    session.request("GET", "/x")
    assert controlled.calls[2:] == [("POST", "/logout", "id1"), ("GET", "/x", None)]


def test_a_program_that_fails_logs_out_all_the_same_and_its_error_is_the_one_that_is_told() -> None:
    controlled = Controlled(ok(TOKEN), ok(SESSION), httpx2.ReadError("torn"))
    with pytest.raises(ZeroDivisionError), controlled.session():
        raise ZeroDivisionError
    assert controlled.calls[-1] == ("POST", "/logout", "id1")
    assert controlled.closed == 1


def test_a_link_that_failed_is_not_asked_to_log_out() -> None:
    controlled = Controlled(ok(TOKEN), ok(SESSION), httpx2.ReadError("torn"))
    with pytest.raises(httpx2.ReadError), controlled.session() as session:
        session.request("GET", "/x")
    assert len(controlled.calls) == 3
    assert controlled.closed == 1


def test_a_logout_that_fails_is_told_and_the_link_freed() -> None:
    controlled = Controlled(ok(TOKEN), ok(SESSION), httpx2.ReadError("torn"))
    with pytest.raises(httpx2.ReadError), controlled.session():
        pass
    assert controlled.closed == 1
