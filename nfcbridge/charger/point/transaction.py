"""Transactions: one that runs, and those that are completed."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

_SECONDS_PER_MINUTE: Final = 60
# Decimals of a consumption in kWh: meters count watt-hours.
WATT_HOURS: Final = 3


class Owner(msgspec.Struct, frozen=True):
    """Whom a tag of the whitelist belongs to; empty where the whitelist or the users say nothing."""

    user_id: str = ""
    user_name: str = ""


class Transaction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A transaction as the interface tells it.

    Attributes:
        transaction_id: 1, 2, 3 ... also over restarts.
        user_id: empty if the tag belongs to nobody.
        user_name: likewise; left out in the mode without UID.
        tag_id: what authorized it; left out likewise.
        start: UTC.
        end: UTC; none while it runs.
        duration: full minutes, until now while it runs.
        consumption: kWh, likewise.
    """

    transaction_id: int
    user_id: str
    user_name: str | UnsetType = UNSET
    tag_id: str | UnsetType = UNSET
    start: str
    end: str | UnsetType = UNSET
    duration: int
    consumption: float

    def without_uid(self) -> "Transaction":
        """The same without user name and tag id (setting RestApi_web)."""
        return msgspec.structs.replace(self, user_name=UNSET, tag_id=UNSET)


class Authorization(msgspec.Struct, frozen=True):
    """Who may charge, and by which tag. `free`: nobody held it to the reader, charging is free."""

    tag_id: str
    owner: Owner
    free: bool = False

    def is_card(self, tag_id: str) -> bool:
        """Whether this is the tag that was held to the reader."""
        return tag_id == self.tag_id and not self.free


class Running(msgspec.Struct, frozen=True):
    """A transaction that runs.

    Attributes:
        number: its id.
        began: seconds.
        start: the same, UTC.
        energy: kWh on the meter when it began.
    """

    number: int
    holder: Authorization
    began: float
    start: str
    energy: float

    def told(self, now: float, energy: float, end: str | UnsetType = UNSET) -> Transaction:
        """What there is to tell about it.

        Args:
            now: seconds.
            energy: kWh on the meter.
            end: UTC, if it ends now.
        """
        return Transaction(
            transaction_id=self.number,
            user_id=self.holder.owner.user_id,
            user_name=self.holder.owner.user_name,
            tag_id=self.holder.tag_id,
            start=self.start,
            end=end,
            duration=int((now - self.began) // _SECONDS_PER_MINUTE),
            consumption=round(energy - self.energy, WATT_HOURS),
        )
