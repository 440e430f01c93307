"""When a reader device looks for cards between offering the tag, and which of the cards that it sees are new. Sans I/O.

    hybrid      |---- the tag is offered, LISTEN ----|-- LOOK --|---- LISTEN ----|-- LOOK --| ...
    RFID only   |-- LOOK --|-REST-|-- LOOK --|-REST-| ...

What the reader looks for is the charge point's affair (`Oversight`): not while a phone is served, nor within a minute
after its last APDU, except in pairing mode, which a phone has enabled just now for a card. While a phone is before the
reader nothing is looked for at all.

A card that is also a Type 4 Tag counts like any other: many cards of charge points are (DESFire, SAK 20), and all that
is asked of them is their UID. A UID of 4 octets that begins with 08 is not a card's: it is made up anew at each
activation (ISO 14443-3), by phones that are cards themselves, by passports, and by cards that hide who they are. It
could never be in a whitelist, so it is told and nothing else comes of it. One card has such a UID for good: it switches
older controllers of the vendor to peer-to-peer, which is not spoken here, and that is told.
"""

from typing import Final

LISTEN: Final = 0.75
"""Seconds in which the tag is offered: phones look for tags every 0.5 s (AOSP, NFA_DM_DISC_DURATION_POLL), so that one
whole round of theirs fits, and a phone that came during a look is not missed again by the next."""

LOOK: Final = 0.15
"""Seconds of a look for cards: three tries, as a card may be on its way. A card is ready 5 ms after the field is on."""

REST: Final = 0.1
"""Seconds between two looks where no tag is offered: without a field for so long, a card that hangs begins anew."""

HELD: Final = 2.5
"""Seconds for which a card is not seen until it was taken away: one at the edge of the field is missed now and then,
and of two cards a look sees one."""

PEER_TO_PEER_CARD: Final = bytes.fromhex("08EBEE08")

UID_IS_RANDOM: Final = "ignored, the UID is random: a phone that is a card, or a card that hides its own"
FOR_PEER_TO_PEER: Final = "ignored, it switches older controllers to peer-to-peer, which is not spoken here"

RANDOM_UID: Final = 0x08
_RANDOM_SIZE: Final = 4


def ignored(uid: bytes) -> str:
    """Return why a card is not the charge point's affair, in words; empty if it is."""
    if uid == PEER_TO_PEER_CARD:
        return FOR_PEER_TO_PEER
    return UID_IS_RANDOM if len(uid) == _RANDOM_SIZE and uid[0] == RANDOM_UID else ""


class CardLooks:
    """The looks of one reader device. Times are seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._seen_at: dict[bytes, float] = {}  # of the last HELD seconds, so that there are few

    def due_in(self, now: float) -> float:
        """Return the seconds until the next look; 0 or less: now."""
        return self._next_at - now

    def looked(self, uid: bytes | None, now: float, *, offered: bool) -> bytes | None:
        """Note a look that has ended now.

        Args:
            uid: what was found, if something was.
            now: the time.
            offered: the tag is offered between looks.

        Returns:
            The UID if it is one that was not there before, else None.
        """
        self._next_at = now + (LISTEN if offered else REST)
        self._seen_at = {each: at for each, at in self._seen_at.items() if now - at < HELD}
        if uid is None:
            return None
        kind = (
            bytes([RANDOM_UID]) if ignored(uid) == UID_IS_RANDOM else uid
        )  # the next one of the same phone is another
        new = kind not in self._seen_at
        self._seen_at[kind] = now
        return uid if new else None
