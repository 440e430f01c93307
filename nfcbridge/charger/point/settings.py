"""What the operator's settings mean to the charge point."""

from math import isfinite
from typing import Final

import msgspec

from nfcbridge.errors import ConfigError

# Amperes that can be told by the control pilot at least (IEC 61851-1); less is an offer of nothing.
MIN_CURRENT: Final = 6.0
_PHASES: Final = (1, 2, 3)


class PointSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the charge point obeys, each with the default of the catalogue.

    Args:
        hybrid: the reader serves phones too; else it reads cards alone.
        free_charging: nobody has to be authorized.
        free_charging_tag: what transactions have as tag then.
        current_limit: amperes on each phase; less than MIN_CURRENT suspends charging.
        schuko_limit: likewise at the domestic socket, which has one phase.
        phases: 1 to 3.
        authorization_timeout: seconds to plug a vehicle in after authorization.

    Raises:
        ConfigError: a value that cannot be.
    """

    hybrid: bool = True
    free_charging: bool = False
    free_charging_tag: str = "freecharging"
    current_limit: float = 16.0
    schuko_limit: float = 16.0
    phases: int = 3
    authorization_timeout: float = 45.0

    def __post_init__(self) -> None:
        for name in ("current_limit", "schuko_limit"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ConfigError(f"{name} is 0 or more amperes, not {getattr(self, name)}")
        if self.phases not in _PHASES:
            raise ConfigError(f"phases are 1 to 3, not {self.phases}")
        if not (isfinite(self.authorization_timeout) and self.authorization_timeout > 0):
            raise ConfigError(f"authorization_timeout is more than 0 seconds, not {self.authorization_timeout}")
