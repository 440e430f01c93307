"""What every chip that is a card is told, and what comes from it.

A command that waits for the air is begun here and taken later (`transport` says why), so each chip has three calls that
begin to wait, and one that takes what came. `take` is called when `wait` says that there is something.

    listen                 for a reader that selects the card
    answer                 send the reply to the frame taken last, then wait for the next frame
    answer_and_listen      send the reply to S(DESELECT), then listen, with nothing in between
    stay_silent            wait for the next frame
"""

from enum import Enum, auto
from typing import Final, Protocol

CANCEL: Final = 0.002
"""Seconds that the chip gets to cancel a command (nfcpy: 1 ms), and to wake up for it (PN532: its oscillator, 2 ms)."""


class What(Enum):
    """What has come from a chip."""

    SELECTED = auto()  # a reader has selected the card; the octets are the first frame, if there is one
    ACTIVATED = auto()  # the same, but the driver has answered RATS and dropped it; the octets are the first block
    FRAME = auto()
    MORE = auto()  # a part of an APDU: the chip waits for the next part already
    FAULT = auto()  # something that was no frame: damaged on the air, or at another bit rate
    GONE = auto()  # the reader's field is off, or the reader has released the card


Came = tuple[What, bytes]


class CardChip(Protocol):
    """A chip that is a card."""

    def prepare(self) -> None:
        """Make the chip a card: after opening, and after it was a reader."""

    def listen(self) -> None:
        """Begin to wait for a reader that selects the card."""

    def answer(self, octets: bytes) -> bool:
        """Send a frame, then begin to wait for the next. False: the reader is gone, nothing was begun."""

    def answer_and_listen(self, octets: bytes) -> None:
        """Send a frame, then begin to wait for a reader that selects the card."""

    def stay_silent(self) -> None:
        """Begin to wait for the next frame."""

    def take(self) -> Came:
        """Take what came. After SELECTED and FRAME the chip waits for us, after the others it does nothing."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds for something to take; it may return earlier, with nothing to take too."""

    def cancel(self) -> None:
        """Cancel what was begun."""

    def field_is_on(self) -> bool:
        """Whether there is a reader's field. Nothing may be begun."""
