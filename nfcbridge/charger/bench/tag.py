"""Between the charge point's card reader and the links on which a phone finds the tag.

    reader state --- present, losses, looks for cards ---> doors (threads of their own)
    charge point <-- a phone's APDUs, a card's UID ------- doors

It is the oversight that a server's doors ask (`nfcbridge.server.oversight`).
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nfcbridge.charger.live import LiveCharger
from nfcbridge.charger.point.effects import Effect, FaultOrdered, FaultStrikes, PairingChanged, ReaderChanged, TagRead
from nfcbridge.charger.point.faults import Cut, LoseField
from nfcbridge.charger.point.inputs import Nfc, Swipe
from nfcbridge.charger.point.reader_states import ReaderState

# Real seconds between two looks whether a phone has sent more, while one does: an exchange has many APDUs, and each
# that is told costs the event loop as much as the APDU itself.
HEAR_EVERY: Final = 0.25


class TagSide:
    """The tag of a charge point.

    Args:
        charger: whose reader it is.
        stopped: called in the loop's thread when the server stops.

    Attributes:
        present: phones find it.
        losses: how often the field was to be lost so far.
        looks_for_cards: cards are read now, as `CardReader.reads` has it.
    """

    def __init__(self, charger: LiveCharger, stopped: Callable[[], None]) -> None:
        self.losses = 0
        self._charger = charger
        self._stopped = stopped
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cutting = False  # a fault waits for blocks
        self._counting = threading.Lock()  # there may be several doors
        self._heard = False  # APDUs that the charge point does not know of
        self._hearing = False  # the loop looks for them
        charger.watch(self._happened)
        state = charger.state()  # last: it lets happen what a scenario has at its very beginning
        self.present = state.tag_present
        self._reader, self._pairing = state.reader, state.pairing

    def start(self) -> None:
        """From now on the running loop is the charge point's."""
        self._loop = asyncio.get_running_loop()

    def flush(self) -> None:
        """Tell the charge point what was heard; its own thread."""
        if self._heard:
            self._heard = False
            self._charger.handle(Nfc())

    def cut_now(self) -> bool:
        """Whether the field is lost now: a frame has crossed."""
        if not self._cutting:  # as a rule; this is asked twice a block
            return False
        with self._counting:
            return self._charger.faults.cut_now()

    def command_received(self) -> None:
        """A phone sent an APDU; any thread."""
        self._heard = True
        if not self._hearing and self._loop is not None:
            self._hearing = True
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know
                self._loop.call_soon_threadsafe(self._hear)

    @property
    def looks_for_cards(self) -> bool:
        """Whether cards are read: not while a phone is served and a minute after it, but for pairing."""
        if self._reader is ReaderState.SERVING:
            return self._pairing
        return self._reader is not ReaderState.OFF

    def card_read(self, uid: bytes, tell: Callable[[str], None]) -> None:
        """A card was held to a reader; any thread. It counts as a tag of type RFID, by its UID in lower-case hex."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know
                self._loop.call_soon_threadsafe(self._swipe, uid.hex(), tell)

    def stop(self) -> None:
        """The server stops."""
        self._stopped()

    def _swipe(self, tag: str, tell: Callable[[str], None]) -> None:
        read: list[TagRead] = []
        forget = self._charger.watch(lambda effect: read.append(effect) if isinstance(effect, TagRead) else None)
        try:
            self._charger.handle(Swipe(tag))
        finally:
            forget()
        tell(read[-1].outcome.value)  # before it there may be one of a scenario, which was due

    def _hear(self) -> None:
        if not self._heard:
            self._hearing = False
        # Looked at again: a door that found `_hearing` a moment ago relies on it.
        if self._heard and self._loop is not None:
            self._hearing = True
            self.flush()
            self._loop.call_later(HEAR_EVERY, self._hear)

    def _happened(self, effect: Effect) -> None:
        if isinstance(effect, ReaderChanged):
            self.present = effect.tag_present
            self._reader = effect.state
        elif isinstance(effect, PairingChanged):
            self._pairing = effect.enabled
        elif isinstance(effect, FaultStrikes) and isinstance(effect.fault, LoseField):
            self.losses += 1
        elif isinstance(effect, FaultOrdered) and isinstance(effect.fault, Cut):
            self._cutting = True
