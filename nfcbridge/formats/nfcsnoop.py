r"""nfcsnoop of Android: what crossed between the phone and its NFC controller, as a bug report (`dumpsys nfc`) has it.

    --- BEGIN:NFCSNOOP_VS_LOG_SUMMARY (317 bytes in) ---          or NFCSNOOP_LOG_SUMMARY
    AUBk...                                                        base64, lines of 128
    --- END:NFCSNOOP_VS_LOG_SUMMARY ---

    version u8 = 1 | time u64 of the last record, microseconds | zlib: records          all little-endian, packed
    record   length u16 | microseconds since the one before u32 | u8: 1 from the controller | NCI packet

    NCI      MT 3 bits, PBF, connection or GID 4 bits | OID | length | payload
    61 05    activated: with interface 02 (ISO-DEP) the payloads of connection 0 are APDUs; mode 80 and up: the phone
             is the card
    61 06    deactivated; 61 07 the field of a reader

Unless the developer option "NFC NCI unfiltered log" is on, the phone writes packets of data without their payload.
Source: debug_nfcsnoop.cc and nci_defs.h of AOSP (system/nfc).
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from nfcbridge.formats.found import FormatProblem, Frame, Place, Reading, make_reading
from nfcbridge.formats.lines import read_lines
from nfcbridge.trace import Dir

CLOCK: Final = "wall clock of the phone"

PREAMBLE: Final = 9
VERSION: Final = 1
RECORD_HEAD: Final = 7
NCI_HEAD: Final = 3

MAX_LOG: Final = 1 << 26
"""Octets that a log may unfold to. The phone keeps 256 KiB."""

MAX_LOGS: Final = 1 << 12
"""Logs of one file; those after them are left out."""

MAX_LINE: Final = 4096
"""Characters of the longest line of base64: the phone writes 128."""

PIECE: Final = 1 << 14

_BEGIN: Final = re.compile(r"BEGIN:NFCSNOOP_(\w{1,40})")
_END: Final = re.compile(r"END:NFCSNOOP_")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]+")

_ISO_DEP: Final = 2
_LISTEN: Final = 0x80
_DATA: Final = 0
_NOTIFICATION: Final = 3
_MORE: Final = 0x10
_ACTIVATION: Final = 4  # identifier, interface, protocol, mode
_RF: Final = 1
_ACTIVATED, _DEACTIVATED, _FIELD = 5, 6, 7
_SW: Final = 2
_MAX_APDU: Final = 1 << 17


def detect(head: str) -> bool:
    """Whether a text has a log of nfcsnoop in it."""
    return _BEGIN.search(head) is not None


def read(stream: BinaryIO) -> Reading:
    """Read the logs of a bug report. One that stands there twice, with the same last time, counts once."""
    return make_reading(_read(stream), source="Android nfcsnoop", level="apdus", clock=CLOCK)


def _read(stream: BinaryIO) -> Iterator[Frame | FormatProblem]:
    log: _Log | None = None
    seen: set[bytes] = set()
    radio = _Radio()
    for number, line in read_lines(stream):
        if log is None:
            if _BEGIN.search(line):
                log = _Log(number, radio, seen)
        elif _END.search(line):
            yield from log.close(number)
            log = None
        elif _BASE64.fullmatch(text := line.strip()) and len(text) <= MAX_LINE:
            yield from log.receive(number, text)
        elif text:
            yield FormatProblem(Place(number), "no line of base64 within the log")
    if log is not None:
        yield FormatProblem(Place(log.number), "a log of nfcsnoop without its end")
        yield from log.close(log.number)


class _Log:
    """One log: base64, then zlib, then records, all in pieces.

    Args:
        number: the line of its beginning.
        radio: gets the records; it goes on from the log before it.
        seen: the preambles of logs before it.
    """

    def __init__(self, number: int, radio: "_Radio", seen: set[bytes]) -> None:
        self.number = number
        self._radio = radio
        self._seen = seen
        self._text = ""
        self._preamble = b""
        self._zlib = zlib.decompressobj()
        self._records = b""
        self._total = 0
        self._broken = False

    def receive(self, number: int, text: str) -> Iterator[Frame | FormatProblem]:
        """A line of base64."""
        if self._broken:
            return
        self._text += text
        whole = len(self._text) // 4 * 4
        try:
            octets = base64.b64decode(self._text[:whole], validate=True)
        except (binascii.Error, ValueError):
            yield self._break(number, "the base64 is broken: the rest of the log is left out")
            return
        self._text = self._text[whole:]
        if (missing := PREAMBLE - len(self._preamble)) > 0:
            self._preamble += octets[:missing]
            octets = octets[missing:]
            if len(self._preamble) == PREAMBLE:
                if self._preamble[0] != VERSION:
                    yield self._break(number, "a log of another version of nfcsnoop")
                elif self._preamble in self._seen or len(self._seen) == MAX_LOGS:
                    self._broken = True
                self._seen.add(self._preamble)
        yield from self._unfold(number, octets)

    def _unfold(self, number: int, octets: bytes) -> Iterator[Frame | FormatProblem]:
        while octets and not self._broken:
            try:
                piece = self._zlib.decompress(octets, PIECE)
            except zlib.error:
                yield self._break(number, "the compressed log is broken: the rest of it is left out")
                return
            octets = self._zlib.unconsumed_tail
            self._total += len(piece)
            if self._total > MAX_LOG:
                yield self._break(number, f"a log of more than {MAX_LOG} octets: the rest of it is left out")
                return
            yield from self._take(number, piece)

    def close(self, number: int) -> Iterator[FormatProblem]:
        """The end of the log."""
        if not self._broken and (self._records or self._text or not self._zlib.eof):
            yield FormatProblem(Place(number), "the log ends within a record: it was cut off")

    def _break(self, number: int, words: str) -> FormatProblem:
        self._broken = True
        return FormatProblem(Place(number), words)

    def _take(self, number: int, piece: bytes) -> Iterator[Frame | FormatProblem]:
        records = self._records + piece
        offset = 0
        while len(records) - offset >= RECORD_HEAD:
            end = offset + RECORD_HEAD + int.from_bytes(records[offset : offset + 2], "little")
            if end > len(records):
                break
            self._radio.wait(int.from_bytes(records[offset + 2 : offset + 6], "little"))
            packet = records[offset + RECORD_HEAD : end]
            yield from self._radio.judge(Place(number), packet, received=records[offset + 6] == 1)
            offset = end
        self._records = records[offset:]


class _Radio:
    """What the packets of NCI tell, from log to log."""

    def __init__(self) -> None:
        self._micros = 0
        self._iso_dep: bool | None = None  # None: the ring buffer of the phone has lost the activation
        self._listens = False
        self._parts = {Dir.READER: b"", Dir.CARD: b""}

    def wait(self, micros: int) -> None:
        """Let time pass."""
        self._micros += micros

    def judge(self, place: Place, packet: bytes, *, received: bool) -> Iterator[Frame | FormatProblem]:
        """What becomes of a packet."""
        if len(packet) < NCI_HEAD:
            yield FormatProblem(place, "a packet of NCI that was cut off")
            return
        kind, code = packet[0] >> 5, packet[0] & 0x0F
        if kind == _DATA and code == 0:
            yield from self._data(place, packet, received=received)
        elif kind == _NOTIFICATION and code == _RF and received:
            oid, payload = packet[1] & 0x3F, packet[NCI_HEAD:]
            if oid == _ACTIVATED and len(payload) >= _ACTIVATION:
                self._iso_dep = payload[1] == _ISO_DEP
                self._listens = payload[3] >= _LISTEN
                self._parts = {Dir.READER: b"", Dir.CARD: b""}
                yield self._frame(place, Dir.FIELD, on=True)
            elif oid == _DEACTIVATED:
                self._iso_dep = False
                yield self._frame(place, Dir.FIELD, on=False)
            elif oid == _FIELD and payload[:1] == b"\x00":
                yield self._frame(place, Dir.FIELD, on=False)

    def _data(self, place: Place, packet: bytes, *, received: bool) -> Iterator[Frame | FormatProblem]:
        payload = packet[NCI_HEAD:]
        if self._iso_dep is None and len(payload) == packet[2] > 0:
            # The first packet is a command, unless it ends as a response does.
            responds = len(payload) == _SW or payload.endswith(b"\x90\x00")
            self._iso_dep, self._listens = True, received != responds
        who = Dir.READER if received == self._listens else Dir.CARD
        if len(payload) != packet[2]:
            filtered = not payload
            self._parts[who] = b""
            yield FormatProblem(
                place,
                'the phone left the payload out: turn on its developer option "NFC NCI unfiltered log"'
                if filtered
                else "a packet of NCI that was cut off",
            )
        elif self._iso_dep is False:
            yield FormatProblem(place, "a frame of another kind of card", foreign=True)
        else:
            whole = (self._parts[who] + payload)[:_MAX_APDU]
            more = bool(packet[0] & _MORE)
            self._parts[who] = whole if more else b""
            if not more and whole:
                yield self._frame(place, who, whole)

    def _frame(self, place: Place, who: Dir, octets: bytes = b"", *, on: bool = False) -> Frame:
        return Frame(place, self._micros / 1e6, who, octets, on)
