"""A reader and a card in a virtual time, with the air between them in the hands of the test."""

from collections.abc import Callable, Iterator, Sequence

from nfcbridge.isodep import (
    CardEvent,
    CardLink,
    CommandReceived,
    ReaderEvent,
    ReaderLink,
    Retransmitted,
    SendFrame,
    WaitExtended,
)

MAX_STEPS = 20_000
"""Frames and time-outs that one exchange may take: more is a loop without end."""

MARGIN = 0.02
"""What the reader waits beyond the card's time."""

Air = Callable[[bytes], bytes | None]


def clean(frame: bytes) -> bytes:
    """Air that carries every frame as it is."""
    return frame


def lossy(losses: Iterator[bool]) -> Air:
    """Air that loses a frame where `losses` says so, and none when they have run out."""
    return lambda frame: None if next(losses, False) else frame


def respond_to(apdu: bytes) -> bytes:
    """A response from which the command can be told, of another length."""
    return apdu[::-1] + apdu[: len(apdu) // 2] + b"\x90\x00"


class Session:
    """Carries frames to and fro, and the card's application thinks.

    Args:
        reader: a reader whose card is activated, or not yet.
        card: the other end.
        air: what happens to each frame, in either direction.
        think: seconds that the application takes for a command.
        hint: whether the card is told how long that will be.
    """

    def __init__(
        self,
        reader: ReaderLink,
        card: CardLink,
        *,
        air: Air = clean,
        think: float = 0.0,
        hint: bool = True,
    ) -> None:
        self.reader = reader
        self.card = card
        self.air = air
        self.now = 0.0
        self.executed: list[bytes] = []
        self.retransmissions = 0
        self.extensions: list[int] = []
        self.slowest = 0.0
        """The largest part of the time that it had which the card took for a frame."""
        self._think = think
        self._hint = hint
        self._ready_at = 0.0

    def activate(self) -> None:
        """RATS and ATS."""
        self.card.reset()
        self.run(self.reader.rats(self.now))

    def exchange(self, apdu: bytes) -> ReaderEvent:
        """Sends a command; the end of it."""
        return self.run(self.reader.send_command(apdu, self.now))

    def run(self, events: Sequence[ReaderEvent]) -> ReaderEvent:
        """Goes on with what the reader has begun until it ends."""
        step = 0
        while True:
            step += 1
            assert step < MAX_STEPS, "a loop without end"
            frames = []
            for event in events:
                if isinstance(event, SendFrame):
                    frames.append(event.frame)
                elif isinstance(event, WaitExtended):
                    self.extensions.append(event.wtxm)
                elif isinstance(event, Retransmitted):
                    self.retransmissions += 1
                else:
                    return event
            (frame,) = frames  # one question at a time
            answer = self._ask(frame)
            if answer is None:
                deadline = self.reader.next_deadline()
                assert deadline is not None
                self.now = max(self.now, deadline)
                events = self.reader.handle_timer(self.now)
            else:
                events = self.reader.receive_frame(answer, self.now)

    def _ask(self, question: bytes) -> bytes | None:
        """The card's frame, if one comes through before the reader's patience ends."""
        deadline = self.reader.next_deadline()
        assert deadline is not None
        asked_at = self.now
        heard = self.air(question)
        answer = None if heard is None else self._take(self.card.receive_frame(heard, self.now))
        if answer is None:
            timer = self.card.next_deadline()
            response = self._ready_at if self.card.awaiting_response else None
            due = min((time for time in (timer, response) if time is not None), default=deadline)
            if due >= deadline:
                return None
            self.now = max(self.now, due)
            if due == response:
                answer = self._take(self.card.respond(respond_to(self.executed[-1]), self.now))
            else:
                answer = self._take(self.card.handle_timer(self.now))
            if answer is None:  # S(WTX) or its answer was lost, and the response waits for it
                return None
        self.slowest = max(self.slowest, (self.now - asked_at) / (deadline - MARGIN - asked_at))
        return self.air(answer)

    def _take(self, events: Sequence[CardEvent]) -> bytes | None:
        frames = []
        for event in events:
            if isinstance(event, SendFrame):
                frames.append(event.frame)
            elif isinstance(event, CommandReceived):
                self.executed.append(event.apdu)
                self._ready_at = self.now + self._think
                if self._hint:
                    self.card.extend_until(self._ready_at)
        assert len(frames) <= 1
        return frames[0] if frames else None
