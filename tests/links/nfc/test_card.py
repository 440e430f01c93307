"""The card end on a fake PN532, below which is nfcpy's real driver: literal octets of the air."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from nfcbridge.errors import ConfigError, LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.links import CardIdentity, CardSelected, FieldOff, Frame, Incoming, Level
from nfcbridge.links.nfc import dialogue, outage
from nfcbridge.links.nfc.card import NfcCard
from tests.links.nfc.air import AirReader
from tests.links.nfc.conftest import UID, OpenCard
from tests.links.nfc.fake_chip import SYNTAX_ERROR, frame_of
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.running import PATIENCE

RATS = bytes.fromhex("E080")
ATS = bytes.fromhex("0578804202")
SELECT = bytes.fromhex("0200A4040007D276000085010100")
OK = bytes.fromhex("029000")
DESELECT = bytes.fromhex("C2")


class Phone:
    """A phone in a thread of its own: it does what it is told, and tells what came of it."""

    def __init__(self, board: FakePn532) -> None:
        self.air = AirReader(board.chip)
        self.results: list[Any] = []
        self._thread: threading.Thread | None = None

    def begin(self, action: Callable[[AirReader], Any]) -> None:
        def run() -> None:
            self.results.append(action(self.air))

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def end(self) -> Any:
        assert self._thread is not None
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.results.pop()

    def ask(self, end: NfcCard, frame: bytes, answer: bytes | None) -> bytes | None:
        """Send a frame, have it received at the card's end and answered, and give what the phone got."""
        self.begin(lambda air: air.transceive(frame, PATIENCE if answer else 0.02))
        assert receive(end) == Frame(frame)
        if answer is not None:
            end.send(answer)
        result: bytes | None = self.end()
        return result

    def activate(self, end: NfcCard, rats: bytes = RATS) -> None:
        self.air.activate(PATIENCE)
        self.begin(lambda air: air.transceive(rats, PATIENCE))
        assert receive(end) == CardSelected(None)
        assert receive(end) == Frame(rats)
        end.send(ATS)
        assert self.end() == ATS


def receive(end: NfcCard) -> Incoming:
    incoming = end.receive(PATIENCE)
    assert incoming is not None
    return incoming


@pytest.fixture(name="end")
def open_the_end(board: FakePn532, open_end: OpenCard) -> NfcCard:
    return open_end(board.name)


@pytest.fixture
def phone(board: FakePn532) -> Phone:
    return Phone(board)


def test_the_end_says_what_it_is(board: FakePn532, end: NfcCard) -> None:
    assert end.name == board.name
    assert (end.level, end.max_frame, end.link_sends_ats) == (Level.BLOCKS, 256, False)
    assert board.chip.baud == 921_600


@pytest.mark.usefixtures("end")
def test_the_chip_is_told_who_the_card_is(board: FakePn532, phone: Phone) -> None:
    assert board.chip.type_a == bytes.fromhex("0400") + UID[1:] + b"\x20"
    assert phone.air.activate(PATIENCE).uid == UID


