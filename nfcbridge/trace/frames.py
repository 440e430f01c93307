"""What a frame of a trace of blocks is by itself, for one who only listens: PCB, CID and INF.

Whether a frame answers RATS or PPS can be told only from what came before; `apdus` does that.
"""

from typing import Final

from nfcbridge.errors import BlockError
from nfcbridge.isodep.activation import Pps
from nfcbridge.isodep.blocks import CID, CID_MASK, KINDS, MAX_WTXM, NUMBER, WTXM_MASK, Kind
from nfcbridge.trace.seen import BlockKind

Parsed = tuple[BlockKind, int | None, int | None, bytes]
"""Kind, block number, CID, INF."""

RATS_OCTETS: Final = 2

_KINDS: Final = {
    Kind.I_LAST: BlockKind.I_LAST,
    Kind.I_MORE: BlockKind.I_MORE,
    Kind.ACK: BlockKind.ACK,
    Kind.NAK: BlockKind.NAK,
    Kind.DESELECT: BlockKind.DESELECT,
    Kind.WTX: BlockKind.WTX,
}
_NUMBERED: Final = frozenset({Kind.I_LAST, Kind.I_MORE, Kind.ACK, Kind.NAK})
_INVALID: Final[Parsed] = (BlockKind.INVALID, None, None, b"")


def parse_frame(octets: bytes, *, from_reader: bool) -> Parsed:
    """Take a frame apart. An empty I-block that ends a chain is given as one that does not; `apdus` mends that.

    Args:
        octets: the frame without CRC, any octets.
        from_reader: who sent it; a card sends neither RATS nor PPS.
    """
    if not octets:
        return _INVALID
    first = octets[0]
    kind = KINDS[first]
    if kind is Kind.I_LAST and not first & CID:  # nearly all frames
        inf = octets[1:]
        return BlockKind.I_LAST if inf else BlockKind.EMPTY, first & NUMBER, None, inf
    if kind in {Kind.RATS, Kind.PPS}:
        return _parse_activation(octets, kind) if from_reader else _INVALID
    cid = None
    at = 1
    if first & CID:
        if len(octets) == 1:
            return _INVALID
        cid = octets[1] & CID_MASK
        at = 2
    inf = octets[at:]
    if kind is Kind.INVALID or not _fits(kind, inf):
        return _INVALID
    number = first & NUMBER if kind in _NUMBERED else None
    if kind is Kind.I_LAST and not inf:
        return BlockKind.EMPTY, number, cid, inf
    return _KINDS[kind], number, cid, inf


def _fits(kind: Kind, inf: bytes) -> bool:
    """Whether a block of this kind may carry that."""
    if kind is Kind.WTX:
        return len(inf) == 1 and 0 < inf[0] & WTXM_MASK <= MAX_WTXM
    return kind in {Kind.I_LAST, Kind.I_MORE} or not inf


def _parse_activation(octets: bytes, kind: Kind) -> Parsed:
    if kind is Kind.RATS:
        if len(octets) == RATS_OCTETS:
            return BlockKind.RATS, None, octets[1] & 0x0F, octets[1:]
        return _INVALID
    try:
        pps = Pps.parse(octets)
    except BlockError:
        return _INVALID
    return BlockKind.PPS, None, pps.cid, octets[1:]
