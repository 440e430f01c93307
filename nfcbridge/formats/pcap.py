"""Captures: pcap and pcapng as packets with their time, link type and comments, of both byte orders.

    pcap      A1B2C3D4 (microseconds) or A1B23C4D (nanoseconds) | version | zone | accuracy | snapshot | link type
              seconds u32 | fraction u32 | captured u32 | original u32 | octets
    pcapng    blocks: see `pcapng_writer`; 3: simple packets, without a time; 2: packets of old

Source: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from msgspec import Struct

from nfcbridge.formats.found import FormatProblem, Place

MAX_PACKET: Final = 1 << 18
"""Octets of the longest packet: nothing that is read here is longer than an IP packet, and Wireshark allows no more."""

MAX_BLOCK: Final = 1 << 20
"""Octets of the longest block of pcapng: a packet and its comments. A longer one is passed over."""

MAX_INTERFACES: Final = 1024
"""Interfaces of a section."""

MAX_COMMENTS: Final = 32
"""Comments of one block."""

_PCAP: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_SECTION_KIND: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_OLD_PACKET: Final = 2
_SIMPLE: Final = 3
_PACKET: Final = 6
_LINK_MASK: Final = 0x0FFFFFFF
"""The link type of pcap; above it stands the length of an FCS."""

_FILE_HEAD: Final = 20  # behind the first four octets
_PACKET_HEAD: Final = 16
_WORD: Final = 4
_LONG_WORD: Final = 8

_COMMENT: Final = 1
_TSRESOL: Final = 9
_TSOFFSET: Final = 14


class Packet(Struct, frozen=True):
    """A packet.

    Attributes:
        position: its number in the file, or the octet where the block begins.
        micros: microseconds since 1970; None if it has no time.
        link_type: of its interface.
        octets: what was captured.
        cut: octets that were not captured.
        comments: those of the packet.
    """

    position: Place
    micros: float | None
    link_type: int
    octets: bytes
    cut: int = 0
    comments: tuple[str, ...] = ()


class InterfaceSeen(Struct, frozen=True):
    """An interface of pcapng, which has packets or not."""

    link_type: int


class Section(Struct, frozen=True):
    """The beginning of a section of pcapng, with its comments."""

    comments: tuple[str, ...]


CaptureItem = Packet | Section | InterfaceSeen | FormatProblem


def is_capture(head: bytes) -> bool:
    """Whether a file begins as a capture does."""
    return head[:4] in _PCAP or (head[:4] == _SECTION and head[8:12] in _ORDERS)


def read_capture(stream: BinaryIO) -> Iterator[CaptureItem]:
    """The packets of a capture, in the order of the file."""
    head = stream.read(4)
    if head in _PCAP:
        yield from _read_pcap(stream, *_PCAP[head])
    elif head == _SECTION:
        yield from _Blocks(stream).read()


def _read_pcap(stream: BinaryIO, order: str, unit: float) -> Iterator[Packet | FormatProblem]:
    head = stream.read(_FILE_HEAD)
    if len(head) < _FILE_HEAD:
        yield FormatProblem(Place(0, "octet"), "the head of the file was cut off")
        return
    link_type = struct.unpack(order + "I", head[16:])[0] & _LINK_MASK
    offset = 4 + _FILE_HEAD
    while head := stream.read(_PACKET_HEAD):
        place = Place(offset, "octet")
        if len(head) < _PACKET_HEAD:
            yield FormatProblem(place, "a packet that was cut off")
            return
        seconds, fraction, captured, original = struct.unpack(order + "IIII", head)
        if captured > MAX_PACKET:
            yield FormatProblem(place, "no packet begins here: the rest of the file is left out")
            return
        octets = stream.read(captured)
        if len(octets) < captured:
            yield FormatProblem(place, "a packet that was cut off")
            return
        micros = seconds * 1_000_000 + fraction * unit * 1e6
        yield Packet(place, micros, link_type, octets, max(original - captured, 0))
        offset += _PACKET_HEAD + captured


class _Interface(Struct, frozen=True):
    link_type: int
    unit: float  # microseconds
    offset: int  # seconds


class _Blocks:
    """The blocks of a pcapng file whose first four octets were read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._order = "<"
        self._interfaces: list[_Interface] = []

    def read(self) -> Iterator[CaptureItem]:
        kind_octets, offset = _SECTION, 0
        while kind_octets:
            place = Place(offset, "octet")
            start = self._stream.read(8 if kind_octets == _SECTION else 4)
            if kind_octets == _SECTION and start[4:8] in _ORDERS:
                self._order = _ORDERS[start[4:8]]
                self._interfaces = []
            elif kind_octets == _SECTION or len(kind_octets) < _WORD or len(start) < _WORD:
                yield FormatProblem(place, "a block that was cut off")
                return
            kind, length = self._unpack("I", kind_octets)[0], self._unpack("I", start[:4])[0]
            least = 8 + len(start)
            if length % 4 or length < least:
                yield FormatProblem(place, "no block begins here: the rest of the file is left out")
                return
            body = start[4:] + self._take(length - 8 - (len(start) - 4))
            if len(body) < min(length - 8, MAX_BLOCK):
                yield FormatProblem(place, "a block that was cut off")
                return
            if length > MAX_BLOCK:
                yield FormatProblem(place, f"a block of more than {MAX_BLOCK} octets")
            else:
                try:
                    yield from self._block(place, kind, body[:-4])
                except struct.error:
                    yield FormatProblem(place, "a block whose fields are cut off")
            offset += length
            kind_octets = self._stream.read(4)

    def _unpack(self, form: str, octets: bytes) -> tuple[int, ...]:
        return struct.unpack(self._order + form, octets)

    def _take(self, count: int) -> bytes:
        """The next octets; of those past the bound nothing is kept."""
        octets = self._stream.read(min(count, MAX_BLOCK))
        left = count - len(octets)
        while left > 0 and (passed := len(self._stream.read(min(left, MAX_BLOCK)))):
            left -= passed
        return octets

    def _block(self, place: Place, kind: int, body: bytes) -> Iterator[CaptureItem]:
        if kind == _SECTION_KIND:
            yield Section(self._comments(body[16:]))
        elif kind == _INTERFACE:
            if len(self._interfaces) == MAX_INTERFACES:
                yield FormatProblem(place, f"more than {MAX_INTERFACES} interfaces")
                return
            self._interfaces.append(self._interface(body))
            yield InterfaceSeen(self._interfaces[-1].link_type)
        elif kind in {_PACKET, _OLD_PACKET}:
            # The old one has the interface in 16 bits, then a count of drops.
            interface = self._unpack("I" if kind == _PACKET else "H", body[: 4 if kind == _PACKET else 2])[0]
            high, low, captured, original = self._unpack("IIII", body[4:20])
            octets = body[20 : 20 + captured]
            comments = self._comments(body[20 + (captured + 3 & ~3) :])
            yield from self._packet(place, interface, high << 32 | low, octets, captured, original, comments)
        elif kind == _SIMPLE:
            original = self._unpack("I", body[:4])[0]
            yield from self._packet(place, 0, None, body[4 : 4 + original], 0, original, ())

    def _packet(
        self,
        place: Place,
        interface: int,
        ticks: int | None,
        octets: bytes,
        captured: int,
        original: int,
        comments: tuple[str, ...],
    ) -> Iterator[Packet | FormatProblem]:
        if interface >= len(self._interfaces):
            yield FormatProblem(place, "a packet of an interface that is not there")
        elif len(octets) < captured:
            yield FormatProblem(place, "a packet that was cut off")
        else:
            of = self._interfaces[interface]
            micros = None if ticks is None else ticks * of.unit + of.offset * 1e6
            yield Packet(place, micros, of.link_type, octets, max(original - len(octets), 0), comments)

    def _interface(self, body: bytes) -> _Interface:
        link_type = self._unpack("H", body[:2])[0]
        unit, offset = 1.0, 0
        for code, value in self._options(body[8:]):
            if code == _TSRESOL and value:
                power = value[0] & 0x7F
                unit = 1e6 / (2.0**power if value[0] & 0x80 else 10.0**power)
            elif code == _TSOFFSET and len(value) == _LONG_WORD:
                offset = self._unpack("q", value)[0]
        return _Interface(link_type, unit, offset)

    def _options(self, octets: bytes) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at + 4 <= len(octets):
            code, length = self._unpack("HH", octets[at : at + 4])
            if code == 0:
                return
            yield code, octets[at + 4 : at + 4 + length]
            at += 4 + (length + 3 & ~3)

    def _comments(self, octets: bytes) -> tuple[str, ...]:
        found: list[str] = []
        for code, value in self._options(octets):
            if code == _COMMENT and len(found) < MAX_COMMENTS:
                found.append(value.decode(errors="replace"))
        return tuple(found)
