"""Login as attackers try it: whose token it is, who waits, and that nobody makes anybody else wait."""

import json
from hashlib import sha256

import pytest

from tests.api.doors import BothDoors, Door, HttpDoor, NfcDoor, Reply, read_reply
from tests.api.running import log_in
from tests.api.world import PASSWORDS, World

ATTACKER = 1


def token_of(door: Door, client: int = 0) -> str:
    token: str = door.call("GET", "/login", client=client).content["token"]
    return token


def body_of(user: str, plain: str, token: str) -> str:
    return json.dumps({"username": user, "password": sha256((plain + token).encode()).hexdigest()})


def attempt(door: Door, token: str, *, client: int = 0, user: str = "operator", plain: str | None = None) -> Reply:
    body = body_of(user, PASSWORDS[user] if plain is None else plain, token)
    return door.call("POST", "/login", body=body, client=client)


def fail(door: Door, times: int, *, client: int = 0, user: str = "operator") -> list[int]:
    return [attempt(door, "", client=client, user=user, plain="wrong").status for _ in range(times)]


def test_a_token_is_its_clients_alone(door: Door) -> None:
    token = token_of(door)
    assert attempt(door, token, client=ATTACKER).status == 401
    assert attempt(door, token).status == 200


def test_another_client_cannot_void_a_token(door: Door) -> None:
    token = token_of(door)
    for _ in range(50):
        token_of(door, ATTACKER)
    fail(door, 3, client=ATTACKER)
    assert attempt(door, token).status == 200


def test_no_two_clients_have_the_same_token(door: Door) -> None:
    tokens = [token_of(door, client) for client in (0, ATTACKER) * 10]
    assert len(set(tokens)) == len(tokens)


def test_a_client_that_guesses_waits_alone(door: Door) -> None:
    assert fail(door, 8, client=ATTACKER) == [401] * 5 + [429] * 3
    assert attempt(door, token_of(door)).status == 200
    assert attempt(door, token_of(door, ATTACKER), client=ATTACKER).status == 429


def test_a_client_waits_for_one_user_and_logs_in_as_another(door: Door) -> None:
    fail(door, 6)
    assert attempt(door, token_of(door)).status == 429
    assert attempt(door, token_of(door), user="installer").status == 200


def test_waiting_is_the_same_for_users_that_are_not_there(door: Door) -> None:
    body = json.dumps({"username": "nobody", "password": "0" * 64})
    assert [door.call("POST", "/login", body=body).status for _ in range(6)] == [401] * 5 + [429]


def test_an_attempt_during_the_wait_does_not_prolong_it(door: Door) -> None:
    fail(door, 5)
    for _ in range(9):
        door.act("advance 0.1")
        assert attempt(door, "", plain="wrong").status == 429
    door.act("advance 0.2")
    assert attempt(door, token_of(door)).status == 200


def test_the_wait_doubles_up_to_a_minute_and_http_says_how_long(door: Door) -> None:
    waits = [1, 2, 4, 8, 16, 32, 60, 60]
    fail(door, 4)
    for wait in waits:
        assert fail(door, 1) == [401]
        refused = attempt(door, token_of(door))
        assert refused.status == 429
        if door.tells_errors:
            assert refused.headers["retry-after"] == str(wait)
            assert refused.content == {"logged_in": False, "message": refused.content["message"]}
        else:
            assert refused.octets == b""
        door.act(f"advance {wait - 0.1}")
        assert attempt(door, token_of(door)).status == 429
        door.act("advance 0.1")
    assert attempt(door, token_of(door)).status == 200


def test_a_token_is_never_limited(door: Door) -> None:
    fail(door, 7)
    assert [door.call("GET", "/login").status for _ in range(20)] == [200] * 20


def test_whoever_is_logged_in_stays_so_while_others_guess(door: Door) -> None:
    session = log_in(door, "operator")
    fail(door, 7)
    fail(door, 7, client=ATTACKER)
    assert door.call("GET", "/system_state", session=session).status == 200


def test_a_token_and_a_wait_survive_the_loss_of_the_field(world: World) -> None:
    with NfcDoor(world) as door:
        token = token_of(door)
        door.phones[0].disconnect()
        assert attempt(door, token).status == 200
        fail(door, 5)
        door.phones[0].disconnect()
        assert attempt(door, token_of(door)).status == 429


def test_a_token_and_a_wait_belong_to_an_address_and_not_to_a_connection(world: World) -> None:
    with HttpDoor(world) as door:
        token = token_of(door)
        connection = door.clients.connect()
        connection.request("POST", "/v1/login", body_of("operator", PASSWORDS["operator"], token))
        assert read_reply(connection).status == 200
        fail(door, 5)
        connection.request("POST", "/v1/login", body_of("operator", "wrong", ""))
        assert read_reply(connection).status == 429
        connection.close()


def test_a_header_does_not_make_another_client_of_anybody(world: World) -> None:
    with HttpDoor(world) as door:
        statuses = []
        for number in range(7):
            address = f"203.0.113.{number}"
            headers = {"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}
            body = body_of("operator", "wrong", "")
            statuses.append(door.clients.call("POST", "/login", body=body, headers=headers).status)
        assert statuses == [401] * 5 + [429] * 2


def test_two_attempts_at_the_same_time_with_one_token_open_one_session(world: World) -> None:
    with HttpDoor(world) as door:
        for _ in range(10):
            body = body_of("operator", PASSWORDS["operator"], token_of(door))
            connections = [door.clients.connect() for _ in range(4)]
            for connection in connections:
                connection.request("POST", "/v1/login", body)
            statuses = sorted(read_reply(connection).status for connection in connections)
            for connection in connections:
                connection.close()
            assert statuses == [200, 401, 401, 401]


def test_the_link_and_an_address_are_two_clients(world: World) -> None:
    with BothDoors(world) as door:
        over_nfc = token_of(door)
        over_http: str = door.clients.call("GET", "/login").content["token"]
        body = body_of("operator", PASSWORDS["operator"], over_nfc)
        assert door.clients.call("POST", "/login", body=body).status == 401
        assert attempt(door, over_http).status == 401
        over_nfc = token_of(door)
        for _ in range(7):
            door.clients.call("POST", "/login", body=body)
        assert attempt(door, over_nfc).status == 200


@pytest.mark.parametrize("client", [0, ATTACKER])
def test_two_clients_log_in_at_the_same_time(door: Door, client: int) -> None:
    first, second = token_of(door, client), token_of(door, 1 - client)
    assert attempt(door, second, client=1 - client).status == 200
    assert attempt(door, first, client=client).status == 200
