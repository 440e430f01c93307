"""The PC/SC link above calls that answer as PC/SC does; with the service itself: `test_pcsc_room`."""

import importlib.util
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("smartcard.scard", exc_type=ImportError)
from smartcard import scard

from nfcbridge import links
from nfcbridge.errors import FieldLostError, LinkClosedError, LinkError, LinkTimeoutError, LocalProtocolError
from nfcbridge.links import LINKS, CardFound, Level, open_reader, pcsc_apdu, pcsc_service
from nfcbridge.links import pcsc as module
from nfcbridge.links.pcsc import MAX_COMMAND, PcscReader
from nfcbridge.links.pcsc_apdu import MAX_RESPONSE, with_le, without_le
from nfcbridge.links.pcsc_codes import Codes
from tests.links.fake_scard import ATR, FakeScard
from tests.links.running import PATIENCE

ACR = "ACS ACR122U PICC Interface 00 00"
OMNIKEY = "HID Global OMNIKEY 5422CL Smartcard Reader 00 00"
SELECT = bytes.fromhex("00A4040007D276000085010100")
GOOD = bytes.fromhex("9000")
FOUND = CardFound(uid=b"", atr=ATR)


def good(_command: bytes) -> bytes:
    return GOOD


@pytest.fixture
def pcsc() -> FakeScard:
    return FakeScard(ACR)


@pytest.fixture
def end(pcsc: FakeScard) -> Iterator[PcscReader]:
    end = PcscReader(pcsc, "acr122")
    yield end
    end.close()
    assert not pcsc.contexts


