"""What can happen to a charge point, from outside of the interface: by hand, by a scenario, or by a phone.

In JSON and TOML each is an object, `do` says which: `{"do": "swipe", "id": "abcdef12"}`.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from nfcbridge.charger.point.messages import MessageName

# Characters of a tag's id. The longest that exists has 20: a UID of 10 octets.
MAX_TAG_ID: Final = 64

# Not "$", which is also true before a newline at the end.
TagId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TAG_ID, pattern=r"^[!-+\--~]*(?![\s\S])")]
"""Printable ASCII without space and comma, which stands between the ids that are to be deleted from the whitelist."""


class TagType(StrEnum):
    """What a tag is."""

    RFID = "RFID"
    EVCCID = "EVCCID"
    """The MAC address by which a vehicle is known on the charging cable (autocharge)."""
    NFC = "NFC"


class Socket(StrEnum):
    """Where a vehicle is plugged in."""

    TYPE2 = "type2"
    SCHUKO = "schuko"
    """The domestic socket: no control pilot, whatever is plugged in takes current when there is some."""


class Input(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="do", tag=str.lower):
    """Something that happens: the root of what follows."""


class Plug(Input, frozen=True):
    """A vehicle is plugged in."""

    socket: Socket = Socket.TYPE2


class Unplug(Input, frozen=True):
    """The vehicle is unplugged."""


class Swipe(Input, frozen=True):
    """A tag is held to the reader, or the vehicle says its EVCCID."""

    id: TagId
    type: TagType = TagType.RFID


class Charge(Input, frozen=True):
    """The vehicle asks for energy: state c, or d if it needs ventilation."""

    ventilation: bool = False


class Stop(Input, frozen=True):
    """The vehicle no longer asks for energy: state b."""


class Error(Input, frozen=True):
    """An error or a warning occurs."""

    name: MessageName


class Clear(Input, frozen=True):
    """The cause of an error or warning is removed; without a name: of every one whose cause can be."""

    name: MessageName | None = None


class PowerCycle(Input, frozen=True, tag="power-cycle"):
    """The mains fail and come back."""


class Pair(Input, frozen=True):
    """Pairing mode is enabled, as by POST /whitelist/pairing."""


class Nfc(Input, frozen=True):
    """A phone sent an APDU. `octets` of it; 0 is a presence check, which does not count."""

    octets: Annotated[int, msgspec.Meta(ge=0)] = 1


AnyInput = Plug | Unplug | Swipe | Charge | Stop | Error | Clear | PowerCycle | Pair | Nfc
