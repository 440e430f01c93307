"""The card's stack with ISO 14443-4 below it: blocks in, blocks out."""

from typing import Final

from nfcbridge.framing import Answer
from nfcbridge.isodep import DEFAULT as DEFAULT_ATS
from nfcbridge.isodep import Activated, Ats, CardLink, CommandReceived, Deselected, SendFrame
from nfcbridge.stack.card import CardStack, Event

MAX_FRAME: Final = 4096  # FSDI and FSCI 12 of ISO/IEC 14443-4


class BlockCardStack:
    """One tag from its blocks up: `CardStack` below which ISO-DEP was put, with the same calls.

    Args:
        upper: the layers above the blocks.
        ats: what the tag says of itself; its FSC is at most what the link carries.
        max_frame: octets of the longest frame that the link carries, with CRC.
    """

    def __init__(self, upper: CardStack, ats: Ats = DEFAULT_ATS, *, max_frame: int = MAX_FRAME) -> None:
        self.upper = upper
        upper.fsc = ats.fsc
        self.link = CardLink(ats, max_frame=max_frame)

    def receive(self, frame: bytes, now: float) -> list[Event]:
        """Take one frame without its CRC."""
        events: list[Event] = []
        for event in self.link.receive_frame(frame, now):
            kind = type(event)
            if kind is SendFrame:
                events.append(event)  # type: ignore[arg-type]  # the type was just compared: isinstance costs more
            elif kind is CommandReceived:
                self._pass(self.upper.receive(event.apdu, now), events, now)  # type: ignore[union-attr]
                held_until = self.upper.held_until
                if held_until is not None:
                    self.link.extend_until(held_until)
            elif kind is Activated:
                events += self.upper.activated(event.fsd, now)  # type: ignore[union-attr]
            elif kind is Deselected:
                events += self.upper.deselected(now)
        return events

    def _pass(self, news: list[Event], events: list[Event], now: float) -> None:
        for event in news:
            if type(event) is SendFrame:
                events += self.link.respond(event.frame, now)
            else:
                events.append(event)

    def activated(self, frame_size: int | None, now: float) -> list[Event]:
        """The link has selected the tag.

        Args:
            frame_size: the reader's frame size in octets if the link's driver answered the RATS; None if it did not,
                and the RATS comes as a frame.
            now: seconds.
        """
        self.link.reset(fsd=frame_size)
        return self.upper.selected(now) if frame_size is None else self.upper.activated(frame_size, now)

    def field_lost(self, now: float) -> list[Event]:
        """The field is gone."""
        self.link.reset()
        return self.upper.field_lost(now)

    def answer(self, number: int, answer: Answer, now: float) -> list[Event]:
        """Put the answer to request `number` into the file and send what was held for it."""
        events: list[Event] = []
        self._pass(self.upper.answer(number, answer, now), events, now)
        return events

    @property
    def commands(self) -> int:
        """How many APDUs it has received; a presence check sends none."""
        return self.upper.commands

    @property
    def owes_reply(self) -> bool:
        """The reader waits for us, silently: a command is held and no S(WTX) is under way."""
        return self.upper.owes_reply and self.link.next_deadline() is not None

    def next_deadline(self) -> float | None:
        """The time at which `handle_timer` is to be called, None if never."""
        mine = self.link.next_deadline()
        upper = self.upper.next_deadline()
        if mine is None or upper is None:
            return upper if mine is None else mine
        return min(mine, upper)

    def handle_timer(self, now: float) -> list[Event]:
        """Let pass what is due at `now`; calling it early does nothing."""
        events: list[Event] = []
        self._pass(self.upper.handle_timer(now), events, now)  # first: a response in time spares an S(WTX)
        events += self.link.handle_timer(now)  # type: ignore[arg-type]  # a timer makes frames only
        return events
