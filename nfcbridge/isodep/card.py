"""The card's end of ISO-DEP (signatures; the body follows)."""

from nfcbridge.isodep.ats import DEFAULT, Ats
from nfcbridge.isodep.events import CardEvent, SendFrame


class CardLink:
    def __init__(self, ats: Ats = DEFAULT, *, fsd: int | None = None) -> None:
        self.ats = ats

    def reset(self, *, fsd: int | None = None) -> None:
        raise NotImplementedError

    def receive_frame(self, frame: bytes, now: float) -> list[CardEvent]:
        raise NotImplementedError

    def respond(self, apdu: bytes, now: float) -> list[SendFrame]:
        raise NotImplementedError

    def extend_until(self, end: float) -> None:
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        raise NotImplementedError

    def handle_timer(self, now: float) -> list[CardEvent]:
        raise NotImplementedError
