"""What a link is: how octets reach the card, and how they reach the card from a reader's side.

A link has two ends. The card end is where our emulated tag sits, the reader end is where a phone would be. A link is of
one of two levels:

* BLOCKS: frames of ISO 14443-4 without CRC. The link does ISO 14443-3 (request, anticollision, select); what comes
  after the selection, from RATS on, passes through as a frame.
* APDUS: whole commands and responses of ISO 7816-4. Something below the link does the blocks.

Ends are blocking and are used by one thread. Only `close` may be called by any thread.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, runtime_checkable

import msgspec

from nfcbridge.errors import ConfigError

CASCADE_TAG: Final = 0x88
"""ISO 14443-3: the first octet of a cascade level whose UID goes on in the next level."""

UID_SIZES: Final = (4, 7, 10)
"""ISO 14443-3: octets of a UID of one, two and three cascade levels."""

SEL_RES_ISO_DEP: Final = 0x20
"""ISO 14443-3: SAK with b6 set and b3 clear, UID complete and the card follows ISO 14443-4."""

_SENS_RES: Final = {4: b"\x04\x00", 7: b"\x44\x00", 10: b"\x84\x00"}
"""ATQA as sent, low octet first: b8..b7 the size of the UID, b3 bit frame anticollision (one of b5..b1 must be set)."""


class Level(Enum):
    """What the frames of a link are."""

    BLOCKS = "blocks"
    APDUS = "apdus"


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A block or an APDU, without CRC.

    Attributes:
        octets: never empty.
    """

    octets: bytes


class CardSelected(msgspec.Struct, frozen=True, gc=False):
    """A reader has selected the card: the end of ISO 14443-3, or the PC/SC reader powered it up or reset it.

    It comes without a FieldOff before it when a reader selects the card again in the same field.

    Attributes:
        fsd: octets of the reader's longest frame if the link answered RATS itself; None if it did not. On a link of
            blocks the RATS then follows as a frame.
    """

    fsd: int | None = None


class FieldOff(msgspec.Struct, frozen=True, gc=False):
    """The field is gone (or the PC/SC reader cut the power, or the other end left)."""


Incoming = Frame | CardSelected | FieldOff


