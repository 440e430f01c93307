"""CRC_A of ISO/IEC 14443-3: polynomial x^16 + x^12 + x^5 + 1, initial value 6363, low octet first on the air.

The check value of the octets `00 00` is `A0 1E`, of `12 34` it is `26 CF` (both examples of the standard, annex B).
"""

from typing import Final

CRC_SIZE: Final = 2
"""Octets of the CRC."""

_INITIAL: Final = 0x6363
_POLYNOMIAL: Final = 0x8408  # with the bit order turned round, since octets cross low bit first


def _row(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (_POLYNOMIAL if octet & 1 else 0)
    return octet


_TABLE: Final = tuple(_row(octet) for octet in range(256))


def crc_a(octets: bytes) -> bytes:
    """The two octets that follow these on the air."""
    crc = _INITIAL
    for octet in octets:
        crc = crc >> 8 ^ _TABLE[(crc ^ octet) & 0xFF]
    return crc.to_bytes(CRC_SIZE, "little")


def drop_crc(octets: bytes) -> bytes | None:
    """The octets before a CRC that is right; None if there is none, or nothing before it."""
    body = octets[:-CRC_SIZE]
    return body if body and crc_a(body) == octets[-CRC_SIZE:] else None
