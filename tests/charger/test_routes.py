"""Every row of the route table, and the error policy, through the core."""

import asyncio
import dataclasses
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from nfcbridge.charger import BASE_PATH, Controller, Role
from nfcbridge.charger.catalogue import Evidence
from nfcbridge.charger.operation import MAX_BODY, MAX_PATH, MAX_QUERY, Call, Operation, Section, read_body
from nfcbridge.charger.policy import Failed, RefusedError, decode_body
from nfcbridge.charger.routes import ROUTES
from nfcbridge.errors import LocalProtocolError
from tests.charger.core import PASSWORDS, Core

NOBODY = "00000000-0000-4000-8000-000000000000"


def target_of(operation: Operation) -> str:
    return BASE_PATH + operation.path.replace("{", "").replace("}", "")


# The table


def test_no_name_and_no_method_of_a_path_is_in_the_table_twice() -> None:
    assert len({operation.name for operation in ROUTES}) == len(ROUTES)
    assert len({(operation.method, operation.path) for operation in ROUTES}) == len(ROUTES)


def test_only_login_is_open() -> None:
    assert {operation.path for operation in ROUTES if operation.roles is None} == {"/login"}


@pytest.mark.parametrize("operation", [row for row in ROUTES if row.roles is not None], ids=lambda row: row.name)
@pytest.mark.parametrize("kind", ["missing", "empty", "unknown", "expired", "logged out"])
def test_every_operation_but_login_is_401_without_a_session(core: Core, operation: Operation, kind: str) -> None:
    session = {"missing": None, "empty": "", "unknown": NOBODY}.get(kind, "")
    if kind == "expired":
        session = core.login()
        core.now += 60.0
    elif kind == "logged out":
        session = core.login()
        core.call("POST", "/v1/logout", session=session)
    reply = core.call(operation.method, target_of(operation), session=session, body={})
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert "Not logged in" in reply.content.values()


@pytest.mark.parametrize(
    "target",
    ["/", "/v1", "/v1/", "/v1/nowhere", "/v1/login/", "/v1//login", "/login", "/system_state", "/openapi.json"],
)
def test_an_unknown_path_is_401_without_a_session_and_404_with_one(core: Core, target: str) -> None:
    assert core.call("GET", target).status == 401
    reply = core.call("GET", target, session=core.login())
    assert reply.status == 404
    assert reply.content == {"success": False, "cause": "invalid path"}


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "get", "PROPFIND"])
def test_a_wrong_method_is_401_without_a_session_and_405_with_one(core: Core, method: str) -> None:
    assert core.call(method, "/v1/system_state").status == 401
    reply = core.call(method, "/v1/system_state", session=core.login())
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert reply.content == {"success": False, "cause": "method not allowed"}


def test_a_wrong_method_of_login_is_405_since_that_path_is_open(core: Core) -> None:
    reply = core.call("DELETE", "/v1/login")
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, POST, HEAD, OPTIONS"


# Answers


@pytest.mark.parametrize("user", ["operator", "user"])
def test_every_role_reads_the_state_of_the_idle_charger(core: Core, user: str) -> None:
    reply = core.call("GET", "/v1/system_state", session=core.login(user, PASSWORDS[Role(user)]))
    assert reply.status == 200
    assert reply.octets == (
        b'{"systemState":"idle","connectionState":"no_vehicle_connected","authState":"not_authorized_for_charging",'
        b'"ocppState":"available","type2State":"a","ambientTemp":23.4}'
    )


@pytest.mark.parametrize(("method", "target"), [("GET", "/v1/login"), ("GET", "/v1/nowhere"), ("POST", "/v1/login")])
def test_no_answer_is_kept_or_taken_for_other_than_json(core: Core, method: str, target: str) -> None:
    headers = core.call(method, target).headers
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


# HEAD and OPTIONS


def test_head_has_the_head_of_get_without_the_length_of_a_content_that_is_not_made(core: Core) -> None:
    session = core.login()
    got, head = (core.call(method, "/v1/system_state", session=session) for method in ("GET", "HEAD"))
    assert (head.status, head.octets) == (200, b"")
    assert head.headers == {name: value for name, value in got.headers.items() if name != "content-length"}


def test_head_of_login_leaves_the_token_as_it_is(core: Core) -> None:
    token = core.token()
    assert core.call("HEAD", "/v1/login").status == 200
    hashed = sha256((PASSWORDS[Role.OPERATOR] + token).encode()).hexdigest()
    assert core.call("POST", "/v1/login", body={"username": "operator", "password": hashed}).status == 200


