"""Charging transactions: those that are completed, and whether one runs.

`from` and `to` are inclusive, and a transaction is selected when it is between them from its start to its end. It has
milliseconds, and what is given may have more, so `from` is rounded up and `to` down. All times are UTC in the one form
that sorts as it reads: 2019-11-23T19:35:43.511Z.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nfcbridge.charger.answers import Done
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.point.clock import format_utc
from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.policy import Failed, failed

# Before and after every time, as text.
FIRST: Final = ""
LAST: Final = "~"
# Decimals of kWh.
_WATT_HOURS: Final = 3

Moment = Annotated[datetime, Meta(tz=True)]


class Timespan(msgspec.Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """When: from the one to the other, without bounds where one is left out."""

    since: Moment | UnsetType = UNSET
    until: Moment | UnsetType = UNSET


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """How many, full minutes, kWh."""

    transaction_count: int
    total_duration: int
    total_consumption: float


async def get_transactions(controller: Controller, call: Call[None, Timespan]) -> list[Transaction] | Failed:
    """Those that are completed, the oldest first."""
    selected = _selected(controller, call.query)
    if isinstance(selected, Failed) or controller.shows_uid:
        return selected
    return [transaction.without_uid() for transaction in selected]


async def get_summary(controller: Controller, call: Call[None, Timespan]) -> Summary | Failed:
    """What they come to."""
    selected = _selected(controller, call.query)
    if isinstance(selected, Failed):
        return selected
    return Summary(
        len(selected),
        sum(transaction.duration for transaction in selected),
        round(sum((transaction.consumption for transaction in selected), 0.0), _WATT_HOURS),
    )


async def get_active(controller: Controller, _call: Call[None, None]) -> Done:
    """Whether one runs."""
    return Done(controller.charger.transaction() is not None)


def _selected(controller: Controller, span: Timespan) -> list[Transaction] | Failed:
    first, last = FIRST, LAST
    if span.since is not UNSET:
        first = _text(span.since, timedelta(microseconds=-span.since.microsecond % 1000))
    if span.until is not UNSET:
        last = _text(span.until, timedelta())
        if span.since is not UNSET and span.until < span.since:
            return failed("invalid parameter 'to'")
    transactions = controller.store.transactions.rows.values()
    return [done for done in transactions if first <= done.start and str(done.end) <= last]


def _text(moment: datetime, more: timedelta) -> str:
    """The time as transactions have it."""
    try:
        return format_utc(moment + more)
    except OverflowError:  # it has another year in UTC, and one that cannot be written
        return FIRST if moment.year == 1 else LAST
