"""GSMTAP packets of a SIM (UDP port 4729): command and response in one, which is to be cut in two.

    02 | length of the header in 32-bit words | 04: SIM | ... | octet 12: 00 APDU, 01 ATR, 02 and up: parts | ...

Nothing says where the response begins. Sniffers of SIM cards write what T=0 carries, where a command with data has no
Le; others write whole APDUs. What is taken here: SELECT, UPDATE and other commands whose fifth octet can be an Lc, then
an Le if an octet stands where one can; READ and others with an Le alone. Source: include/osmocom/core/gsmtap.h of
libosmocore, and packet-gsm_sim.c of Wireshark.
"""

from typing import Final

PORT: Final = 4729
VERSION: Final = 2
SIM: Final = 4
MIN_HEADER: Final = 16

APDU: Final = 0
ATR: Final = 1

_SW: Final = 2
_HEADER: Final = 4
_LONG: Final = 7
"""Octets up to a length of three octets."""

CASE_2: Final = frozenset({0xB0, 0xB1, 0xB2, 0xB3, 0xC0, 0xCA, 0xCB, 0x84, 0xF2, 0x12})
"""INS whose commands bring no data: READ BINARY, READ RECORD, GET RESPONSE, GET DATA, GET CHALLENGE, STATUS, FETCH."""


def payload_of(octets: bytes) -> tuple[int, bytes] | None:
    """Kind and payload of a packet of a SIM; None if it is none of this version."""
    if len(octets) < MIN_HEADER or octets[0] != VERSION or octets[2] != SIM:
        return None
    length = octets[1] * 4
    return None if length < MIN_HEADER else (octets[12], octets[length:])


def split_apdus(octets: bytes) -> int | None:
    """How many octets are the command; None if the octets cannot be a command and a response."""
    left = len(octets) - _SW
    if left < _HEADER:
        return None
    if left == _HEADER:
        return _HEADER  # case 1
    return _split_reading(octets, left) if octets[1] in CASE_2 else _split_writing(octets, left)


def _split_reading(octets: bytes, left: int) -> int:
    """CLA INS P1 P2 Le; an Le of three octets is one that says how many data follow it.

    At offset 0 a file begins with its own length, which looks the same behind an Le of one octet: there the data that
    would follow an Le of three must begin with a length as well.
    """
    count = left - _LONG
    if octets[4] or count <= 0 or int.from_bytes(octets[5:7], "big") not in {count, 0}:
        return 5
    if octets[2:4] == b"\x00\x00" and int.from_bytes(octets[7:9], "big") not in {count, count - 2}:
        return 5
    return _LONG


def _split_writing(octets: bytes, left: int) -> int:
    length = octets[4]
    if length == 0:
        if left < _LONG:
            return 5  # Le 00 alone, as in SELECT without a name
        long = int.from_bytes(octets[5:7], "big")
        if long == 0 or _LONG + long > left:
            return 5
        end = _LONG + long
        return end + 2 if left >= end + 2 and octets[end : end + 2] == b"\x00\x00" else end
    end = 5 + length
    if end > left:
        # T=0 asks with the fifth octet as Le: all that follows is the response.
        return 5
    # Le 00 is usual; a response's data begin with a tag, which is never 00.
    return end + 1 if left > end and octets[end] == 0 else end
