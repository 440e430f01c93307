"""Blocks of ISO/IEC 14443-4: what the first octet of a frame (PCB) says, and how a frame is put together.

    I-block  0 0 0 M C N 1 #   M: more follow (chaining), C: a CID follows, N: a NAD follows, #: block number
    R-block  1 0 1 K C 0 1 #   K: 0 R(ACK), 1 R(NAK)
    S-block  1 1 t t C 0 1 0   tt: 00 DESELECT, 11 WTX

Bits are written b8 (0x80) to b1 (0x01). All other values are reserved, and so are I-blocks with a NAD to us, since our
ATS never offers it. A frame is the prologue (this octet, then the CID), the INF and a CRC of two octets, which links
add and check.
"""

from enum import IntEnum
from typing import Final

MORE: Final = 0x10
CID: Final = 0x08
NUMBER: Final = 0x01

I_BLOCK: Final = 0x02
R_ACK: Final = 0xA2
R_NAK: Final = 0xB2
S_DESELECT: Final = 0xC2
S_WTX: Final = 0xF2
RATS: Final = 0xE0
PPS: Final = 0xD0

MAX_CID: Final = 14
"""15 is reserved, in RATS and in PPS."""
CID_MASK: Final = 0x3F
"""b8 and b7 of a card's CID octet are its power level, b6 and b5 are 0."""
CRC_OCTETS: Final = 2
WTXM_MASK: Final = 0x3F
"""b8 and b7 of the INF of S(WTX) are the power level, which a card may tell."""
MAX_WTXM: Final = 59

MAX_COMMAND: Final = 65_544
"""The longest command APDU: header 4, extended Lc 3, data 65,535, extended Le 2."""
MAX_RESPONSE: Final = 65_538
"""The longest response APDU: data 65,536 and status word 2."""


class Kind(IntEnum):
    """What a frame is by its first octet; RATS and PPS, which are no blocks, share the space (see `activation`)."""

    INVALID = 0
    I_LAST = 1
    I_MORE = 2
    ACK = 3
    NAK = 4
    DESELECT = 5
    WTX = 6
    RATS = 7
    PPS = 8


def _kind(octet: int) -> Kind:
    if octet & 0xE6 == I_BLOCK:
        return Kind.I_MORE if octet & MORE else Kind.I_LAST
    if octet & 0xE6 == R_ACK:
        return Kind.NAK if octet & MORE else Kind.ACK
    if octet & 0xF0 == PPS and octet & 0x0F <= MAX_CID:
        return Kind.PPS
    return {S_DESELECT: Kind.DESELECT, S_WTX: Kind.WTX}.get(octet & ~CID, Kind.RATS if octet == RATS else Kind.INVALID)


KINDS: Final = tuple(_kind(octet) for octet in range(256))
"""The kind of each of the 256 first octets."""


def build_block(pcb: int, cid: int | None, inf: bytes = b"") -> bytes:
    """A frame without CRC.

    Args:
        pcb: the first octet, without its CID bit.
        cid: the card identifier, None to leave it out.
        inf: what the block carries.
    """
    return (bytes((pcb,)) if cid is None else bytes((pcb | CID, cid))) + inf
