"""Faults on demand, for those who test an app: what was asked for, until it has struck.

    next=500          the next answer has this status and nothing else
    late=2s           the next answer comes so much later
    cut=BLOCKS        the phone's field is lost when so many more blocks have crossed
    lose-field        the phone's field is lost at once
    expire-sessions   every session is over at once

Each strikes once. Asked for again before that, the last one counts. Only the interface itself is meant: what controls
the simulation always works.
"""

import re
from typing import Annotated, Final, assert_never

import msgspec

from nfcbridge.charger.point.duration import parse_duration
from nfcbridge.errors import ConfigError

# Statuses that an answer can fail with.
MIN_STATUS: Final = 400
MAX_STATUS: Final = 599
# Seconds that an answer can be late: over NFC it is given up after 8 s, and no client waits two minutes.
MAX_LATE: Final = 120.0
# Blocks until the field is lost: more than the largest answer takes, sent in the shortest blocks.
MAX_BLOCKS: Final = 10_000


class Fault(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="fault"):
    """Something that shall go wrong: the root of what follows."""


class Next(Fault, frozen=True, tag="next"):
    """The next answer has this status."""

    status: Annotated[int, msgspec.Meta(ge=MIN_STATUS, le=MAX_STATUS)]


class Late(Fault, frozen=True, tag="late"):
    """The next answer comes so many real seconds later."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_LATE)]


class Cut(Fault, frozen=True, tag="cut"):
    """The field is lost when so many more blocks have crossed, either way."""

    blocks: Annotated[int, msgspec.Meta(ge=1, le=MAX_BLOCKS)]


class LoseField(Fault, frozen=True, tag="lose-field"):
    """The field is lost now."""


class ExpireSessions(Fault, frozen=True, tag="expire-sessions"):
    """All sessions are over now."""


AnyFault = Next | Late | Cut | LoseField | ExpireSessions

FORMS: Final = (
    f"next=STATUS ({MIN_STATUS} to {MAX_STATUS}), late=TIME (up to {MAX_LATE:g}s), cut=BLOCKS (1 to {MAX_BLOCKS}), "
    "lose-field, expire-sessions"
)
_NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)


def parse_fault(text: str) -> AnyFault:
    """The fault of a text such as `next=500`.

    Raises:
        ConfigError: it is none; the message says what is.
    """
    name, _, value = text.partition("=")
    fields: dict[str, object] = {"fault": name}
    if name == "late":
        fields["seconds"] = parse_duration(value)
    elif name in ("next", "cut") and _NUMBER.fullmatch(value):
        fields["status" if name == "next" else "blocks"] = int(value)
    elif "=" in text:
        fields["fault"] = text
    try:
        fault: AnyFault = msgspec.convert(fields, AnyFault)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{text!r} is no fault that can be had; there are {FORMS}") from error
    return fault


class Faults:
    """The faults that are still to strike."""

    def __init__(self) -> None:
        self._next: Next | None = None
        self._late: Late | None = None
        self._blocks = 0

    def order(self, fault: Next | Late | Cut) -> None:
        """This shall go wrong."""
        match fault:
            case Next():
                self._next = fault
            case Late():
                self._late = fault
            case Cut():
                self._blocks = fault.blocks
            case _:
                assert_never(fault)

    def waiting(self) -> list[AnyFault]:
        """What is still to strike; `cut` with the blocks that are left."""
        cut = Cut(self._blocks) if self._blocks else None
        return [fault for fault in (self._next, self._late, cut) if fault]

    def take_status(self) -> int | None:
        """The status that an answer shall have; None: its own. To be asked once for every answer."""
        fault, self._next = self._next, None
        return fault.status if fault else None

    def take_delay(self) -> float:
        """Real seconds that an answer shall wait. To be asked once for every answer."""
        fault, self._late = self._late, None
        return fault.seconds if fault else 0.0

    def cut_now(self) -> bool:
        """Whether the field is lost now. To be asked once for every block that crossed, by one thread at a time."""
        if not self._blocks:
            return False
        self._blocks -= 1
        return self._blocks == 0
