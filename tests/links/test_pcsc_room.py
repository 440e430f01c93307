"""The PC/SC link through a real pcscd and vsmartcard's virtual reader, in a room of their own.

The cards: ours in this process, and one of literal octets that knows nothing of nfcbridge.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

import pytest

from nfcbridge.cli import main
from nfcbridge.client.phone import Phone
from nfcbridge.errors import FieldLostError, LinkError, LinkTimeoutError
from nfcbridge.links import ReaderEnd, open_reader
from nfcbridge.server.emulator import Emulator
from tests.conftest import Peers
from tests.foreign.room import READER, Room, open_room
from tests.foreign.served import COMMAND
from tests.server.hall import SOON, Hall

pytestmark = pytest.mark.foreign

FIRST: Final = 35963
SECOND: Final = 35964
ATR: Final = bytes.fromhex("3B8880010000000000000000 09")  # of a German identity card, from the list of pcsc-tools
SELECT: Final = bytes.fromhex("00A4040007D276000085010100")
LONG_READ: Final = bytes.fromhex("00B000000003E8")
LONG: Final = bytes(range(250)) * 4
ANSWERS: Final = {
    SELECT: bytes.fromhex("9000"),
    bytes.fromhex("00B000000F"): bytes.fromhex("000F2000FB00F80406E1047FFF0000 9000"),
    bytes.fromhex("00C0000004"): bytes.fromhex("01020304 9000"),
    bytes.fromhex("00A4000C02E103"): bytes.fromhex("6104"),
    LONG_READ: LONG + bytes.fromhex("9000"),
}


class LiteralCard:
    """A card in vsmartcard's reader: an ATR, and a response to each command it knows. Leaving takes it out.

    Args:
        sock: connected to the reader's driver.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.power: SimpleQueue[int] = SimpleQueue()
        self._sock = sock
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.take_out()

    def take_out(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(SOON)
        self._sock.close()

    def _run(self) -> None:
        with contextlib.suppress(ConnectionResetError), self._sock.makefile("rb") as stream:
            while size := stream.read(2):
                message = stream.read(struct.unpack(">H", size)[0])
                if message == b"\x04":
                    self._send(ATR)
                elif len(message) == 1:
                    self.power.put(message[0])
                else:
                    self._send(ANSWERS.get(message, b"\x6d\x00"))

    def _send(self, octets: bytes) -> None:
        self._sock.sendall(struct.pack(">H", len(octets)) + octets)


@pytest.fixture(scope="module")
def room(peers: Peers) -> Iterator[Room]:
    peers.module("smartcard", extra="pcsc")
    with open_room(peers) as opened:
        yield opened


@pytest.fixture(autouse=True)
def in_room(room: Room, pcscd_socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PC/SC of this process is the room's, and so is the virtual reader."""
    with room.furnishing(pcscd_socket, monkeypatch):
        yield


@pytest.fixture
def end() -> Iterator[ReaderEnd]:
    end = open_reader("pcsc:virtual pcd")
    yield end
    end.close()


def test_commands_reach_an_independent_card_whole_and_its_responses_come_back(room: Room, end: ReaderEnd) -> None:
    with LiteralCard(room.connect(FIRST)) as card:
        found = end.activate(SOON)
        assert (found.uid, found.atr) == (b"", ATR)
        assert end.transceive(SELECT, SOON) == bytes.fromhex("9000")
        assert end.transceive(LONG_READ, SOON) == LONG + bytes.fromhex("9000")
        assert end.transceive(bytes.fromhex("00A4000C02E103"), SOON) == bytes.fromhex("01020304 9000")
        assert end.transceive(bytes.fromhex("00CA000000"), SOON) == bytes.fromhex("6D00")
        while not card.power.empty():  # how often pcscd looked at the card by itself
            card.power.get()
        end.activate(SOON)
        end.field_off()
        end.activate(SOON)
        assert [card.power.get(timeout=SOON) for _ in range(3)] == [2, 0, 1]  # reset, off, on
        end.field_off()


def test_opensc_tool_sees_the_same_card_with_the_same_answers(room: Room, end: ReaderEnd, peers: Peers) -> None:
    tool = peers.program("opensc-tool", package="opensc")
    with LiteralCard(room.connect(FIRST)):
        found = end.activate(SOON)
        ours = end.transceive(bytes.fromhex("00B000000F"), SOON)
        end.field_off()
        assert found.atr == bytes.fromhex(room.run(tool, "--reader", READER, "--atr").strip().replace(":", ""))
        printed = room.run(tool, "--reader", READER, "--send-apdu", SELECT.hex(), "--send-apdu", "00B000000F")
        assert ours is not None
        assert ours[:-2].hex(" ").upper() in printed


def test_a_card_that_is_taken_out_in_the_middle_is_lost_and_found_again(room: Room, end: ReaderEnd) -> None:
    with LiteralCard(room.connect(FIRST)):
        end.activate(SOON)
        assert end.transceive(SELECT, SOON) is not None
    with pytest.raises(FieldLostError, match="is lost"):
        end.transceive(SELECT, SOON)
    with pytest.raises(FieldLostError, match="no card is active"):
        end.transceive(SELECT, SOON)
    with LiteralCard(room.connect(FIRST)):
        for _ in range(10):  # pcscd may still think of the card that is gone
            with contextlib.suppress(FieldLostError):
                assert end.activate(SOON).atr == ATR
                assert end.transceive(SELECT, SOON) == bytes.fromhex("9000")
                break
        else:
            pytest.fail("not found again")
        end.field_off()


@pytest.mark.parametrize("away", [0.0, 0.2, 0.6])
def test_a_card_that_was_exchanged_unseen_is_found_after_the_field_was_switched_off(
    room: Room, end: ReaderEnd, away: float
) -> None:
    with LiteralCard(room.connect(FIRST)):
        end.activate(SOON)
    time.sleep(away)  # pcscd looks every 0.4 s
    with LiteralCard(room.connect(FIRST)):
        end.field_off()
        assert end.activate(SOON).atr == ATR
        assert end.transceive(SELECT, SOON) == bytes.fromhex("9000")
        end.field_off()


def test_a_card_that_comes_back_before_pcscd_has_looked_is_found(room: Room, end: ReaderEnd) -> None:
    with LiteralCard(room.connect(FIRST)):
        end.activate(SOON)
    end.field_off()  # of a card that is gone
    with LiteralCard(room.connect(FIRST)):
        assert end.activate(SOON).atr == ATR
        assert end.transceive(SELECT, SOON) == bytes.fromhex("9000")
        end.field_off()


def test_the_second_reader_is_found_by_its_name_and_by_its_card(room: Room, end: ReaderEnd) -> None:
    with pytest.raises(LinkTimeoutError, match="no card came to Virtual PCD 00 00, Virtual PCD 00 01"):
        end.activate(0.0)
    with LiteralCard(room.connect(SECOND)):
        assert end.activate(SOON).atr == ATR
        end.field_off()
        with LiteralCard(room.connect(FIRST)):
            named = open_reader("pcsc:pcd 00 00")
            assert named.name == f"pcsc:{READER}"
            assert named.activate(SOON).atr == ATR
            end.field_off()
            named.close()
            with pytest.raises(LinkError, match="more than one reader with a card"):
                end.activate(0.0)


def test_while_we_have_the_card_nobody_else_does_and_the_other_way_round(room: Room, end: ReaderEnd) -> None:
    with LiteralCard(room.connect(FIRST)):
        end.activate(SOON)
        other = open_reader(f"pcsc:{READER}")
        with pytest.raises(LinkError, match="another program has the card"):
            other.activate(0.2)
        end.field_off()
        assert other.activate(SOON).atr == ATR
        other.close()


def test_our_phone_exchanges_messages_with_our_tag_while_the_tag_is_taken_out_and_put_back() -> None:
    hall = Hall()
    phone = Phone(open_reader("pcsc:"))
    with contextlib.ExitStack() as stack:
        stack.callback(phone.close)
        for times in (1, 2, 3):
            with Emulator(hall.app, ["vpcd:"]):
                assert phone.exchange("POST", "/large?5000", connect_timeout=SOON, read_timeout=SOON).status == 200
                assert phone.ours
                assert (phone.statistics.exchanges, phone.statistics.torn) == (times, times - 1)
                if times == 3:
                    stack.close()
    assert hall.calls == ["POST /large"] * 3


def test_the_command_line_asks_a_tag_through_a_reader(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator(Hall().app, ["vpcd:"]):
        assert main(["request", "GET", "/echo?a=1", "--link", "pcsc:Virtual", "--no-login"]) == 0
    echoed = json.loads(capsys.readouterr().out)
    assert (echoed["path"], echoed["query"]) == ("/echo", "a=1")


def test_the_list_of_links_has_pcsc_ready() -> None:
    listed = subprocess.run(
        [COMMAND, "links"],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
        timeout=SOON,
    ).stdout
    (line,) = [line for line in listed.splitlines() if line.startswith("pcsc:") and "needs" not in line]
    assert line.split()[1] == "ready"


def test_a_pcscd_that_ends_is_told_and_the_next_one_is_used(room: Room, peers: Peers, pcscd_socket: Path) -> None:
    def lead_to(path: str) -> None:
        pcscd_socket.unlink()
        pcscd_socket.symlink_to(path)

    with open_room(peers) as other:
        lead_to(other.pcscd)
        end = open_reader("pcsc:")
        with LiteralCard(other.connect(FIRST)):
            end.activate(SOON)
            other.process.kill()
            other.process.wait()
            with pytest.raises(FieldLostError):
                end.transceive(SELECT, SOON)
    try:
        with pytest.raises(LinkError, match="the PC/SC service does not run"):
            end.activate(0.0)
        with pytest.raises(LinkError, match="the PC/SC service does not run"):
            open_reader("pcsc:")
        lead_to(room.pcscd)
        with LiteralCard(room.connect(FIRST)):
            assert end.activate(SOON).atr == ATR
            end.close()
    finally:
        end.close()
