"""Captures, pcap and pcapng: frames of ISO/IEC 14443 (link type 264), and APDUs in GSMTAP.

    00 | event | length u16, high octet first | octets              https://www.kaiser.cx/pcap-iso14443.html
    FE reader to card, FF card to reader; FA, FB the same without CRC; FC field on, FD field off

A file is looked through first: for the notes of our own exporter, which give the very trace back; for programs that
leave the CRC out and do not say so; and for NFCGate, which writes every APDU behind the same PCB 02, without a CRC and
without an activation: those become a trace of APDUs.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from nfcbridge.formats.crc import CRC_SIZE, drop_crc
from nfcbridge.formats.found import FormatProblem, Frame, Place, Reading, make_reading
from nfcbridge.formats.gsmtap import APDU, ATR, PORT, payload_of, split_apdus
from nfcbridge.formats.notes import MICROSECONDS, origin, parse_field_note, parse_header_note, parse_pair_note
from nfcbridge.formats.pcap import InterfaceSeen, Packet, Section, is_capture, read_capture
from nfcbridge.formats.type_a import TypeA
from nfcbridge.formats.udp import LINK_TYPES, find_datagram
from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.trace.entries import MAX_TIME

LINK_ISO14443: Final = 264

CLOCK: Final = "clock of the capture"

LOOK_AHEAD: Final = 20_000
"""Packets that are looked through before the first is read; what comes later is taken as these are."""

MIN_CONSTANT: Final = 2
"""Commands with the same PCB 02 and no activation from which on it is no block number."""

_EVENTS: Final = {
    0xFE: (Dir.READER, True),
    0xFF: (Dir.CARD, True),
    0xFA: (Dir.READER, False),
    0xFB: (Dir.CARD, False),
}
_FIELD: Final = {0xFC: True, 0xFD: False}
_NFCGATE: Final = [LINK_ISO14443, 147]
"""Link types of the interfaces that NFCGate describes; the second is for what the card was set up with."""

_PSEUDO: Final = 4
_PCB: Final = 0x02
_SHORT: Final = 1

_CUT: Final = "a packet that was cut off"


class _Look:
    """What a file holds, by its first packets."""

    def __init__(self, stream: BinaryIO) -> None:
        self.note: Header | None = None
        self.frames = self.apdus = 0
        self.right = self.wrong = 0  # CRCs
        self.constant = True
        self.links: list[int] = []
        self._commands = 0
        begin = stream.tell()
        for count, item in enumerate(read_capture(stream)):
            if count == LOOK_AHEAD:
                break
            if isinstance(item, Section):
                for comment in item.comments:
                    self.note = self.note or parse_header_note(comment)
            elif isinstance(item, InterfaceSeen):
                self.links.append(item.link_type)
            elif isinstance(item, Packet):
                self._packet(item)
        stream.seek(begin)

    def _packet(self, packet: Packet) -> None:
        if packet.link_type != LINK_ISO14443:
            self.apdus += _sim_payload(packet) is not None
            return
        event, octets = packet.octets[1:2], packet.octets[_PSEUDO:]
        if not event or event[0] not in _EVENTS or not octets:
            return
        self.frames += 1
        who, has_crc = _EVENTS[event[0]]
        if has_crc:
            self.constant = False
            if len(octets) > CRC_SIZE:
                good = drop_crc(octets) is not None
                self.right, self.wrong = self.right + good, self.wrong + (not good)
        elif octets[0] != _PCB:
            self.constant = False
        self._commands += who is Dir.READER

    @property
    def is_nfcgate(self) -> bool:
        """Whether all frames have the same PCB, or its interfaces are there."""
        return self.constant and (self._commands >= MIN_CONSTANT or self.links[:2] == _NFCGATE)


def detect(head: bytes) -> bool:
    """Whether a file is a capture."""
    return is_capture(head)


def read(stream: BinaryIO) -> Reading:
    """Read a capture. The file is read twice."""
    look = _Look(stream)
    if look.note is not None:
        if look.frames >= look.apdus:
            return Reading(look.note, _number(_our_frames(stream, look.note)))
        return Reading(msgspec.structs.replace(look.note, level="apdus"), _number(_our_apdus(stream, look.note)))
    if look.apdus > look.frames:
        return make_reading(_sim(stream), source="GSMTAP", level="apdus", clock=CLOCK)
    if look.is_nfcgate:
        items = _frames(stream, wrapped=True, no_crc=False)
        return make_reading(items, source="NFCGate", level="apdus", clock=CLOCK)
    no_crc = look.wrong > 0 and not look.right
    items = _frames(stream, wrapped=False, no_crc=no_crc)
    return make_reading(items, source="ISO 14443 capture", level="blocks", clock=CLOCK)


def _frames(stream: BinaryIO, *, wrapped: bool, no_crc: bool) -> Iterator[Frame | FormatProblem]:
    """Frames of link type 264.

    Args:
        stream: the file.
        wrapped: they are APDUs behind one octet.
        no_crc: they have no CRC, whatever their event says.
    """
    type_a = TypeA(has_crc=False)
    if no_crc:
        yield FormatProblem(Place(0, "octet"), "no CRC in the whole file is right: they were taken to be left out")
    for item in _pseudos(stream):
        if isinstance(item, FormatProblem):
            yield item
            continue
        _, frame, has_crc = item
        if wrapped and frame.dir is not Dir.FIELD:
            yield Frame(frame.position, frame.t, frame.dir, frame.octets[1:])
        else:
            yield from type_a.receive(frame, has_crc=has_crc and not no_crc)


def _pseudos(stream: BinaryIO) -> Iterator[tuple[Packet, Frame, bool] | FormatProblem]:
    """The packets of link type 264, with the frame in each, and whether that has a CRC."""
    for item in read_capture(stream):
        if isinstance(item, FormatProblem):
            yield item
        elif isinstance(item, Packet):
            found = _pseudo(item)
            yield found if isinstance(found, FormatProblem) else (item, *found)


def _pseudo(packet: Packet) -> tuple[Frame, bool] | FormatProblem:
    """The frame in a packet, and whether it has a CRC."""
    octets = packet.octets
    t = None if packet.micros is None else packet.micros / MICROSECONDS
    if packet.link_type != LINK_ISO14443:
        return FormatProblem(packet.position, "a packet of another link type", foreign=True)
    if len(octets) < _PSEUDO:
        return FormatProblem(packet.position, _CUT)
    if octets[1] in _FIELD:
        return Frame(packet.position, t, Dir.FIELD, on=_FIELD[octets[1]]), False
    if octets[1] not in _EVENTS:
        return FormatProblem(packet.position, "an event that ISO 14443 captures do not have")
    length = int.from_bytes(octets[2:4], "big")
    if packet.cut or length != len(octets) - _PSEUDO:
        return FormatProblem(packet.position, _CUT)
    who, has_crc = _EVENTS[octets[1]]
    return Frame(packet.position, t, who, octets[_PSEUDO:]), has_crc


def _sim_payload(packet: Packet) -> tuple[int, bytes] | None:
    if packet.link_type not in LINK_TYPES:
        return None
    datagram = find_datagram(packet.link_type, packet.octets)
    if datagram is None or PORT not in {datagram.source, datagram.destination} or not datagram.whole:
        return None
    return payload_of(datagram.octets)


def _sim(stream: BinaryIO) -> Iterator[Frame | FormatProblem]:
    """APDUs of GSMTAP packets."""
    for item in read_capture(stream):
        if isinstance(item, FormatProblem):
            yield item
        if not isinstance(item, Packet):
            continue
        t = None if item.micros is None else item.micros / MICROSECONDS
        if (found := _sim_payload(item)) is None:
            words = _CUT if item.cut else "a packet of something else"
            yield FormatProblem(item.position, words, foreign=not item.cut)
        elif found[0] == ATR:
            yield Frame(item.position, t, Dir.FIELD, on=True)
        elif found[0] != APDU:
            yield FormatProblem(item.position, "a part of an exchange (TPDU), which is no APDU", foreign=True)
        elif (length := split_apdus(found[1])) is None:
            yield FormatProblem(item.position, "octets that are no command and response")
        else:
            yield Frame(item.position, t, Dir.READER, found[1][:length])
            yield Frame(item.position, t, Dir.CARD, found[1][length:])


def _our_frames(stream: BinaryIO, header: Header) -> Iterator[Entry | FormatProblem]:
    """What our exporter made frames of."""
    begin = origin(header)
    for item in _pseudos(stream):
        if isinstance(item, FormatProblem):
            yield item
            continue
        packet, frame, has_crc = item
        t = ((packet.micros or 0) - begin) / MICROSECONDS
        if frame.dir is Dir.FIELD:
            yield Entry(t, Dir.FIELD, on=frame.on)
            continue
        bare = frame.octets if len(frame.octets) == _SHORT or not has_crc else drop_crc(frame.octets)
        if bare is not None and header.level == "apdus":
            bare = bare[1:]
        if bare:
            yield Entry(t, frame.dir, bare)
        else:
            yield FormatProblem(frame.position, "the CRC is wrong: the frame was damaged, or cut off")


def _our_apdus(stream: BinaryIO, header: Header) -> Iterator[Entry | FormatProblem]:
    """What our exporter made GSMTAP of."""
    begin = origin(header)
    for item in read_capture(stream):
        if isinstance(item, FormatProblem):
            yield item
        if not isinstance(item, Packet):
            continue
        at = (item.micros or 0) - begin
        for field in filter(None, map(parse_field_note, item.comments)):
            yield Entry((at - round(field.before * MICROSECONDS)) / MICROSECONDS, Dir.FIELD, on=field.on)
        found = _sim_payload(item)
        pair = next(filter(None, map(parse_pair_note, item.comments)), None)
        if found is None or found[0] != APDU:
            yield FormatProblem(item.position, "a packet of something else", foreign=True)
            continue
        length = pair.command if pair is not None else split_apdus(found[1])
        if length is None or not 0 < length < len(found[1]):
            yield FormatProblem(item.position, "octets that are no command and response")
            continue
        later = round(pair.delay * MICROSECONDS) if pair is not None else 0
        yield Entry(at / MICROSECONDS, Dir.READER, found[1][:length])
        yield Entry((at + later) / MICROSECONDS, Dir.CARD, found[1][length:])


def _number(items: Iterator[Entry | FormatProblem]) -> Iterator[Entry | FormatProblem]:
    number = 0
    for item in items:
        if isinstance(item, Entry) and not -MAX_TIME <= item.t <= MAX_TIME:
            yield FormatProblem(Place(number + 1, "entry"), "its time is none that a trace has")
        elif isinstance(item, Entry):
            number += 1
            yield Entry(item.t, item.dir, item.octets, item.on, number)
        else:
            yield item