def test_rats_comes_up_as_the_first_frame_and_the_ats_is_ours(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    assert phone.ask(end, SELECT, OK) == OK


def test_the_longest_frames_cross_both_ways(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    longest = bytes(range(254))
    assert phone.ask(end, longest, longest[::-1]) == longest[::-1]
    with pytest.raises(LocalProtocolError, match="254 and the CRC"):
        end.send(longest + b"\0")


def test_pps_comes_up_like_any_other_first_block(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    assert phone.ask(end, bytes.fromhex("D01100"), b"\xd0") == b"\xd0"


def test_after_s_deselect_the_chip_listens_again_at_once_and_nothing_is_configured(
    board: FakePn532, end: NfcCard, phone: Phone
) -> None:
    phone.activate(end)
    before = len(board.chip.seen())
    assert phone.ask(end, DESELECT, DESELECT) == DESELECT
    end.halt()
    assert board.chip.seen()[before:] == [0x90, 0x8C]
    phone.activate(end)
    assert phone.ask(end, SELECT, OK) == OK


def test_a_deselect_with_a_cid_is_one_too(board: FakePn532, end: NfcCard, phone: Phone) -> None:
    phone.activate(end, bytes.fromhex("E081"))
    assert phone.ask(end, bytes.fromhex("CA01"), bytes.fromhex("CA01")) == bytes.fromhex("CA01")
    assert board.chip.seen()[-1] == 0x8C


def test_a_halt_without_s_deselect_makes_the_chip_listen(board: FakePn532, end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    end.halt()
    assert board.chip.waits_for() == 0x8C
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, 0.02))
    assert receive(end) == Frame(SELECT)
    end.halt()  # while the phone waits for us
    assert phone.end() is None
    assert board.chip.waits_for() == 0x8C


def test_the_field_that_goes_is_told_and_the_tag_is_offered_again(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    phone.air.field_off()
    assert receive(end) == FieldOff()
    phone.activate(end)


def test_a_field_that_goes_while_we_think_is_told_when_the_answer_finds_nobody(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, 0.01))
    assert receive(end) == Frame(SELECT)
    assert phone.end() is None
    phone.air.field_off()
    end.send(OK)
    assert receive(end) == FieldOff()
    end.send(OK)  # to nobody
    assert end.receive(0) is None
    phone.activate(end)


def test_a_field_that_goes_at_s_deselect_is_told_after_the_time_for_coming_back(
    board: FakePn532, end: NfcCard, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "AWAY", 0.02)
    phone.activate(end)
    phone.begin(lambda air: air.transceive(DESELECT, 0.01))
    assert receive(end) == Frame(DESELECT)
    phone.end()
    phone.air.field_off()
    end.send(DESELECT)
    assert board.chip.waits_for() == 0x8C
    assert receive(end) == FieldOff()
    assert end.receive(0.05) is None  # once


def test_a_phone_that_deselects_and_stays_is_not_reported_as_gone(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    phone.ask(end, DESELECT, DESELECT)
    assert end.receive(0.05) is None
    phone.activate(end)


def test_a_frame_that_comes_while_the_host_is_busy_is_kept_by_the_chip(
    board: FakePn532, end: NfcCard, phone: Phone
) -> None:
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, 0.01))
    assert receive(end) == Frame(SELECT)
    assert phone.end() is None
    nak = bytes.fromhex("B2")
    phone.begin(lambda air: air.transceive(nak, PATIENCE))  # the answer took too long, so it asks
    while board.chip.heard is None:
        time.sleep(0.001)
    end.send(OK)
    assert phone.end() == OK
    assert receive(end) == Frame(nak)


def test_with_no_time_to_wait_nothing_is_asked_of_a_chip_that_waits_for_us(
    board: FakePn532, end: NfcCard, phone: Phone
) -> None:
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, PATIENCE))
    assert receive(end) == Frame(SELECT)
    before = len(board.chip.seen())
    for _ in range(5):
        assert end.receive(0) is None
    assert len(board.chip.seen()) == before
    end.send(OK)
    assert phone.end() == OK


def test_a_card_that_stays_silent_hears_the_next_frame(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    assert phone.ask(end, b"\xff\xff", None) is None
    assert phone.ask(end, SELECT, OK) == OK


def test_an_answer_after_a_wait_in_vain_still_goes_out(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, PATIENCE))
    assert receive(end) == Frame(SELECT)
    assert end.receive(0.01) is None
    end.send(OK)
    assert phone.end() == OK


