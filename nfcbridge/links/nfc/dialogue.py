"""What readers do with a chip that is a card, one after the other.

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

import time
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from nfcbridge.links.link import CardSelected, FieldOff, Frame, Incoming, Level
from nfcbridge.links.nfc.chips import CardChip, What
from nfcbridge.links.nfc.transport import PatientTransport

LOOK_AT_FIELD: Final = 1.0
"""Seconds of silence of a reader after which the chip is asked for its field: phones look for the tag more often."""

LISTEN_ANEW: Final = 30.0
"""Seconds without a word of a chip that listens after which it is told again: it may have said that it was selected,
and a serial line have lost it. It is deaf for some milliseconds by it."""

AWAY: Final = 1.0
"""Seconds after S(DESELECT) in which a phone selects the tag again, or has left."""

MAX_FAULTS: Final = 16
"""Damaged frames in a row after which the chip listens anew: it may have lost its place."""

SAFE_FSD: Final = 64
"""Octets of a frame that every reader takes which can use a Type 4 Tag; for drivers that keep FSD to themselves."""

_RATS: Final = 0xE0
_FIELD_OFF: Final = FieldOff()


class State(Enum):
    """See the table above."""

    ABSENT = auto()
    LISTENING = auto()
    ACTIVE = auto()
    OWING = auto()
    WITHDRAWN = auto()


NO_READER: Final = frozenset({State.ABSENT, State.LISTENING, State.WITHDRAWN})
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


class Dialogue:
    """The state of a chip that is a card, and what it has to report. Whoever calls it has the device to himself.

    Each call may raise what drivers raise.

    Args:
        level: what the chip gives and takes.

    Attributes:
        chip: set by `begin`, as long as the device stays the same.
        state: see the table above.
        reports: what `receive` has not fetched yet.
        present: CardSelected was reported, and no FieldOff since.
        touch: the times of the last touch.
    """

    chip: CardChip

    def __init__(self, level: Level) -> None:
        self.state = State.LISTENING
        self.reports: deque[Incoming] = deque()
        self.present = False
        self.touch = Touch()
        self._apdus = level is Level.APDUS
        self._transport: PatientTransport | None = None
        self._heard_at = 0.0
        self._listening_since = 0.0
        self._deselected_at: float | None = None
        self._faults = 0
        self._first = False  # the frame delivered last came with the selection

    def begin(self, chip: CardChip, transport: PatientTransport | None, state: State) -> None:
        """Go on with a chip that was just opened: one that listens already, or is withdrawn."""
        self.chip = chip
        self._transport = transport
        self.state = state
        self._listening_since = time.monotonic()
        self._deselected_at = None
        self._faults = 0

    def forget(self) -> None:
        """Report nothing more of the reader that was there, nor that it left."""
        self.reports.clear()
        self.present = False
        self._deselected_at = None

    def wait(self, left: float | None) -> None:
        """Wait for what the chip says, until it is time to look at something.

        Args:
            left: seconds that there are; None: as long as it takes.
        """
        now = time.monotonic()
        if self.state is State.LISTENING:
            look_at = self._listening_since + LISTEN_ANEW
            if self._deselected_at is not None:
                look_at = self._deselected_at + AWAY
        else:
            look_at = max(self._heard_at, now if self.state is State.OWING else 0) + LOOK_AT_FIELD
        until_look = max(0.0, look_at - now)
        timeout = until_look if left is None else min(left, until_look)
        if self.state is State.OWING:  # and nothing was sent: the card is silent, for which it has its reasons
            self.state = State.ACTIVE
            self.chip.stay_silent()
        if self.chip.wait(timeout):
            self._take(*self.chip.take())
        elif time.monotonic() >= look_at:
            self._look()

    def _take(self, what: What, octets: bytes) -> None:
        self._heard_at = time.monotonic()
        match what:
            case What.SELECTED if self._apdus:
                self._select(None)
                self.state = State.ACTIVE
                self.chip.stay_silent()
            case What.SELECTED if octets[0] == _RATS:
                self._select(None)
                self._deliver(octets, first=True)
            case What.ACTIVATED:
                self._select(SAFE_FSD)
                self._deliver(octets, first=True)
            case What.FRAME:
                self._deliver(octets, first=False)
            case What.MORE:
                pass
            case What.GONE if self._apdus:
                self.listen(deselected=True)  # it says the same of S(DESELECT)
            case What.GONE:
                self._lose_reader()
            case _:  # a fault, or a selection for something else than ISO 14443-4
                self._faults += 1
                if self.state is State.LISTENING:
                    self.chip.listen()
                elif self._faults > MAX_FAULTS:
                    self._lose_reader()
                else:
                    self.chip.stay_silent()

    def _select(self, fsd: int | None) -> None:
        self.present = True
        self._deselected_at = None
        self.reports.append(CardSelected(fsd))

    def _deliver(self, octets: bytes, *, first: bool) -> None:
        self._faults = 0
        self._first = first
        self.state = State.OWING
        self.reports.append(Frame(octets))

    def _look(self) -> None:
        """Find out whether a reader that says nothing is still there, or listen anew."""
        if self.state is State.LISTENING and self._deselected_at is not None:
            self._end_field()
            return
        self.chip.cancel()
        if self.state is State.LISTENING:
            self.listen()
            return
        if self.chip.field_is_on():
            self._heard_at = time.monotonic()
            self.chip.stay_silent()
        else:
            self._lose_reader()

    def _lose_reader(self) -> None:
        self._end_field()
        self.listen()

    def _end_field(self) -> None:
        self._deselected_at = None
        if self.present:
            self.present = False
            self.reports.append(_FIELD_OFF)

    def listen(self, *, deselected: bool = False) -> None:
        """Let the chip listen; `deselected`: by a reader that may select the card again."""
        self.state = State.LISTENING
        self._faults = 0
        self._listening_since = time.monotonic()
        self._deselected_at = self._listening_since if deselected else None
        self.chip.listen()

    def answer(self, octets: bytes) -> None:
        """Answer the frame delivered last."""
        self.state = State.ACTIVE
        if not self.chip.answer(octets):
            self._lose_reader()
        elif self._first and self._transport is not None:
            self._first = False
            self.touch.answer = self._transport.acked_first_at - self._transport.arrived_at

    def answer_deselect(self, octets: bytes) -> None:
        """Answer S(DESELECT); the chip listens again before this returns."""
        self.state = State.LISTENING
        self.chip.answer_and_listen(octets)
        self._faults = 0
        self._deselected_at = self._listening_since = time.monotonic()
        if self._transport is not None:
            self.touch.listen = self._transport.acked_at - self._transport.responded_at
