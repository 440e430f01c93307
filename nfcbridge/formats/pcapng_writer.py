"""pcapng as far as we write it: one section, one interface, packets with their time and comments.

    block       | type u32 | total length u32 | body, filled up to 4 octets | total length u32 |
    option      | code u16 | length u16 | value, filled up to 4 octets |           the last one has code and length 0

    0A0D0D0A    section header: byte order 1A2B3C4D, version 1.0, section length -1 (not known), options
    00000001    interface: link type u16, 0 u16, snapshot length u32 (0: whole packets), options
    00000006    packet: interface u32, time u32 high and u32 low, captured u32, original u32, octets, options

All numbers are little-endian. Times are microseconds (if_tsresol 6). Source: draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Iterable
from typing import Final

from nfcbridge.errors import TraceError
from nfcbridge.formats.notes import MAX_NOTE

LINK_ISO14443: Final = 264
LINK_RAW_IP: Final = 101

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_BYTE_ORDER: Final = 0x1A2B3C4D

_COMMENT: Final = 1
_IF_NAME: Final = 2
_SHB_USERAPPL: Final = 4
_IF_TSRESOL: Final = 9
_RESOLUTION: Final = b"\x06"

_MAX_TICKS: Final = (1 << 64) - 1


def _filled(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    """The options, or nothing if there are none."""
    octets = b"".join(
        struct.pack("<HH", code, min(len(value), MAX_NOTE)) + _filled(value[:MAX_NOTE]) for code, value in options
    )
    return octets and octets + bytes(4)


def section(comments: Iterable[str], application: str) -> bytes:
    """The section header.

    Args:
        comments: what Wireshark shows as the file's comments; one is cut at 65,535 octets.
        application: the program that writes.
    """
    options = [(_COMMENT, comment.encode(errors="replace")) for comment in comments]
    body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    return _block(_SECTION, body + _options([*options, (_SHB_USERAPPL, application.encode())]))


def interface(link_type: int, name: str) -> bytes:
    """The only interface; `name` may be empty."""
    named = [(_IF_NAME, name.encode(errors="replace"))] if name else []
    return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + _options([*named, (_IF_TSRESOL, _RESOLUTION)]))


def packet(microseconds: int, octets: bytes, comments: Iterable[str] = ()) -> bytes:
    """A packet.

    Args:
        microseconds: since 1970-01-01 UTC.
        octets: all of it.
        comments: what Wireshark shows with it.

    Raises:
        TraceError: a time before 1970.
    """
    if not 0 <= microseconds <= _MAX_TICKS:
        raise TraceError("an entry has a time before the first line, which a capture file cannot hold: mend the trace")
    head = struct.pack("<IIIII", 0, microseconds >> 32, microseconds & 0xFFFFFFFF, len(octets), len(octets))
    options = _options((_COMMENT, comment.encode(errors="replace")) for comment in comments)
    return _block(_PACKET, head + _filled(octets) + options)
