"""Recorded traces as tests: which ones a marker means, and what came of each.

This module is imported when tests are collected that have the marker, so that it imports nothing heavy.
"""

import glob
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nfcbridge.errors import ConfigError

if TYPE_CHECKING:
    from nfcbridge.replay.report import Report

LEVELS: Final = ("frame", "message")
SETTINGS: Final = ("level", "passwords")


class Recorded(NamedTuple):
    """A trace that a test replays.

    Attributes:
        path: the file.
        name: it, for people: relative to the folder in which it was looked for.
        level: what is compared; None: what suits who recorded it.
        passwords: of roles, where they are others than those of `charger`.
    """

    path: Path
    name: str
    level: str | None
    passwords: Mapping[str, str]


class Marked(NamedTuple):
    """A marker: its arguments, those by position and those by name."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def find_recorded(markers: Iterable[Marked], folders: Iterable[Path]) -> list[Recorded]:
    """The traces of a test, in the order of their names.

    Args:
        markers: those that the test has.
        folders: where a pattern is looked for, until there is something.

    Raises:
        ConfigError: an argument that cannot be, or a pattern that no file has.
    """
    found: dict[Path, Recorded] = {}
    places = list(dict.fromkeys(folders))
    for marker in markers:
        level, passwords = _check(marker)
        for pattern in marker.args:
            for path, name in _match(pattern, places):
                found.setdefault(path, Recorded(path, name, level, passwords))
    return sorted(found.values(), key=lambda each: each.name)


def _check(marker: Marked) -> tuple[str | None, Mapping[str, str]]:
    if not marker.args or not all(isinstance(pattern, str) and pattern for pattern in marker.args):
        raise ConfigError('the marker replay needs a pattern, such as @pytest.mark.replay("fixtures/*.jsonl")')
    if unknown := sorted(set(marker.kwargs) - set(SETTINGS)):
        raise ConfigError(f"the marker replay has no argument {', '.join(unknown)}; it has {', '.join(SETTINGS)}")
    level = marker.kwargs.get("level")
    if level is not None and level not in LEVELS:
        raise ConfigError(f"the level of the marker replay is {' or '.join(LEVELS)}, not {level!r}")
    passwords = marker.kwargs.get("passwords", {})
    if not isinstance(passwords, Mapping):
        raise ConfigError(f'the passwords of the marker replay are a dict such as {{"user": "..."}}, not {passwords!r}')
    return level, passwords


def _match(pattern: str, places: list[Path]) -> Iterable[tuple[Path, str]]:
    for place in places:
        names = sorted(glob.glob(pattern, root_dir=place, recursive=True))  # noqa: PTH207 - absolute patterns too
        files = [(path, name) for name in names if (path := place / name).is_file()]
        if files:
            return ((path.resolve(), Path(name).as_posix()) for path, name in files)
    raise ConfigError(
        f"no file matches {pattern!r} of the marker replay, looked for in {' and '.join(map(str, places))}; "
        "record one with `nfcbridge serve --trace FILE`, or with trace.save(FILE) in a test"
    )


def replay_recorded(recorded: Recorded) -> "Report":
    """Replay a trace. Raises ConfigError: there is no such role."""
    from nfcbridge.replay.replaying import replay_file
    from nfcbridge.testing.settings import PASSWORDS

    return replay_file(recorded.path, level=recorded.level, passwords={**PASSWORDS, **recorded.passwords})
