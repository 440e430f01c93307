"""The table of API tests through our client: over every link, and over HTTP, the same answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nfcbridge.client.phone import Statistics
from nfcbridge.client.transport import NfcTransport
from tests.api.running import Run, log_in
from tests.api.table import Case, Group, read_table
from tests.api.world import PASSWORDS, World
from tests.client.doors import CARD, ClientDoor
from tests.conftest import Peers
from tests.foreign.room import open_room

TABLE = {group.name: group for group in read_table()}

# What our client does not send, since no message could carry it as what it is.
REFUSED = "NfcRefusedError: content that is not JSON does not cross NFC: send JSON"


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.foreign] if name == "pcsc" else []) for name in CARD]
)
def door(request: pytest.FixtureRequest, peers: Peers, pcscd_socket: Path) -> Iterator[ClientDoor]:
    if request.param != "pcsc":
        door = ClientDoor(request.param)
        yield door
        door.close()
        return
    peers.module("smartcard", extra="pcsc")
    with open_room(peers) as room, pytest.MonkeyPatch.context() as patch, room.furnishing(pcscd_socket, patch):
        door = ClientDoor("pcsc")
        yield door
        door.close()


def run(door: ClientDoor, group: Group) -> dict[str, list[str]]:
    world = World()
    with door.enter(world):
        return Run(world, door, group).run()


@pytest.mark.parametrize("group", TABLE)
def test_the_client_gets_the_same_answers_through_every_door(door: ClientDoor, group: str) -> None:
    problems = run(door, TABLE[group])
    for row in TABLE[group].rows:
        if isinstance(row, Case):
            refused = door.refuses_what_is_not_json and "not JSON" in row.name
            assert problems[row.name] == ([REFUSED] if refused else []), row.place


def test_requests_of_one_client_go_through_one_activation(door: ClientDoor) -> None:
    counted = door.transport.statistics if isinstance(door.transport, NfcTransport) else Statistics(activations=1)
    with door.enter(World()):
        assert door.call("GET", "/login").status == 200
        activations = counted.activations
        for _ in range(3):
            assert door.call("GET", "/login").status == 200
    assert (counted.activations, counted.torn, counted.repeated) == (activations, 0, 0)


def test_a_login_of_each_role_is_good_for_a_request(door: ClientDoor) -> None:
    with door.enter(World()):
        for role in PASSWORDS:
            session = log_in(door, role)
            assert door.call("GET", "/system_state", session=session).content["systemState"] == "idle"
