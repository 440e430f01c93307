"""`nfcbridge links`: every link is there, and what is missing is said with how to get it."""

import dataclasses
import io
import re
import shutil

import pytest
from rich.console import Console

from nfcbridge.cli import main
from nfcbridge.cli.errors import ExitCode
from nfcbridge.cli.links import print_list
from nfcbridge.links import LINKS
from tests.cli.in_terminal import PROJECT


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["links"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert not err
    lines: list[str] = out.splitlines()
    return lines


def test_every_link_has_a_line_with_its_ends(capsys: pytest.CaptureFixture[str]) -> None:
    heading, *lines = lines_of(capsys)
    assert heading.split() == ["NAME", "HERE", "ENDS", "FRAMES", "UID", "WHAT", "IT", "IS"]
    for kind, line in zip(LINKS.values(), lines, strict=False):
        assert line.startswith(kind.example)
        assert line.endswith(kind.description)
        assert ("card" in line.split()[2]) is (kind.card is not None)
        assert ("reader" in line[: -len(kind.description)]) is (kind.reader is not None)


def test_what_is_missing_is_told_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    lines = lines_of(capsys)
    (row,) = [line for line in lines if line.startswith("vpcd:") and "needs" not in line]
    assert row.split()[1] == "missing"
    (need,) = [line for line in lines if line.startswith("vpcd:127.0.0.1:35963 needs pcscd")]
    assert "apt-get install" in need


def test_where_nothing_is_missing_nothing_is_said_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for prefix, kind in LINKS.items():
        monkeypatch.setitem(LINKS, prefix, dataclasses.replace(kind, missing=lambda: ""))
    assert len(lines_of(capsys)) == 1 + len(LINKS)


def test_the_table_of_readers_names_links_that_have_the_end_it_says() -> None:
    text = (PROJECT / "hardware" / "README.md").read_text().partition("## Readers")[2].partition("\n\n**")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 8
    named = set()
    for _reader, _connection, tag, phone, *_ in rows:
        as_tag = re.findall("`([a-z]+):", tag)
        as_phone = as_tag if phone == "the same" else re.findall("`([a-z]+):", phone)
        assert all(LINKS[prefix].card for prefix in as_tag)
        assert all(LINKS[prefix].reader for prefix in as_phone)
        named |= {*as_tag, *as_phone}
    assert named == LINKS.keys() - {"memory", "faulty", "replay"}  # which need nothing to hold a phone to


def test_on_a_narrow_terminal_what_is_missing_stands_below_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    console = Console(file=io.StringIO(), width=60, markup=False, highlight=False, color_system=None)
    print_list(console, [LINKS["vpcd"]])
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[0] == "vpcd:127.0.0.1:35963"
    assert lines[1].startswith("  missing: pcscd with its vpcd driver: apt-get install")
    assert lines[-1] == "  ends: card; frames: apdus; UID: not sent"
