"""Logging in and out, through the core."""

import re
import string
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger import Controller, FixedPasswords, Role, hash_password, login
from nfcbridge.charger.login import MAX_TOKENS, Logins, LoginTokens
from nfcbridge.charger.policy import RefusedError
from nfcbridge.charger.sessions import Sessions
from tests.charger.core import PASSWORDS, Core

# The token of the API reference's sample.
TOKEN = ">2BGLs|@|TIYOi3@5kTvQRZg$xL<rh3V"
OTHER_CLIENT = "192.0.2.2"


@pytest.mark.parametrize(
    ("plain", "hashed"),
    [
        # printf '%s' 'operator>2BGLs|@|TIYOi3@5kTvQRZg$xL<rh3V' | sha256sum, GNU coreutils 9.1
        ("operator", "5e19807974f3ee30ce0bbb65d620d8f79fac571bd89e275f4670ef3f227adff0"),
        # printf '%s' 'Straße>2BGLs|@|TIYOi3@5kTvQRZg$xL<rh3V' | sha256sum
        ("Stra\u00dfe", "3ecb3142bb5c808b2cf5797724eab25d98e017c48c5fdb6e1c81afc5aebecb4d"),
    ],
)
def test_a_password_is_hashed_with_the_token_as_sha256sum_does(
    plain: str, hashed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hash_password(plain, TOKEN) == hashed
    monkeypatch.setattr(login, "b85encode", lambda _octets: TOKEN.encode())
    core = Core(Controller(passwords=FixedPasswords({Role.OPERATOR: plain})))
    assert core.token() == TOKEN
    reply = core.call("POST", "/v1/login", body={"username": "operator", "password": hashed})
    assert reply.content["logged_in"] is True


def test_a_token_has_32_printable_characters_that_json_does_not_escape(core: Core) -> None:
    reply = core.call("GET", "/v1/login")
    assert reply.status == 200
    assert list(reply.content) == ["token"]
    token = reply.content["token"]
    assert len(token) == 32
    assert set(token) <= set(string.ascii_letters + string.digits + string.punctuation) - set('"\\')
    assert len(reply.octets) == len('{"token":""}') + 32


def test_no_two_tokens_are_the_same() -> None:
    tokens = LoginTokens()
    assert len({tokens.issue("a") for _ in range(1000)}) == 1000


def test_a_login_opens_a_session_and_says_what_it_is(core: Core) -> None:
    reply = core.try_login()
    assert reply.status == 200
    session = reply.content["session"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", session["session_id"])
    assert reply.content == {
        "logged_in": True,
        "session": {
            "session_id": session["session_id"],
            "username": "operator",
            "role": "operator",
            "timeout": 60,
        },
    }


@pytest.mark.parametrize(
    ("user", "plain"),
    [
        ("operator", "wrong"),
        ("operator", ""),
        ("operator", "user-secret"),
        ("Operator", "op-secret"),
        ("operator ", "op-secret"),
        ("nobody", "op-secret"),
        ("", ""),
        ("nobody", ""),
        ("installer", ""),
        ("installer", "op-secret"),
        ("installer", "None"),
        ("oper\u00e4tor", "op-secret"),
    ],
)
def test_a_wrong_name_or_password_is_401_and_not_said_which(core: Core, user: str, plain: str) -> None:
    reply = core.try_login(user, plain)
    assert reply.status == 401
    assert reply.content == {"logged_in": False, "message": "Login failed"}


@pytest.mark.parametrize("form", [str.upper, lambda digits: digits[:54], lambda digits: f"{digits} ", lambda _: ""])
def test_only_64_digits_in_lower_case_are_a_hash(core: Core, form: Any) -> None:
    hashed = form(sha256(("op-secret" + core.token()).encode()).hexdigest())
    reply = core.call("POST", "/v1/login", body={"username": "operator", "password": hashed})
    assert reply.status == 401


@given(st.text(), st.text())
def test_no_name_and_password_that_nobody_set_logs_in(user: str, password: str) -> None:
    core = Core()
    core.token()
    reply = core.call("POST", "/v1/login", body={"username": user, "password": password})
    assert reply.status == 401


# Tokens


def attempt(core: Core, token: str, client: str = "192.0.2.1") -> int:
    hashed = sha256(f"op-secret{token}".encode()).hexdigest()
    body = {"username": "operator", "password": hashed}
    return core.call("POST", "/v1/login", body=body, client=client).status


def test_a_token_is_void_after_a_login(core: Core) -> None:
    token = core.token()
    assert attempt(core, token) == 200
    assert attempt(core, token) == 401


def test_a_token_is_void_after_a_failed_login(core: Core) -> None:
    token = core.token()
    core.call("POST", "/v1/login", body={"username": "operator", "password": "0" * 64})
    assert attempt(core, token) == 401


def test_a_token_is_void_when_the_next_is_asked_for(core: Core) -> None:
    first, second = core.token(), core.token()
    assert attempt(core, first) == 401
    assert attempt(core, core.token()) == 200
    assert attempt(core, second) == 401


def test_a_token_belongs_to_its_client_and_no_other_can_void_it(core: Core) -> None:
    token = core.token()
    core.token(OTHER_CLIENT)
    assert attempt(core, token, OTHER_CLIENT) == 401
    assert attempt(core, token) == 200


def test_a_login_without_a_token_fails_also_with_an_empty_one(core: Core) -> None:
    assert attempt(core, "") == 401
    assert attempt(core, "None") == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"username":"operator"}', b'{"username":1,"password":""}'])
def test_a_body_that_is_no_login_is_no_attempt_and_leaves_the_token(core: Core, body: bytes) -> None:
    token = core.token()
    core.call("POST", "/v1/login", body=body)
    assert attempt(core, token) == 200


def test_the_largest_number_of_clients_hold_a_token_and_one_more_voids_the_oldest() -> None:
    tokens = LoginTokens()
    first = tokens.issue("first")
    second = tokens.issue("second")
    for number in range(MAX_TOKENS - 2):
        tokens.issue(str(number))
    tokens.issue("second")  # again: takes no other's place
    tokens.issue("one more")
    assert first != second
    assert tokens.take("first") is None
    assert tokens.take("0") is not None


def test_a_password_that_is_unset_equals_no_empty_one() -> None:
    logins = Logins(FixedPasswords({Role.OPERATOR: ""}), Sessions())
    for role in (Role.OPERATOR, Role.INSTALLER):
        token = logins.issue_token("a")
        with pytest.raises(RefusedError):
            logins.attempt("a", role, hash_password("", token), 0.0)


@pytest.mark.parametrize("user", ["operator", "user", "installer", "nobody", ""])
@pytest.mark.parametrize("with_token", [True, False])
def test_every_attempt_does_the_same_work(user: str, with_token: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    work: list[str] = []

    def counted_hash(plain: str, token: str) -> str:
        work.append("hash")
        return hash_password(plain, token)

    def counted_compare(first: bytes, second: bytes) -> bool:
        work.append("compare")
        return first == second

    monkeypatch.setattr(login, "hash_password", counted_hash)
    monkeypatch.setattr(login, "compare_digest", counted_compare)
    logins = Logins(FixedPasswords(PASSWORDS), Sessions())
    if with_token:
        logins.issue_token("a")
    with pytest.raises(RefusedError):
        logins.attempt("a", user, "0" * 64, 0.0)
    assert work == ["hash", "compare", "compare"] * len(Role)


# Sessions


def test_a_session_ends_60_s_after_its_last_call(core: Core) -> None:
    session = core.login()
    core.now += 59.999
    assert core.call("GET", "/v1/system_state", session=session).status == 200
    core.now += 59.999
    assert core.call("GET", "/v1/system_state", session=session).status == 200
    core.now += 60.0
    assert core.call("GET", "/v1/system_state", session=session).status == 401


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/nowhere"), ("PUT", "/v1/system_state"), ("GET", "/v1/login")]
)
def test_every_call_renews_the_session_whatever_becomes_of_it(core: Core, method: str, path: str) -> None:
    session = core.login()
    core.now += 59.0
    core.call(method, path, session=session)
    core.now += 59.0
    assert core.call("GET", "/v1/system_state", session=session).status == 200


def test_a_session_is_good_wherever_it_comes_in(core: Core) -> None:
    session = core.login()
    assert core.call("GET", "/v1/system_state", session=session, client="udp:127.0.0.1:54321").status == 200
    assert core.call("GET", "/v1/system_state", session=session, client=None).status == 200


def test_a_second_login_leaves_the_first_session_alive(core: Core) -> None:
    first, second = core.login(), core.login()
    assert first != second
    assert core.call("POST", "/v1/logout", session=second).status == 200
    assert core.call("GET", "/v1/system_state", session=first).status == 200


def test_a_logout_ends_the_session(core: Core) -> None:
    session = core.login()
    reply = core.call("POST", "/v1/logout", session=session)
    assert reply.status == 200
    assert reply.content == {"logged_in": False, "message": "Logged out"}
    assert core.call("GET", "/v1/system_state", session=session).status == 401


def test_a_logout_without_a_session_says_so_in_its_own_form(core: Core) -> None:
    reply = core.call("POST", "/v1/logout")
    assert reply.status == 401
    assert reply.content == {"logged_in": False, "message": "Not logged in"}


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "bearer {}", "BEARER  {} "])
def test_a_session_id_is_sent_raw_or_as_a_bearer_token(core: Core, form: str) -> None:
    assert core.call("GET", "/v1/system_state", session=form.format(core.login())).status == 200


