"""The reader's end of ISO-DEP (signatures; the body follows)."""

from nfcbridge.isodep.ats import Ats
from nfcbridge.isodep.events import ReaderEvent, SendFrame


class ReaderLink:
    ats: Ats | None

    def __init__(
        self, *, fsd: int = 256, cid: int | None = 0, retries: int = 3, max_wait: float = 10.0, ats: Ats | None = None
    ) -> None:
        """`ats` given: a driver already did RATS and this is what it got."""

    def rats(self, now: float) -> list[SendFrame]:
        raise NotImplementedError

    def pps(self, dsi: int, dri: int, now: float) -> list[SendFrame]:
        raise NotImplementedError

    def send_command(self, apdu: bytes, now: float) -> list[SendFrame]:
        raise NotImplementedError

    def presence_check(self, now: float) -> list[SendFrame]:
        raise NotImplementedError

    def deselect(self, now: float) -> list[SendFrame]:
        raise NotImplementedError

    def receive_frame(self, frame: bytes, now: float) -> list[ReaderEvent]:
        raise NotImplementedError

    def handle_timer(self, now: float) -> list[ReaderEvent]:
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        raise NotImplementedError