def later(pcsc: FakeScard, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as the link waits for a card."""
    pcsc.waiting.clear()

    def run() -> None:
        assert pcsc.waiting.wait(PATIENCE)
        act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


# Names


@pytest.mark.parametrize("pattern", ["acr", "ACR122U", "picc interface", "", ACR.lower()])
def test_a_reader_is_chosen_by_any_part_of_its_name(pcsc: FakeScard, pattern: str) -> None:
    end = PcscReader(pcsc, pattern)
    assert (end.name, end.level) == (f"pcsc:{ACR}", Level.APDUS)
    end.close()


def test_a_name_that_no_reader_has_is_refused_with_those_there_are() -> None:
    pcsc = FakeScard(ACR, OMNIKEY)
    with pytest.raises(LinkError, match=f"no PC/SC reader is called 'scm': there is {ACR}, {OMNIKEY}"):
        PcscReader(pcsc, "scm")
    assert not pcsc.contexts


def test_without_a_reader_it_is_said_to_plug_one_in() -> None:
    with pytest.raises(LinkError, match="no PC/SC reader is connected: plug one in"):
        PcscReader(FakeScard(), "")


def test_of_the_readers_of_one_name_the_one_with_a_card_is_taken() -> None:
    pcsc = FakeScard("Virtual PCD 00 00", "Virtual PCD 00 01")
    end = PcscReader(pcsc, "virtual")
    assert end.name == "pcsc:virtual"
    pcsc.insert("Virtual PCD 00 01", good)
    assert end.activate(PATIENCE) == FOUND
    assert pcsc.slots["Virtual PCD 00 01"].power == ["on"]
    end.close()


def test_two_readers_of_one_name_with_a_card_each_are_told_apart_by_more_of_the_name() -> None:
    pcsc = FakeScard("Virtual PCD 00 00", "Virtual PCD 00 01", ACR)
    for name in pcsc.slots:
        pcsc.insert(name, good)
    end = PcscReader(pcsc, "virtual")
    with pytest.raises(LinkError, match="more than one reader with a card: Virtual PCD 00 00, Virtual PCD 00 01; name"):
        end.activate(PATIENCE)
    end.close()
    end = PcscReader(pcsc, "virtual pcd 00 01")
    assert end.activate(PATIENCE) == FOUND
    end.close()


def test_a_whole_name_means_that_reader_although_it_is_a_part_of_another() -> None:
    pcsc = FakeScard("Reader", "Reader 2")
    for name in pcsc.slots:
        pcsc.insert(name, good)
    end = PcscReader(pcsc, "READER")
    assert end.name == "pcsc:Reader"
    assert end.activate(PATIENCE) == FOUND
    end.close()


def test_without_a_name_the_first_reader_with_a_card_is_taken() -> None:
    pcsc = FakeScard("empty", "first", "second")
    for name in ("first", "second"):
        pcsc.insert(name, good)
    end = PcscReader(pcsc, "")
    assert end.name == "pcsc:"
    end.activate(PATIENCE)
    assert [slot.power for slot in pcsc.slots.values()] == [[], ["on"], []]
    end.close()


# The card comes and goes


def test_it_waits_for_the_card(pcsc: FakeScard, end: PcscReader) -> None:
    later(pcsc, lambda: pcsc.insert(ACR, good))
    assert end.activate(PATIENCE) == FOUND
    assert pcsc.calls.count("SCardGetStatusChange") == 2  # no loop that asks again and again
    assert end.transceive(SELECT, PATIENCE) == GOOD
    assert pcsc.slots[ACR].commands == [SELECT]


def test_no_card_in_time_is_told(end: PcscReader) -> None:
    with pytest.raises(LinkTimeoutError, match=f"no card came to {ACR}: lay one on the reader"):
        end.activate(0.0)


def test_a_card_that_was_taken_away_is_lost_and_found_again(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.remove(ACR)
    with pytest.raises(FieldLostError, match=f"the card at {ACR} is lost: it was taken away"):
        end.transceive(SELECT, PATIENCE)
    later(pcsc, lambda: pcsc.insert(ACR, good))
    assert end.activate(PATIENCE) == FOUND
    assert end.transceive(SELECT, PATIENCE) == GOOD
    assert pcsc.slots[ACR].power == ["on", "left", "on", "reset"]


def test_a_card_that_was_exchanged_meanwhile_is_activated_anew(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.remove(ACR)
    pcsc.insert(ACR, lambda _command: b"\x6d\x00")
    assert end.activate(PATIENCE) == FOUND
    assert end.transceive(SELECT, PATIENCE) == b"\x6d\x00"


def test_a_card_that_was_exchanged_unseen_is_not_overlooked_when_the_field_was_switched_off(
    pcsc: FakeScard, end: PcscReader
) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.remove(ACR)
    pcsc.insert(ACR, lambda _command: b"\x6d\x00")
    end.field_off()
    assert pcsc.slots[ACR].power == ["on", "off", "reset", "off"]
    assert end.activate(0.0) == FOUND
    assert end.transceive(SELECT, PATIENCE) == b"\x6d\x00"


def test_a_card_that_is_gone_when_the_field_is_switched_off_is_gone(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.remove(ACR)
    end.field_off()
    assert pcsc.slots[ACR].power == ["on", "off", "left"]
    with pytest.raises(LinkTimeoutError):
        end.activate(0.0)


def test_a_card_that_came_before_pcscd_looked_is_found_although_pcscd_overlooks_it(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_service, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(pcsc_service, "RETRY_INTERVAL", 0.01)
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.remove(ACR)
    end.field_off()
    pcsc.insert(ACR, good)
    pcsc.slots[ACR].overlooked = True
    assert end.activate(PATIENCE) == FOUND
    assert pcsc.slots[ACR].power == ["on", "off", "left", "reset", "off", "on"]


def test_a_card_that_could_not_be_reset_since_it_was_away_is_found_although_pcscd_overlooks_it(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_service, "POLL_INTERVAL", 0.0)
    monkeypatch.setattr(pcsc_service, "RETRY_INTERVAL", 0.01)
    with pytest.raises(LinkTimeoutError):
        end.activate(0.0)  # from here on there is no doubt
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.slots[ACR].overlooked = True
    pcsc.faults = {"SCardReconnect": [scard.SCARD_E_NO_SMARTCARD]}
    assert end.activate(PATIENCE) == FOUND
    assert pcsc.slots[ACR].power == ["left", "on", "left", "reset", "off", "on", "reset"]


def test_one_that_the_last_program_left_overlooked_is_found_too(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_service, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(pcsc_service, "RETRY_INTERVAL", 0.01)
    pcsc.insert(ACR, good)
    pcsc.slots[ACR].overlooked = True
    assert end.activate(PATIENCE) == FOUND


def test_pcscd_gets_the_time_to_see_a_card_itself(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_service, "POLL_INTERVAL", PATIENCE)
    pcsc.insert(ACR, good)
    pcsc.slots[ACR].overlooked = True
    with pytest.raises(LinkTimeoutError):
        end.activate(0.01)
    assert pcsc.slots[ACR].power == []


def test_a_reader_that_stays_empty_is_looked_at_once(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_service, "POLL_INTERVAL", 0.0)
    for _ in range(3):
        with pytest.raises(LinkTimeoutError):
            end.activate(0.0)
    assert pcsc.slots[ACR].power == ["left"]


def test_a_card_that_is_there_is_reset_by_another_activation(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    end.activate(PATIENCE)
    end.field_off()
    end.field_off()
    end.activate(PATIENCE)
    assert pcsc.slots[ACR].power == ["on", "reset", "off", "on"]


def test_without_an_activation_there_is_no_card(end: PcscReader) -> None:
    with pytest.raises(FieldLostError, match="no card is active"):
        end.transceive(SELECT, PATIENCE)


@pytest.mark.parametrize(
    "code", ["SCARD_W_REMOVED_CARD", "SCARD_E_NO_SMARTCARD", "SCARD_W_UNRESPONSIVE_CARD", "SCARD_W_UNPOWERED_CARD"]
)
def test_a_card_that_slips_off_while_it_is_connected_is_tried_again(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(pcsc_service, "RETRY_INTERVAL", 0.001)
    pcsc.insert(ACR, good)
    pcsc.faults = {"SCardConnect": [getattr(scard, code)] * 2}
    assert end.activate(PATIENCE) == FOUND
    pcsc.faults = {"SCardStatus": [getattr(scard, code)]}
    end.field_off()
    assert end.activate(PATIENCE) == FOUND


def test_a_card_that_does_not_answer_is_told(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good, mute=True)
    with pytest.raises(LinkError, match=f"{ACR}: the card there does not answer: lay it on the reader again"):
        end.activate(0.0)
    assert "SCardConnect" not in pcsc.calls


def test_a_card_of_another_program_is_waited_for_and_then_told(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pcsc.insert(ACR, good)
    pcsc.take(ACR, taken=True)
    with pytest.raises(LinkError, match=f"{ACR}: another program has the card: end it"):
        end.activate(0.01)
    monkeypatch.setattr(pcsc_service, "RETRY_INTERVAL", PATIENCE)
    later(pcsc, lambda: pcsc.take(ACR, taken=False))
    began = time.monotonic()
    assert end.activate(PATIENCE) == FOUND
    assert time.monotonic() - began < PATIENCE  # by the change of state


def test_a_reader_that_is_unplugged_is_told_and_used_when_it_is_there_again(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.unplug(ACR)
    with pytest.raises(FieldLostError, match="the reader was unplugged: plug it in again"):
        end.transceive(SELECT, PATIENCE)
    with pytest.raises(LinkTimeoutError, match="no PC/SC reader is connected: plug one in"):
        end.activate(0.0)

    def plug() -> None:
        pcsc.plug(ACR)
        pcsc.insert(ACR, good)

    later(pcsc, plug)
    assert end.activate(PATIENCE) == FOUND


def test_a_reader_that_is_unplugged_while_a_card_is_waited_for_is_told(pcsc: FakeScard, end: PcscReader) -> None:
    later(pcsc, lambda: pcsc.unplug(ACR))
    with pytest.raises(LinkTimeoutError, match="no PC/SC reader is connected"):
        end.activate(0.2)


def test_a_wait_for_ever_is_within_what_pcsc_takes(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_service, "POLL_INTERVAL", inf)
    asked: list[int] = []
    wait = pcsc.SCardGetStatusChange

    def noted(context: int, milliseconds: int, readers: list[tuple[str, int]]) -> Any:
        asked.append(milliseconds)
        return wait(context, milliseconds, readers)

    pcsc.SCardGetStatusChange = noted  # type: ignore[method-assign]
    pcsc.insert(ACR, good)
    end.activate(1e9)
    assert asked == [0x7FFF_FFFF]


# The service


def test_a_service_that_does_not_run_is_told() -> None:
    pcsc = FakeScard(ACR)
    pcsc.running = False
    with pytest.raises(LinkError, match="the PC/SC service does not run: apt-get install pcscd"):
        PcscReader(pcsc, "")


def test_after_a_restart_of_the_service_the_card_is_found_again(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    pcsc.restart()
    with pytest.raises(FieldLostError, match="has let go of it"):
        end.transceive(SELECT, PATIENCE)
    assert end.activate(0.0) == FOUND
    end.field_off()
    pcsc.restart()
    assert end.activate(0.0) == FOUND


def test_a_service_that_comes_back_in_time_is_waited_for(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_service, "RETRY_INTERVAL", 0.001)
    pcsc.insert(ACR, good)
    pcsc.restart(running=False)
    with pytest.raises(LinkError, match="service does not run"):
        end.activate(0.01)
    thread = threading.Timer(0.01, lambda: pcsc.restart(running=True))
    thread.start()
    assert end.activate(PATIENCE) == FOUND
    thread.join()


@pytest.mark.parametrize("code", ["SCARD_E_NO_ACCESS", "SCARD_W_SECURITY_VIOLATION"])
def test_a_user_without_the_right_to_use_it_is_told(pcsc: FakeScard, end: PcscReader, code: str) -> None:
    pcsc.insert(ACR, good)
    pcsc.faults = {"SCardConnect": [getattr(scard, code)]}
    with pytest.raises(LinkError, match="you may not use PC/SC: the rules of polkit"):
        end.activate(PATIENCE)


def test_a_failure_that_nobody_foresaw_is_told_in_the_words_of_pcsc(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    pcsc.faults = {"SCardConnect": [scard.SCARD_E_NO_MEMORY]}
    with pytest.raises(LinkError, match="PC/SC says 80100006: "):
        end.activate(PATIENCE)
    end.activate(PATIENCE)
    pcsc.faults = {"SCardTransmit": [scard.SCARD_E_NO_MEMORY]}
    with pytest.raises(FieldLostError, match="PC/SC says 80100006: "):
        end.transceive(SELECT, PATIENCE)


def test_a_library_that_lacks_a_code_never_says_it() -> None:
    class Small:
        SCARD_W_REMOVED_CARD = 7

    assert Codes(Small()).gone == {7}
    assert Codes(Small()).explain(7) == "it was taken away"


# APDUs


@pytest.mark.parametrize("code", ["SCARD_E_NOT_TRANSACTED", "SCARD_W_RESET_CARD", "SCARD_E_UNEXPECTED"])
def test_a_broken_exchange_is_a_lost_card(pcsc: FakeScard, end: PcscReader, code: str) -> None:
    pcsc.insert(ACR, lambda _command: int(getattr(scard, code)))
    end.activate(PATIENCE)
    with pytest.raises(FieldLostError):
        end.transceive(SELECT, PATIENCE)


def test_a_response_without_status_word_is_a_lost_card(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, lambda _command: b"\x90")
    end.activate(PATIENCE)
    with pytest.raises(FieldLostError):
        end.transceive(SELECT, PATIENCE)


def test_a_command_that_is_too_long_for_the_reader_is_told(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, lambda _command: int(scard.SCARD_E_INSUFFICIENT_BUFFER))
    end.activate(PATIENCE)
    with pytest.raises(LinkError, match="does not take a command of 300 octets") as refused:
        end.transceive(bytes(300), PATIENCE)
    assert not isinstance(refused.value, FieldLostError)


def test_the_longest_command_passes_and_one_octet_more_does_not(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    assert end.transceive(bytes(MAX_COMMAND), PATIENCE) == GOOD
    with pytest.raises(LocalProtocolError):
        end.transceive(bytes(MAX_COMMAND + 1), PATIENCE)


class Scripted:
    """A card that has its responses from the test."""

    def __init__(self, *responses: str) -> None:
        self._responses = [*map(bytes.fromhex, responses)]

    def __call__(self, _command: bytes) -> bytes:
        return self._responses.pop(0)


@pytest.mark.parametrize(
    ("command", "responses", "sent", "answer"),
    [
        # T=0: the Le of a command with data stays behind, and what the card then has is fetched.
        (SELECT.hex(), ["6104", "01020304 9000"], [SELECT[:-1].hex(), "00C0000004"], "01020304 9000"),
        ("00B000000F", ["6C03", "AABBCC 9000"], ["00B000000F", "00B0000003"], "AABBCC 9000"),
        ("00B000000F", ["AABB 6101", "CC 9000"], ["00B000000F", "00C0000001"], "AABBCC 9000"),
        ("00B0000000", ["6100", "6C02", "AABB 9000"], ["00B0000000", "00C0000000", "00C0000002"], "AABB 9000"),
        ("01B0000002", ["6102", "6101", "AA 9000"], ["01B0000002", "01C0000002", "01C0000001"], "AA 9000"),
        ("00D6000001FF", ["6A82"], ["00D6000001FF"], "6A82"),
        ("00D6000001FF02", ["6A82"], ["00D6000001FF"], "6A82"),
        ("00B00000", ["6C01", "AA 9000"], ["00B00000", "00B0000001"], "AA 9000"),
    ],
)
def test_what_t0_keeps_back_is_fetched(
    pcsc: FakeScard, end: PcscReader, command: str, responses: list[str], sent: list[str], answer: str
) -> None:
    pcsc.slots[ACR].protocol = scard.SCARD_PROTOCOL_T0
    pcsc.insert(ACR, Scripted(*responses))
    end.activate(PATIENCE)
    assert end.transceive(bytes.fromhex(command), PATIENCE) == bytes.fromhex(answer)
    assert pcsc.slots[ACR].commands == [*map(bytes.fromhex, sent)]


def test_t0_carries_no_extended_command(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.slots[ACR].protocol = scard.SCARD_PROTOCOL_T0
    pcsc.insert(ACR, good)
    end.activate(PATIENCE)
    with pytest.raises(LocalProtocolError, match="T=0"):
        end.transceive(bytes.fromhex("00B0000000012C"), PATIENCE)
    assert end.transceive(SELECT, PATIENCE) == GOOD


def test_t1_carries_commands_as_they_are(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, Scripted("00" * 300 + "9000"))
    end.activate(PATIENCE)
    assert end.transceive(bytes.fromhex("00B0000000012C"), PATIENCE) == bytes(300) + GOOD
    assert pcsc.slots[ACR].commands == [bytes.fromhex("00B0000000012C")]


def test_a_card_that_always_has_more_is_not_listened_to_for_ever(pcsc: FakeScard, end: PcscReader) -> None:
    pcsc.insert(ACR, lambda _command: bytes(0x8000) + b"\x61\x00")
    end.activate(PATIENCE)
    response = end.transceive(SELECT, PATIENCE)
    assert response is not None
    assert MAX_RESPONSE < len(response) <= MAX_RESPONSE + 0x8002
    assert len(pcsc.slots[ACR].commands) == 3


def test_one_that_has_more_and_gives_nothing_neither(
    pcsc: FakeScard, end: PcscReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc_apdu, "MAX_PARTS", 4)
    pcsc.insert(ACR, lambda _command: b"\x61\x00")
    end.activate(PATIENCE)
    assert end.transceive(SELECT, PATIENCE) == b"\x61\x00"
    assert len(pcsc.slots[ACR].commands) == 5


def test_the_le_of_a_command_is_taken_off_and_put_on() -> None:
    assert without_le(SELECT) == SELECT[:-1]
    assert without_le(SELECT[:-1]) == SELECT[:-1]
    assert without_le(bytes.fromhex("00B0000000")) == bytes.fromhex("00B0000000")
    assert with_le(SELECT, 5) == SELECT[:-1] + b"\x05"
    assert with_le(SELECT[:-1], 5) == SELECT[:-1] + b"\x05"
    assert with_le(bytes.fromhex("00B00000"), 5) == bytes.fromhex("00B0000005")


# Time, and the end


class Stuck:
    """A card that answers when the test says so."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def __call__(self, _command: bytes) -> bytes:
        self.asked.set()
        assert self.go.wait(PATIENCE)
        return GOOD


@pytest.fixture
def stuck(pcsc: FakeScard) -> Iterator[Stuck]:
    card = Stuck()
    pcsc.insert(ACR, card)
    yield card
    card.go.set()


def test_a_command_that_is_overdue_is_given_up_and_the_next_activation_waits_for_its_end(
    pcsc: FakeScard, end: PcscReader, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAVE_TIMEOUT", 0.01)
    end.activate(PATIENCE)
    assert end.transceive(SELECT, 0.3) is None
    assert stuck.asked.is_set()
    end.field_off()  # it will
    with pytest.raises(LinkTimeoutError, match="still works on the last command: take the card away"):
        end.activate(0.0)
    stuck.go.set()
    assert end.activate(PATIENCE) == FOUND
    assert end.transceive(SELECT, PATIENCE) == GOOD
    assert pcsc.slots[ACR].power == ["on", "off", "on"]


def test_close_ends_an_exchange_at_once_and_the_reader_is_freed_when_it_can_be(
    pcsc: FakeScard, end: PcscReader, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAVE_TIMEOUT", 0.01)
    end.activate(PATIENCE)

    def close() -> None:
        stuck.asked.wait(PATIENCE)
        end.close()

    thread = threading.Thread(target=close)
    thread.start()
    with pytest.raises(LinkClosedError):
        end.transceive(SELECT, PATIENCE)
    thread.join()
    assert pcsc.contexts
    stuck.go.set()
    end._thread.join(PATIENCE)  # noqa: SLF001 - nothing else tells
    assert pcsc.slots[ACR].power == ["on", "off"]


def test_close_ends_the_wait_for_a_card(pcsc: FakeScard, end: PcscReader) -> None:
    thread = later(pcsc, end.close)
    with pytest.raises(LinkClosedError):
        end.activate(PATIENCE)
    thread.join(PATIENCE)
    for call in (lambda: end.activate(0.0), lambda: end.transceive(SELECT, 0.0)):
        with pytest.raises(LinkClosedError):
            call()
    end.field_off()
    end.close()


def test_ctrl_c_ends_the_wait_for_a_card_and_the_link_goes_on(pcsc: FakeScard, end: PcscReader) -> None:
    main = threading.main_thread().ident or 0

    def interrupt() -> None:
        time.sleep(0.05)  # a signal between the last look of the interpreter and the wait itself wakes nobody
        signal.pthread_kill(main, signal.SIGINT)

    later(pcsc, interrupt)
    with pytest.raises(KeyboardInterrupt):
        end.activate(PATIENCE)
    pcsc.insert(ACR, good)
    assert end.activate(PATIENCE) == FOUND


# Opening


def test_without_pyscard_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    with pytest.raises(LinkError, match=r"PC/SC readers need pyscard: pip install 'nfcbridge\[pcsc\]'"):
        open_reader("pcsc:acr")


def test_without_pyscard_the_list_of_links_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert LINKS["pcsc"].missing().startswith("pyscard: pip install 'nfcbridge[pcsc]'")


def test_without_a_socket_of_pcscd_the_list_of_links_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PCSCLITE_CSOCK_NAME", raising=False)
    monkeypatch.setattr(links, "PCSC_SOCKETS", (tmp_path / "none",))
    assert LINKS["pcsc"].missing().startswith("a running pcscd: apt-get install pcscd")
    monkeypatch.setattr(links, "PCSC_SOCKETS", (tmp_path / "none", tmp_path))
    assert not LINKS["pcsc"].missing()
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path / "none"))
    assert LINKS["pcsc"].missing()
