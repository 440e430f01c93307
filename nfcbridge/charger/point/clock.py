"""The clock of the charger: real, accelerated or driven, and moved by hand in any of them.

                  runs at              sessions, tokens, back-off    charge point
    real          1                    real seconds                  real seconds
    accelerated   speed                real seconds                  speed times as many
    driven        0, by hand only      stand still                   stand still

`advance` adds the same seconds to both columns: an app test skips the 60 s of a session as it skips an hour of
charging. The wall time goes with the charge point, from the computer's when the clock was made; it does not follow a
change of the computer's clock after that.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from nfcbridge.charger.point.duration import MAX_DURATION
from nfcbridge.errors import ConfigError

# An hour in a second. A year at this speed ends before the year 9999, the last that a date can have.
MAX_SPEED: Final = 3_600.0
# Seconds that all of `advance` may add up to, 100 years, for the same reason.
MAX_AHEAD: Final = 100 * MAX_DURATION


class ChargerClock:
    """Both clocks, and the wall time, of one charger. Times are seconds since it was made.

    Args:
        speed: how many seconds of the charge point pass in a real one; more than 0, at most MAX_SPEED.
        driven: time passes by `advance` alone; speed has no meaning then.
        monotonic: real seconds that never go back.
        wall: real seconds since 1970-01-01 UTC.
        zone: the time zone of the people there; None: that of the computer.

    Attributes:
        speed: the same.
        driven: the same.
        began: what `monotonic` showed when it was made.
        wall: what `wall` showed then.

    Raises:
        ConfigError: a speed that cannot be.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        driven: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        if not 0 < speed <= MAX_SPEED:
            raise ConfigError(f"the speed is more than 0 and at most {MAX_SPEED:g}, not {speed:g}")
        self.speed = speed
        self.driven = driven
        self._rate = 0.0 if driven else 1.0
        self._speed = 0.0 if driven else speed
        self._monotonic = monotonic
        self._ahead = 0.0
        self.began = monotonic()
        self.wall = wall()
        self._wall = datetime.fromtimestamp(self.wall, UTC)
        self._zone = zone

    def to_json(self) -> dict[str, float]:
        """What another clock needs beside speed and mode to show the same: seconds, of `zone` ahead of UTC now."""
        zone = self.local(self.simulated()).utcoffset() or timedelta()
        return {"began": self.began, "wall": self.wall, "zone": zone.total_seconds()}

    def controller(self) -> float:
        """The time for sessions, login tokens and back-off."""
        return self._ahead + (self._monotonic() - self.began) * self._rate

    def simulated(self) -> float:
        """The time for the charge point."""
        return self._ahead + (self._monotonic() - self.began) * self._speed

    def advance(self, seconds: float) -> None:
        """Move both clocks forward; the charge point then wants its `handle_timer`.

        Args:
            seconds: 0 to MAX_DURATION.

        Raises:
            ConfigError: not so many, or more than MAX_AHEAD in all.
        """
        if not 0 <= seconds <= MAX_DURATION:
            raise ConfigError(f"time goes forward by 0 to {MAX_DURATION} s, not by {seconds:g} s")
        if self._ahead + seconds > MAX_AHEAD:
            raise ConfigError(f"time went forward by {self._ahead:g} s already; {MAX_AHEAD} s in all at most")
        self._ahead += seconds

    def real_delay(self, deadline: float) -> float | None:
        """Real seconds until a time of the charge point, 0 if it is over.

        Returns:
            None: never, unless somebody calls `advance`.
        """
        left = deadline - self.simulated()
        if left <= 0:
            return 0.0
        return left / self._speed if self._speed else None

    def utc(self, simulated: float) -> datetime:
        """The wall time at a time of the charge point."""
        return self._wall + timedelta(seconds=simulated)

    def local(self, simulated: float) -> datetime:
        """The same in the time zone of the people there."""
        return self.utc(simulated).astimezone(self._zone)

    def timestamp(self, simulated: float) -> str:
        """The same as the interface tells it: `2019-11-23T19:35:43.511Z`, cut to a millisecond."""
        return format_utc(self.utc(simulated))


def format_utc(moment: datetime) -> str:
    """A wall time in UTC as ISO 8601 with milliseconds and Z (API reference, "Charging Transactions")."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
