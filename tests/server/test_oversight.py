"""A tag that is taken away while it is served, comes back, and tells that it is used."""

import socket
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from nfcbridge.errors import ConfigError, FieldLostError, LinkError, LinkTimeoutError
from nfcbridge.links import CardIdentity, ReaderEnd, open_card, open_reader
from nfcbridge.server import door
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator
from tests.server.hall import SOON, Desk, Hall

RATS = bytes.fromhex("E080")
PRESENCE_CHECK = bytes.fromhex("B3")  # R(NAK) with the number that comes next
SELECT_AID = bytes.fromhex("02 00A4040007D276000085010100")
SELECT_CC = bytes.fromhex("03 00A4000C02E103")


class Overseer:
    """An oversight that does what the test says.

    Attributes:
        blocks: how many have to cross until the field is lost; 0: it is not.
        heard: released for every APDU.
        stops: how often it heard of the end.
        looks_for_cards: it wants them.
        cards: those that were read.
    """

    def __init__(self) -> None:
        self.present = True
        self.losses = 0
        self.blocks = 0
        self.heard = threading.Semaphore(0)
        self.stops = 0
        self.looks_for_cards = True
        self.cards: SimpleQueue[bytes] = SimpleQueue()

    def card_read(self, uid: bytes, tell: Callable[[str], None]) -> None:
        self.cards.put(uid)
        tell("accepted")

    def cut_now(self) -> bool:
        self.blocks -= 1
        return self.blocks == 0

    def command_received(self) -> None:
        self.heard.release()

    def stop(self) -> None:
        self.stops += 1


@pytest.fixture
def overseer() -> Overseer:
    return Overseer()


