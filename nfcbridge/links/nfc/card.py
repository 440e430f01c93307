"""The card end of `nfc:...`: a reader device that is the tag, or is lent, withdrawn or gone.

What readers do with it is the `dialogue`'s. A device that failed is closed, and `receive` opens it again.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, RLock
from typing import Final

from nfcbridge.errors import LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.links.link import CardIdentity, Incoming, Level
from nfcbridge.links.nfc.chips import CardChip, make_card_chip
from nfcbridge.links.nfc.dialogue import NO_READER, Dialogue, State
from nfcbridge.links.nfc.drivers import check_card
from nfcbridge.links.nfc.faults import translated
from nfcbridge.links.nfc.names import ReaderName
from nfcbridge.links.nfc.opening import Opened, open_device
from nfcbridge.links.nfc.outage import Outage
from nfcbridge.links.nfc.reader import find_card

APDU_OCTETS: Final = 262
"""Octets of an APDU that TgGetData and TgSetData carry (UM0701-02, PN532)."""

DESELECT, CID_BIT = 0xC2, 0x08
CRC: Final = 2

_log: Final = logging.getLogger(__name__)


class NfcCard:
    """The card end. It implements `CardEnd`, and `CardLooker` between phones.

    Args:
        name: of the reader.
        identity: what is answered before the first block.

    Attributes:
        identity: what is answered before the first block.
        opened: the device; None while it is gone.
        touch: the times of the last touch.

    Raises:
        LinkError: the reader cannot be opened.
        ConfigError: it cannot be this card.
    """

    def __init__(self, name: ReaderName, identity: CardIdentity) -> None:
        self.name = str(name)
        self._reader_name = name
        self.identity = identity
        self.level = Level.APDUS if name.picc else Level.BLOCKS
        self.link_sends_ats = name.picc
        self._dialogue = Dialogue(self.level)
        self.touch = self._dialogue.touch
        self._outage = Outage()
        self._in_use = RLock()  # held while the device is used; reentrant for a signal handler that closes
        self._closing = Event()
        self._withdrawn = False
        opened, chip = self._open()
        self.opened: Opened | None = opened
        self._dialogue.begin(chip, opened.transport, State.LISTENING)
        self.max_frame = APDU_OCTETS if name.picc else opened.driver.max_frame

    def _open(self) -> tuple[Opened, CardChip]:
        name, identity = self._reader_name, self.identity
        opened = open_device(name, as_card=True)
        try:
            check_card(opened.driver, identity, self.name, picc=name.picc)
            chip = make_card_chip(opened.device, opened.transport, opened.driver, identity, picc=name.picc)
            with translated(self.name):
                if self._withdrawn:
                    opened.device.mute()
                else:
                    chip.prepare()
                    chip.listen()
        except BaseException:
            opened.close()
            raise
        return opened, chip

    def receive(self, timeout: float | None) -> Incoming | None:
        """See `CardEnd.receive`. With no time to wait a reader that waits for our answer goes on waiting for it."""
        dialogue = self._dialogue
        give_up = None if timeout is None else time.monotonic() + timeout
        with self._in_use:
            while not self._closing.is_set():
                if dialogue.reports:
                    return dialogue.reports.popleft()
                left = None if give_up is None else max(0.0, give_up - time.monotonic())
                if dialogue.state is State.ABSENT:
                    self._reopen(left)
                elif dialogue.state is State.WITHDRAWN:
                    self._closing.wait(left)
                elif dialogue.state is not State.OWING or timeout is None or timeout > 0:
                    with self._driving():
                        dialogue.wait(left)
                if left == 0 and not dialogue.reports:
                    return None
        raise LinkClosedError(f"the link {self.name} was closed")

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`. After S(DESELECT) the chip listens again before this returns."""
        dialogue = self._dialogue
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")
        most = self.max_frame - (CRC if self.level is Level.BLOCKS else 0)
        if len(octets) > most:
            raise LocalProtocolError(f"a frame of {len(octets)} octets: {most} and the CRC fit this link")
        with self._in_use:
            if dialogue.state in NO_READER:
                return  # its field is gone
            with self._driving():
                if dialogue.state is State.ACTIVE:
                    dialogue.chip.cancel()
                if self.level is Level.BLOCKS and octets[0] & ~CID_BIT == DESELECT:
                    dialogue.answer_deselect(octets)
                else:
                    dialogue.answer(octets)

    def halt(self) -> None:
        """See `CardEnd.halt`. As a rule `send` has done it."""
        self._begin_anew(deselected=True)

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`."""
        with self._in_use:
            self._dialogue.forget()
        self._begin_anew(deselected=False)

    def _begin_anew(self, *, deselected: bool) -> None:
        with self._in_use:
            if self._closing.is_set() or self._dialogue.state in NO_READER:
                return
            with self._driving():
                if self._dialogue.state is State.ACTIVE:
                    self._dialogue.chip.cancel()
                self._dialogue.listen(deselected=deselected)

    def poll_card(self, timeout: float) -> bytes | None:
        """See `CardLooker.poll_card`. The simulation of nfcpy, which has phones alone, is not asked."""
        dialogue = self._dialogue
        with self._in_use:
            if self._closing.is_set():
                raise LinkClosedError(f"the link {self.name} was closed")
            if dialogue.state is State.ABSENT:
                self._reopen(0.0)
                return None
            if (
                dialogue.state not in NO_READER
                or dialogue.present
                or self.opened is None
                or self.opened.transport is None
            ):
                return None
            if dialogue.state is State.LISTENING:
                with self._driving():
                    if dialogue.chip.wait(0):
                        return None  # a phone has come, in this moment
            with self.lend() as opened:
                return find_card(opened, timeout, self._closing)

    def withdraw(self) -> None:
        """See `CardLooker.withdraw`."""
        with self._in_use:
            if self._closing.is_set() or self._withdrawn:
                return
            self._withdrawn = True
            self._dialogue.forget()
            if self.opened is not None:
                with self._driving():
                    if self._dialogue.state is not State.OWING:
                        self._dialogue.chip.cancel()
                    self._dialogue.state = State.WITHDRAWN
                    self.opened.device.mute()

    def offer(self) -> None:
        """See `CardLooker.offer`."""
        with self._in_use:
            self._withdrawn = False
            if self._dialogue.state is State.WITHDRAWN and not self._closing.is_set():
                with self._driving():
                    self._dialogue.chip.prepare()
                    self._dialogue.listen()

    @contextmanager
    def lend(self) -> Iterator[Opened]:
        """Give the device to somebody else while it is no tag; it is one again afterwards if it was one before.

        Raises:
            LinkClosedError: `close` was called.
            LinkError: the device is gone, or failed.
        """
        with self._in_use:
            if self._closing.is_set():
                raise LinkClosedError(f"the link {self.name} was closed")
            if self.opened is None:
                raise LinkError(self._outage.told)
            with self._driving():
                if self._dialogue.state is not State.WITHDRAWN:
                    self._dialogue.chip.cancel()
                self._dialogue.forget()
                yield self.opened
                if self._dialogue.state is not State.WITHDRAWN:
                    self._dialogue.chip.prepare()
                    self._dialogue.listen()

    @contextmanager
    def _driving(self) -> Iterator[None]:
        """Translate what the driver raises, and give a device up that failed.

        Raises:
            LinkError: the device failed. It is told once; `receive` then looks for it until it is there again.
        """
        try:
            with translated(self.name):
                yield
        except LinkError as error:
            if self._closing.is_set():
                raise LinkClosedError(f"the link {self.name} was closed") from error
            if self.opened is not None:
                self.opened.close()
            self.opened = None
            self._dialogue.state = State.ABSENT
            self._dialogue.forget()
            try:
                self._back(*self._open())  # a glitch is over now, and of a reader that was pulled this says more
            except LinkError as gone:
                self._outage = Outage.begun(str(gone), time.monotonic())
                raise gone from error
            raise

    def _reopen(self, left: float | None) -> None:
        wait = self._outage.next_at - time.monotonic()
        if wait > 0:
            self._closing.wait(wait if left is None else min(wait, left))
            if left is not None and left < wait:
                return
        if self._closing.is_set():
            return
        try:
            self._back(*self._open())
        except LinkError as error:
            if self._outage.still(str(error), time.monotonic()):
                raise
        else:
            _log.warning("the reader at %s is there again", self.name)

    def _back(self, opened: Opened, chip: CardChip) -> None:
        self.opened = opened
        self._dialogue.begin(chip, opened.transport, State.WITHDRAWN if self._withdrawn else State.LISTENING)

    def close(self) -> None:
        """See `CardEnd.close`."""
        if not self._closing.is_set():
            self._closing.set()
            opened = self.opened
            if opened is not None and opened.transport is not None:
                opened.transport.wake()
            with self._in_use:
                if self.opened is not None:
                    self.opened.close()
                    self.opened = None
