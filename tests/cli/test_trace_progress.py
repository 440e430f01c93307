"""The bar for whoever waits for a long trace."""

import io
import sys
from pathlib import Path

import pytest

from nfcbridge.cli.trace import progress
from nfcbridge.cli.trace.progress import EVERY, Reading
from nfcbridge.trace import Dir, Entry, Header, TraceFile, write_trace


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    entries = (Entry(0.0, Dir.READER, b"\xb2", number=number) for number in range(1, 3 * EVERY + 2))
    write_trace(tmp_path / "t.jsonl", Header(), entries)
    return tmp_path / "t.jsonl"


def read(path: Path, monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, *, wanted: bool = True) -> str:
    """Read all of it; what was on the terminal meanwhile."""
    monkeypatch.setattr(sys, "stderr", stderr)
    with TraceFile(path) as file, Reading(file, wanted=wanted, words="looking") as entries:
        assert [entry.number for entry in entries] == list(range(1, 3 * EVERY + 2))
    return stderr.getvalue()


def test_whoever_waits_sees_how_far_it_is(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    assert "looking" in read(trace, monkeypatch, Terminal())


def test_what_is_quickly_read_needs_no_bar(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 1000.0)
    assert read(trace, monkeypatch, Terminal()) == ""


def test_what_is_no_terminal_gets_no_bar(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    assert read(trace, monkeypatch, io.StringIO()) == ""
    assert read(trace, monkeypatch, Terminal(), wanted=False) == ""


def test_a_bar_that_was_taken_away_stays_away(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with TraceFile(trace) as file, Reading(file) as reading:
        entries = iter(reading)
        for _ in range(EVERY + 1):
            next(entries)
        reading.stop()
        position = file.position
        assert len(list(entries)) == 2 * EVERY
        assert file.position > position


def test_ctrl_c_while_the_bar_comes_is_ctrl_c(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    def interrupt(*_hook: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(Console, "push_render_hook", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(trace, monkeypatch, Terminal())