def test_a_chip_that_sleeps_while_it_listens_is_woken_up_before_it_is_told_anything(
    board: FakePn532, end: NfcCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []
    monkeypatch.setattr(board.chip, "receive", received.append)
    with pytest.raises(LinkError):
        end.poll_card(0)  # nobody answers
    assert received[0].startswith(bytes(10) + bytes.fromhex("0000FF00FF00"))


def test_waiting_is_done_by_looking_and_not_by_new_commands(board: FakePn532, end: NfcCard, phone: Phone) -> None:
    before = len(board.chip.seen())
    for _ in range(5):
        assert end.receive(0.002) is None
    assert len(board.chip.seen()) == before
    phone.activate(end)
    before = len(board.chip.seen())
    for _ in range(5):
        assert end.receive(0.002) is None
    assert len(board.chip.seen()) == before


@pytest.mark.parametrize("status", [0x02, 0x03, 0x05])
def test_a_damaged_frame_is_not_heard(board: FakePn532, end: NfcCard, phone: Phone, status: int) -> None:
    phone.activate(end)
    with board.chip.lock:
        board.chip.waiting = None
        board.chip.respond(0x88, bytes([status]))
    assert end.receive(0.05) is None
    assert phone.ask(end, SELECT, OK) == OK


def test_too_many_damaged_frames_in_a_row_are_an_end(board: FakePn532, end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    board.chip._HANDLERS[0x88], kept = lambda chip, code, _data: chip.respond(code, b"\x02"), board.chip._HANDLERS[0x88]  # noqa: SLF001
    try:
        with board.chip.lock:
            board.chip.respond(0x88, b"\x02")
        assert receive(end) == FieldOff()
        assert board.chip.count(0x88) == 1 + dialogue.MAX_FAULTS
    finally:
        board.chip._HANDLERS[0x88] = kept  # noqa: SLF001
    phone.activate(end)


@pytest.mark.parametrize("first", ["5000", "3000", "26"])
def test_a_first_frame_that_is_no_rats_is_met_with_silence(end: NfcCard, phone: Phone, first: str) -> None:
    phone.air.activate(PATIENCE)
    assert phone.air.transceive(bytes.fromhex(first), 0.01) is None
    assert end.receive(0.05) is None
    phone.activate(end)


@pytest.mark.parametrize("response", ["", "00", "10E080"])
def test_an_activation_that_is_none_is_listened_over(
    board: FakePn532, end: NfcCard, phone: Phone, response: str
) -> None:
    with board.chip.lock:
        board.chip.waiting = None
        board.chip.respond(0x8C, bytes.fromhex(response))
    assert end.receive(0.05) is None
    phone.activate(end)


def test_a_silent_reader_is_asked_after_and_is_still_there(
    board: FakePn532, end: NfcCard, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.activate(end)
    monkeypatch.setattr(dialogue, "LOOK_AT_FIELD", 0.01)
    assert end.receive(0.05) is None
    assert board.chip.count(0x04) >= 1
    monkeypatch.undo()
    assert phone.ask(end, SELECT, OK) == OK


def test_a_silent_reader_that_is_gone_is_found_out(
    board: FakePn532, end: NfcCard, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.activate(end)
    monkeypatch.setattr(dialogue, "LOOK_AT_FIELD", 0.01)
    board.chip.field = False  # and the firmware has not noticed
    assert receive(end) == FieldOff()
    assert board.chip.waits_for() == 0x8C


def test_a_lost_field_on_demand_is_silent_and_the_tag_is_offered_again(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    end.lose_field()
    assert phone.air.transceive(SELECT, 0.01) is None
    assert end.receive(0) is None
    phone.air.field_off()
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, 0.01))
    assert receive(end) == Frame(SELECT)
    phone.end()
    end.lose_field()
    end.send(OK)
    assert end.receive(0.01) is None


def test_a_phone_that_reselects_in_the_same_field_is_told_as_a_selection(end: NfcCard, phone: Phone) -> None:
    phone.activate(end)
    phone.ask(end, DESELECT, DESELECT)
    phone.activate(end)  # whose CardSelected comes without a FieldOff before


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_close_from_another_thread_ends_a_wait_at_once(end: NfcCard, timeout: float | None) -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            end.receive(timeout)
        except LinkClosedError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.02)
    began = time.monotonic()
    end.close()
    thread.join(PATIENCE)
    assert time.monotonic() - began < 1
    assert raised
    end.close()
    for action in (lambda: end.send(OK), lambda: end.receive(0), lambda: end.poll_card(0)):
        with pytest.raises(LinkClosedError):
            action()
    end.halt()
    end.lose_field()


def test_a_closed_reader_is_left_as_it_was_found(board: FakePn532, end: NfcCard) -> None:
    end.close()
    assert board.chip.baud == 115_200
    assert board.chip.seen()[-1] == 0x16  # asleep


@pytest.mark.parametrize("uid", ["04A1B2C3", "08A1B2C3D4E5F6"])
def test_a_uid_that_the_chip_cannot_have_is_refused_with_the_rule(
    board: FakePn532, open_end: OpenCard, uid: str
) -> None:
    with pytest.raises(ConfigError, match="4 octets, 08 and three of your choice"):
        open_end(board.name, CardIdentity(uid=bytes.fromhex(uid), ats=ATS))
    assert board.chip.baud == 115_200  # it was closed again


def test_a_pulled_reader_is_told_once_and_found_again(
    board: FakePn532, end: NfcCard, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "REOPEN", 0.01)
    phone.activate(end)
    board.pull()
    with pytest.raises(LinkError, match=r"no reader at nfc:tty:.*plug it in"):
        end.receive(PATIENCE)
    for _ in range(5):
        assert end.receive(0.02) is None
    end.send(OK)
    end.halt()
    end.lose_field()
    assert end.poll_card(0) is None
    board.plug()
    assert end.receive(0.2) is None
    phone.activate(end)
    assert phone.ask(end, SELECT, OK) == OK


def test_a_reader_pulled_in_the_middle_of_a_frame_is_told_where_the_answer_was_to_go(
    board: FakePn532, end: NfcCard, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "REOPEN", 0.01)
    phone.activate(end)
    phone.begin(lambda air: air.transceive(SELECT, 0.01))
    assert receive(end) == Frame(SELECT)
    phone.end()
    board.pull()
    with pytest.raises(LinkError, match="no reader at"):
        end.send(OK)
    board.plug()
    assert end.receive(0.2) is None
    phone.activate(end)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00",
        b"\x00\x00\xff",
        b"\x55" * 12,
        frame_of(b"\xd5\x89\x00\x02")[:-2] + b"\x99\x00",
        frame_of(b"\xd4\x89\x00"),
        frame_of(b"\xd5\x8d\x00"),
        SYNTAX_ERROR,
        bytes.fromhex("0000FFFFFF010200D589"),
    ],
    ids=bytes.hex,
)
def test_garbage_of_a_chip_is_told_and_the_reader_is_begun_anew(
    board: FakePn532, end: NfcCard, phone: Phone, garbage: bytes
) -> None:
    phone.activate(end)
    board.chip._send(garbage)  # noqa: SLF001
    with pytest.raises(LinkError, match=r"the reader at nfc:tty:.* failed|does not answer"):
        end.receive(PATIENCE)
    phone.air.field_off()
    phone.activate(end)
    assert phone.ask(end, SELECT, OK) == OK