def test_head_runs_no_operation() -> None:
    async def never(_controller: Controller, _call: Call[None, None]) -> Told:
        raise AssertionError

    core = Core(operations=[*ROUTES, dataclasses.replace(FOR_OPERATORS, handler=never)])
    assert core.call("HEAD", "/v1/users/4", session=core.login()).status == 200
    assert core.call("HEAD", "/v1/users/4", session=core.login("user", "user-secret")).status == 403


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_head_and_options_tell_a_stranger_nothing_but_of_login(core: Core, method: str) -> None:
    for target in ("/v1/system_state", "/v1/logout", "/v1/nowhere"):
        assert core.call(method, target).status == 401
    assert core.call(method, "/v1/login").status < 300


def test_head_of_what_has_no_get_is_405_and_of_what_is_nowhere_404(core: Core) -> None:
    session = core.login()
    reply = core.call("HEAD", "/v1/logout", session=session)
    assert (reply.status, reply.headers["allow"]) == (405, "POST, OPTIONS")
    assert core.call("HEAD", "/v1/nowhere", session=session).status == 404


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        ("/v1/login", "GET, POST, HEAD, OPTIONS"),
        ("/v1/logout", "POST, OPTIONS"),
        ("/v1/system_state", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tells_the_methods_of_a_path(core: Core, target: str, methods: str) -> None:
    reply = core.call("OPTIONS", target, session=core.login())
    assert (reply.status, reply.octets) == (204, b"")
    assert reply.headers == {"allow": methods}


def test_options_of_what_is_nowhere_is_404(core: Core) -> None:
    assert core.call("OPTIONS", "/v1/nowhere", session=core.login()).status == 404


def test_options_are_not_for_roles_alone() -> None:
    core = Core(operations=[*ROUTES, FOR_OPERATORS])
    assert core.call("OPTIONS", "/v1/users/4", session=core.login("user", "user-secret")).status == 204


# Faults


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"username":"operator"', 400),
        (b"username=operator", 400),
        (b'{"username":"\xff","password":""}', 400),
        (b'{"unknown":"\xff"}', 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"username":' + b"[" * 20_000, 400),
        (b'{"username":1', 400),
        (b'{"username":1}}', 400),
        (b"{}", "missing parameter 'username'"),
        (b'{"username":"operator"}', "missing parameter 'password'"),
        (b'{"password":""}', "missing parameter 'username'"),
        (b'{"username":null,"password":""}', "invalid parameter 'username'"),
        (b'{"username":"operator","password":1}', "invalid parameter 'password'"),
        (b'{"username":"operator","password":["x"]}', "invalid parameter 'password'"),
        (b"[]", "missing parameter 'username'"),
        (b'"operator"', "missing parameter 'username'"),
        (b"null", "missing parameter 'username'"),
    ],
)
def test_what_is_not_json_is_400_and_json_that_lacks_something_is_told_what(
    core: Core, body: bytes, answer: int | str
) -> None:
    reply = core.call("POST", "/v1/login", body=body)
    if isinstance(answer, int):
        assert reply.status == answer
        assert reply.content == {"logged_in": False, "message": "not JSON"}
    else:
        assert reply.status == 200
        assert reply.content == {"success": False, "cause": answer}


class Item(msgspec.Struct):
    key: str


class Nested(msgspec.Struct):
    params: list[Item]
    pairs: dict[str, int] = {}


class Optional(msgspec.Struct):
    params: list[str] = []


@pytest.mark.parametrize(
    ("expected", "body", "cause"),
    [
        (Nested, b'{"params":[{"key":"a"},{}]}', "missing parameter 'key'"),
        (Nested, b'{"params":[{"key":"a"},{"key":1}]}', "invalid parameter 'key'"),
        (Nested, b'{"params":[1]}', "invalid parameter 'params'"),
        (Nested, b'{"params":{}}', "invalid parameter 'params'"),
        (Nested, b'{"params":[],"pairs":{"x":"1"}}', "invalid parameter 'pairs'"),
        (Optional, b"[]", "invalid parameter 'body'"),
        (Optional, b'{"params":[1]}', "invalid parameter 'params'"),
    ],
)
def test_the_parameter_that_is_wrong_is_named_however_deep_it_is(expected: type, body: bytes, cause: str) -> None:
    assert decode_body(body, msgspec.json.Decoder(expected)) == Failed(cause=cause)


def test_a_body_of_the_largest_size_is_read_and_one_octet_more_is_413(core: Core) -> None:
    body = b"{}" + b" " * (MAX_BODY - 2)
    assert core.call("POST", "/v1/login", body=body).status == 200
    assert core.call("POST", "/v1/login", body=body + b" ").status == 413
    half = MAX_BODY // 2
    assert core.send("POST", "/v1/login", [body[:half], body[half:]]).status == 200
    assert core.send("POST", "/v1/login", [body[:half], body[half:], b" "]).status == 413


