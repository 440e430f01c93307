"""Where time went, in sums, and how long many exchanges took, in bins: memory does not grow with their number.

`stats` says what each kind of time is.
"""

from math import log10
from typing import Final

from msgspec import Struct, field

BINS_A_DECADE: Final = 40
"""Of the durations of exchanges: a bin is 6 % wide."""
DECADES: Final = 6
SHORTEST: Final = 1e-3
"""Seconds: the first bin has all that is shorter; the last one, that ends at 1000 s, all that is longer."""
BINS: Final = BINS_A_DECADE * DECADES


class TimeSpent(Struct, forbid_unknown_fields=True):
    """Seconds by what they went for; the module says what is what."""

    payload: float = 0.0
    overhead: float = 0.0
    re_selects: float = 0.0
    polling: float = 0.0
    waiting_for_us: float = 0.0
    waiting_for_reader: float = 0.0
    away: float = 0.0

    def total(self) -> float:
        """All of them."""
        return sum((getattr(self, name) for name in CATEGORIES), 0.0)

    def add(self, other: "TimeSpent", sign: float = 1.0) -> None:
        """Add another one, or take it away."""
        for name in CATEGORIES:
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))

    def copy(self) -> "TimeSpent":
        """One more like it."""
        return TimeSpent(*(getattr(self, name) for name in CATEGORIES))


CATEGORIES: Final = TimeSpent.__struct_fields__
"""In the order in which they are shown."""


class Durations(Struct):
    """How long exchanges took, in bins that grow by 6 % each.

    Attributes:
        counts: of the exchanges in each bin.
        spent: what they took in all, by bin.
        shortest, longest: seconds; 0 while there is none.
    """

    counts: list[int] = field(default_factory=lambda: [0] * BINS)
    spent: list[TimeSpent] = field(default_factory=lambda: [TimeSpent() for _ in range(BINS)])
    shortest: float = 0.0
    longest: float = 0.0

    def record(self, spent: TimeSpent) -> None:
        """One more exchange."""
        seconds = spent.total() - spent.away
        self.shortest = seconds if not sum(self.counts) else min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)
        at = bin_of(seconds)
        self.counts[at] += 1
        self.spent[at].add(spent)

    def add(self, other: "Durations") -> None:
        """Add those of another trace."""
        if sum(other.counts):
            self.shortest = other.shortest if not sum(self.counts) else min(self.shortest, other.shortest)
            self.longest = max(self.longest, other.longest)
        for at, count in enumerate(other.counts):
            self.counts[at] += count
            self.spent[at].add(other.spent[at])

    def quantile(self, share: float) -> float:
        """The time that this share of the exchanges took at most, to 6 %; 0 if there is none."""
        wanted = share * sum(self.counts)
        seen = 0
        for at, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return min(max(bin_start(at + 1), self.shortest), self.longest)
        return 0.0


def bin_of(seconds: float) -> int:
    """The bin of a duration."""
    if seconds <= SHORTEST:
        return 0
    return min(int(log10(seconds / SHORTEST) * BINS_A_DECADE), BINS - 1)


def bin_start(at: int) -> float:
    """Seconds at which a bin begins."""
    return float(SHORTEST * 10 ** (at / BINS_A_DECADE))
