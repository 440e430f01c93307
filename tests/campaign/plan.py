"""What goes wrong in one run, drawn from a seed; as a file it says all of it, so that it outlives the drawing."""

from enum import Enum
from random import Random
from typing import Final

import msgspec

from nfcbridge.type4 import WriteOrder

FRAMES: Final = 80
"""Frames among which faults are drawn: a run without faults has 38 of the largest ones, and faults make it longer."""

MOST_FAULTS: Final = 6
"""Faults of one run at most."""

SIZES: Final = (2, 5, 8)
"""FSCI of the card: frames of 32, 64 and 256 octets, so that few or many blocks carry a request."""

DELAYS: Final = (0.0, 0.0, 0.01, 0.3, 0.6, 2.0, 5.0)
"""Seconds that the application takes: at once, within the hold time of 0.4 s, beyond it."""

AWAY: Final = (0.0, 0.05, 0.5, 2.0, 6.0)
"""Seconds for which a tag is away when the field is lost."""

LATE: Final = (0.01, 0.05, 0.09, 0.2, 0.5)
"""Seconds by which a frame is late: within the waiting time of 77 ms, and past it."""


class Kind(Enum):
    """What happens to a frame."""

    LOSS = "loss"
    DAMAGE = "damage"
    DELAY = "delay"
    FIELD = "field"


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that goes wrong.

    Attributes:
        frame: at which frame, either way: 1, 2, 3 ...
        seconds: how late the frame is, or how long the tag is away.
    """

    frame: int
    kind: Kind
    seconds: float = 0.0


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run.

    Attributes:
        seed: from which it was drawn; for people.
        order: how the phone writes: the name of a WriteOrder, empty for what suits the tag.
        ours: the card is known as one of ours.
        fsci: of the card.
        delays: seconds that the application takes for each request, in order.
        faults: what goes wrong.
        why: why it is kept, for people.
    """

    seed: int
    order: str = ""
    ours: bool = True
    fsci: int = 8
    delays: tuple[float, ...] = ()
    faults: tuple[Fault, ...] = ()
    why: str = ""

    @property
    def write_order(self) -> WriteOrder | None:
        """The order, as the phone takes it."""
        return WriteOrder[self.order] if self.order else None


def draw_plan(seed: int) -> Plan:
    """The plan of a seed."""
    random = Random(seed)
    frames = sorted(random.sample(range(1, FRAMES), random.randint(1, MOST_FAULTS)))
    return Plan(
        seed=seed,
        order=random.choice(("", "", "NLEN_FIRST", "FIRST_CHUNK")),
        ours=random.random() < 0.8,
        fsci=random.choice(SIZES),
        delays=tuple(random.choice(DELAYS) for _ in range(8)),
        faults=tuple(_draw_fault(random, frame) for frame in frames),
    )


def _draw_fault(random: Random, frame: int) -> Fault:
    kind = random.choice([*Kind])
    seconds = {Kind.FIELD: AWAY, Kind.DELAY: LATE}.get(kind, (0.0,))
    return Fault(frame, kind, random.choice(seconds))
