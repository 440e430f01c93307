"""The reader end: a fake chip as the phone, nfcpy's real driver above it, and cards in its field."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge import links
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import (
    ConfigError,
    FieldLostError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    LocalProtocolError,
)
from nfcbridge.links import CardIdentity, Level
from nfcbridge.links.nfc import reader as reader_module
from nfcbridge.links.nfc.names import parse_name
from nfcbridge.links.nfc.reader import NfcReader, timeout_index
from nfcbridge.server.emulator import Emulator
from tests.links.nfc.air import AirCard
from tests.links.nfc.conftest import IDENTITY
from tests.links.nfc.fake_chip import FakeChip
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.fake_port100 import FakePort100
from tests.links.nfc.fake_usb import FakeUsb
from tests.links.nfc.serving import APP, LONG
from tests.links.nfc.test_card import DESELECT, OK, RATS, SELECT
from tests.links.running import ATS, PATIENCE, UID7, RunningCard

ANSWERS = {RATS: ATS, SELECT: OK, DESELECT: DESELECT}
SEVEN = CardIdentity(uid=UID7, ats=ATS)


def open_reader(name: str) -> NfcReader:
    return NfcReader(parse_name(name.removeprefix("nfc:")))


@pytest.fixture
def reader(board: FakePn532) -> Iterator[NfcReader]:
    end = open_reader(board.name)
    yield end
    end.close()


def test_the_end_says_what_it_is(board: FakePn532, reader: NfcReader) -> None:
    assert (reader.name, reader.level, reader.max_frame) == (board.name, Level.BLOCKS, 256)


def test_a_card_is_found_and_blocks_cross_rats_included(board: FakePn532, reader: NfcReader) -> None:
    with RunningCard(AirCard(board.chip, SEVEN), ANSWERS.get):
        found = reader.activate(PATIENCE)
        assert (found.uid, found.ats, found.atr) == (UID7, None, None)
        assert reader.transceive(RATS, PATIENCE) == ATS
        assert reader.transceive(SELECT, PATIENCE) == OK
        assert reader.transceive(b"\xb2", 0.01) is None
        assert reader.transceive(SELECT, 0.1) == OK


def test_the_longest_frames_cross_both_ways(board: FakePn532, reader: NfcReader) -> None:
    longest = bytes(range(254))
    with RunningCard(AirCard(board.chip, SEVEN), lambda frame: frame[::-1]):
        reader.activate(PATIENCE)
        assert reader.transceive(longest, PATIENCE) == longest[::-1]
        with pytest.raises(LocalProtocolError, match="254 and the CRC"):
            reader.transceive(longest + b"\0", PATIENCE)


def test_an_activation_forgets_what_was_before(board: FakePn532, reader: NfcReader) -> None:
    with RunningCard(AirCard(board.chip, SEVEN), ANSWERS.get, halt_after=DESELECT):
        for _ in range(2):
            reader.activate(PATIENCE)
            assert reader.transceive(RATS, PATIENCE) == ATS
            assert reader.transceive(DESELECT, PATIENCE) == DESELECT
            assert reader.transceive(SELECT, 0.005) is None
        reader.field_off()
        assert not board.chip.own_field
        with pytest.raises(FieldLostError, match="no card is active"):
            reader.transceive(SELECT, PATIENCE)


def test_no_card_is_told_after_the_time(board: FakePn532, reader: NfcReader) -> None:
    with pytest.raises(LinkTimeoutError, match="hold one to the reader"):
        reader.activate(0.02)
    assert not board.chip.own_field
    with pytest.raises(FieldLostError):
        reader.transceive(SELECT, 0)


def test_a_card_may_come_while_it_is_waited_for(board: FakePn532, reader: NfcReader) -> None:
    card = AirCard(board.chip, SEVEN)
    card.present = False
    with RunningCard(card, ANSWERS.get):
        timer = threading.Timer(0.02, lambda: setattr(card, "present", True))
        timer.start()
        assert reader.activate(PATIENCE).uid == UID7
        timer.join()


def test_a_card_that_is_no_type_4_tag_is_refused(board: FakePn532, reader: NfcReader) -> None:
    AirCard(board.chip, SEVEN).identity_octets = (b"\x44\x00", 0x08, UID7)
    with pytest.raises(LinkError, match=r"no Type 4 Tag \(SAK 08\)"):
        reader.activate(PATIENCE)


@pytest.mark.parametrize("status", [0x02, 0x03, 0x05, 0x0B])
def test_a_damaged_answer_is_none(
    board: FakePn532, reader: NfcReader, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    card = AirCard(board.chip, SEVEN)
    reader.activate(PATIENCE)
    monkeypatch.setattr(card, "hear", lambda _frame: board.chip.card_answers(b"", status))
    assert reader.transceive(RATS, PATIENCE) is None


def test_a_time_that_the_chip_cannot_count_is_counted_here(board: FakePn532, reader: NfcReader) -> None:
    AirCard(board.chip, SEVEN)
    reader.activate(PATIENCE)
    closing = threading.Timer(0.02, reader.close)
    closing.start()
    with pytest.raises(LinkClosedError):
        reader.transceive(RATS, 4.0)
    closing.join()
    assert board.chip.timings[-1] == 0
    with pytest.raises(LinkClosedError):
        reader.activate(1)
    reader.close()
    reader.field_off()


def test_a_chip_that_stays_away_longer_than_it_was_told_is_interrupted(
    board: FakePn532, reader: NfcReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "timeout_index", lambda _seconds: 0)
    monkeypatch.setattr(reader_module, "CHIP_MARGIN", 0.02)
    AirCard(board.chip, SEVEN)
    reader.activate(PATIENCE)
    assert reader.transceive(RATS, 0.01) is None
    while board.chip.waits_for() is not None:
        time.sleep(0.001)


def test_an_unplugged_reader_is_told_and_opened_again(board: FakePn532, reader: NfcReader) -> None:
    with RunningCard(AirCard(board.chip, SEVEN), ANSWERS.get):
        reader.activate(PATIENCE)
        board.pull()
        with pytest.raises(LinkError, match=r"failed|no reader"):
            reader.transceive(RATS, PATIENCE)
        with pytest.raises(FieldLostError):
            reader.transceive(RATS, PATIENCE)
        with pytest.raises(LinkError, match="no reader"):
            reader.activate(PATIENCE)
        board.plug()
        with pytest.raises(LinkTimeoutError):
            reader.activate(0)
        board.pull()
        reader.field_off()


def test_a_field_that_cannot_be_switched_off_any_more_is_off(board: FakePn532, reader: NfcReader) -> None:
    AirCard(board.chip, SEVEN)
    reader.activate(PATIENCE)
    board.pull()
    reader.field_off()
    with pytest.raises(FieldLostError):
        reader.transceive(SELECT, 0)


def test_a_whole_emulator_in_the_field_is_read(board: FakePn532, reader: NfcReader) -> None:
    card = AirCard(board.chip, IDENTITY)
    transport = NfcTransport(reader)
    with Emulator(APP, [card]), httpx2.Client(transport=transport, base_url="http://charger", timeout=20) as client:
        assert client.get("/long").json() == {"long": LONG}
        assert client.get("/slow").json() == {"slow": True}
        assert transport.statistics.activations == 1


@pytest.mark.parametrize("kind", ["pn533", "pn531"])
def test_other_pn53x_read_too(usb: FakeUsb, kind: str) -> None:
    chip = FakeChip(kind)
    usb.plug(0x04E6 if kind == "pn533" else 0x04CC, 0x5591 if kind == "pn533" else 0x0531, chip)
    with Emulator(APP, [AirCard(chip, IDENTITY)]):
        reader = open_reader("nfc:usb")
        with httpx2.Client(transport=NfcTransport(reader), base_url="http://charger", timeout=20) as client:
            assert client.get("/long").json() == {"long": LONG}


def test_an_rc_s380_reads_too(usb: FakeUsb) -> None:
    chip = FakePort100()
    usb.plug(0x054C, 0x06C3, chip)
    card: Any = AirCard(chip, IDENTITY)  # type: ignore[arg-type]  # it asks for what both fakes have
    reader = open_reader("nfc:usb")
    card.present = False
    with pytest.raises(LinkTimeoutError):
        reader.activate(0)
    card.present = True
    with Emulator(APP, [card]):
        assert reader.activate(PATIENCE).uid == IDENTITY.uid
        assert reader.transceive(b"\xb2", 0.01) is None
        with httpx2.Client(transport=NfcTransport(reader), base_url="http://charger", timeout=20) as client:
            assert client.get("/long").json() == {"long": LONG}


def test_nfcpys_own_simulation_reads_too() -> None:
    with Emulator(APP, ["udp:127.0.0.1:0"]) as emulator:
        reader = open_reader(f"nfc:{emulator.link_names[0]}")
        with httpx2.Client(transport=NfcTransport(reader), base_url="http://charger", timeout=20) as client:
            assert client.get("/long").json() == {"long": LONG}


def test_the_simulation_without_a_card_is_silent() -> None:
    from nfcbridge.links import open_card

    card = open_card("udp:127.0.0.1:0", IDENTITY)
    with RunningCard(card, ANSWERS.get):
        reader = open_reader(f"nfc:{card.name}")
        reader.activate(PATIENCE)
        assert reader.transceive(RATS, PATIENCE) == ATS
        assert reader.transceive(b"\xb2", 0.01) is None
        reader.close()


@given(st.floats(0, 10))
def test_the_time_of_a_chip_is_the_shortest_that_is_not_shorter(seconds: float) -> None:
    index = timeout_index(seconds)
    if index == 0:
        assert seconds > 100e-6 * 2**15
    else:
        assert 100e-6 * 2 ** (index - 1) >= seconds
        assert index == 1 or 100e-6 * 2 ** (index - 2) < seconds


def test_the_chips_own_blocks_are_no_matter_of_a_reader() -> None:
    with pytest.raises(ConfigError, match=r"\?picc is for the card end"):
        links.open_reader("nfc:tty:USB0:pn532?picc")


def test_a_look_for_a_card_ends_with_close(board: FakePn532, reader: NfcReader) -> None:
    timer = threading.Timer(0.02, reader.close)
    timer.start()
    began = time.monotonic()
    with pytest.raises(LinkClosedError):
        reader.activate(PATIENCE)
    assert time.monotonic() - began < 1
    timer.join()
    assert board.chip.baud == 115_200
