"""Chips other than the PN532 on its serial port, below which nfcpy's real drivers are."""

import socket
import threading
from typing import Any

import pytest

from nfcbridge.client.phone import Phone as WholePhone
from nfcbridge.errors import LinkError
from nfcbridge.links import CardIdentity, CardSelected, FieldOff, Frame, open_reader
from nfcbridge.links.nfc import dialogue
from nfcbridge.links.nfc.chips import ListeningCard, Pn53xCard, What, make_card_chip
from nfcbridge.links.nfc.drivers import DRIVERS
from tests.links.nfc.conftest import IDENTITY, UID, OpenCard
from tests.links.nfc.fake_chip import FakeChip
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.fake_port100 import FakePort100
from tests.links.nfc.fake_usb import FakeUsb
from tests.links.nfc.test_card import DESELECT, OK, RATS, SELECT, Phone, receive
from tests.links.running import PATIENCE

RCS380 = (0x054C, 0x06C3)


class OnUsb:
    """Stands where a board is, for `Phone`."""

    def __init__(self, chip: Any) -> None:
        self.chip = chip


def phone_at(chip: Any) -> Phone:
    return Phone(OnUsb(chip))  # type: ignore[arg-type]  # all that it asks of a board is its chip


@pytest.mark.parametrize(
    ("vendor", "product", "kind", "max_frame"),
    [(0x04E6, 0x5591, "pn533", 256), (0x04CC, 0x0531, "pn531", 128), (0x054C, 0x0193, "pn531", 128)],
)
def test_a_pn53x_on_usb_is_the_tag(
    usb: FakeUsb, open_end: OpenCard, vendor: int, product: int, kind: str, max_frame: int
) -> None:
    chip = FakeChip(kind)
    usb.plug(vendor, product, chip)
    end = open_end("nfc:usb")
    assert end.max_frame == max_frame
    phone = phone_at(chip)
    phone.activate(end)
    longest = bytes(max_frame - 2)
    assert phone.ask(end, longest, longest) == longest
    assert phone.ask(end, DESELECT, DESELECT) == DESELECT
    phone.activate(end)
    phone.air.field_off()
    assert receive(end) == FieldOff()
    assert end.receive(0.01) is None
    usb.transports[-1].unplug()
    usb.devices.clear()
    with pytest.raises(LinkError, match="no reader at nfc:usb"):
        end.receive(PATIENCE)


def test_an_rc_s380_is_the_tag(usb: FakeUsb, open_end: OpenCard) -> None:
    chip = FakePort100()
    usb.plug(*RCS380, chip)
    end = open_end("nfc:usb:054c:06c3")
    assert end.max_frame == 256
    assert chip.type_a == bytes.fromhex("0400") + UID[1:] + b"\x20"
    phone = phone_at(chip)
    for _ in range(2):
        phone.activate(end)
        assert not chip.tells_field()
        assert phone.ask(end, SELECT, OK) == OK
        assert chip.tells_field()  # from the first answer on the chip tells when the field goes
        assert phone.ask(end, bytes(254), None) is None
        assert phone.ask(end, SELECT, OK) == OK
        phone.air.field_off()
        assert receive(end) == FieldOff()
        assert not chip.tells_field()
    assert end.touch.answer is not None


def test_an_rc_s380_sends_s_deselect_and_listens_by_one_command(usb: FakeUsb, open_end: OpenCard) -> None:
    chip = FakePort100()
    usb.plug(*RCS380, chip)
    end = open_end("nfc:usb")
    phone = phone_at(chip)
    phone.activate(end)
    assert phone.ask(end, SELECT, OK) == OK
    before = len(chip.commands)
    phone.begin(lambda air: air.transceive(DESELECT, PATIENCE))
    assert receive(end) == Frame(DESELECT)
    end.send(DESELECT)
    assert phone.end() == DESELECT
    end.halt()
    assert chip.commands[before:] == [0x48]
    phone.activate(end)
    assert phone.ask(end, SELECT, OK) == OK


def test_what_an_rc_s380_does_not_understand_is_silence(usb: FakeUsb, open_end: OpenCard) -> None:
    chip = FakePort100()
    usb.plug(*RCS380, chip)
    end = open_end("nfc:usb")
    phone = phone_at(chip)
    chip.tell_fault()  # while it listens
    assert end.receive(0.02) is None
    with chip.lock:
        chip._tell(b"\x00", activated=1)  # noqa: SLF001
    assert end.receive(0.02) is None
    phone.activate(end)
    chip.tell_fault()
    assert end.receive(0.02) is None
    with chip.lock:
        chip.waiting = False
        chip.respond(0x48, b"\x0b")
    assert end.receive(0.02) is None
    assert phone.ask(end, SELECT, OK) == OK
    end.lose_field()
    phone.air.field_off()
    phone.activate(end)


