"""Recorded readers against our card, and recorded cards against a reader.

    report = replay_file("trace.jsonl")           one trace: report.equal, report.difference, report.lines()
    replay_many(paths, executor)                  many, on any executor of concurrent.futures

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nfcbridge.replay.many import replay_many
    from nfcbridge.replay.replaying import level_of, replay_file
    from nfcbridge.replay.report import Difference, Level, Report

__all__ = ["Difference", "Level", "Report", "level_of", "replay_file", "replay_many"]

_HOMES: Final = {
    "Difference": "nfcbridge.replay.report",
    "Level": "nfcbridge.replay.report",
    "Report": "nfcbridge.replay.report",
    "level_of": "nfcbridge.replay.replaying",
    "replay_file": "nfcbridge.replay.replaying",
    "replay_many": "nfcbridge.replay.many",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - classes and functions
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