class CardFound(msgspec.Struct, frozen=True, gc=False):
    """What a reader end knows of a card after its activation.

    Attributes:
        uid: 4, 7 or 10 octets; empty if the link does not say it.
        ats: the whole ATS with TL if the link sent RATS itself; None if the caller must send it.
        atr: the answer to reset that a PC/SC reader made up, None elsewhere.
    """

    uid: bytes
    ats: bytes | None = None
    atr: bytes | None = None


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What the card answers before the first block.

    Attributes:
        uid: 4, 7 or 10 octets. Readers take 08 as the first octet of 4 for a random UID.
        ats: the whole ATS with TL, for links that send it themselves; PC/SC links take the historical octets from it.
        sens_res: ATQA, 2 octets as sent (low octet first); empty: derived from the size of the UID.
        sel_res: SAK of the last cascade level.

    Raises:
        ConfigError: an identity that no reader could select.
    """

    uid: bytes
    ats: bytes
    sens_res: bytes = b""
    sel_res: int = SEL_RES_ISO_DEP

    def __post_init__(self) -> None:
        """Refuse what ISO 14443-3 cannot carry and fill in the ATQA."""
        if len(self.uid) not in UID_SIZES:
            raise ConfigError(f"a UID has 4, 7 or 10 octets, not {len(self.uid)}")
        # Each cascade level but the last sends the cascade tag and 3 octets, so levels begin at octets 0, 3 and 6.
        if CASCADE_TAG in (self.uid[start] for start in range(0, len(self.uid) - 3, 3)):
            raise ConfigError(
                f"the UID {self.uid.hex()} has 88, the cascade tag of ISO 14443-3, where a cascade level begins"
            )
        if not self.ats or self.ats[0] != len(self.ats):
            raise ConfigError(
                f"the first octet of an ATS is its length, which {self.ats.hex() or 'an empty one'} does not obey"
            )
        if not self.sens_res:
            object.__setattr__(self, "sens_res", _SENS_RES[len(self.uid)])
        if len(self.sens_res) != 2 or not self.sens_res[0] & 0x1F:  # noqa: PLR2004 - ATQA, ISO 14443-3
            raise ConfigError(f"SENS_RES has 2 octets and a bit of b5..b1 set in the first, not {self.sens_res.hex()}")
        if not 0 <= self.sel_res <= 0xFF or self.sel_res & 0x04 or not self.sel_res & 0x20:  # noqa: PLR2004 - an octet
            raise ConfigError(
                f"SEL_RES must have b6 set (ISO 14443-4) and b3 clear (UID complete), not {self.sel_res:02X}"
            )

    @property
    def historical(self) -> bytes:
        """The historical octets of the ATS: what follows TL, T0 and the interface octets that T0 announces.

        T0 is  | b8 0 | b7 TC(1) | b6 TB(1) | b5 TA(1) | b4..b1 FSCI |
        """
        if len(self.ats) == 1:
            return b""
        return self.ats[2 + (self.ats[1] & 0x70).bit_count() :]


class CardEnd(Protocol):
    """The end of a link at which our card sits."""

    @property
    def name(self) -> str:
        """The whole name, with what was left to defaults and the real port. It opens the other end too."""

    @property
    def level(self) -> Level:
        """What the frames are."""

    @property
    def max_frame(self) -> int:
        """Octets of the longest frame from the reader, CRC counted on a link of blocks: the cap of FSC."""

    @property
    def link_sends_ats(self) -> bool:
        """Whether the link answers RATS (or the ATR request) itself, from the identity."""

    def receive(self, timeout: float | None) -> Incoming | None:
        """Wait for what comes next.

        Args:
            timeout: seconds; None waits for ever, 0 only looks.

        Returns:
            What came, or None when the time is over.

        Raises:
            LinkClosedError: `close` was called, before or meanwhile.
            LinkError: the device failed.
        """

    def send(self, octets: bytes) -> None:
        """Send a frame to the reader that sent last. Nothing happens if its field is gone.

        Raises:
            LinkClosedError: `close` was called.
            LocalProtocolError: more octets than the link carries.
        """

    def halt(self) -> None:
        """Enter the HALT state of ISO 14443-3, as after an answered S(DESELECT): deaf to all but a wake-up."""

    def lose_field(self) -> None:
        """Behave as if the phone had been lifted now: deaf until the card is selected again.

        `receive` does not report it.
        """

    def close(self) -> None:
        """Free the link. Any thread may call it, more than once; a waiting `receive` raises LinkClosedError at once."""


@runtime_checkable
class CardLooker(Protocol):
    """A card end at a reader device: between phones it can look for cards. One thread uses it, as the end."""

    def poll_card(self, timeout: float) -> bytes | None:
        """Look for a card, and be no tag meanwhile; not while a phone is there.

        Args:
            timeout: seconds; about 20 ms are needed for one look.

        Returns:
            The UID of a card of type A; None: there is none, or a phone, or the device is gone.

        Raises:
            LinkClosedError: `close` was called.
            LinkError: the device failed.
        """

    def withdraw(self) -> None:
        """Be no tag until `offer`; a phone that is there loses it, which `receive` does not report."""

    def offer(self) -> None:
        """Be the tag again."""


def looker_of(end: CardEnd) -> CardLooker | None:
    """Return what looks for cards at this end, through taps around it; None if nothing does."""
    inner: object = end
    while inner is not None and not isinstance(inner, CardLooker):
        inner = getattr(inner, "inner", None)
    return inner


class ReaderEnd(Protocol):
    """The end of a link at which a phone sits."""

    @property
    def name(self) -> str:
        """The whole name, with what was left to defaults."""

    @property
    def level(self) -> Level:
        """What the frames are."""

    @property
    def max_frame(self) -> int:
        """Octets of the longest frame from the card, CRC counted on a link of blocks: the cap of FSD."""

    def activate(self, timeout: float) -> CardFound:
        """Switch the field on and wait for a card. A card that was selected before is woken up and selected again.

        Args:
            timeout: seconds.

        Raises:
            LinkTimeoutError: no card answered in time.
            LinkClosedError: `close` was called, before or meanwhile.
        """

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        """Send a frame and wait for the card's.

        Args:
            octets: the frame, without CRC.
            timeout: seconds from now.

        Returns:
            The card's frame, or None when the card was silent for that long.

        Raises:
            FieldLostError: the card is gone, or `activate` was not called.
            LinkClosedError: `close` was called.
            LocalProtocolError: more octets than the link carries.
        """

    def field_off(self) -> None:
        """Switch the field off. The card forgets that it was selected."""

    def close(self) -> None:
        """Switch the field off and free the link. Any thread may call it, more than once."""
