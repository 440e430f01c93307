"""What a block is to the end that gets it: its kind, and its number beside the end's own.

SAME and OTHER compare the block number with the number of the end that gets the block.
"""

from enum import IntEnum
from typing import Final

from nfcbridge.isodep.blocks import KINDS, NUMBER, Kind


class CardInput(IntEnum):
    """What a frame is to a card. The first two have an INF."""

    INVALID = 0
    I_LAST = 1
    I_MORE = 2
    R_SAME = 3
    NAK_OTHER = 4
    ACK_OTHER = 5
    DESELECT = 6
    WTX = 7
    RATS = 8
    PPS = 9


class ReaderInput(IntEnum):
    """What a frame is to a reader."""

    INVALID = 0
    I_LAST = 1
    I_MORE = 2
    ACK_SAME = 3
    ACK_OTHER = 4
    DESELECT = 5
    WTX = 6
    ATS = 7
    PPS = 8


_TO_CARD: Final = {
    # Rule D toggles on every I-block, but a card may check that the number is the reader's next and stay silent (data
    # sheet of the SRTAG2KL; RFAL does). No honest reader sends the card's own number. Silence is what keeps a command
    # that is sent twice from being executed twice.
    (Kind.I_LAST, False): CardInput.I_LAST,
    (Kind.I_MORE, False): CardInput.I_MORE,
    (Kind.ACK, True): CardInput.R_SAME,
    (Kind.NAK, True): CardInput.R_SAME,
    (Kind.ACK, False): CardInput.ACK_OTHER,
    (Kind.NAK, False): CardInput.NAK_OTHER,
    **{(kind, same): CardInput[kind.name] for kind in list(Kind)[Kind.DESELECT :] for same in (False, True)},
}
_TO_READER: Final = {
    (Kind.I_LAST, True): ReaderInput.I_LAST,
    (Kind.I_MORE, True): ReaderInput.I_MORE,
    (Kind.ACK, True): ReaderInput.ACK_SAME,
    (Kind.ACK, False): ReaderInput.ACK_OTHER,
    **{(kind, same): ReaderInput[kind.name] for kind in (Kind.DESELECT, Kind.WTX) for same in (False, True)},
}

CARD_INPUTS: Final = tuple(
    tuple(_TO_CARD.get((kind, octet & NUMBER == own), CardInput.INVALID) for octet, kind in enumerate(KINDS))
    for own in (0, 1)
)
"""What each of the 256 first octets is to a card, by the card's own number."""

READER_INPUTS: Final = tuple(
    tuple(_TO_READER.get((kind, octet & NUMBER == own), ReaderInput.INVALID) for octet, kind in enumerate(KINDS))
    for own in (0, 1)
)
"""What each of the 256 first octets is to a reader, by the reader's own number."""
