"""What a charge point shows to who stands before it: the LEDs of the reader's board, and the buzzer.

The patterns are the vendor's table of the boards RFID105-L1, RFID114 and RFID117-L1 (documentation 5.33, "RFID
accessory LED indicators"); that of a vehicle that waits for authorization is the one of the RFID110-L1 (manual of the
CC612, 03.2019, page 39), as the table has none.
"""

from enum import StrEnum
from typing import Final

import msgspec

# Beeps in pairing mode (API reference, "Enable the whitelist pairing mode").
BEEPS_UNKNOWN_TAG: Final = 1
BEEPS_KNOWN_TAG: Final = 2


class HmiState(StrEnum):
    """What the charge point tells."""

    READY = "ready"
    RESERVED = "reserved"
    """Nothing leads here: only a backend reserves, and none is simulated."""
    READING_CARD = "reading_card"
    """Authenticating, in the vendor's table; while a phone is served too."""
    AUTHORIZED = "authorized"
    """Authorized, without a vehicle."""
    CONNECTED = "connected"
    """A vehicle is there that is not authorized, or no more."""
    CHARGING = "charging"
    AUTHORIZATION_FAILED = "authorization_failed"
    UNAVAILABLE = "unavailable"
    UPDATING = "updating"


class Colour(StrEnum):
    """What an LED shows."""

    GREEN = "green"
    YELLOW = "yellow"
    BLUE = "blue"
    WHITE = "white"


class Motion(StrEnum):
    """What a pattern does."""

    STEADY = "steady"
    ROTATING = "rotating"
    SLOW = "slow"
    BLINKING = "blinking"
    FAST = "fast"


class Pattern(msgspec.Struct, frozen=True):
    """A pattern of the LEDs: one colour on all that take part, or one on each."""

    colours: tuple[Colour, ...]
    motion: Motion


_ALL: Final = (Colour.GREEN, Colour.YELLOW, Colour.BLUE)

PATTERNS: Final[dict[HmiState, Pattern]] = {
    HmiState.READY: Pattern((Colour.GREEN,), Motion.STEADY),
    HmiState.RESERVED: Pattern((Colour.YELLOW,), Motion.STEADY),
    HmiState.READING_CARD: Pattern((Colour.WHITE,), Motion.ROTATING),
    HmiState.AUTHORIZED: Pattern((Colour.BLUE,), Motion.FAST),
    HmiState.CONNECTED: Pattern((Colour.GREEN,), Motion.SLOW),
    HmiState.CHARGING: Pattern((Colour.BLUE,), Motion.BLINKING),
    HmiState.AUTHORIZATION_FAILED: Pattern(_ALL, Motion.FAST),
    HmiState.UNAVAILABLE: Pattern(_ALL, Motion.STEADY),
    HmiState.UPDATING: Pattern(_ALL, Motion.BLINKING),
}
