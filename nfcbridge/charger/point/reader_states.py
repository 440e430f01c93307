"""What the card reader looks for.

    RFID ONLY  <--- setting --->  LOOKING  -- a phone's APDU -->  SERVING   (a Type 4 Tag for the phone; "Reading card")
                                     ^ ------ 60 s of silence ------'

In LOOKING it reads a card or serves a phone, whichever comes (API reference, "Activation"). In SERVING it reads no
card, except in pairing mode: who asks for pairing over NFC is being served, and silence takes as long as pairing lasts.
"""

from enum import Enum, StrEnum
from typing import Final

import msgspec

from nfcbridge.charger.point.inputs import TagType


class ReaderState(StrEnum):
    """What the reader does."""

    OFF = "off"
    """The controller starts."""
    RFID_ONLY = "rfid only"
    LOOKING = "looking"
    SERVING = "serving a phone"


TAG_PRESENT: Final = frozenset({ReaderState.LOOKING, ReaderState.SERVING})
"""Where a phone finds a tag."""


class ReaderInput(Enum):
    """What happens to a reader."""

    START_RFID_ONLY = "started as RFID only"
    START_HYBRID = "started as hybrid"
    RFID_ONLY = "set to RFID only"
    HYBRID = "set to hybrid"
    APDU = "a phone sent an APDU"
    SILENCE = "no APDU for a minute"
    POWER_LOST = "the mains failed"


# (state, input) -> state. A pair not listed cannot happen.
READER: Final[dict[tuple[ReaderState, ReaderInput], ReaderState]] = {
    (ReaderState.OFF, ReaderInput.START_RFID_ONLY): ReaderState.RFID_ONLY,
    (ReaderState.OFF, ReaderInput.START_HYBRID): ReaderState.LOOKING,
    (ReaderState.OFF, ReaderInput.RFID_ONLY): ReaderState.OFF,  # the start looks at the setting
    (ReaderState.OFF, ReaderInput.HYBRID): ReaderState.OFF,
    (ReaderState.RFID_ONLY, ReaderInput.RFID_ONLY): ReaderState.RFID_ONLY,
    (ReaderState.RFID_ONLY, ReaderInput.HYBRID): ReaderState.LOOKING,
    (ReaderState.LOOKING, ReaderInput.RFID_ONLY): ReaderState.RFID_ONLY,
    (ReaderState.LOOKING, ReaderInput.HYBRID): ReaderState.LOOKING,
    (ReaderState.SERVING, ReaderInput.RFID_ONLY): ReaderState.RFID_ONLY,
    (ReaderState.SERVING, ReaderInput.HYBRID): ReaderState.SERVING,
    # The tag goes a moment after the reader: what a phone still sends then serves nobody.
    (ReaderState.OFF, ReaderInput.APDU): ReaderState.OFF,
    (ReaderState.RFID_ONLY, ReaderInput.APDU): ReaderState.RFID_ONLY,
    (ReaderState.LOOKING, ReaderInput.APDU): ReaderState.SERVING,
    (ReaderState.SERVING, ReaderInput.APDU): ReaderState.SERVING,
    (ReaderState.SERVING, ReaderInput.SILENCE): ReaderState.LOOKING,
    (ReaderState.OFF, ReaderInput.POWER_LOST): ReaderState.OFF,
    (ReaderState.RFID_ONLY, ReaderInput.POWER_LOST): ReaderState.OFF,
    (ReaderState.LOOKING, ReaderInput.POWER_LOST): ReaderState.OFF,
    (ReaderState.SERVING, ReaderInput.POWER_LOST): ReaderState.OFF,
}


class PairedTag(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The tag that pairing mode read last; what the whitelist knows of it is to be looked up when it is asked for."""

    id: str
    tag_type: TagType


class Outcome(StrEnum):
    """What became of a tag that was held to the reader."""

    ACCEPTED = "accepted"
    STOPPED = "stopped the transaction"
    REJECTED = "rejected"
    """Not in the whitelist, or not the tag that the running transaction belongs to."""
    PAIRED_UNKNOWN = "paired, unknown"
    PAIRED_KNOWN = "paired, known"
    NOT_NEEDED = "not needed, charging is free"
    OUT_OF_ORDER = "not accepted, an error prevents charging"
    UNREAD_OFF = "not read, the reader is off"
    UNREAD_SERVING = "not read, the reader serves a phone"
