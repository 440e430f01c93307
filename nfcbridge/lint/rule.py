"""What a rule is, and what it finds.

A rule is data and one function. The function is given what the rule is about, which is something that a trace shows or
a fact that a tracker made of it (`facts`), and yields a hit for each fault; the linter makes findings of hits.

    NB1xx  blocks and the activation        NB4xx  messages
    NB2xx  APDUs and what the CC says       NB5xx  sessions and calls of the charge controller's interface
    NB3xx  the NDEF file                    NB6xx  times

Identifiers are kept for ever: that of a rule that is gone is not given to another one.
"""

import enum
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct

from nfcbridge.trace.seen import Seen

if TYPE_CHECKING:
    from nfcbridge.lint.known import Known


class Severity(enum.Enum):
    """How bad it is."""

    ERROR = "error"  # it does not work, or not with every phone
    WARNING = "warning"  # it works by luck, or for now
    NOTE = "note"  # it works and costs time, or is against advice


LAYERS: Final = {
    "1": "blocks",
    "2": "APDUs",
    "3": "NDEF file",
    "4": "messages",
    "5": "sessions",
    "6": "times",
}
"""By the first digit of the identifier."""

IDENTIFIER: Final = re.compile(r"NB[1-6]\d\d")


class Hit(NamedTuple):
    """A fault that was found.

    Attributes:
        what: it, in a sentence without its end; no session id, no content, and of a path nothing behind `?`.
        at: what the trace shows there, in the order of time; the last is what is wrong.
    """

    what: str
    at: tuple[Seen, ...]


Check = Callable[[Any, "Known"], Iterator[Hit]]


class Rule(Struct, frozen=True):
    """A rule.

    Attributes:
        id: such as NB101.
        name: short, with hyphens.
        severity: how bad a finding is.
        about: what its function is given.
        what: what is wrong, in general.
        why: why that is bad.
        source: who says so.
        mend: what to do.
        check: the function.
    """

    id: str
    name: str
    severity: Severity
    about: tuple[type[Seen], ...]
    what: str
    why: str
    source: str
    mend: str
    check: Check

    @property
    def layer(self) -> str:
        """What it is about, in a word or two."""
        return LAYERS[self.id[2]]


def rule(
    identifier: str, severity: Severity, *about: type[Seen], what: str, why: str, source: str, mend: str
) -> Callable[[Check], Rule]:
    """Make a rule of a function, whose name becomes that of the rule."""

    def make(check: Check) -> Rule:
        name = check.__name__.replace("_", "-")
        return Rule(identifier, name, severity, about, what, why, source, mend, check)

    return make


class Place(Struct, frozen=True):
    """Where a finding points at.

    Attributes:
        first, last: numbers of entries; the line in the file is one more.
        t: the time of the first one, in seconds from the first line.
        seen: what the trace shows there.
    """

    first: int
    last: int
    t: float
    seen: Seen


class Finding(Struct, frozen=True):
    """A rule that was broken.

    Attributes:
        rule: which.
        what: what happened, in a sentence without its end.
        places: where, at least one, in the order of time. The last is what is wrong, those before it show why.
    """

    rule: Rule
    what: str
    places: tuple[Place, ...]

    @property
    def entry(self) -> int:
        """The number of the entry that it is reported at: where the last place begins."""
        return self.places[-1].first

    @property
    def t(self) -> float:
        """The time of that entry, in seconds from the first line."""
        return self.places[-1].t


def place_of(seen: Seen) -> Place:
    """Where something is that a trace shows."""
    entry: int | None = getattr(seen, "entry", None)  # blocks and the field have one, all others a span
    first, last = (entry, entry) if entry is not None else (seen.first, seen.last)  # type: ignore[attr-defined]
    return Place(first, last, seen.t, seen)  # type: ignore[attr-defined]  # all have it
