"""The key-value store of the customer: what may be kept, and when. All pairs of a request, or none.

Whoever keeps a pair has to be able to address it later, which is why no key is empty.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta

from nfcbridge.charger.policy import Failed, failed

# API reference, "Add new key/value pair(s) to database"; characters are Unicode code points.
MAX_PAIRS: Final = 1_000
MAX_KEY: Final = 256
MAX_VALUE: Final = 1_000

Pairs = dict[Annotated[str, Meta(min_length=1, max_length=MAX_KEY)], Annotated[str, Meta(max_length=MAX_VALUE)]]


def new_fault(pairs: Mapping[str, str], new: Mapping[str, str]) -> Failed | None:
    """Why these cannot be added."""
    if not new.keys().isdisjoint(pairs):
        return failed("key already exists")
    return failed("too many entries") if len(pairs) + len(new) > MAX_PAIRS else None


def change_fault(pairs: Mapping[str, str], changed: Mapping[str, str]) -> Failed | None:
    """Why these cannot be changed."""
    return None if changed.keys() <= pairs.keys() else failed("key not found")
