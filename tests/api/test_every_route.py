"""What holds for every row of the route table, through every door."""

from collections.abc import Iterator

import pytest

from nfcbridge.charger.operation import Operation
from nfcbridge.charger.roles import Role
from nfcbridge.charger.routes import ROUTES
from tests.api.doors import DOORS, CoreDoor, Door, HttpDoor, Reply
from tests.api.running import log_in
from tests.api.world import World

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATHS = sorted({operation.path for operation in ROUTES})
WITH_BODY = [operation for operation in ROUTES if operation.request is not None]


def path_of(template: str) -> str:
    """A path of this template; nobody has what it names."""
    return template.replace("{", "a-").replace("}", "")


class Insider:
    """A door with a session of every role."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.sessions = {role: log_in(door, role) for role in Role}

    def call(self, method: str, path: str, body: str = "", role: Role = Role.MANUFACTURER) -> Reply:
        return self.door.call(method, path, session=self.sessions[role], body=body)


@pytest.fixture(scope="module", params=DOORS)
def insider(request: pytest.FixtureRequest) -> Iterator[Insider]:
    with DOORS[request.param](World()) as door:
        yield Insider(door)


def named(operations: list[Operation]) -> list[object]:
    return [pytest.param(operation, id=operation.name) for operation in operations]


@pytest.mark.parametrize("operation", named(WITH_BODY))
@pytest.mark.parametrize("body", ["{", "{} {}", '{"a": 1,}', "x", "NaN", '{"a": 01}', "'a'", "[" * 3000])
def test_what_is_not_json_is_400(operation: Operation, body: str, insider: Insider) -> None:
    assert insider.call(operation.method, path_of(operation.path), body).status == 400


@pytest.mark.parametrize("operation", named(WITH_BODY))
@pytest.mark.parametrize("body", ["[]", "null", '"text"', "7", "true", "[{}]", '[["a", "b"]]'])
def test_json_that_is_no_object_is_a_failure_of_the_application(
    operation: Operation, body: str, insider: Insider
) -> None:
    reply = insider.call(operation.method, path_of(operation.path), body)
    assert reply.status == 200
    assert reply.content == {"success": False, "cause": reply.content["cause"]}


@pytest.mark.parametrize("operation", named(WITH_BODY))
def test_a_body_without_members_is_no_fault_of_the_server(operation: Operation, insider: Insider) -> None:
    assert insider.call(operation.method, path_of(operation.path), "{}").status == 200


@pytest.mark.parametrize("operation", named(list(ROUTES)))
def test_who_has_not_the_role_is_forbidden(operation: Operation, insider: Insider) -> None:
    for role in Role:
        if operation.roles is not None and role not in operation.roles:
            assert insider.call(operation.method, path_of(operation.path), "{}", role).status == 403


@pytest.mark.parametrize("path", PATHS)
def test_methods_that_a_path_lacks_are_405_with_those_that_it_has(path: str, insider: Insider) -> None:
    has = {operation.method for operation in ROUTES if operation.path == path}
    for method in METHODS:
        if method not in has:
            reply = insider.call(method, path_of(path), "{}")
            assert reply.status == 405
            if insider.door.tells_errors:
                allowed = {each.strip() for each in reply.headers["allow"].split(",")}
                assert allowed - {"HEAD", "OPTIONS"} == has
                assert ("HEAD" in allowed) == ("GET" in has)


@pytest.mark.parametrize("operation", named(WITH_BODY))
@pytest.mark.parametrize("kind", [CoreDoor, HttpDoor])
def test_a_body_has_as_many_octets_as_the_operation_says_and_one_more_is_413(
    operation: Operation, kind: type[CoreDoor | HttpDoor], world: World
) -> None:
    with kind(world) as door:
        session = log_in(door, "manufacturer")
        path = path_of(operation.path)
        largest = "[]" + " " * (operation.max_body - 2)
        assert door.call(operation.method, path, session=session, body=largest).status == 200
        assert door.call(operation.method, path, session=session, body=largest + " ").status == 413
