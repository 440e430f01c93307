"""One trace, replayed: `replay_file`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nfcbridge.dispatch import App
from nfcbridge.errors import ConfigError, TraceError
from nfcbridge.replay.cores import AppCore, ChargerCore, Core, check_roles, is_charger, read_description
from nfcbridge.replay.explain import explain
from nfcbridge.replay.frames import FrameReplay, Mismatch
from nfcbridge.replay.report import Difference, Level, Report
from nfcbridge.trace import Header, TraceFile

STORED: Final = "it was recorded with data of a directory (--data), and the charger of the replay begins without any"
UNKNOWN_APP: Final = (
    "what was served is not known here or not run, so the card was replayed against the answers of the recording; "
    "name an application with --app to run it"
)


def level_of(header: Header) -> Level:
    """The level at which a trace is replayed by default: `frame` if it was recorded at our own card.

    One without the seed of its charger, such as a redacted one, has tokens that nobody can make again.
    """
    words = header.source.split()
    ours = words[:1] == ["nfcbridge"] and words[-1] == "card"
    return Level.FRAME if ours and (header.seed is not None or not is_charger(header)) else Level.MESSAGE


def replay_file(
    path: Path | str,
    *,
    level: Level | str | None = None,
    passwords: Mapping[str, str] | None = None,
    app: App | None = None,
) -> Report:
    """Replay a trace against a new emulator in the recorded configuration, and compare what the card answers.

    Args:
        path: the trace.
        level: `frame` or `message`; by default what suits who recorded it.
        passwords: plain, by the names of roles. Without them the operator's of a recorded `serve --dev` is known.
        app: answers in the place of what was recorded.

    Returns:
        What came of it. A trace that cannot be read, or cannot be replayed, has its `error`.

    Raises:
        ConfigError: there is no such level or role.
    """
    wanted = None if level is None else _level(level)
    passwords = passwords or {}
    check_roles(passwords)
    began = time.perf_counter()
    report = Report(str(path), wanted or Level.FRAME)
    try:
        with TraceFile(path) as trace:
            wanted = wanted or level_of(trace.header)
            report = Report(str(path), wanted)
            if wanted is Level.FRAME:
                report = _replay_frames(trace, passwords, app)
            else:
                from nfcbridge.replay.messages import replay_messages

                report = replay_messages(trace, passwords, app)
    except (TraceError, ConfigError) as error:
        report = _failed(report, str(error).removeprefix(f"{path}: "))
    except OSError as error:
        report = _failed(report, f"{error.strerror or error}; check the path and who may read it")
    return Report(
        report.path,
        report.level,
        report.frames,
        report.exchanges,
        report.difference,
        report.error,
        report.notes,
        time.perf_counter() - began,
    )


def _level(level: Level | str) -> Level:
    try:
        return Level(level)
    except ValueError as error:
        raise ConfigError(f"the level is frame or message, not {level!r}") from error


def _failed(report: Report, error: str) -> Report:
    return Report(report.path, report.level, error=error)


def _replay_frames(trace: TraceFile, passwords: Mapping[str, str], app: App | None) -> Report:
    header = trace.header
    notes = []
    core: Core | None = None
    if app is not None:
        core = AppCore(app, header.link)
    elif is_charger(header):
        core = ChargerCore(header, passwords)
    else:
        notes.append(UNKNOWN_APP)
    try:
        replay = FrameReplay(header, core, trace, from_reader=header.source.endswith(" reader"))
        mismatch = replay.run()
    finally:
        if core is not None:
            core.close()
    if isinstance(core, AppCore):
        notes += core.problems
    difference = None
    if mismatch is not None:
        difference = _explain(trace, mismatch)
        notes += hints(header, passwords, mismatch)
    if trace.problem:
        notes.append(trace.problem.removeprefix(f"{trace.path}: "))
    counted = replay.counted
    return Report(str(trace.path), Level.FRAME, counted.frames, counted.exchanges, difference, notes=tuple(notes))


def _explain(trace: TraceFile, mismatch: Mismatch) -> Difference:
    with TraceFile(trace.path) as again:
        return explain(again.header, again, mismatch)


def hints(header: Header, passwords: Mapping[str, str], mismatch: Mismatch) -> list[str]:
    """What may be the reason of a difference, though nothing is wrong with the card."""
    if not is_charger(header):
        return []
    known = read_description(header)
    notes = [STORED] if known.stored else []
    unknown = [role for role in known.passwords if role not in passwords and not (known.dev and role == "operator")]
    request = mismatch.request
    if unknown and request is not None and request.path.startswith("/login"):
        notes.append(f"the password of {', '.join(unknown)} is not known: give it with --password ROLE=FILE")
    if known.driven:
        notes.append("its clock was driven by hand, which a trace does not show")
    notes.append("what came in over HTTP or another link, or was done by `nfcbridge sim`, is not in the trace")
    return notes
