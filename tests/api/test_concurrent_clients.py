"""What several clients do at the same time is as if one had come after the other."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest

from tests.api.doors import HttpDoor, Reply, read_reply
from tests.api.running import log_in
from tests.api.world import World

CLIENTS = 8


class Crowd:
    """A session with a connection for each of CLIENTS."""

    def __init__(self, door: HttpDoor) -> None:
        self.session = log_in(door, "operator")
        self.door = door
        self.open = ExitStack()
        self.connections = [self.open.enter_context(closing(door.clients.connect())) for _ in range(CLIENTS)]

    def call(self, method: str, path: str, body: object = None) -> Reply:
        return self.door.call(method, path, session=self.session, body="" if body is None else json.dumps(body))

    def all_at_once(self, requests: list[tuple[str, str, object]]) -> list[Reply]:
        """Send all requests before any answer is read."""
        for connection, (method, path, body) in zip(self.connections, requests, strict=True):
            self._send(connection, method, path, body)
        return [read_reply(connection) for connection in self.connections]

    def _send(self, connection: HTTPConnection, method: str, path: str, body: object) -> None:
        octets = None if body is None else json.dumps(body)
        connection.request(method, f"/v1{path}", octets, {"Authorization": self.session})


@pytest.fixture
def crowd(world: World) -> Iterator[Crowd]:
    with HttpDoor(world) as door:
        crowd = Crowd(door)
        with crowd.open:
            yield crowd


def succeeded(replies: list[Reply]) -> int:
    assert {reply.status for reply in replies} == {200}
    return sum(reply.content.get("success", True) for reply in replies)


def test_one_key_is_added_once(crowd: Crowd) -> None:
    replies = crowd.all_at_once([("POST", "/key_value_store", {"k": str(n), f"other{n}": ""}) for n in range(CLIENTS)])
    assert succeeded(replies) == 1
    (winner,) = [n for n, reply in enumerate(replies) if reply.content["success"]]
    assert crowd.call("GET", "/key_value_store").content == {"k": str(winner), f"other{winner}": ""}


def test_the_limit_of_pairs_is_not_passed(crowd: Crowd) -> None:
    assert crowd.call("POST", "/key_value_store", {f"k{n}": "" for n in range(997)}).content == {"success": True}
    replies = crowd.all_at_once([("POST", "/key_value_store", {f"x{n}": ""}) for n in range(CLIENTS)])
    assert succeeded(replies) == 3
    assert len(crowd.call("GET", "/key_value_store").content) == 1000


def test_one_pair_is_deleted_once(crowd: Crowd) -> None:
    crowd.call("POST", "/key_value_store", {"k": ""})
    assert succeeded(crowd.all_at_once([("DELETE", "/key_value_store/k", None)] * CLIENTS)) == 1


def test_one_user_is_deleted_once(crowd: Crowd) -> None:
    user = crowd.call("POST", "/users", {"userName": "Jenny"}).content["userId"]
    assert succeeded(crowd.all_at_once([("DELETE", f"/users/{user}", None)] * CLIENTS)) == 1


def test_every_user_gets_an_id_of_his_own(crowd: Crowd) -> None:
    replies = crowd.all_at_once([("POST", "/users", {"userName": f"user {n}"}) for n in range(CLIENTS)])
    assert len({reply.content["userId"] for reply in replies}) == CLIENTS
    assert len(crowd.call("GET", "/users").content["users"]) == CLIENTS


def test_one_tag_is_added_once(crowd: Crowd) -> None:
    body = {"type": "local", "command": "add", "tags": [{"id": "abcdef12"}]}
    assert succeeded(crowd.all_at_once([("POST", "/whitelist", body)] * CLIENTS)) == 1
    assert len(crowd.call("GET", "/whitelist?type=local").content["tags"]) == 1


def test_settings_are_those_of_one_client(crowd: Crowd) -> None:
    keys = ("OperatorCurrentLimit_vehicleif", "Heartbeat_backend")
    bodies = [{"params": [{"key": key, "value": 10 + n} for key in keys]} for n in range(CLIENTS)]
    assert succeeded(crowd.all_at_once([("POST", "/settings", body) for body in bodies])) == CLIENTS
    result = crowd.call("GET", f"/settings?params={','.join(keys)}").content["result"]
    assert result[keys[0]] == result[keys[1]]


def test_what_was_answered_is_read_by_others_at_once(crowd: Crowd) -> None:
    for number in range(5):
        crowd.all_at_once([("POST", "/key_value_store", {f"{number}-{n}": ""}) for n in range(CLIENTS)])
        for reply in crowd.all_at_once([("GET", "/key_value_store", None)] * CLIENTS):
            assert len(reply.content) == (number + 1) * CLIENTS
