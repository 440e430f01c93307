"""A card in the virtual PC/SC reader of vsmartcard: `vpcd:HOST:PORT`. The card end; whole APDUs.

vpcd is a driver inside pcscd that listens (35963 for its first slot, 35964 for the second) and takes one card a slot;
we connect. Every message, either way, is a length of 2 octets, high octet first, and so many octets:

    0001 00  power off     0001 01  power on     0001 02  reset     0001 04  say the ATR
    000D 00A4040007...     a command; the answer is a message too
"""

import socket
from enum import IntEnum
from functools import reduce
from operator import xor
from typing import Final, Literal

from nfcbridge.errors import ConfigError, LinkError
from nfcbridge.links.address import parse_address
from nfcbridge.links.link import CardIdentity, CardSelected, Frame, Incoming
from nfcbridge.links.socket_card import FIELD_OFF, LENGTH_SIZE, SocketCard, connect_to_port

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 35963

MAX_FRAME: Final = 0xFFFF
"""Octets of the longest APDU: the length has 2 octets."""

MAX_HISTORICAL: Final = 15
"""Historical octets that an ATR holds: T0 counts them in 4 bits."""

SILENCE_ALLOWED: Final = 3.0
"""Seconds in which vpcd must have asked for the ATR. It does so every 0.4 s unless another card has the slot."""

_SELECTED: Final = CardSelected()


class Control(IntEnum):
    """The messages of one octet. As APDUs they would be too short, so nothing is lost."""

    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    ATR = 4


def make_atr(historical: bytes) -> bytes:
    """Return the ATR that PC/SC (part 3) gives to a card of ISO 14443-4.

        TS 3B | T0 8n | TD(1) 80 | TD(2) 01 | historical octets | TCK, the exclusive or of all but TS

    Raises:
        ConfigError: more than 15 historical octets.
    """
    if len(historical) > MAX_HISTORICAL:
        raise ConfigError(f"an ATR holds {MAX_HISTORICAL} historical octets, the ATS has {len(historical)}")
    body = bytes([0x80 | len(historical), 0x80, 0x01]) + historical
    return b"\x3b" + body + bytes([reduce(xor, body)])


CONTROLS: Final = {bytes([control]): control for control in Control}


class VpcdTalk:
    """What vpcd says to a card. It implements `Talk`.

    Args:
        historical: the octets of the ATS that make the ATR.

    Raises:
        ConfigError: they fit no ATR.
    """

    peer = "vpcd"
    guest = "the card"
    order: Literal["big"] = "big"
    max_frame = MAX_FRAME
    why_silent = "another card has this slot; close it or take the next"

    def __init__(self, historical: bytes) -> None:
        self.silence_allowed = SILENCE_ALLOWED
        self._atr = _with_length(make_atr(historical))
        self._powered = False
        self._asked = False  # a command is without answer

    def take(self, message: bytes) -> tuple[bytes, Incoming | None]:
        """See `Talk.take`."""
        control = CONTROLS.get(message)
        if control is None:
            if not message:
                return b"", None
            self._asked = True
            return b"", Frame(message)
        if control is Control.ATR:
            return self._atr, None
        powered, self._powered = self._powered, control is not Control.POWER_OFF
        if self._powered:
            return b"", _SELECTED
        return b"", FIELD_OFF if powered else None

    def answer(self, response: bytes) -> bytes:
        """See `Talk.answer`."""
        asked, self._asked = self._asked, False
        return _with_length(response) if asked else b""

    def leave(self) -> bool:
        """See `Talk.leave`."""
        powered, self._powered = self._powered, False
        self._asked = False
        return powered


def _with_length(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH_SIZE, VpcdTalk.order) + message


def open_card(address: str, identity: CardIdentity) -> SocketCard:
    """Open the card end of `vpcd:HOST:PORT`; `address` is what follows the first colon.

    Raises:
        ConfigError: no such port, or historical octets that fit no ATR.
        LinkError: nobody listens there.
    """
    host, port = parse_address(address, host=DEFAULT_HOST, port=DEFAULT_PORT)
    talk = VpcdTalk(identity.historical)  # refused before there is a socket

    def connect() -> socket.socket:
        return connect_to_port(host, port)

    try:
        sock = connect()
    except OSError as error:
        raise LinkError(
            f"no vpcd at {host}:{port} ({error.strerror or error}): "
            "start pcscd with its driver (apt-get install pcscd vsmartcard-vpcd)"
        ) from error
    return SocketCard(sock, connect, talk, f"vpcd:{host}:{port}")
