"""Commands over PC/SC in as many parts as the card wants: T=0 of ISO/IEC 7816-3 shows through.

    61xx   xx octets wait: GET RESPONSE (00 C0 00 00 xx) fetches them, and there may be more
    6Cxx   Le was wrong: the same command with Le xx
    T=0    knows no command with data and Le: the Le stays behind, and 61xx says what there is; and no extended APDUs

Some cards and readers do the first two with T=1 as well, and no response of a Type 4 Tag looks like them.
"""

from collections.abc import Callable
from typing import Final

from nfcbridge.errors import LocalProtocolError

MAX_RESPONSE: Final = 0x10000 + 2
"""Octets of the longest response APDU, put together of however many parts."""

MAX_PARTS: Final = MAX_RESPONSE
"""GET RESPONSE commands for one response at most: a card that gives one octet each needs so many."""

_SHORT_HEADER: Final = 5  # CLA INS P1 P2 Lc
_GET_RESPONSE: Final = 0xC0
_MORE: Final = 0x61  # SW1: so many octets wait
_WRONG_LE: Final = 0x6C  # SW1: so many octets would have been right
_CHANNEL: Final = 0x03  # bits of CLA

Transmit = Callable[[bytes], bytes]
"""Sends a command and returns the response, 2 octets at least."""


def exchange(command: bytes, transmit: Transmit, *, t0: bool) -> bytes:
    """Send a command and fetch all of its response.

    Args:
        command: whole.
        transmit: how.
        t0: the card speaks T=0.

    Raises:
        LocalProtocolError: an extended command, and T=0.
    """
    response = transmit(without_le(command) if t0 else command)
    if is_wrong_le(response):
        response = transmit(with_le(command, response[1]))
    data = bytearray()
    for _ in range(MAX_PARTS):
        data += response[:-2]
        if response[-2] != _MORE or len(data) > MAX_RESPONSE:
            break
        fetch = bytes((command[0] & _CHANNEL, _GET_RESPONSE, 0, 0, response[-1]))
        response = transmit(fetch)
        if is_wrong_le(response):
            response = transmit(with_le(fetch, response[1]))
    return bytes(data) + response[-2:]


def is_wrong_le(response: bytes) -> bool:
    """Tell whether the card wants the command again with the Le that it says."""
    return len(response) == 2 and response[0] == _WRONG_LE  # noqa: PLR2004 - a status word alone


def without_le(command: bytes) -> bytes:
    """Return a command as T=0 takes it: a short one with data goes without Le, and its response is fetched.

    Raises:
        LocalProtocolError: an extended command, which T=0 knows no way to carry.
    """
    if len(command) <= _SHORT_HEADER:
        return command
    if command[4] == 0:
        raise LocalProtocolError("the card speaks T=0, which carries no extended APDU")
    return command[: _SHORT_HEADER + command[4]]


def with_le(command: bytes, le: int) -> bytes:
    """Return a short command with another Le, or with one where it had none."""
    end = 4 if len(command) <= _SHORT_HEADER else _SHORT_HEADER + command[4]
    return command[:end] + bytes([le])
