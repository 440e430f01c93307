"""Frames on the air of which ours are one part: which belong to ISO/IEC 14443-4, and which to what comes before it.

    not ours, and counted    REQA 26, WUPA 52, other short frames; anticollision and selection 93/95/97; HLTA 50 00;
                             all that a card without RATS says and hears (MIFARE, Type 2); Type B, FeliCa
    ours                     RATS and all after it, until the field goes, HLTA, or the card is woken up again; and
                             blocks whose RATS the sniffer missed

A trace says `field on` whenever the card was selected, so selections and RATS become that.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from nfcbridge.formats.crc import CRC_SIZE, drop_crc
from nfcbridge.formats.found import FormatProblem, Frame
from nfcbridge.isodep.blocks import KINDS, RATS, Kind
from nfcbridge.trace import Dir

SHORT_FRAMES: Final = frozenset({0x26, 0x52, 0x35, 0x40, 0x43, *range(0x70, 0x80)})
"""REQA, WUPA, and the other frames of seven bits that ISO/IEC 14443-3 knows or leaves to vendors."""

_SELECT: Final = frozenset({0x93, 0x95, 0x97})
_SELECT_NONE: Final = 0x20
_SELECT_ALL: Final = 0x70
"""NVB: how many octets of the command there are, in its upper four bits; 7 is all of it."""
_SELECT_HEAD: Final = 2
_UID_AND_BCC: Final = 5
_RATS_OCTETS: Final = 2
_HLTA: Final = b"\x50\x00"
_ONE_OCTET: Final = frozenset({Kind.ACK, Kind.NAK, Kind.DESELECT})

_FOREIGN: Final = "a frame of selection (ISO 14443-3), or of another kind of card"
_BAD_CRC: Final = "the CRC is wrong: the frame was damaged, or cut off"


def looks_like_block(octets: bytes) -> bool:
    """Whether a reader's frame without CRC may be one of ISO-DEP, also where nothing says that the card is active."""
    kind = KINDS[octets[0]]
    if kind in _ONE_OCTET:
        return len(octets) <= _RATS_OCTETS  # a CID
    if kind is Kind.WTX:
        return len(octets) in {2, 3}
    return kind in {Kind.I_LAST, Kind.I_MORE}


class TypeA:
    """Tells what is ours in a stream of frames, and takes the CRC off.

    Args:
        has_crc: frames that `filter` gets end with their CRC.
    """

    def __init__(self, *, has_crc: bool) -> None:
        self._has_crc = has_crc
        self._active = False  # between RATS and the end
        self._selected = False  # `field on` was given, and nothing of ours came since
        self._ours = False  # the last frame of the reader

    def filter(self, frames: Iterable[Frame | FormatProblem]) -> Iterator[Frame | FormatProblem]:
        """The frames that are ours, with field events, and what is wrong with others."""
        for item in frames:
            if isinstance(item, FormatProblem):
                yield item
            else:
                yield from self.receive(item, has_crc=self._has_crc)

    def receive(self, frame: Frame, *, has_crc: bool) -> Iterator[Frame | FormatProblem]:
        """What becomes of a frame, which may have a CRC of its own."""
        if frame.dir is Dir.FIELD:
            self._active = self._ours = False
            self._selected = frame.on
            yield frame
        elif not frame.octets:
            yield FormatProblem(frame.position, "a frame without octets")
        elif frame.dir is Dir.READER:
            yield from self._reader(frame, has_crc=has_crc)
        elif self._ours:
            yield from self._bare(frame, has_crc=has_crc)
        else:
            yield FormatProblem(frame.position, _FOREIGN, foreign=True)

    def _reader(self, frame: Frame, *, has_crc: bool) -> Iterator[Frame | FormatProblem]:
        self._ours = False
        octets = frame.octets
        if len(octets) == 1 and octets[0] in SHORT_FRAMES:
            self._active = False
            yield FormatProblem(frame.position, _FOREIGN, foreign=True)
            return
        bare = drop_crc(octets) if has_crc else octets
        if self._is_selection(octets, bare):
            self._active = False
            if bare is not None and octets[1] == _SELECT_ALL and not self._selected:
                self._selected = True
                yield Frame(frame.position, frame.t, Dir.FIELD, on=True)
            yield FormatProblem(frame.position, _FOREIGN, foreign=True)
        elif bare is None:
            words, foreign = (_BAD_CRC, False) if self._active else (_FOREIGN, True)
            if not self._active and looks_like_block(octets):
                words, foreign = _BAD_CRC, False
            yield FormatProblem(frame.position, words, foreign=foreign)
        elif bare == _HLTA:
            self._active = False
            yield FormatProblem(frame.position, _FOREIGN, foreign=True)
        elif bare[0] == RATS and len(bare) == _RATS_OCTETS:
            if not self._selected:
                yield Frame(frame.position, frame.t, Dir.FIELD, on=True)
            self._active, self._selected, self._ours = True, False, True
            yield Frame(frame.position, frame.t, Dir.READER, bare)
        elif self._active or looks_like_block(bare):
            self._ours = True
            self._selected = False
            yield Frame(frame.position, frame.t, Dir.READER, bare)
        else:
            yield FormatProblem(frame.position, _FOREIGN, foreign=True)

    @staticmethod
    def _is_selection(octets: bytes, bare: bytes | None) -> bool:
        """Anticollision has no CRC, selection has one."""
        if octets[0] not in _SELECT or len(octets) < _SELECT_HEAD:
            return False
        length = len(octets if bare is None else bare)
        return _SELECT_NONE <= octets[1] <= _SELECT_ALL and length <= _SELECT_HEAD + _UID_AND_BCC + CRC_SIZE

    def _bare(self, frame: Frame, *, has_crc: bool) -> Iterator[Frame | FormatProblem]:
        bare = drop_crc(frame.octets) if has_crc else frame.octets
        if bare is None:
            yield FormatProblem(frame.position, _BAD_CRC)
        else:
            yield Frame(frame.position, frame.t, frame.dir, bare)
