"""The card end of `nfc:...`: a reader device that is the tag.

    state       what the chip does                                   leaves it by
    ABSENT      nothing: it is unplugged, or failed                  the device is opened again
    LISTENING   waits for a reader to select the card                the first frame, which is the RATS
    ACTIVE      waits for the next frame                             S(DESELECT), the field, silence without a field
    OWING       waits for our answer to the frame delivered last     `send`; or `receive` with time to wait: silence
    WITHDRAWN   nothing: it is to be no tag                          `offer`

A chip tells of a field that goes only while it waits for a frame, and not every one does: after LOOK_AT_FIELD of
silence it is asked. While it listens it says nothing of fields at all: a phone that deselected the tag and did not come
back within AWAY is gone.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from threading import Event, RLock
from typing import Final

from nfcbridge.errors import LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.links.link import CardIdentity, CardSelected, FieldOff, Frame, Incoming, Level
from nfcbridge.links.nfc.chips import CardChip, What, make_card_chip
from nfcbridge.links.nfc.drivers import check_card
from nfcbridge.links.nfc.faults import translated
from nfcbridge.links.nfc.names import ReaderName
from nfcbridge.links.nfc.opening import Opened, open_device
from nfcbridge.links.nfc.reader import find_card

LOOK_AT_FIELD: Final = 1.0
"""Seconds of silence of a reader after which the chip is asked for its field: phones look for the tag more often."""

LISTEN_ANEW: Final = 30.0
"""Seconds without a word of a chip that listens after which it is told again: it may have said that it was selected,
and a serial line have lost it. It is deaf for some milliseconds by it."""

AWAY: Final = 1.0
"""Seconds after S(DESELECT) in which a phone selects the tag again, or has left."""

REOPEN: Final = 0.5
"""Seconds between attempts to open a reader that is gone."""

MAX_FAULTS: Final = 16
"""Damaged frames in a row after which the chip listens anew: it may have lost its place."""

SAFE_FSD: Final = 64
"""Octets of a frame that every reader takes which can use a Type 4 Tag; for drivers that keep FSD to themselves."""

TELL_AGAIN: Final = 10.0
"""Seconds for which another reason must stand before it is told too: while a reader is plugged in reasons change."""

APDU_OCTETS: Final = 262
"""Octets of an APDU that TgGetData and TgSetData carry (UM0701-02, PN532)."""

RATS: Final = 0xE0
DESELECT, CID_BIT = 0xC2, 0x08
CRC: Final = 2
_FIELD_OFF: Final = FieldOff()

_log: Final = logging.getLogger(__name__)


class State(Enum):
    """See the table above."""

    ABSENT = auto()
    LISTENING = auto()
    ACTIVE = auto()
    OWING = auto()
    WITHDRAWN = auto()


_NO_READER: Final = frozenset({State.ABSENT, State.LISTENING, State.WITHDRAWN})
"""Where no reader waits for anything."""


@dataclass(slots=True)
class Touch:
    """The two times by which phones judge, as the last touch had them; seconds, None before the first.

    Attributes:
        answer: from the RATS to the chip's having the ATS.
        listen: from the chip's having sent the reply to S(DESELECT) to its listening again.
    """

    answer: float | None = None
    listen: float | None = None


@dataclass(slots=True)
class Outage:
    """A reader that is gone.

    Attributes:
        told: the reason that the user knows.
        next_at: when the next attempt to open it is due, on the monotonic clock.
    """

    told: str = ""
    next_at: float = 0.0
    _other: str = ""
    _other_since: float = 0.0

    def still(self, reason: str, now: float) -> bool:
        """Note an attempt that failed. Whether its reason is to be told: it is another one, and stands."""
        self.next_at = now + REOPEN
        if reason == self.told:
            self._other = ""
        elif reason != self._other:
            self._other, self._other_since = reason, now
        elif now - self._other_since >= TELL_AGAIN:
            self.told, self._other = reason, ""
            return True
        return False


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
        self.touch = Touch()
        self._reader_name = name
        self.identity = identity
        self._state = State.LISTENING
        self._reports: deque[Incoming] = deque()
        self._present = False  # CardSelected was reported, and no FieldOff since
        self._heard_at = 0.0
        self._listening_since = time.monotonic()
        self._deselected_at: float | None = None
        self._faults = 0
        self._first = False  # the frame delivered last came with the selection
        self._outage = Outage()
        self._in_use = RLock()  # held while the device is used; reentrant for a signal handler that closes
        self._closing = Event()
        self._withdrawn = False
        self.opened: Opened | None
        self.opened, self._chip = self._open()
        self.level = Level.APDUS if name.picc else Level.BLOCKS
        self.max_frame = APDU_OCTETS if name.picc else self.opened.driver.max_frame
        self.link_sends_ats = name.picc

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
        give_up = None if timeout is None else time.monotonic() + timeout
        with self._in_use:
            while not self._closing.is_set():
                if self._reports:
                    return self._reports.popleft()
                left = None if give_up is None else max(0.0, give_up - time.monotonic())
                if self._state is State.ABSENT:
                    self._reopen(left)
                elif self._state is State.WITHDRAWN:
                    self._closing.wait(left)
                elif self._state is not State.OWING or timeout is None or timeout > 0:
                    self._wait(left)
                if left == 0 and not self._reports:
                    return None
        raise LinkClosedError(f"the link {self.name} was closed")

    def _wait(self, left: float | None) -> None:
        """Wait for what the chip says, until it is time to look at something."""
        now = time.monotonic()
        if self._state is State.LISTENING:
            look_at = self._listening_since + LISTEN_ANEW
            if self._deselected_at is not None:
                look_at = self._deselected_at + AWAY
        else:
            look_at = max(self._heard_at, now if self._state is State.OWING else 0) + LOOK_AT_FIELD
        until_look = max(0.0, look_at - now)
        timeout = until_look if left is None else min(left, until_look)
        with self._driving():
            if self._state is State.OWING:  # and nothing was sent: the card is silent, for which it has its reasons
                self._state = State.ACTIVE
                self._chip.stay_silent()
            if self._chip.wait(timeout):
                self._take(*self._chip.take())
            elif time.monotonic() >= look_at:
                self._look()

    def _take(self, what: What, octets: bytes) -> None:
        self._heard_at = time.monotonic()
        match what:
            case What.SELECTED if self.level is Level.APDUS:
                self._select(None)
                self._state = State.ACTIVE
                self._chip.stay_silent()
            case What.SELECTED if octets[0] == RATS:
                self._select(None)
                self._deliver(octets, first=True)
            case What.ACTIVATED:
                self._select(SAFE_FSD)
                self._deliver(octets, first=True)
            case What.FRAME:
                self._deliver(octets, first=False)
            case What.MORE:
                pass
            case What.GONE if self.level is Level.APDUS:
                self._listen(deselected=True)  # it says the same of S(DESELECT)
            case What.GONE:
                self._lose_reader()
            case _:  # a fault, or a selection for something else than ISO 14443-4
                self._faults += 1
                if self._state is State.LISTENING:
                    self._chip.listen()
                elif self._faults > MAX_FAULTS:
                    self._lose_reader()
                else:
                    self._chip.stay_silent()

    def _select(self, fsd: int | None) -> None:
        self._present = True
        self._deselected_at = None
        self._reports.append(CardSelected(fsd))

    def _deliver(self, octets: bytes, *, first: bool) -> None:
        self._faults = 0
        self._first = first
        self._state = State.OWING
        self._reports.append(Frame(octets))

    def _look(self) -> None:
        """Find out whether a reader that says nothing is still there, or listen anew."""
        if self._state is State.LISTENING and self._deselected_at is not None:
            self._end_field()
            return
        self._chip.cancel()
        if self._state is State.LISTENING:
            self._listen()
            return
        if self._chip.field_is_on():
            self._heard_at = time.monotonic()
            self._chip.stay_silent()
        else:
            self._lose_reader()

    def _lose_reader(self) -> None:
        self._end_field()
        self._listen()

    def _end_field(self) -> None:
        self._deselected_at = None
        if self._present:
            self._present = False
            self._reports.append(_FIELD_OFF)

    def _listen(self, *, deselected: bool = False) -> None:
        self._state = State.LISTENING
        self._faults = 0
        self._listening_since = time.monotonic()
        self._deselected_at = self._listening_since if deselected else None
        self._chip.listen()

    def send(self, octets: bytes) -> None:
        """See `CardEnd.send`. After S(DESELECT) the chip listens again before this returns."""
        if self._closing.is_set():
            raise LinkClosedError(f"the link {self.name} was closed")
        most = self.max_frame - (CRC if self.level is Level.BLOCKS else 0)
        if len(octets) > most:
            raise LocalProtocolError(f"a frame of {len(octets)} octets: {most} and the CRC fit this link")
        with self._in_use:
            if self._state in _NO_READER:
                return  # its field is gone
            with self._driving():
                if self._state is State.ACTIVE:
                    self._chip.cancel()
                if self.level is Level.BLOCKS and octets[0] & ~CID_BIT == DESELECT:
                    self._answer_deselect(octets)
                else:
                    self._answer(octets)

    def _answer(self, octets: bytes) -> None:
        self._state = State.ACTIVE
        if not self._chip.answer(octets):
            self._lose_reader()
        elif self._first and self.opened is not None and self.opened.transport is not None:
            self._first = False
            transport = self.opened.transport
            self.touch.answer = transport.acked_first_at - transport.arrived_at

    def _answer_deselect(self, octets: bytes) -> None:
        self._state = State.LISTENING
        self._chip.answer_and_listen(octets)
        self._faults = 0
        self._deselected_at = self._listening_since = time.monotonic()
        if self.opened is not None and self.opened.transport is not None:
            transport = self.opened.transport
            self.touch.listen = transport.acked_at - transport.responded_at

    def halt(self) -> None:
        """See `CardEnd.halt`. As a rule `send` has done it."""
        self._begin_anew(deselected=True)

    def lose_field(self) -> None:
        """See `CardEnd.lose_field`."""
        with self._in_use:
            self._reports.clear()
            self._present = False
            self._deselected_at = None
        self._begin_anew(deselected=False)

    def _begin_anew(self, *, deselected: bool) -> None:
        with self._in_use:
            if self._closing.is_set() or self._state in _NO_READER:
                return
            with self._driving():
                if self._state is State.ACTIVE:
                    self._chip.cancel()
                self._listen(deselected=deselected)

    def poll_card(self, timeout: float) -> bytes | None:
        """See `CardLooker.poll_card`. The simulation of nfcpy, which has phones alone, is not asked."""
        with self._in_use:
            if self._closing.is_set():
                raise LinkClosedError(f"the link {self.name} was closed")
            if self._state is State.ABSENT:
                self._reopen(0.0)
                return None
            if self._state not in _NO_READER or self._present or self.opened is None or self.opened.transport is None:
                return None
            if self._state is State.LISTENING:
                with self._driving():
                    if self._chip.wait(0):
                        return None  # a phone has come, in this moment
            with self.lend() as opened:
                return find_card(opened, timeout, self._closing)

    def withdraw(self) -> None:
        """See `CardLooker.withdraw`."""
        with self._in_use:
            if self._closing.is_set() or self._withdrawn:
                return
            self._withdrawn = True
            self._reports.clear()
            self._present = False
            self._deselected_at = None
            if self.opened is not None:
                with self._driving():
                    if self._state is not State.OWING:
                        self._chip.cancel()
                    self._state = State.WITHDRAWN
                    self.opened.device.mute()

    def offer(self) -> None:
        """See `CardLooker.offer`."""
        with self._in_use:
            self._withdrawn = False
            if self._state is State.WITHDRAWN and not self._closing.is_set():
                with self._driving():
                    self._chip.prepare()
                    self._listen()

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
                if self._state is not State.WITHDRAWN:
                    self._chip.cancel()
                self._present = False
                self._reports.clear()
                yield self.opened
                if self._state is not State.WITHDRAWN:
                    self._chip.prepare()
                    self._listen()

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
            self._state = State.ABSENT
            self._reports.clear()
            self._present = False
            try:
                self._back(*self._open())  # a glitch is over now, and of a reader that was pulled this says more
            except LinkError as gone:
                self._outage = Outage(str(gone), time.monotonic() + REOPEN)
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
        self.opened, self._chip = opened, chip
        self._state = State.WITHDRAWN if self._withdrawn else State.LISTENING
        self._listening_since = time.monotonic()
        self._deselected_at = None
        self._faults = 0

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
