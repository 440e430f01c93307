"""What came of a replay."""

import enum

from msgspec import Struct


class Level(enum.Enum):
    """What is compared."""

    FRAME = "frame"
    """Every octet that the card sends."""
    MESSAGE = "message"
    """Status and content of each answer, but for what must differ."""


class Difference(Struct, frozen=True):
    """The first thing that is different.

    Attributes:
        entry: where in the trace: the number of the entry, its line less one.
        t: its time, seconds from the first line.
        what: the difference in a sentence.
        where: what it belongs to, from the frame up: block, APDU, request. Each in words.
        path: the place in the content, such as `$.session.role`; empty if the difference is elsewhere.
    """

    entry: int
    t: float
    what: str
    where: tuple[str, ...] = ()
    path: str = ""

    def lines(self) -> list[str]:
        """All of it, for people."""
        return [f"entry {self.entry} at {self.t:.6f} s: {self.what}", *(f"  {line}" for line in self.where)]


class Report(Struct, frozen=True):
    """What came of the replay of one trace.

    Attributes:
        path: the file.
        level: what was compared.
        frames: how many of the card's were compared; of the level `message`, how many there are.
        exchanges: how many requests were executed.
        difference: the first; None: all is equal.
        error: why the trace could not be replayed to its end, with what to do; empty if it could.
        notes: what else there is to say, such as that the last line was cut off.
        seconds: how long the replay took.
    """

    path: str
    level: Level
    frames: int = 0
    exchanges: int = 0
    difference: Difference | None = None
    error: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether all of it was compared and nothing is different."""
        return self.difference is None and not self.error

    def lines(self) -> list[str]:
        """All of it, for people."""
        compared = f"{self.exchanges} exchanges, {self.frames} frames of the card"
        if self.error:
            lines = [f"{self.path}: cannot be replayed: {self.error}"]
        elif self.difference is not None:
            lines = [f"{self.path}: different ({self.level.value} level)"]
            lines += [f"  {line}" for line in self.difference.lines()]
        else:
            lines = [f"{self.path}: equal ({self.level.value} level: {compared})"]
        return lines + [f"  note: {note}" for note in self.notes]
