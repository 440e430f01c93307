"""What time brings about in a charge point."""

from enum import Enum


class Timer(Enum):
    """What is due at a time."""

    BOOTED = "the controller has started"
    AUTHORIZATION = "nobody plugged a vehicle in"
    REJECTION = "the rejection was shown for long enough"
    PAIRING = "no tag was read in pairing mode"
    SILENCE = "the phone is gone"


class Timers:
    """The times at which something is due, in seconds."""

    def __init__(self) -> None:
        self._deadlines: dict[Timer, float] = {}

    def __contains__(self, timer: Timer) -> bool:
        return timer in self._deadlines

    def set(self, timer: Timer, at: float) -> None:
        """Due at this time, and not at the one that was set before."""
        self._deadlines[timer] = at

    def drop(self, timer: Timer) -> None:
        """Not due any more, if it was."""
        self._deadlines.pop(timer, None)

    def next_deadline(self) -> float | None:
        """When the first is due; None: nothing is."""
        return min(self._deadlines.values(), default=None)

    def take_due(self, now: float) -> tuple[Timer, float] | None:
        """The one that was due first, and when, which is not due any more then; None: nothing is due by `now`."""
        timer = min(self._deadlines, key=self._deadlines.__getitem__, default=None)
        if timer is None or self._deadlines[timer] > now:
            return None
        return timer, self._deadlines.pop(timer)
