"""Every trace in `fixtures` is read, decoded, exported in every format, and read back."""

import io
from pathlib import Path
from typing import Final

import pytest

from nfcbridge.cli.trace.export import FORMATS, Format, export
from nfcbridge.formats import capture
from nfcbridge.formats.iso14443_writer import Iso14443Writer
from nfcbridge.trace import Entry, TraceFile
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import BlockKind, BlockSeen

FOLDER: Final = Path(__file__).parents[1] / "fixtures"
TRACES: Final = sorted(FOLDER.rglob("*.jsonl"))

WITHOUT_BLOCKS: Final = frozenset({"NB107-no-block.bad"})
"""Traces that are about frames which are no blocks."""


def name(path: object) -> str | None:
    return str(path.relative_to(FOLDER).with_suffix("")) if isinstance(path, Path) else None


def test_there_are_traces_of_each_grade() -> None:
    folders = {path.relative_to(FOLDER).parts[0] for path in TRACES}
    assert {"recorded", "retyped", "lint"} <= folders


def test_the_readme_names_every_folder_and_every_trace_that_it_is_to_name() -> None:
    readme = (FOLDER / "README.md").read_text()
    for folder in {path.relative_to(FOLDER).parts[0] for path in FOLDER.rglob("*") if path.is_file()} - {"README.md"}:
        assert f"[{folder}](" in readme
    for path in TRACES:
        if path.parent.name in {"recorded", "retyped"}:
            assert f"| {path.stem} |" in readme


@pytest.mark.parametrize("path", TRACES, ids=name)
def test_a_trace_is_read_whole_and_its_frames_are_blocks(path: Path) -> None:
    with TraceFile(path) as trace:
        decoder = Decoder(trace.header.level, header=trace.header)
        seen = [each for entry in trace for each in decoder.receive(entry)] + decoder.close()
    assert trace.problem == ""
    assert seen
    strange = [each for each in seen if isinstance(each, BlockSeen) and each.kind is BlockKind.INVALID]
    assert bool(strange) == (path.stem in WITHOUT_BLOCKS)


@pytest.mark.parametrize("chosen", FORMATS, ids=lambda each: each.name)
def test_every_trace_is_exported(chosen: Format, capsys: pytest.CaptureFixture[str]) -> None:
    for path in TRACES:
        out = io.BytesIO()
        assert export(str(path), chosen, out) == len(out.getvalue()) > 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("path", TRACES, ids=name)
def test_the_import_of_the_export_is_the_trace(path: Path) -> None:
    with TraceFile(path) as trace:
        entries = list(trace)
        writer = Iso14443Writer(trace.header)
        exported = writer.begin() + b"".join(map(writer.receive, entries)) + writer.close()
    reading = capture.read(io.BytesIO(exported))
    assert reading.header == trace.header
    back = []
    for item in reading.items:
        assert isinstance(item, Entry)
        back.append(Entry(round(item.t, 6), item.dir, item.octets, item.on, item.number))
    assert back == entries
