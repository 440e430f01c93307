"""A reader device that is gone: when it is looked for, and which reasons the user is told."""

from dataclasses import dataclass
from typing import Final, Self

REOPEN: Final = 0.5
"""Seconds between attempts to open a reader that is gone."""

TELL_AGAIN: Final = 10.0
"""Seconds for which another reason must stand before it is told too: while a reader is plugged in reasons change."""


@dataclass(slots=True)
class Outage:
    """A reader that is gone.

    Attributes:
        told: the reason that the user knows.
        next_at: when the next attempt to open it is due, on the monotonic clock.
    """

    told: str = ""
    next_at: float = 0.0
    _other: str = ""
    _other_since: float = 0.0

    @classmethod
    def begun(cls, reason: str, now: float) -> Self:
        """Return one that begins, with a reason that is told."""
        return cls(reason, now + REOPEN)

    def still(self, reason: str, now: float) -> bool:
        """Note an attempt that failed. Whether its reason is to be told: it is another one, and stands."""
        self.next_at = now + REOPEN
        if reason == self.told:
            self._other = ""
        elif reason != self._other:
            self._other, self._other_since = reason, now
        elif now - self._other_since >= TELL_AGAIN:
            self.told, self._other = reason, ""
            return True
        return False
