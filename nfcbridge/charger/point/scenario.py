"""Scenarios: files that say what happens to the charge point, and when.

    title = "Pairing a card"
    repeat = 3                  # rounds, 1 unless given
    every = "10m"               # from one round to the next; needed if there are several

    [[whitelist]]               # tags that the scenario needs in the whitelist
    id = "abcdef12"
    type = "RFID"               # or EVCCID, NFC; RFID unless given
    name = "Jenny's card"       # an alias, if it shall have one
    user = "Jenny"              # whom it belongs to, if to anybody

    [[step]]
    at = "1m30s"                # since the beginning of the round; a number is seconds
    do = "swipe"                # what `nfcbridge sim` can do, with the same names
    id = "abcdef12"

    [[step]]
    at = "2m"
    do = "fault"
    fault = "next=500"

A file is checked as a whole when it is read, and a fault is told with its line.
"""

from pathlib import Path
from typing import Annotated, Any, Final, get_args

import msgspec

from nfcbridge.charger.datafile import DataFile, Step, read_data_file
from nfcbridge.charger.point.duration import MAX_DURATION, parse_duration
from nfcbridge.charger.point.faults import AnyFault, parse_fault
from nfcbridge.charger.point.inputs import AnyInput, TagId, TagType
from nfcbridge.errors import ConfigError

# Steps of a scenario, and steps of all its rounds: one a minute for two weeks. `advance` may have to take all of them
# in one go, which lasts about a second.
MAX_STEPS: Final = 1_000
MAX_STEPS_IN_ALL: Final = 20_160
# Tags that a scenario brings along.
MAX_TAGS: Final = 100
# Characters of a title, and of a name: the interface allows a user so many.
MAX_TITLE: Final = 80
MAX_NAME: Final = 255

_Text = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
_INPUTS: Final[dict[str, type[AnyInput]]] = {kind.__struct_config__.tag: kind for kind in get_args(AnyInput)}
_FAULT: Final = "fault"


class ScenarioTag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tag that the scenario needs in the whitelist.

    Attributes:
        name: an alias, empty for none.
        user: the name of the user it belongs to, empty for nobody.
    """

    id: TagId
    type: TagType = TagType.RFID
    name: _Text = ""
    user: _Text = ""


class ScenarioStep(msgspec.Struct, frozen=True):
    """What happens.

    Attributes:
        number: in its file, from 1.
        at: seconds since the beginning of the round.
    """

    number: int
    at: float
    happens: AnyInput | AnyFault


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario.

    Attributes:
        rounds: how often all of it happens.
        every: seconds from one round to the next.
        whitelist: to be added to the whitelist before it begins.
        steps: in the order in which they happen; at least one.
    """

    title: str
    rounds: int
    every: float
    whitelist: tuple[ScenarioTag, ...]
    steps: tuple[ScenarioStep, ...]


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE)]
    repeat: Annotated[int, msgspec.Meta(ge=1, le=MAX_STEPS_IN_ALL)] = 1


class _Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fault: str


def load_scenario(path: Path) -> Scenario:
    """The scenario of this file.

    Raises:
        ConfigError: the first fault, with file and line, and what is allowed there.
    """
    return parse_scenario(read_data_file(path))


def parse_scenario(file: DataFile) -> Scenario:
    """The scenario of a file that was read. Raises ConfigError as `load_scenario` does."""
    head = file.build((), _Head, {k: v for k, v in file.data.items() if k not in ("whitelist", "step", "every")})
    tags = [file.build(path, ScenarioTag, row) for path, row in _rows(file, "whitelist", MAX_TAGS)]
    steps: list[ScenarioStep] = []
    for path, row in _rows(file, "step", MAX_STEPS):
        step = _step(file, path, row, len(steps) + 1)
        if steps and step.at < steps[-1].at:
            raise file.fault((*path, "at"), "is before the step above; steps stand in the order of their times")
        steps.append(step)
    if not steps:
        raise file.fault((), "has no [[step]]; at least one is needed")
    if head.repeat * len(steps) > MAX_STEPS_IN_ALL:
        raise file.fault(("repeat",), f"more than {MAX_STEPS_IN_ALL} steps in all rounds together")
    every = _time(file, (), file.data, "every") if "every" in file.data or head.repeat > 1 else steps[-1].at
    if every < steps[-1].at:
        raise file.fault(("every",), "the next round begins before the last step of this one")
    return Scenario(title=head.title, rounds=head.repeat, every=every, whitelist=tuple(tags), steps=tuple(steps))


def _rows(file: DataFile, name: str, most: int) -> list[tuple[tuple[Step, ...], dict[str, Any]]]:
    rows = file.data.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise file.fault((name,), f"has to be tables: [[{name}]]")
    if len(rows) > most:
        raise file.fault((name, most), f"more than {most} of them")
    return [((name, number), row) for number, row in enumerate(rows)]


def _step(file: DataFile, path: tuple[Step, ...], row: dict[str, Any], number: int) -> ScenarioStep:
    at = _time(file, path, row, "at")
    what = row.get("do")
    fields = {field: value for field, value in row.items() if field not in ("at", "do")}
    if what == _FAULT:
        text = file.build(path, _Fault, fields).fault
        try:
            return ScenarioStep(number, at, parse_fault(text))
        except ConfigError as error:
            raise file.fault((*path, "fault"), str(error)) from error
    if not isinstance(what, str) or what not in _INPUTS:
        raise file.fault((*path, "do"), f"what happens is one of {', '.join([*_INPUTS, _FAULT])}")
    return ScenarioStep(number, at, file.build(path, _INPUTS[what], fields))


def _time(file: DataFile, path: tuple[Step, ...], table: dict[str, Any], field: str) -> float:
    value = table.get(field)
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ConfigError as error:
            raise file.fault((*path, field), str(error)) from error
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_DURATION:
        return float(value)
    raise file.fault((*path, field), f'needs a time, such as "1m30s" or 90 for seconds, of at most {MAX_DURATION} s')
