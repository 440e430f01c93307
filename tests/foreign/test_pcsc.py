"""pyscard and opensc-tool read the card through pcscd and vpcd."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Peers
from tests.foreign.room import READER, VPCD, Room, open_room
from tests.foreign.served import Served, serving

pytestmark = pytest.mark.foreign

CONTAINER = "000f2000fb00f80406e1047fff0000"


@pytest.fixture
def room(peers: Peers) -> Iterator[Room]:
    peers.module("smartcard", extra="pcsc")
    with open_room(peers) as opened:
        yield opened


@pytest.fixture
def served(room: Room) -> Iterator[Served]:
    with serving("--dev", "--link", f"vpcd:{VPCD}", "--http", "none", inside=room.enter) as server:
        yield server


def errand(room: Room, name: str) -> Any:
    return json.loads(room.run_python("tests.foreign.pcsc_reader", name))


@pytest.mark.usefixtures("served")
def test_pyscard_finds_the_card_and_reads_an_idle_file(room: Room) -> None:
    seen = errand(room, "look")
    assert re.fullmatch("3b8.8001.*", seen["atr"])
    assert (seen["cc"], seen["file"]) == (CONTAINER, "d00000")


@pytest.mark.usefixtures("served")
def test_pyscard_logs_in_reads_the_state_and_logs_out(room: Room) -> None:
    refused, login, state, logout, refused_again = errand(room, "read_state")
    assert [refused["status"], refused["content"]] == [401, None]
    assert login["status"] == 200
    assert login["content"]["session"]["username"] == "operator"
    assert state["status"] == 200
    assert state["content"]["systemState"] == "idle"
    assert [logout["status"], logout["content"]["logged_in"]] == [200, False]
    assert refused_again["status"] == 401


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("name", ["read_after_reset", "read_after_power_off"])
def test_an_answer_outlives_the_reset_of_the_card(room: Room, name: str) -> None:
    answer = errand(room, name)
    assert answer["status"] == 200
    assert re.fullmatch(r"[ -~]{32}", answer["content"]["token"])


def opensc_tool(room: Room, peers: Peers, *arguments: str) -> str:
    """Returns what opensc-tool prints once the card is there.

    Its own --wait waits for an insertion, for ever if the card is in the reader before it looks.
    """
    tool = peers.program("opensc-tool", package="opensc")
    errand(room, "look")
    return room.run(tool, "--reader", READER, *arguments)


@pytest.mark.usefixtures("served")
def test_opensc_tool_gets_the_status_words_of_the_specification(room: Room, peers: Peers) -> None:
    commands = {
        "00A4040007D276000085010100": "90 00",
        "00A4000C02E103": "90 00",
        "00B000000F": "90 00",
        "00D600000100": "69 82",  # the container is not for writing
        "00A4000C02E104": "90 00",
        "00B0000002": "90 00",
        "00B07FFF01": "6B 00",
        "00A4000C02E105": "6A 82",
        "00CA000000": "6D 00",
    }
    sent = [word for command in commands for word in ("--send-apdu", command)]
    printed = opensc_tool(room, peers, *sent)
    answers = re.findall(r"SW1=0x(..), SW2=0x(..)\)(?::?\n((?:[0-9A-F]{2} )+))?", printed)
    assert [f"{sw1} {sw2}" for sw1, sw2, _ in answers] == list(commands.values()), printed
    assert [data.replace(" ", "").lower() for _, _, data in answers if data] == [CONTAINER, "0003"]


def test_opensc_tool_reads_the_atr(served: Served, room: Room, peers: Peers) -> None:
    atr = bytes.fromhex(opensc_tool(room, peers, "--atr").strip().replace(":", " "))
    assert atr[0] == 0x3B
    # The check octet makes the exclusive or of all octets after TS zero.
    check = 0
    for octet in atr[1:]:
        check ^= octet
    assert check == 0
    assert served.nfc == f"vpcd:{VPCD}"
