r"""libnfc: what its emulated tags print, and its own debug log (LIBNFC_LOG_LEVEL=3) of a PN53x.

        In: 00  a4  04  00  07  d2  76  00  00  85  01  01  00          nfc-emulate-forum-tag4: from the reader
        Out: 90  00                                                     from the card
    debug\tlibnfc.bus.uart\tTX: 00 00 ff 0f f1 d4 40 01 00 a4 ...      frames of the PN53x (user manual UM0701-02):
    debug\tlibnfc.bus.uart\tRX: d5 41 00 90 00 ...                     00 00 FF LEN LCS | D4 or D5, code, ... | DCS

    D4 40 Tg octets     command (InDataExchange)      D5 41 status octets     response
    D5 4B, D5 8D        a card was found, or we were activated as one: field on
    D5 87 status octets command (TgGetData)           D4 8E octets            response: libnfc is the card
    D4 52, D4 44, D4 32 01 .0   release, deselection, field off

A log line holds 341 octets at most; what is longer was cut off there. Source: utils/nfc-emulate-forum-tag4.c,
libnfc/log.h, libnfc/chips/pn53x-internal.h.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from nfcbridge.formats.found import NO_CLOCK, FormatProblem, Frame, Place, Reading, make_reading
from nfcbridge.formats.lines import read_lines
from nfcbridge.formats.stamps import WALL_CLOCK, find_time
from nfcbridge.formats.transcript import Found, Mark, transcribe
from nfcbridge.formats.type_a import TypeA
from nfcbridge.trace import Dir

_TAG: Final = re.compile(r"\s*(In|Out): ((?:[0-9a-fA-F]{2}(?: {1,2}|$))+)$", re.ASCII)
_TAG_HEAD: Final = re.compile(r"^[ \t]*(?:In|Out): (?:[0-9a-fA-F]{2}(?: {1,2}|$))+$", re.ASCII | re.MULTILINE)
_RATS: Final = re.compile(r"\s*In: e0 {1,2}[0-9a-f]{2}\s*$", re.ASCII)

_BUS: Final = re.compile(r"\b(TX|RX): ((?:[0-9a-f]{2} )*[0-9a-f]{0,2})", re.ASCII)
_BUS_HEAD: Final = re.compile(r"^.{0,100}\blibnfc\.[\w.]+\s+(?:TX|RX): [0-9a-f]{2} ", re.ASCII | re.MULTILINE)

PREFIX: Final = 200
"""Characters within which octets begin."""

_START: Final = b"\x00\x00\xff"
_EXTENDED: Final = b"\xff\xff"
_ACK: Final = b"\x00\xff"
_NACK: Final = b"\xff\x00"

MAX_CHIP: Final = 1 << 17
"""Octets of a frame of the chip that are kept: its length has 16 bits."""

_HEAD: Final = 2
_LONG_HEAD: Final = 5
_CODE: Final = 2
_STATUS_HEAD: Final = 3
_STATUS: Final = 0x3F
"""b8 and b7 of a status: NAD, and more follow. 0 of the rest: no error."""
_MORE: Final = 0x40
_RELEASED: Final = 0x29
"""The reader has gone."""


def detect_tag(head: str) -> bool:
    """Whether a text was printed by a tag that libnfc emulates."""
    return _TAG_HEAD.search(head) is not None


def read_tag(stream: BinaryIO) -> Reading:
    """Read what an emulated tag printed. The file is read twice: frames begin with RATS, APDUs do not."""
    begin = stream.tell()
    blocks = any(_RATS.match(line) for _, line in read_lines(stream))
    stream.seek(begin)

    def recognise(line: str) -> Found | None:
        if found := _TAG.match(line):
            return Mark(Dir.READER if found[1] == "In" else Dir.CARD, None, found[2])
        return None

    items = transcribe(stream, recognise, pairs=not blocks)
    if blocks:
        items = TypeA(has_crc=False).filter(items)
    return make_reading(items, source="libnfc tag", level="blocks" if blocks else "apdus", clock=NO_CLOCK)


def detect_bus(head: str) -> bool:
    """Whether a text is a debug log of libnfc."""
    return _BUS_HEAD.search(head) is not None


def read_bus(stream: BinaryIO) -> Reading:
    """Read a debug log of libnfc."""
    return make_reading(_Chip().read(stream), source="libnfc debug", level="apdus", clock=WALL_CLOCK)


class _Chip:
    """A PN53x on its bus: what goes to it and what comes may be in pieces."""

    def __init__(self) -> None:
        self._rest = {"TX": b"", "RX": b""}
        self._parts = {Dir.READER: b"", Dir.CARD: b""}

    def read(self, stream: BinaryIO) -> Iterator[Frame | FormatProblem]:
        for number, line in read_lines(stream):
            found = _BUS.search(line)
            if found is None or found.start() > PREFIX:
                continue
            digits = found[2].replace(" ", "")
            octets = bytes.fromhex(digits[: len(digits) & ~1])
            t = find_time(line)
            for frame in self._frames(found[1], octets):
                if frame is None:
                    yield FormatProblem(Place(number), "a frame of the chip that was cut off")
                else:
                    yield from self._judge(Place(number), t, frame)

    def _frames(self, way: str, octets: bytes) -> Iterator[bytes | None]:
        """The frames of the chip that a line completes, D4 or D5 first; None for one whose end never came.

        What is read from a serial port is logged in pieces: five octets, two, the rest, the checksum.
        """
        data = self._rest[way] + octets
        if self._rest[way] and octets.startswith(_START):
            yield None
            data = octets
        self._rest[way] = b""
        while (at := data.find(_START)) >= 0:
            body = data[at + len(_START) :]
            if body[:2] in {_ACK, _NACK}:
                data = body[2:]
                continue
            head = _LONG_HEAD if body[:2] == _EXTENDED else _HEAD
            length = int.from_bytes(body[2:4], "big") if head == _LONG_HEAD else body[0] if body else 0
            if len(body) < head + length or len(body) < _HEAD:
                self._rest[way] = data[at:][:MAX_CHIP]
                return
            yield body[head : head + length]
            data = body[head + length :]

    def _judge(self, place: Place, t: float | None, frame: bytes) -> Iterator[Frame | FormatProblem]:
        code = frame[:2]
        if code == b"\xd4\x40":
            yield from self._part(place, t, Dir.READER, frame[3:], more=bool(frame[2:3]) and bool(frame[2] & _MORE))
        elif code in {b"\xd5\x41", b"\xd5\x87"} and len(frame) > _CODE:
            who = Dir.CARD if code == b"\xd5\x41" else Dir.READER
            if frame[2] & _STATUS == _RELEASED:
                yield Frame(place, t, Dir.FIELD, on=False)
            elif frame[2] & _STATUS:
                self._parts[who] = b""
                yield FormatProblem(place, "the chip reports an error: no frame came")
            elif len(frame) > _STATUS_HEAD:
                yield from self._part(place, t, who, frame[3:], more=bool(frame[2] & _MORE))
        elif code == b"\xd4\x8e":
            yield from self._part(place, t, Dir.CARD, frame[2:], more=False)
        elif (code == b"\xd5\x4b" and frame[2:3] > b"\x00") or code == b"\xd5\x8d":
            yield Frame(place, t, Dir.FIELD, on=True)
        elif code in {b"\xd4\x52", b"\xd4\x44"} or (frame[:3] == b"\xd4\x32\x01" and not frame[3:4] > b"\x00"):
            yield Frame(place, t, Dir.FIELD, on=False)
        elif code in {b"\xd4\x42", b"\xd5\x43", b"\xd4\x90", b"\xd5\x89"} and len(frame) > _STATUS_HEAD:
            yield FormatProblem(place, "a frame that the chip passes on as it is, which is no APDU", foreign=True)

    def _part(self, place: Place, t: float | None, who: Dir, octets: bytes, *, more: bool) -> Iterator[Frame]:
        whole = (self._parts[who] + octets)[:MAX_CHIP]
        self._parts[who] = whole if more else b""
        if not more:
            yield Frame(place, t, who, whole)
