"""What the two ends of ISO-DEP report: frames to send, and what came in.

Every call that takes a frame or the time returns these in the order in which they are to be acted upon: a frame
comes before the news about it. They are `msgspec` structs without garbage collector tracking and not frozen
dataclasses, which are as immutable and cost seven times as much to build: a block of the card makes two of them.
"""

from msgspec import Struct


class SendFrame(Struct, frozen=True, gc=False):
    """A frame to send now, without its CRC."""

    frame: bytes


class Activated(Struct, frozen=True, gc=False):
    """The card was activated: RATS was answered.

    Attributes:
        fsd: the longest frame that the reader takes, in octets with PCB and CRC.
        cid: the card identifier that the reader gave, 0 to 14.
    """

    fsd: int
    cid: int


class BitRateChanged(Struct, frozen=True, gc=False):
    """PPS was answered: from now on other bit rates hold. They are data here; the link applies them if it can.

    Attributes:
        ds: card to reader, in kbit/s: 106, 212, 424 or 848.
        dr: reader to card, in kbit/s.
    """

    ds: int
    dr: int


class CommandReceived(Struct, frozen=True, gc=False):
    """A whole command APDU came in; never empty. It is to be answered with `CardLink.respond`."""

    apdu: bytes


class Deselected(Struct, frozen=True, gc=False):
    """S(DESELECT) was answered. The card hears nothing until `CardLink.reset`."""


class PresenceChecked(Struct, frozen=True, gc=False):
    """An empty I-block or R(NAK) was answered: the reader only asked whether the card is there."""


class Retransmitted(Struct, frozen=True, gc=False):
    """The frame before this was a repetition, or (at the reader) asks for one: the link is not clean."""


class ResponseReceived(Struct, frozen=True, gc=False):
    """A whole response APDU came in."""

    apdu: bytes


class PresenceConfirmed(Struct, frozen=True, gc=False):
    """The card answered the presence check."""


class DeselectConfirmed(Struct, frozen=True, gc=False):
    """The card answered S(DESELECT): it is in the HALT state."""


class WaitExtended(Struct, frozen=True, gc=False):
    """The card asked for more time and got it.

    Attributes:
        wtxm: how many FWT the card has from now on, 1 to 59.
    """

    wtxm: int


CardEvent = SendFrame | Activated | BitRateChanged | CommandReceived | Deselected | PresenceChecked | Retransmitted
ReaderEvent = (
    SendFrame
    | Activated
    | BitRateChanged
    | ResponseReceived
    | PresenceConfirmed
    | DeselectConfirmed
    | WaitExtended
    | Retransmitted
)
