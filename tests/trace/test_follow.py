"""A trace that is still being written."""

from pathlib import Path

import pytest

from nfcbridge.errors import TraceError
from nfcbridge.trace import Header, write_trace
from nfcbridge.trace.entries import MAX_LINE, format_entry
from nfcbridge.trace.follow import GrowingTrace
from tests.trace.lines import entries

TRACE = entries("+", "> E080", "< 0578804202")
LINES = [format_entry(entry).encode() for entry in TRACE]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.jsonl"
    write_trace(path, Header(link="memory:x"), [])
    return path


def test_entries_come_as_they_are_written(path: Path) -> None:
    with GrowingTrace(path) as trace, path.open("ab", buffering=0) as file:
        assert trace.read() is None
        assert trace.header == Header(link="memory:x")
        file.write(LINES[0])
        assert trace.read() == TRACE[0]
        assert trace.read() is None
        file.write(LINES[1] + LINES[2])
        assert [trace.read(), trace.read(), trace.read()] == [TRACE[1], TRACE[2], None]


def test_a_line_may_come_in_parts(path: Path) -> None:
    first = path.read_bytes()
    path.write_bytes(b"")
    with GrowingTrace(path) as trace, path.open("ab", buffering=0) as file:
        assert trace.read() is None
        file.write(first[:10])
        assert (trace.read(), trace.header) == (None, None)
        file.write(first[10:])
        assert trace.read() is None
        assert trace.header is not None
        for octet in LINES[0][:-1]:
            file.write(bytes([octet]))
            assert trace.read() is None
        file.write(b"\n")
        assert trace.read() == TRACE[0]


def test_empty_lines_are_passed_over(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n" + LINES[0])
    with GrowingTrace(path) as trace:
        first = trace.read()
        assert first is not None
        assert (first.octets, first.number) == (TRACE[0].octets, 2)
        assert trace.read() is None


def test_a_broken_line_is_told_with_its_file_and_number(path: Path) -> None:
    with path.open("ab") as file:
        file.write(LINES[0] + b"no entry\n")
    with GrowingTrace(path) as trace:
        assert trace.read() == TRACE[0]
        with pytest.raises(TraceError, match=r"t\.jsonl: line 3: "):
            trace.read()


def test_what_is_no_trace_is_told(path: Path) -> None:
    path.write_text("hello\n")
    with GrowingTrace(path) as trace, pytest.raises(TraceError, match=r"t\.jsonl: line 1: this is no trace"):
        trace.read()


def test_a_file_that_is_begun_anew_is_told(path: Path) -> None:
    with GrowingTrace(path) as trace:
        assert trace.read() is None
        path.write_bytes(b"{")
        with pytest.raises(TraceError, match="was begun anew"):
            trace.read()


def test_a_line_without_end_is_refused(path: Path) -> None:
    with GrowingTrace(path) as trace, path.open("ab", buffering=0) as file:
        assert trace.read() is None
        file.write(b"x" * (MAX_LINE - 1))
        assert trace.read() is None
        file.write(b"x")
        with pytest.raises(TraceError, match="more than 1048576 octets"):
            trace.read()
