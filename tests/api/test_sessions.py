"""Nothing but login is open: every row of the route table, through every door, without a session that is good."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from nfcbridge.charger.operation import Operation
from nfcbridge.charger.routes import ROUTES
from tests.api.doors import DOORS, BothDoors, Door, read_reply
from tests.api.running import SESSION_TIMEOUT, log_in
from tests.api.world import World

PROTECTED = [operation for operation in ROUTES if operation.roles is not None]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NEVER_GIVEN = "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"


class Strangers:
    """A door, and what people send who are not logged in.

    Attributes:
        sessions: by what is wrong with it.
    """

    def __init__(self, world: World, door: Door) -> None:
        self.door = door
        expired = log_in(door, "manufacturer")
        door.act(f"advance {SESSION_TIMEOUT + 0.1}")
        ended = log_in(door, "manufacturer")
        assert door.call("POST", "/logout", session=ended).status == 200
        self.sessions = {
            "none": None,
            "empty": "",
            "never given": NEVER_GIVEN,
            "expired": expired,
            "logged out": ended,
            "a bearer token of nothing": "Bearer ",
            "a word of Python": "None",
        }


@pytest.fixture(scope="module", params=DOORS)
def strangers(request: pytest.FixtureRequest) -> Iterator[Strangers]:
    world = World()
    with DOORS[request.param](world) as door:
        yield Strangers(world, door)


def path_of(operation: Operation) -> str:
    """A path of this operation; nobody has what it names."""
    return operation.path.replace("{", "a-").replace("}", "")


def assert_unauthorized(strangers: Strangers, method: str, path: str) -> None:
    body = "" if method in {"GET", "HEAD", "OPTIONS"} else "{}"
    for what, session in strangers.sessions.items():
        reply = strangers.door.call(method, path, session=session, body=body)
        assert reply.status == 401, what
        if not strangers.door.tells_errors or method == "HEAD":
            assert reply.octets == b""
        elif path == "/logout":
            assert reply.content == {"logged_in": False, "message": "Not logged in"}
        else:
            assert reply.content == {"success": False, "cause": "Not logged in"}


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda operation: operation.name)
def test_every_operation_but_login_is_refused_without_a_session(operation: Operation, strangers: Strangers) -> None:
    assert_unauthorized(strangers, operation.method, path_of(operation))


@pytest.mark.parametrize("path", sorted({path_of(operation) for operation in PROTECTED}))
def test_methods_that_a_path_lacks_are_not_told_to_strangers(path: str, strangers: Strangers) -> None:
    for method in METHODS:
        assert_unauthorized(strangers, method, path)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/users/x/y", "/settings/", "/v1", "/v1/", "/login/", "/logins"])
def test_unknown_paths_are_not_told_to_strangers(path: str, strangers: Strangers) -> None:
    for method in METHODS:
        assert_unauthorized(strangers, method, path)


def test_only_login_is_open() -> None:
    assert {operation.path for operation in ROUTES if operation.roles is None} == {"/login"}


def test_a_session_is_good_and_renewed_at_both_doors(world: World) -> None:
    with BothDoors(world) as door:
        over_nfc, over_http = door.call, door.clients.call
        session = log_in(door, "user")
        for call in (over_http, over_nfc, over_http):
            door.act(f"advance {SESSION_TIMEOUT - 0.1}")
            assert call("GET", "/system_state", session=session).status == 200
        assert over_http("POST", "/logout", session=session).status == 200
        assert over_nfc("GET", "/system_state", session=session).status == 401


def test_a_session_survives_the_loss_of_the_field(world: World) -> None:
    with BothDoors(world) as door:
        session = log_in(door, "user")
        door.phones[0].disconnect()
        assert door.call("GET", "/system_state", session=session).status == 200
        # It belongs to nobody's link either.
        assert door.call("GET", "/system_state", session=session, client=1).status == 200


def test_over_http_the_path_needs_the_base_path(world: World) -> None:
    with BothDoors(world) as door:
        session = log_in(door, "user")
        with closing(door.clients.connect()) as connection:
            connection.request("GET", "/system_state", headers={"Authorization": session})
            assert read_reply(connection).status == 404
