"""Times at the beginning of log lines, in the forms that logging libraries and journals write."""

import re
from datetime import UTC, datetime
from typing import Final

_STAMP: Final = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)[ T])?"
    r"(?P<h>[01]\d|2[0-3]):(?P<m>[0-5]\d):(?P<s>[0-5]\d)(?:[.,](?P<f>\d{1,9}))?(?!\d)",
    re.ASCII,
)
_SECONDS: Final = re.compile(r"\s*[\[(]?\s{0,12}(\d{1,12}\.\d{3,9})\b", re.ASCII)
_MILLISECONDS: Final = re.compile(r"\s{0,12}(\d{1,12}) ms\b", re.ASCII)

_MILLI: Final = 3

WALL_CLOCK: Final = "wall clock of the log"

MAX_COLUMN: Final = 100
"""Characters within which a line's time begins: what stands further on belongs to the message."""


def find_time(line: str, *, plain_milliseconds: bool = False) -> float | None:
    """Seconds of any origin, None if the line has no time.

    Args:
        line: a line of a log.
        plain_milliseconds: the digits after the point are a number of milliseconds (`.7` is 0.007), as Python's
            `%(msecs)d` writes them.
    """
    found = _STAMP.search(line, 0, MAX_COLUMN)
    if found is None:
        if (plain := _SECONDS.match(line)) is not None:
            return float(plain[1])
        return int(plain[1]) / 1000 if (plain := _MILLISECONDS.match(line)) is not None else None
    seconds = int(found["h"]) * 3600.0 + int(found["m"]) * 60 + int(found["s"])
    if fraction := found["f"]:
        seconds += int(fraction) / 1000 if plain_milliseconds and len(fraction) <= _MILLI else float("0." + fraction)
    if found["date"]:
        try:
            seconds += datetime.fromisoformat(found["date"]).replace(tzinfo=UTC).timestamp()
        except ValueError:  # such as the 31st of February
            return None
    return seconds