def test_before_the_first_answer_a_silent_reader_of_an_rc_s380_is_taken_as_gone(
    usb: FakeUsb, open_end: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = FakePort100()
    usb.plug(*RCS380, chip)
    end = open_end("nfc:usb")
    phone = phone_at(chip)
    phone.activate(end)
    monkeypatch.setattr(dialogue, "LOOK_AT_FIELD", 0.01)
    assert receive(end) == FieldOff()
    phone.air.field_off()
    monkeypatch.undo()
    phone.activate(end)
    assert phone.ask(end, SELECT, OK) == OK
    monkeypatch.setattr(dialogue, "LOOK_AT_FIELD", 0.01)
    assert end.receive(0.05) is None  # now it would have told
    end.lose_field()


def test_an_rc_s380_that_does_not_acknowledge_is_begun_anew(usb: FakeUsb, open_end: OpenCard) -> None:
    chip = FakePort100()
    usb.plug(*RCS380, chip)
    end = open_end("nfc:usb")
    phone = phone_at(chip)
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, 0.05))
    assert receive(end) == Frame(SELECT)
    chip.acknowledges = False
    with pytest.raises(LinkError, match=r"pull it and plug it in again|failed"):
        end.send(OK)
    phone.end()


@pytest.mark.parametrize("status", [0x29, 0x02])
def test_an_answer_that_the_chip_refuses(board: FakePn532, open_end: OpenCard, status: int) -> None:
    end = open_end(board.name)
    phone = Phone(board)
    phone.activate(end)
    board.chip.refuse_answers = status
    phone.begin(lambda air: air.transceive(SELECT, 0.05))
    assert receive(end) == Frame(SELECT)
    end.send(OK)
    assert phone.end() is None
    if status == 0x29:
        assert receive(end) == FieldOff()
    else:
        assert phone.ask(end, SELECT, OK) == OK


class TestPicc:
    """The PN532's own ISO 14443-4."""

    def test_whole_apdus_come_up_and_the_firmware_answers_rats(self, board: FakePn532, open_end: OpenCard) -> None:
        end = open_end(f"{board.name}?picc")
        assert (end.level.value, end.max_frame, end.link_sends_ats) == ("apdus", 262, True)
        assert board.chip.parameters == 0x20
        assert board.chip.historical == IDENTITY.historical
        phone = Phone(board)
        phone.air.activate(PATIENCE)
        assert phone.air.transceive(RATS, PATIENCE) is not None
        phone.begin(lambda air: air.transceive(SELECT, PATIENCE))
        assert receive(end) == CardSelected(None)
        assert receive(end) == Frame(SELECT[1:])
        end.send(b"\x90\x00")
        assert phone.end() == OK

    def test_parts_of_an_apdu_are_put_together(self, board: FakePn532, open_end: OpenCard) -> None:
        end = open_end(f"{board.name}?picc")
        phone = Phone(board)
        phone.air.activate(PATIENCE)
        phone.air.transceive(RATS, PATIENCE)
        assert receive(end) == CardSelected(None)
        with board.chip.lock:
            board.chip.waiting = None
            board.chip.respond(0x86, b"\x40\x00\xd6")
        assert end.receive(0.05) is None
        with board.chip.lock:
            board.chip.waiting = None
            board.chip.respond(0x86, b"\x00\x00\x00")
        assert receive(end) == Frame(bytes.fromhex("00D60000"))

    @pytest.mark.parametrize("response", ["", "00", "02"])
    def test_what_is_no_apdu_is_not_heard(self, board: FakePn532, open_end: OpenCard, response: str) -> None:
        end = open_end(f"{board.name}?picc")
        phone = Phone(board)
        phone.air.activate(PATIENCE)
        phone.air.transceive(RATS, PATIENCE)
        assert receive(end) == CardSelected(None)
        with board.chip.lock:
            board.chip.waiting = None
            board.chip.respond(0x86, bytes.fromhex(response))
        assert end.receive(0.05) is None
        assert board.chip.waits_for() == 0x86

    def test_a_release_is_a_phone_that_may_come_back(
        self, board: FakePn532, open_end: OpenCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialogue, "AWAY", 0.02)
        end = open_end(f"{board.name}?picc")
        phone = Phone(board)
        for _ in range(2):
            phone.air.activate(PATIENCE)
            assert phone.air.transceive(RATS, PATIENCE) is not None
            assert receive(end) == CardSelected(None)
            assert phone.air.transceive(DESELECT, PATIENCE) == DESELECT
            assert end.receive(0) is None  # what it takes to listen again
        assert receive(end) == FieldOff()

    @pytest.mark.parametrize("status", [0x29, 0x02])
    def test_an_answer_to_nobody(self, board: FakePn532, open_end: OpenCard, status: int) -> None:
        end = open_end(f"{board.name}?picc")
        phone = Phone(board)
        phone.air.activate(PATIENCE)
        phone.air.transceive(RATS, PATIENCE)
        phone.begin(lambda air: air.transceive(SELECT, 0.02))
        assert receive(end) == CardSelected(None)
        assert receive(end) == Frame(SELECT[1:])
        phone.end()
        board.chip.refuse_answers = status
        end.send(b"\x90\x00")
        assert end.receive(0) == (FieldOff() if status == 0x29 else None)


