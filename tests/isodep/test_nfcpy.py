"""A foreign reader: nfcpy's ISO-DEP against our card, through a device that is none."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nfc import clf
from nfc.tag import tt4

from nfcbridge.isodep import Ats, CardLink, CommandReceived, SendFrame
from tests.isodep.air import respond_to

pytestmark = pytest.mark.foreign


class Device:
    """What `IsoDepInitiator` uses of nfcpy's ContactlessFrontend, with a card behind it and time that is a number.

    Args:
        card: activated already.
        think: seconds that the card's application takes.
        losses: for each frame, in either direction, whether it is lost.
    """

    def __init__(self, card: CardLink, think: float = 0.0, losses: Iterable[bool] = ()) -> None:
        self.card = card
        self.think = think
        self.losses = iter(losses)
        self.now = 0.0
        self.executed: list[bytes] = []
        self.log: list[str] = []

    def exchange(self, data: bytes, timeout: float) -> bytearray:
        end = self.now + timeout
        frame = self._carry(data) and self._ask(bytes(data), end)
        if not frame or not self._carry(frame):
            self.now = end
            raise clf.TimeoutError
        return bytearray(frame)

    def _carry(self, frame: bytes) -> bool:
        lost = next(self.losses, False)
        self.log.append(bytes(frame).hex().upper() + (" lost" if lost else ""))
        return not lost

    def _ask(self, frame: bytes, end: float) -> bytes | None:
        events = self.card.receive_frame(frame, self.now)
        for event in events:
            if isinstance(event, CommandReceived):
                self.executed.append(event.apdu)
                self.ready_at = self.now + self.think
                self.card.extend_until(self.ready_at)
        answer = [event.frame for event in events if isinstance(event, SendFrame)]
        deadline = self.card.next_deadline()
        if not answer and deadline is not None:  # the command is processed
            self.now = min(deadline, self.ready_at)
            assert self.now < end
            if self.now == deadline:
                events = self.card.handle_timer(self.now)
            else:
                events = [*self.card.respond(respond_to(self.executed[-1]), self.now)]
            answer = [event.frame for event in events if isinstance(event, SendFrame)]
        return answer[0] if answer else None


def connect(*, fsd: int = 256, fsci: int = 8, think: float = 0.0, losses: Iterable[bool] = ()) -> tuple[Device, Any]:
    ats = Ats(fsci=fsci)
    device = Device(CardLink(ats, fsd=fsd), think, losses)
    return device, tt4.IsoDepInitiator(device, ats.fsc, ats.fwt)


def test_nfcpy_exchanges_one_block_a_command() -> None:
    device, reader = connect()
    for apdu in (b"\x00\xa4", b"\x00\xb0\x00\x00\x0f"):
        assert reader.exchange(apdu) == respond_to(apdu)
    assert device.log == ["0200A4", "02A400009000", "0300B000000F", "030F0000B00000B09000"]


def test_nfcpy_chains_a_command_in_frames_of_our_size() -> None:
    device, reader = connect(fsci=0)
    apdu = bytes(range(40))
    assert reader.exchange(apdu) == respond_to(apdu)
    assert device.executed == [apdu]
    assert [len(frame) // 2 for frame in device.log] == [14, 1, 14, 1, 14, 1, 2, 63]


def test_nfcpy_takes_a_chained_response() -> None:
    device, reader = connect(fsd=16)
    apdu = bytes(range(40))
    assert reader.exchange(apdu) == respond_to(apdu)
    assert [frame[:2] for frame in device.log] == ["02", "12", "A3", "13", "A2", "12", "A3", "13", "A2", "02"]


def test_nfcpy_grants_waiting_time() -> None:
    device, reader = connect(think=1.0)
    assert reader.exchange(b"\x00\xd6") == respond_to(b"\x00\xd6")
    assert device.log == ["0200D6", "F215", "F215", "02D600009000"]
    assert device.now == pytest.approx(1.0)


def test_nfcpy_finds_the_card_present_before_and_after_commands() -> None:
    device, reader = connect()
    reader.exchange(None)
    reader.exchange(b"\x00\xa4")
    reader.exchange(None)
    reader.exchange(b"\x00\xa4")
    assert device.log == ["B2", "A3", "0200A4", "02A400009000", "B3", "A2", "0300A4", "03A400009000"]


def test_nfcpy_finds_a_deselected_card_absent() -> None:
    device, reader = connect()
    device.card.receive_frame(b"\xc2", 0.0)
    with pytest.raises(clf.TimeoutError):
        reader.exchange(None)


@pytest.mark.parametrize(
    ("place", "log"),
    [
        (0, ["0200A4 lost", "B2", "A3", "0200A4", "02A400009000"]),
        (1, ["0200A4", "02A400009000 lost", "B2", "02A400009000"]),
    ],
)
def test_nfcpy_recovers_a_lost_frame(place: int, log: list[str]) -> None:
    device, reader = connect(losses=[i == place for i in range(2)])
    assert reader.exchange(b"\x00\xa4") == respond_to(b"\x00\xa4")
    assert device.log == log
    assert device.executed == [b"\x00\xa4"]


@given(
    st.binary(min_size=1, max_size=60),
    st.sampled_from([16, 24, 256]),
    st.integers(0, 8),
    st.sets(st.integers(0, 20), max_size=2),
)
def test_nfcpy_recovers_any_two_lost_frames(apdu: bytes, fsd: int, fsci: int, places: set[int]) -> None:
    device, reader = connect(fsd=fsd, fsci=fsci, losses=[place in places for place in range(21)])
    assert reader.exchange(apdu) == respond_to(apdu)
    assert reader.exchange(b"\x00\xa4") == respond_to(b"\x00\xa4")
    assert device.executed == [apdu, b"\x00\xa4"]
