"""Times as people write them: `61s`, `1h30m`, `2.5s`, or seconds without a unit."""

import re
from typing import Final

from nfcbridge.errors import ConfigError

# Seconds that one duration has at most, a leap year: enough for a year of transactions in one go.
MAX_DURATION: Final = 366 * 86_400

_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NUMBER: Final = r"(\d{1,9}(?:\.\d{1,6})?)"
_DURATION: Final = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in _UNITS), re.ASCII)
_SECONDS: Final = re.compile(_NUMBER, re.ASCII)


def parse_duration(text: str) -> float:
    """The seconds of a duration.

    Raises:
        ConfigError: it is none, or longer than MAX_DURATION.
    """
    plain = _SECONDS.fullmatch(text)
    found = None if plain or not text else _DURATION.fullmatch(text)
    if plain:
        seconds = float(plain[1])
    elif found:
        seconds = sum(
            float(number) * unit for number, unit in zip(found.groups(), _UNITS.values(), strict=True) if number
        )
    else:
        raise ConfigError(f"{text!r} is no time; write it as 61s, 2.5s, 10m or 1h30m")
    if seconds > MAX_DURATION:
        raise ConfigError(f"{text!r} is too long; at most {MAX_DURATION // 86_400}d")
    return seconds
