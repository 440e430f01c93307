"""A tag in the radio of an Android emulator: `casimir:HOST:PORT` or `casimir:/PATH`. The card end; whole APDUs.

casimir emulates the NFC controller of Cuttlefish and the Android emulator. Its hub (port 7001 where it runs alone, 7900
plus the instance in Cuttlefish, or a Unix socket) joins phones and tags; we are one of the tags:

    poll for NFC-A        NFCID1 and that we speak ISO-DEP; polls for other technologies are not for us
    select for ISO-DEP    our ATS without TL, and the phone is our peer until it deactivates us or leaves
    data                  a command APDU, whole; without octets: a presence check, answered likewise and never passed on
    deactivate            the field is off; of another phone it is nothing to us

There is no S(WTX) at this level and casimir itself waits for ever, but Android's stack does not: 618 ms for a command
of IsoDep and 1 s for one of Ndef. The hold time of 0.4 s is within both.
"""

import socket
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

from nfcbridge.errors import LinkError
from nfcbridge.links.address import parse_address
from nfcbridge.links.casimir_packets import (
    MAX_PACKET,
    NEW_HEADER,
    OLD_HEADER,
    Kind,
    Packet,
    Protocol,
    Technology,
    data,
    header_size,
    poll_response,
    select_response,
)
from nfcbridge.links.link import CardIdentity, CardSelected, Frame, Incoming
from nfcbridge.links.socket_card import CONNECT_TIMEOUT, FIELD_OFF, SocketCard, connect_to_port

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7001

MAX_FRAME: Final = MAX_PACKET - NEW_HEADER
"""Octets of the longest APDU that fits a packet with either header."""

_FSD: Final = (16, 24, 32, 40, 48, 64, 96, 128, 256)  # by FSDI, the upper half of the parameter octet of RATS
_NOTHING: Final[tuple[bytes, Incoming | None]] = (b"", None)


class CasimirTalk:
    """What the hub says to a tag. It implements `Talk`.

    Args:
        identity: NFCID1, SENS_RES and ATS.
    """

    peer = "the hub"
    guest = "the tag"
    order: Literal["little"] = "little"
    max_frame = MAX_FRAME
    silence_allowed = None  # without a phone it says nothing
    why_silent = ""

    def __init__(self, identity: CardIdentity) -> None:
        self._identity = identity
        self._header = OLD_HEADER
        self._phone: Packet | None = None  # the last packet of the phone that has selected us
        self._asked = False  # a command is without answer

    def take(self, message: bytes) -> tuple[bytes, Incoming | None]:
        """See `Talk.take`. Most packets are nothing to the card."""
        packet = Packet.parse(message)
        if packet is None:
            return _NOTHING
        self._header = header_size(packet) or self._header
        ours = self._phone is not None and packet.sender == self._phone.sender
        if packet.kind == Kind.DEACTIVATE:
            return b"", self._lost() if ours else None
        if packet.technology != Technology.NFC_A:
            return _NOTHING
        if packet.kind == Kind.POLL_COMMAND:
            return self._polled(packet, ours=ours)
        if packet.protocol != Protocol.ISO_DEP:
            return _NOTHING
        if packet.kind == Kind.SELECT_COMMAND and (ours or self._phone is None):
            return self._selected(packet)
        if packet.kind == Kind.DATA and ours:
            return self._command(packet)
        return _NOTHING

    def _lost(self) -> Incoming:
        self.leave()
        return FIELD_OFF

    def _polled(self, packet: Packet, *, ours: bool) -> tuple[bytes, Incoming | None]:
        if self._phone is not None and not ours:
            return _NOTHING
        reply = poll_response(packet, self._header, self._identity.uid, self._identity.sens_res)
        return reply, self._lost() if ours else None  # a phone that looks for tags has none

    def _selected(self, packet: Packet) -> tuple[bytes, Incoming | None]:
        parameter = packet.body(self._header)[:1]
        self._phone = packet
        self._asked = False
        fsd = _FSD[min(parameter[0] >> 4, len(_FSD) - 1)] if parameter else None
        return select_response(packet, self._header, self._identity.ats), CardSelected(fsd)

    def _command(self, packet: Packet) -> tuple[bytes, Incoming | None]:
        self._phone = packet
        command = packet.body(self._header)
        if not command:  # a presence check
            return data(packet, self._header, b""), None
        self._asked = True
        return b"", Frame(command)

    def answer(self, response: bytes) -> bytes:
        """See `Talk.answer`."""
        asked, self._asked = self._asked, False
        return data(self._phone, self._header, response) if asked and self._phone is not None else b""

    def leave(self) -> bool:
        """See `Talk.leave`."""
        phone, self._phone = self._phone, None
        self._asked = False
        return phone is not None


def open_card(address: str, identity: CardIdentity) -> SocketCard:
    """Open the card end of `casimir:HOST:PORT` or `casimir:/PATH`; `address` is what follows the first colon.

    Raises:
        ConfigError: no such port.
        LinkError: nobody listens there.
    """
    connect: Callable[[], socket.socket]
    if address.startswith("/"):
        name, connect = address, partial(connect_to_path, address)
    else:
        host, port = parse_address(address, host=DEFAULT_HOST, port=DEFAULT_PORT)
        name, connect = f"{host}:{port}", partial(connect_to_port, host, port)
    try:
        sock = connect()
    except OSError as error:
        raise LinkError(
            f"no casimir at {name} ({error.strerror or error}): start it, or Cuttlefish, "
            "whose instance N has it at port 7899 + N"
        ) from error
    return SocketCard(sock, connect, CasimirTalk(identity), f"casimir:{name}")


def connect_to_path(path: str) -> socket.socket:
    """Return a connection to a Unix socket.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(CONNECT_TIMEOUT)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock
