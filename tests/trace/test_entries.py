"""The format of traces, read and written."""

from pathlib import Path

import pytest

from nfcbridge.errors import TraceError
from nfcbridge.trace import Dir, Entry, Header, Recorder, TraceFile, write_trace
from nfcbridge.trace.entries import MAX_LINE, MAX_TIME

TRACE = (
    '{"nfcbridge_trace": 1, "level": "blocks", "link": "udp:127.0.0.1:54321", "clock": "monotonic", "seed": 5, '
    '"card": {"uid": "08a1b2c3"}, "later": true}\n'
    '{"t": 0.000104, "dir": "field", "on": true}\n'
    '{"t": 0.000412, "dir": "reader", "hex": "e080"}\n'
    '{"t": 0.000587, "dir": "card", "hex": "0578804202"}\n'
    '{"t": 1.5, "dir": "field", "on": false}\n'
)
ENTRIES = [
    Entry(0.000104, Dir.FIELD, on=True, number=1),
    Entry(0.000412, Dir.READER, b"\xe0\x80", number=2),
    Entry(0.000587, Dir.CARD, b"\x05\x78\x80\x42\x02", number=3),
    Entry(1.5, Dir.FIELD, number=4),
]


def test_a_trace_is_read_entry_by_entry(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(TRACE)
    with TraceFile(path) as trace:
        assert trace.header == Header(link="udp:127.0.0.1:54321", seed=5, card={"uid": "08a1b2c3"})
        assert list(trace) == ENTRIES
        assert trace.problem == ""


def test_a_last_line_that_was_cut_off_is_told_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(TRACE + '{"t": 1.6, "dir": "rea')
    with TraceFile(path) as trace:
        assert list(trace) == ENTRIES
        assert trace.problem == f"{path}: line 6 was cut off and is left out"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    header = Header(level="apdus", source="a test", app={"dev": True})
    assert write_trace(path, header, ENTRIES) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    with TraceFile(path) as trace:
        assert trace.header == header
        assert list(trace) == ENTRIES


def test_a_trace_that_fails_while_it_is_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("old")

    def entries() -> list[Entry]:
        raise TraceError("no more")

    with pytest.raises(TraceError):
        write_trace(path, Header(), (entry for _ in "x" for entry in entries()))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("{}\n", "line 1: this is no trace of nfcbridge"),
        ("[" * 100_000, "line 1: this is no trace of nfcbridge"),
        ('{"nfcbridge_trace": 2}\n', "line 1: a trace of version 2"),
        ('{"nfcbridge_trace": 1, "level": "bits"}\n', "line 1: the level is blocks or apdus"),
        ('{"nfcbridge_trace": 1}\n{"t": 0, "dir": "reader", "hex": "0"}\n', "line 2: "),
        ('{"nfcbridge_trace": 1}\n{"t": 0, "dir": "reader"}\n', "line 2: a frame has octets"),
        ('{"nfcbridge_trace": 1}\n{"t": 0, "dir": "field", "hex": "00"}\n', "line 2: a frame has octets"),
        ('{"nfcbridge_trace": 1}\n{"t": 0, "dir": "phone", "hex": "00"}\n', "line 2: "),
        ('{"nfcbridge_trace": 1}\n' + " " * MAX_LINE + "\n", "line 2: it has more than"),
        (" " * MAX_LINE, "line 1: it has more than"),
        ('{"nfcbridge_trace": 1}\n{"t": 10000000001, "dir": "reader", "hex": "00"}\n', "line 2: .*<= 10000000000"),
        ('{"nfcbridge_trace": 1}\n{"t": -10000000001, "dir": "reader", "hex": "00"}\n', "line 2: .*>= -10000000000"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(TraceError, match=words) as caught, TraceFile(path) as trace:
        list(trace)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).count(str(path)) == 1


def test_times_may_be_far_from_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"nfcbridge_trace": 1}\n'
        f'{{"t": {-MAX_TIME}, "dir": "reader", "hex": "00"}}\n'
        f'{{"t": {MAX_TIME}, "dir": "reader", "hex": "00"}}\n'
    )
    with TraceFile(path) as trace:
        assert [entry.t for entry in trace] == [-MAX_TIME, MAX_TIME]


def test_empty_lines_are_no_entries_and_have_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"nfcbridge_trace": 1}\n\n{"t": 1, "dir": "reader", "hex": "00"}\n \r\n\n')
    with TraceFile(path) as trace:
        assert list(trace) == [Entry(1.0, Dir.READER, b"\x00", number=2)]
        assert trace.problem == ""


def test_a_mark_of_the_encoding_before_the_first_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(TRACE, encoding="utf-8-sig")
    with TraceFile(path) as trace:
        assert list(trace) == ENTRIES


def test_a_recorded_trace_is_written_again_in_the_same_octets(tmp_path: Path) -> None:
    path, again = tmp_path / "t.jsonl", tmp_path / "again.jsonl"
    card = {"hold": 9.605e-06, "name": "\u00fc", "limits": [251, None, True, 2**127]}
    with Recorder(path, level="blocks", link="memory:\u00fc", card=card, seed=2**128 - 1) as recorder:
        recorder.record_field(on=True)
        recorder.record_reader(b"\xe0\x80")
        recorder.record_card(b"\x05\x78\x80\x42\x02")
    with TraceFile(path) as trace:
        write_trace(again, trace.header, trace)
    assert again.read_bytes() == path.read_bytes()
