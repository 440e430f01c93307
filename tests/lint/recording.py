"""Recordings of phones with our emulator, for the linter: what each of them does, and nothing by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nfcbridge import links
from nfcbridge.cli.charger import open_charger
from nfcbridge.lint import Finding, Linter
from nfcbridge.phones import Conversation, Script, ScriptedPhone
from nfcbridge.server.emulator import Emulator
from nfcbridge.trace import Recorder, TappedReader, TraceFile

LINK = "memory:lint"
USER, PASSWORD = "operator", "secret of a test"


def record(
    folder: Path,
    play: Callable[[Conversation], Script[None]],
    conversation: Conversation,
    *,
    app: Any = None,
    **settings: Any,
) -> tuple[Path, Path]:
    """Let a phone carry a conversation; the recordings of the card's side and of the reader's."""
    card, reader = folder / "card.jsonl", folder / "reader.jsonl"
    with (
        open_charger(None, {USER: PASSWORD}) as charger,
        Emulator(app or charger.app, [LINK], base_path="" if app else charger.base_path, trace=card, **settings),
        Recorder(reader, level="blocks", link=LINK, card={}, source="nfcbridge test reader") as recorder,
    ):
        end = TappedReader(links.open_reader(LINK), recorder)
        try:
            ScriptedPhone(end).play(play(conversation))
        finally:
            end.close()
    return card, reader


def findings(path: Path) -> list[Finding]:
    """What is found, but for times: they are those of whatever machine runs the tests."""
    with TraceFile(path) as trace:
        linter = Linter(trace.header)
        found = [finding for entry in trace for finding in linter.receive(entry)] + linter.close()
    return [finding for finding in found if finding.rule.layer != "times"]
