"""The UDP packet within a captured one: Ethernet, raw IP, loopback and Linux cooked captures; IPv4 and IPv6.

Link types: 1 Ethernet, with VLAN tags; 101, 12, 14, 228, 229 IP; 0 and 108 a family of four octets before it; 113 and
276 Linux cooked (SLL, SLL2).
"""

from typing import Final

from msgspec import Struct

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
_VLAN: Final = frozenset({0x8100, 0x88A8, 0x9100})
_UDP: Final = 17
_V4, _V6 = 4, 6
_V4_HEAD: Final = 20
_V6_HEAD: Final = 40
_UDP_HEAD: Final = 8
MAX_TAGS: Final = 4
"""VLAN tags of one frame."""

_ETHERNET: Final = 1
_RAW: Final = frozenset({12, 14, 101, 228, 229})
_FAMILY: Final = frozenset({0, 108})
_COOKED: Final = 113
_COOKED_2: Final = 276

LINK_TYPES: Final = frozenset({_ETHERNET, _COOKED, _COOKED_2, *_RAW, *_FAMILY})
"""Those that are understood."""


class Datagram(Struct, frozen=True):
    """A UDP packet.

    Attributes:
        source: port.
        destination: port.
        octets: what it carries.
        whole: all of it was captured, and in one fragment.
    """

    source: int
    destination: int
    octets: bytes
    whole: bool


def find_datagram(link_type: int, octets: bytes) -> Datagram | None:
    """The UDP packet in a captured one; None if it has none."""
    packet = _network(link_type, octets)
    if not packet:
        return None
    version = packet[0] >> 4
    if version == _V4 and len(packet) >= _V4_HEAD and packet[9] == _UDP:
        fragment = int.from_bytes(packet[6:8], "big")
        if fragment & 0x1FFF:  # not the first: it has no ports
            return None
        return _datagram(packet[(packet[0] & 0x0F) * 4 :], whole=not fragment & 0x2000)
    if version == _V6 and len(packet) >= _V6_HEAD and packet[6] == _UDP:
        return _datagram(packet[_V6_HEAD:], whole=True)
    return None


def _datagram(octets: bytes, *, whole: bool) -> Datagram | None:
    if len(octets) < _UDP_HEAD:
        return None
    length = int.from_bytes(octets[4:6], "big")
    return Datagram(
        int.from_bytes(octets[:2], "big"),
        int.from_bytes(octets[2:4], "big"),
        octets[_UDP_HEAD : max(length, _UDP_HEAD)],
        whole and _UDP_HEAD <= length <= len(octets),
    )


def _network(link_type: int, octets: bytes) -> bytes:
    """The IP packet; empty if there is none."""
    if link_type in _RAW:
        return octets
    if link_type in _FAMILY:
        return octets[4:]
    if link_type == _COOKED:
        return octets[16:] if int.from_bytes(octets[14:16], "big") in {IPV4, IPV6} else b""
    if link_type == _COOKED_2:
        return octets[20:] if int.from_bytes(octets[:2], "big") in {IPV4, IPV6} else b""
    if link_type != _ETHERNET:
        return b""
    at = 12
    for _ in range(MAX_TAGS):
        if (kind := int.from_bytes(octets[at : at + 2], "big")) not in _VLAN:
            return octets[at + 2 :] if kind in {IPV4, IPV6} else b""
        at += 4
    return b""