@pytest.mark.parametrize("form", ["Basic {}", "{}x", "{} x", "", "Bearer", "Bearer ", "\u00fc{}"])
def test_anything_else_is_no_session_id(core: Core, form: str) -> None:
    reply = core.call("GET", "/v1/system_state", session=form.format(core.login()))
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"


def test_of_two_authorizations_the_first_counts(core: Core) -> None:
    session = core.login().encode()
    for headers, status in (
        ([(b"accept", b"*/*"), (b"authorization", session), (b"authorization", b"x")], 200),
        ([(b"authorization", b"x"), (b"authorization", session)], 401),
    ):
        assert core.call("GET", "/v1/system_state", headers=headers).status == status


# Back-off


def test_after_5_failures_a_login_has_to_wait_and_is_told_how_long(core: Core) -> None:
    for _ in range(5):
        assert core.try_login(plain="wrong").status == 401
    reply = core.try_login()
    assert reply.status == 429
    assert reply.headers["retry-after"] == "1"
    assert reply.content == {"logged_in": False, "message": "too many failed logins"}
    core.now += 1.0
    assert core.try_login().status == 200


def test_a_back_off_is_of_one_client_and_one_user(core: Core) -> None:
    for _ in range(6):
        core.try_login(plain="wrong")
    assert core.try_login().status == 429
    assert core.try_login("user", "user-secret").status == 200
    assert core.try_login(client=OTHER_CLIENT).status == 200


def test_an_attempt_during_the_back_off_keeps_its_token(core: Core) -> None:
    for _ in range(5):
        core.try_login(plain="wrong")
    token = core.token()
    assert attempt(core, token) == 429
    core.now += 1.0
    assert attempt(core, token) == 200


def test_asking_for_tokens_is_never_limited(core: Core) -> None:
    for _ in range(20):
        core.try_login(plain="wrong")
    assert core.call("GET", "/v1/login").status == 200


def test_names_that_do_not_exist_back_off_as_others_do(core: Core) -> None:
    statuses = [[core.try_login(user, "wrong").status for _ in range(7)] for user in ("operator", "installer", "x")]
    assert statuses == [[401] * 5 + [429] * 2] * 3
