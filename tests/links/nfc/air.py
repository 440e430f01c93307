"""The air around a fake chip: a reader outside as a reader end, and a card in the chip's own field as a card end."""

import time
from queue import Empty, SimpleQueue
from typing import Final

from nfcbridge.errors import FieldLostError, LinkClosedError, LinkTimeoutError
from nfcbridge.links import CardFound, CardIdentity, CardSelected, FieldOff, Frame, Incoming, Level
from tests.links.nfc.fake_chip import AirCardLike, FakeChip

TICK: Final = 0.005  # seconds between looks at the firmware's clock while a reader waits


class AirReader:
    """A phone before the chip. It implements `ReaderEnd`."""

    name = "air:phone"
    level = Level.BLOCKS
    max_frame = 256

    def __init__(self, chip: FakeChip) -> None:
        self.chip = chip
        self.selections = 0
        self._closed = False

    def activate(self, timeout: float) -> CardFound:
        chip = self.chip
        give_up = time.monotonic() + timeout
        with chip.lock:
            chip.field = True
            while (uid := chip.select()) is None:
                left = give_up - time.monotonic()
                if left <= 0:
                    raise LinkTimeoutError("the tag does not answer")
                chip.changed.wait(left)
            self.selections += 1
            return CardFound(uid=uid)

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        chip = self.chip
        if self._closed:
            raise LinkClosedError("closed")
        give_up = time.monotonic() + timeout
        with chip.lock:
            if not chip.field:
                raise FieldLostError("no field")
            chip.answers.clear()
            chip.air(octets)
            while not chip.answers:
                left = give_up - time.monotonic()
                if left <= 0:
                    return None
                chip.changed.wait(min(left, TICK))
                chip.tick()
            return chip.answers.pop(0)

    def field_off(self) -> None:
        self.chip.lose_field()

    def close(self) -> None:
        self._closed = True
        self.field_off()


class AirCard(AirCardLike):
    """A card in the field of the chip. It implements `CardEnd`."""

    name = "air:card"
    level = Level.BLOCKS
    max_frame = 256
    link_sends_ats = False

    def __init__(self, chip: FakeChip, identity: CardIdentity) -> None:
        self.identity_octets = (identity.sens_res, identity.sel_res, identity.uid)
        self.present = True
        self._chip = chip
        self._selected = False
        self._halted = False
        self._inbox: SimpleQueue[Incoming | None] = SimpleQueue()
        self._closed = False
        chip.cards.append(self)

    # towards the chip

    def select(self) -> bool:
        if not self.present or self._selected:
            return False
        self._selected = True
        self._halted = False
        self._inbox.put(CardSelected())
        return True

    def hear(self, frame: bytes) -> None:
        if self._selected and self.present and not self._halted:
            self._inbox.put(Frame(frame))

    def field_off(self) -> None:
        if self._selected:
            self._selected = False
            self._inbox.put(FieldOff())

    # towards the card

    def receive(self, timeout: float | None) -> Incoming | None:
        try:
            incoming = self._inbox.get(timeout=timeout if timeout is None else max(timeout, 0))
        except Empty:
            return None
        if incoming is None or self._closed:
            raise LinkClosedError("closed")
        return incoming

    def send(self, octets: bytes) -> None:
        if self._selected and self.present:
            self._chip.card_answers(octets)

    def halt(self) -> None:
        self._halted = True

    def lose_field(self) -> None:
        self._selected = False

    def close(self) -> None:
        self._closed = True
        self._inbox.put(None)