@pytest.fixture(params=["memory:overseen", "udp:127.0.0.1:0", "faulty:memory:overseen?seed=1"])
def desk(overseer: Overseer, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(request.param, oversight=overseer) as desk:
        yield desk


@pytest.fixture
def reader(desk: Desk) -> Iterator[ReaderEnd]:
    end = open_reader(desk.name)
    yield end
    end.close()


def ask(reader: ReaderEnd, frame: bytes) -> bytes:
    answer = reader.transceive(frame, SOON)
    assert answer is not None
    return answer


def arrive(reader: ReaderEnd) -> None:
    reader.activate(SOON)
    assert ask(reader, RATS)[0] > 1


def finds_card(reader: ReaderEnd) -> bool:
    try:
        reader.activate(0.2)
    except LinkTimeoutError:
        return False
    return True


def arrive_in_time(reader: ReaderEnd) -> None:
    """Arrive at a tag that may come back only now."""
    while True:
        try:
            arrive(reader)
        except (LinkTimeoutError, FieldLostError):
            continue
        return


def test_apdus_are_told_and_presence_checks_are_not(overseer: Overseer, reader: ReaderEnd) -> None:
    arrive(reader)
    assert ask(reader, SELECT_AID) == bytes.fromhex("02 9000")
    assert ask(reader, PRESENCE_CHECK) == bytes.fromhex("A2")
    assert ask(reader, SELECT_CC) == bytes.fromhex("03 9000")
    assert overseer.heard.acquire(timeout=SOON)
    assert overseer.heard.acquire(timeout=SOON)
    assert not overseer.heard.acquire(blocking=False)


def test_a_tag_that_is_taken_away_is_not_there_and_comes_back(
    overseer: Overseer, desk: Desk, reader: ReaderEnd
) -> None:
    arrive(reader)
    overseer.present = False
    desk.wait_for(told.PhoneLeft)
    reader.field_off()
    # The link is closed a moment after the phone has left.
    while finds_card(reader):
        reader.transceive(RATS, 0.2)
    overseer.present = True
    arrive_in_time(reader)
    assert ask(reader, SELECT_AID) == bytes.fromhex("02 9000")


def test_a_virtual_reader_sees_the_card_go_and_come(overseer: Overseer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as vpcd:
        vpcd.settimeout(SOON)
        with Desk(f"vpcd:127.0.0.1:{vpcd.getsockname()[1]}", oversight=overseer):
            slot, _ = vpcd.accept()
            slot.settimeout(SOON)
            overseer.present = False
            assert slot.recv(1) == b""  # the card was drawn
            slot.close()
            overseer.present = True
            slot, _ = vpcd.accept()
            slot.sendall(bytes.fromhex("0001 04"))  # the ATR is asked for
            slot.settimeout(SOON)
            assert slot.recv(2)
            slot.close()


def test_an_emulator_stops_while_its_tag_is_away(overseer: Overseer) -> None:
    with Desk("memory:away", oversight=overseer) as desk:
        reader = open_reader(desk.name)
        arrive(reader)
        overseer.present = False
        desk.wait_for(told.PhoneLeft)
        reader.close()


def test_a_port_that_somebody_took_meanwhile_is_told_and_tried_again(
    overseer: Overseer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nfcbridge.server.door.RETRY", 0.0)
    with Desk("memory:taken", oversight=overseer) as desk:
        reader = open_reader(desk.name)
        arrive(reader)
        overseer.present = False
        desk.wait_for(told.PhoneLeft)
        identity = CardIdentity(uid=bytes.fromhex("08010203"), ats=bytes.fromhex("0578807002"))
        thief = None
        while thief is None:
            try:
                thief = open_card("memory:taken", identity)
            except LinkError:
                continue
        overseer.present = True
        assert "has a card already" in desk.wait_for(told.LinkFailed).reason
        thief.close()
        arrive_in_time(reader)
        reader.close()


def test_the_field_is_lost_on_demand(overseer: Overseer, desk: Desk, reader: ReaderEnd) -> None:
    arrive(reader)
    overseer.losses += 1
    desk.wait_for(told.PhoneLeft)
    assert reader.transceive(SELECT_AID, 0.05) is None
    reader.field_off()
    arrive(reader)


def test_a_phone_that_comes_later_does_not_lose_its_field(
    overseer: Overseer, reader: ReaderEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "LOOK_AT_OVERSIGHT", SOON)
    arrive(reader)
    reader.field_off()
    overseer.losses += 1  # the door waits for the link and does not look
    arrive(reader)
    assert ask(reader, SELECT_AID) == bytes.fromhex("02 9000")


def test_the_field_is_lost_when_a_block_has_come(overseer: Overseer, desk: Desk, reader: ReaderEnd) -> None:
    arrive(reader)
    overseer.blocks = 3
    assert ask(reader, SELECT_AID) == bytes.fromhex("02 9000")
    assert reader.transceive(SELECT_CC, 0.05) is None
    desk.wait_for(told.PhoneLeft)
    assert overseer.heard.acquire(timeout=SOON)
    assert not overseer.heard.acquire(blocking=False)  # the tag had no power to act on the second one


def test_the_field_is_lost_when_a_block_has_gone(overseer: Overseer, desk: Desk, reader: ReaderEnd) -> None:
    arrive(reader)
    overseer.blocks = 2
    assert ask(reader, SELECT_AID) == bytes.fromhex("02 9000")
    desk.wait_for(told.PhoneLeft)
    assert reader.transceive(SELECT_CC, 0.05) is None


def test_links_that_cannot_be_opened_again_are_refused(overseer: Overseer) -> None:
    identity = CardIdentity(uid=bytes.fromhex("08010203"), ats=bytes.fromhex("0578807002"))
    end = open_card("memory:open", identity)
    with pytest.raises(ConfigError, match="by name"):
        Emulator(Hall().app, [end], oversight=overseer)
    end.close()


def test_it_hears_of_the_end(overseer: Overseer) -> None:
    with Desk("memory:stopping", oversight=overseer):
        assert overseer.stops == 0
    assert overseer.stops == 1