def test_a_body_that_ends_early_is_not_acted_upon(core: Core) -> None:
    body = b'{"username":"operator","password":""}'
    assert core.send("POST", "/v1/login", [body], complete=False).status == 400


def test_a_body_message_without_fields_is_the_end_of_an_empty_body() -> None:
    async def receive() -> Any:
        return {"type": "http.request"}

    assert asyncio.run(read_body(receive, 10)) == b""


def test_a_body_that_no_operation_asks_for_is_not_looked_at(core: Core) -> None:
    assert core.call("POST", "/v1/logout", session=core.login(), body=b"{" * (MAX_BODY + 1)).status == 200


@pytest.mark.parametrize("path", ["/v1/nowhere/", "/v1/login"])
def test_a_query_of_the_largest_size_is_taken_and_one_octet_more_is_414(core: Core, path: str) -> None:
    session = core.login()
    assert core.call("GET", f"{path}?{'a' * MAX_QUERY}", session=session).status in {200, 404}
    assert core.call("GET", f"{path}?{'a' * (MAX_QUERY + 1)}", session=session).status == 414


def test_a_path_of_the_largest_size_is_looked_for_and_one_character_more_is_414(core: Core) -> None:
    session = core.login()
    longest = "/v1/" + "\u00fc" * (MAX_PATH - 4)
    assert core.call("GET", longest, session=session).status == 404
    assert core.call("GET", longest + "a", session=session).status == 414
    assert core.call("GET", longest + "a").status == 401


class Told(msgspec.Struct):
    user_id: str
    query: str
    client: str


async def tell(_controller: Controller, call: Call[None, None]) -> Told:
    return Told(call.path_parameters["userId"], call.query_string.decode(), call.client)


FOR_OPERATORS = Operation(
    name="tell",
    section=Section.USERS,
    method="GET",
    path="/users/{userId}",
    summary="",
    evidence=Evidence.INFERRED,
    handler=tell,
    response=Told,
    roles=frozenset({Role.OPERATOR}),
)


def test_an_operation_sees_its_path_parameters_the_query_and_the_client() -> None:
    core = Core(operations=[*ROUTES, FOR_OPERATORS])
    reply = core.call("GET", "/v1/users/4 5?a=b", session=core.login())
    assert reply.content == {"user_id": "4 5", "query": "a=b", "client": "192.0.2.1"}


def test_an_operation_that_is_not_for_the_role_is_403() -> None:
    core = Core(operations=[*ROUTES, FOR_OPERATORS])
    reply = core.call("GET", "/v1/users/4", session=core.login("user", "user-secret"))
    assert reply.status == 403
    assert reply.content == {"success": False, "cause": "not allowed for this user"}


def test_our_own_fault_is_500_without_a_word_about_it_and_raised_to_whoever_serves(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(core.controller.charger, "system_state", broken)
    session = core.login()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/system_state",
        "query_string": b"",
        "headers": [(b"authorization", session.encode())],
    }
    with pytest.raises(ZeroDivisionError):
        asyncio.run(core.app(scope, asyncio.Queue[Any]().get, send))
    assert sent[0]["status"] == 500
    assert sent[1]["body"] == b'{"success":false,"cause":"internal error"}'


def test_an_operation_without_roles_must_not_ask_who_calls() -> None:
    call = Call("192.0.2.1", None, None, None, 0.0, {}, b"")
    with pytest.raises(LocalProtocolError):
        _ = call.user


def test_a_websocket_is_turned_away(core: Core) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/login", "headers": []}
    asyncio.run(core.app(scope, asyncio.Queue[Any]().get, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_a_refusal_has_the_status_as_a_plain_number() -> None:
    assert type(RefusedError(401, "x").status) is int


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/v1/users/4", {"userId": "4"}),
        ("/v1/users/a b", {"userId": "a b"}),
        ("/v1/users/", None),
        ("/v1/users/4/", None),
        ("/v1/users/4/5", None),
        ("/v1/users/4\n", {"userId": "4\n"}),
        ("/v1/pairs/a", {"key": "a"}),
        ("/v1/pairs/a/b", {"key": "a/b"}),
        ("/v1/pairs/a/", {"key": "a/"}),
        ("/v1/pairs/", None),
        ("/v1/pairs", None),
    ],
)
def test_a_parameter_is_one_segment_of_a_path_but_a_key_may_have_slashes(
    target: str, found: dict[str, str] | None
) -> None:
    async def tell_parameters(_controller: Controller, call: Call[None, None]) -> dict[str, str]:
        return call.path_parameters

    users = dataclasses.replace(FOR_OPERATORS, handler=tell_parameters, response=dict)
    core = Core(operations=[*ROUTES, users, dataclasses.replace(users, name="pairs", path="/pairs/{key}")])
    reply = core.call("GET", target, session=core.login())
    assert reply.content == found if found else reply.status == 404