def test_another_reason_is_told_when_it_stands(board: FakePn532, end: NfcCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "REOPEN", 0.0)
    board.pull()
    with pytest.raises(LinkError, match="no reader at"):
        end.receive(PATIENCE)
    board.path.write_text("no port")
    assert end.receive(0.02) is None
    monkeypatch.setattr(outage, "TELL_AGAIN", 0.0)
    with pytest.raises(LinkError, match="failed"):
        end.receive(PATIENCE)
    assert end.receive(0.01) is None
    board.path.unlink()
    assert end.receive(0) is None


def test_a_wait_for_a_reader_that_is_gone_ends_with_close(board: FakePn532, end: NfcCard) -> None:
    board.pull()
    with pytest.raises(LinkError):
        end.receive(PATIENCE)
    timer = threading.Timer(0.02, end.close)
    timer.start()
    with pytest.raises(LinkClosedError):
        end.receive(None)
    timer.join()


def test_a_device_that_fails_while_the_link_is_closed_is_a_closed_link(
    end: NfcCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_timeout: float) -> bool:
        end.close()
        raise OSError

    monkeypatch.setattr(end._dialogue.chip, "wait", fail)  # noqa: SLF001
    with pytest.raises(LinkClosedError):
        end.receive(PATIENCE)


def test_a_card_is_looked_for_while_nobody_is_there(board: FakePn532, end: NfcCard, phone: Phone) -> None:
    from tests.links.nfc.air import AirCard

    assert end.poll_card(0.01) is None
    rfid = AirCard(board.chip, CardIdentity(uid=bytes.fromhex("04497622D93881"), ats=ATS))
    assert end.poll_card(0.01) == bytes.fromhex("04497622D93881")
    assert not board.chip.own_field
    rfid.present = False
    phone.activate(end)
    assert end.poll_card(0.01) is None  # a phone is there
    assert phone.ask(end, SELECT, OK) == OK
