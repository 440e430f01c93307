"""The frames before the first block, from reader to card. ISO/IEC 14443-4, protocol activation.

    RATS   1 1 1 0 0 0 0 0 | FSDI CID                                                   the answer is the ATS
    PPS    1 1 0 1 CID | 0 0 0 p 0 0 0 1 | 0 0 0 0 DSI DRI, only if p is set            the answer is the first octet

FSDI and CID have four bits each, DSI (card to reader) and DRI (reader to card) two. CID 15 is reserved.
"""

from typing import Final, Self

from msgspec import Struct

from nfcbridge.errors import BlockError
from nfcbridge.isodep.ats import BASE_RATE, BIT_RATES, FRAME_SIZES, frame_size
from nfcbridge.isodep.blocks import MAX_CID, PPS, RATS

_RATS_OCTETS: Final = 2
_PPS0, _PPS0_WITH_PPS1 = b"\x01", b"\x11"
_MAX_PPS1: Final = 0x0F


class Rats(Struct, frozen=True):
    """Request for answer to select.

    Attributes:
        fsd: the longest frame that the reader takes, in octets: one of FRAME_SIZES.
        cid: the card identifier that it gives, 0 to 14.
    """

    fsd: int
    cid: int

    @classmethod
    def parse(cls, frame: bytes) -> Self:
        """Reads a frame without CRC.

        Raises:
            BlockError: it is no RATS, or its CID is 15.
        """
        if len(frame) != _RATS_OCTETS or frame[0] != RATS or (cid := frame[1] & 0x0F) > MAX_CID:
            raise BlockError(f"{frame[:16].hex()} is no RATS")
        return cls(frame_size(frame[1] >> 4), cid)

    def to_bytes(self) -> bytes:
        """The frame without CRC."""
        return bytes((RATS, FRAME_SIZES.index(self.fsd) << 4 | self.cid))


class Pps(Struct, frozen=True):
    """Protocol and parameter selection request.

    Attributes:
        cid: whose bit rates are to change.
        ds: card to reader, in kbit/s: 106, 212, 424 or 848.
        dr: reader to card, in kbit/s.
    """

    cid: int
    ds: int
    dr: int

    @classmethod
    def parse(cls, frame: bytes) -> Self:
        """Reads a frame without CRC.

        Raises:
            BlockError: it is no PPS.
        """
        pps0, pps1 = frame[1:2], frame[2:]
        if frame[:1] and frame[0] & 0xF0 == PPS and (cid := frame[0] & 0x0F) <= MAX_CID:
            if (pps0, pps1) == (_PPS0, b""):
                return cls(cid, BASE_RATE, BASE_RATE)
            if pps0 == _PPS0_WITH_PPS1 and len(pps1) == 1 and pps1[0] <= _MAX_PPS1:
                return cls(cid, BIT_RATES[pps1[0] >> 2], BIT_RATES[pps1[0] & 3])
        raise BlockError(f"{frame[:16].hex()} is no PPS")

    def to_bytes(self) -> bytes:
        """The frame without CRC, always with PPS1."""
        return bytes((PPS | self.cid, *_PPS0_WITH_PPS1, BIT_RATES.index(self.ds) << 2 | BIT_RATES.index(self.dr)))
