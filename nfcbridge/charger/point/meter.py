"""The energy meter: what the vehicle takes is what it is offered, as long as the contactor is closed."""

from typing import Final

# Volt between a phase and neutral. The sample of the reference fits: 2375 minutes at 16 A on one phase are 146 kWh.
MAINS_VOLTAGE: Final = 230.0
_SECONDS_PER_HOUR: Final = 3_600.0


def power_of(current: float, phases: int) -> float:
    """Kilowatts of so many amperes on each of these phases."""
    return current * phases * MAINS_VOLTAGE / 1_000


class Meter:
    """Counts energy; it never runs backwards.

    Args:
        energy: kWh that it has counted already.
        now: seconds.

    Attributes:
        power: kilowatts that flow.
    """

    def __init__(self, energy: float, now: float) -> None:
        self.power = 0.0
        self._energy = energy
        self._since = now

    def energy(self, now: float) -> float:
        """The kWh counted by `now`."""
        return self._energy + self.power * max(0.0, now - self._since) / _SECONDS_PER_HOUR

    def flow(self, power: float, now: float) -> None:
        """So many kilowatts flow from now on."""
        self._energy = self.energy(now)
        self._since = max(self._since, now)
        self.power = power
