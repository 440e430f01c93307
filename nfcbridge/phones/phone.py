"""The phone itself: plays a script over the reader end of a link of blocks. The only part that reads a clock."""

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from nfcbridge.errors import LinkTimeoutError, NfcBridgeError
from nfcbridge.isodep import (
    Activated,
    DeselectConfirmed,
    PresenceConfirmed,
    ReaderEvent,
    ReaderLink,
    ResponseReceived,
    SendFrame,
)
from nfcbridge.links import ReaderEnd
from nfcbridge.phones.script import PresenceCheck, Reactivate, Result, Script, Step

News = TypeVar("News", bound=ReaderEvent)

FSD: Final = 256
"""The longest frame that phones take, in octets with PCB and CRC."""


class Arrival(Struct, frozen=True):
    """News of the phone itself: the tag was found and activated.

    Attributes:
        uid: 4, 7 or 10 octets.
        ats: the answer to select, with its length octet.
        fsd: the longest frame that the phone takes, in octets with PCB and CRC.
    """

    uid: bytes
    ats: bytes
    fsd: int


class Played(Struct, frozen=True):
    """A step that was played, and what it took on the air.

    Attributes:
        step: the step, or the arrival of the tag.
        outcome: the response APDU, b"" for a step that has none.
        frames: (whether the reader sent it, its octets without CRC), in the order of the air.
    """

    step: Step | Arrival
    outcome: bytes
    frames: tuple[tuple[bool, bytes], ...]


class ScriptedPhone:
    """Plays scripts over the reader end of a link of blocks.

    Args:
        end: a reader end that is open; it stays open.
        watch: is told of every step that was played, in order.
        clock: seconds.
        patience: seconds to wait for a tag and its ATS.
    """

    def __init__(
        self,
        end: ReaderEnd,
        *,
        watch: Callable[[Played], None] = lambda _played: None,
        clock: Callable[[], float] = time.monotonic,
        patience: float = 5.0,
    ) -> None:
        self._end = end
        self._watch = watch
        self._clock = clock
        self._patience = patience
        self._link = ReaderLink(fsd=FSD)
        self._frames: list[tuple[bool, bytes]] = []

    def play(self, script: Script[Result]) -> Result:
        """Find a tag, play the script to its end, switch the field off.

        Raises:
            LinkError: the tag is gone, or never came.
            ProtocolError: what the script, or ISO 14443-4, makes of the card's answers.
        """
        try:
            self._tell(self._activate(), b"")
            step = next(script)
            while True:
                try:
                    outcome = self._do(step)
                except NfcBridgeError as exc:
                    step = script.throw(exc)
                else:
                    self._tell(step, outcome)
                    step = script.send(outcome)
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            self._end.field_off()

    def _tell(self, step: Step | Arrival, outcome: bytes) -> None:
        frames, self._frames = tuple(self._frames), []
        self._watch(Played(step=step, outcome=outcome, frames=frames))

    def _do(self, step: Step) -> bytes:
        if isinstance(step, bytes):
            return self._until(ResponseReceived, self._link.send_command(step, self._clock())).apdu
        if isinstance(step, PresenceCheck):
            self._until(PresenceConfirmed, self._link.presence_check(self._clock()))
        elif isinstance(step, Reactivate):
            self._until(DeselectConfirmed, self._link.deselect(self._clock()))
            self._activate()
        return b""

    def _activate(self) -> Arrival:
        """Select the tag (again) and send RATS.

        A card hears RATS once after it was selected: after a silence it is selected again, while there is patience.
        """
        end_of_wait = self._clock() + self._patience
        while True:
            found = self._end.activate(max(0.0, end_of_wait - self._clock()))
            self._link = ReaderLink(fsd=FSD)
            try:
                self._until(Activated, self._link.rats(self._clock()))
            except LinkTimeoutError:
                if self._clock() >= end_of_wait:
                    raise
                self._end.field_off()
            else:
                return Arrival(uid=found.uid, ats=self._frames[-1][1], fsd=FSD)

    def _until(self, kind: type[News], events: Sequence[ReaderEvent]) -> News:
        """Send what is to be sent and take what comes, until the news is there."""
        while True:
            for event in events:
                if isinstance(event, kind):
                    return event
            # While something is out there is news, or exactly one frame to send: `ReaderLink` says so.
            (frame,) = [event.frame for event in events if isinstance(event, SendFrame)]
            events = self._exchange(frame)

    def _exchange(self, frame: bytes) -> Sequence[ReaderEvent]:
        self._frames.append((True, frame))
        now = self._clock()
        deadline = self._link.next_deadline() or now
        answer = self._end.transceive(frame, max(deadline - now, 0.0))
        if answer is None:
            return self._link.handle_timer(max(deadline, self._clock()))
        self._frames.append((False, answer))
        return self._link.receive_frame(answer, self._clock())
