"""The RF packets of casimir, the NFC controller emulator of Cuttlefish and the Android emulator.

Its hub carries them by TCP or a Unix socket, each behind its length in 2 octets, low octet first (RfReader of its
main.rs). All numbers are little-endian; the layout is that of its rf_packets.pdl:

    sender 2 | receiver 2 | technology 1 | protocol 1 | type 1                          2023 to 2025: 7 octets
    sender 2 | receiver 2 | technology 1 | protocol 1 | type 1 | bit rate 1 | power 1   since 2026: 9 octets

The hub overwrites the sender with the number that it gave to the connection; receiver FFFF is everybody. A packet that
its parser refuses ends the connection, and DATA with another technology or protocol than was selected ends casimir.
"""

from enum import IntEnum
from typing import Final

import msgspec

OLD_HEADER: Final = 7
NEW_HEADER: Final = 9

LENGTH_SIZE: Final = 2
"""Octets of the length before a packet."""

MAX_PACKET: Final = 0xFFFF
"""Octets of the longest packet: what the length can say."""

T4AT_SELECT_BODY: Final = 1
"""Octets of the body of a select command for ISO-DEP: the parameter octet of RATS."""

MAX_OLD_POLL: Final = 9
"""Octets of the longest poll for NFC-A with the old header: the format of the polling frame and the WUPA in it, where
there are such. With the new header the shortest has 10."""


class Technology(IntEnum):
    """Technologies that we speak."""

    NFC_A = 0


class Protocol(IntEnum):
    """Protocols that we speak, or none so far."""

    UNDETERMINED = 0
    ISO_DEP = 4


class Kind(IntEnum):
    """Types of packets. Others, such as the field information of 2026, are of no use to a tag."""

    DATA = 0
    POLL_COMMAND = 1
    POLL_RESPONSE = 2
    SELECT_COMMAND = 3
    SELECT_RESPONSE = 4
    DEACTIVATE = 5


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One packet.

    Attributes:
        octets: the packet itself with its header, however long that is, to be cut by `body`.
    """

    sender: int
    technology: int
    protocol: int
    kind: int
    octets: bytes

    @classmethod
    def parse(cls, octets: bytes) -> "Packet | None":
        """Take the part of the header that both versions have; None if it is not there."""
        if len(octets) < OLD_HEADER:
            return None
        return cls(int.from_bytes(octets[:2], "little"), octets[4], octets[5], octets[6], octets)

    def body(self, header: int) -> bytes:
        """What follows a header of so many octets."""
        return self.octets[header:]


def header_size(packet: Packet) -> int | None:
    """Tell the octets of the header from a poll for NFC-A or a select for ISO-DEP; None: it does not show."""
    length = len(packet.octets)
    if packet.technology != Technology.NFC_A:
        return None
    if packet.kind == Kind.POLL_COMMAND:
        return OLD_HEADER if length <= MAX_OLD_POLL else NEW_HEADER
    if packet.kind == Kind.SELECT_COMMAND and packet.protocol == Protocol.ISO_DEP:
        return {OLD_HEADER + T4AT_SELECT_BODY: OLD_HEADER, NEW_HEADER + T4AT_SELECT_BODY: NEW_HEADER}.get(length)
    return None


def build_reply(to: Packet, header: int, protocol: Protocol, kind: Kind, body: bytes) -> bytes:
    """Build a packet for the sender of another one, with the length before it."""
    size = header + len(body)
    return (
        size.to_bytes(LENGTH_SIZE, "little")
        + bytes(2)  # the sender, which the hub fills in
        + to.sender.to_bytes(2, "little")
        + bytes((Technology.NFC_A, protocol, kind))
        + to.octets[OLD_HEADER:header]  # bit rate and power as they came
        + body
    )


def poll_response(to: Packet, header: int, nfcid1: bytes, sens_res: bytes) -> bytes:
    """Build the answer to a poll: NFCID1 with its size, 1 for ISO-DEP, the bit frame SDD octet of SENS_RES."""
    body = bytes([len(nfcid1)]) + nfcid1 + bytes((1, sens_res[0] & 0x1F))
    return build_reply(to, header, Protocol.UNDETERMINED, Kind.POLL_RESPONSE, body)


def select_response(to: Packet, header: int, ats: bytes) -> bytes:
    """Build the answer to a select: the ATS from T0 on with its size, which takes the place of TL."""
    return build_reply(to, header, Protocol.ISO_DEP, Kind.SELECT_RESPONSE, bytes([len(ats) - 1]) + ats[1:])


def data(to: Packet, header: int, octets: bytes) -> bytes:
    """Build a response APDU, or the answer to a presence check: no octets to no octets."""
    return build_reply(to, header, Protocol.ISO_DEP, Kind.DATA, octets)