class TestSimulation:
    """nfcpy's own udp driver below our end, through what all of its drivers have."""

    @pytest.fixture
    def port(self) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            number: int = free.getsockname()[1]
            return number

    def test_the_tag_of_the_simulation_is_read_over_the_udp_air(self, port: int, open_end: OpenCard) -> None:
        identity = CardIdentity(uid=bytes.fromhex("04497622D93881"), ats=IDENTITY.ats)
        end = open_end(f"nfc:udp:127.0.0.1:{port}", identity)
        air = open_reader(f"udp:127.0.0.1:{port}")
        results: list[Any] = []

        def run() -> None:
            results.append(air.activate(PATIENCE).uid)
            results.append(air.transceive(RATS, PATIENCE))
            results.append(air.transceive(SELECT, PATIENCE))
            air.field_off()

        thread = threading.Thread(target=run)
        thread.start()
        assert receive(end) == CardSelected(None)
        assert receive(end) == Frame(RATS)
        end.send(IDENTITY.ats)
        assert receive(end) == Frame(SELECT)
        end.send(OK)
        assert receive(end) == FieldOff()
        thread.join(PATIENCE)
        assert results == [identity.uid, IDENTITY.ats, OK]
        air.close()


class Driver:
    """A driver of nfcpy by what all of them have, and what it is to say."""

    def __init__(self, *said: Any) -> None:
        self.said = list(said)
        self.asked: list[Any] = []

    def mute(self) -> None:
        pass

    def listen_tta(self, target: Any, _timeout: float) -> Any:
        self.asked.append(bytes(target.rats_res))
        return self.said.pop(0)

    def send_rsp_recv_cmd(self, _target: Any, octets: Any, _timeout: float) -> Any:
        self.asked.append(octets)
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def test_a_driver_that_answers_rats_itself_gets_the_ats_and_small_frames(
    board: FakePn532, open_end: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nfc.clf

    end = open_end(board.name)
    driver = Driver(
        None,
        nfc.clf.LocalTarget("106A", tt2_cmd=bytearray(b"\x30\x00")),
        nfc.clf.LocalTarget("106A", tt4_cmd=bytearray(SELECT)),
        None,
        nfc.clf.TimeoutError("late"),
        bytearray(),
        nfc.clf.TransmissionError("crc"),
        bytearray(b"\xb2"),
        None,
        nfc.clf.BrokenLinkError("gone"),
    )
    chip = ListeningCard(driver, IDENTITY)
    chip.cancel()
    monkeypatch.setattr(end._dialogue, "chip", chip)  # noqa: SLF001
    assert receive(end) == CardSelected(fsd=64)
    assert driver.asked == [IDENTITY.ats] * 3
    assert receive(end) == Frame(SELECT)
    end.send(OK)
    assert driver.asked[-1] == OK
    assert receive(end) == Frame(b"\xb2")
    end.send(DESELECT)
    assert chip.field_is_on()
    driver.said = [nfc.clf.LocalTarget("106A", tt4_cmd=bytearray(RATS)), nfc.clf.BrokenLinkError("gone")]
    assert receive(end) == CardSelected(None)
    assert receive(end) == Frame(RATS)
    assert receive(end) == FieldOff()
    assert chip.take() == (What.FAULT, b"")
    driver.said = [nfc.clf.LocalTarget("106A", tt4_cmd=bytearray(RATS))]
    assert chip.wait(0)
    assert chip.wait(0)  # it stays to be taken
    assert chip.take() == (What.SELECTED, RATS)


def test_a_later_nfcpy_without_its_own_initialisation_is_used_by_what_it_has(board: FakePn532) -> None:
    from nfcbridge.links.nfc.names import parse_name
    from nfcbridge.links.nfc.opening import open_device

    opened = open_device(parse_name(board.name.removeprefix("nfc:")), as_card=True)
    chip = make_card_chip(opened.device, opened.transport, opened.driver, IDENTITY, picc=False)
    assert type(chip) is Pn53xCard
    other = make_card_chip(object(), opened.transport, DRIVERS["nfc.clf.pn532.Device"], IDENTITY, picc=False)
    assert type(other) is ListeningCard
    opened.close()


def test_a_whole_phone_reads_over_an_rc_s380(usb: FakeUsb) -> None:
    from nfcbridge.server.emulator import Emulator
    from tests.links.nfc.air import AirReader
    from tests.links.nfc.serving import APP

    chip = FakePort100()
    usb.plug(*RCS380, chip)
    with Emulator(APP, ["nfc:usb"]):
        phone = WholePhone(AirReader(chip))  # type: ignore[arg-type]  # it asks for what both fakes have
        assert phone.exchange("GET", "/long").status == 200
        assert phone.exchange("GET", "/slow").status == 200
        phone.close()
