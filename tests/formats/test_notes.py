"""What an export says of a trace in comments is read back as it was, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import TraceError
from nfcbridge.formats.notes import (
    MAX_NOTE,
    MAX_SECONDS,
    FieldNote,
    PairNote,
    field_note,
    header_note,
    origin,
    pair_note,
    parse_field_note,
    parse_header_note,
    parse_pair_note,
    to_microseconds,
)
from nfcbridge.trace import Header


def test_the_first_line_is_a_comment() -> None:
    header = Header(level="apdus", link="vpcd:x", seed=1 << 127, card={"uid": "08"}, clock={"wall": 1.5})
    note = header_note(header)
    assert note is not None
    assert note.startswith('nfcbridge header: {"nfcbridge_trace":1,"level":"apdus"')
    assert parse_header_note(note) == header


@pytest.mark.parametrize(
    "comment", ["", "hello", "nfcbridge header: {}", "nfcbridge header: [", 'nfcbridge header: {"nfcbridge_trace":2}']
)
def test_other_comments_are_no_first_line(comment: str) -> None:
    assert parse_header_note(comment) is None


def test_a_first_line_that_no_comment_holds_is_none() -> None:
    room = MAX_NOTE - len((header_note(Header()) or "").encode())
    assert len((header_note(Header(link="x" * room)) or "").encode()) == MAX_NOTE
    assert header_note(Header(link="x" * (room + 1))) is None


@given(st.integers(0, 999_999), st.integers(0, 10**13).map(lambda n: n / 1_000_000))
def test_where_a_response_begins_is_read_back(command: int, delay: float) -> None:
    note = PairNote(command, delay)
    assert parse_pair_note(pair_note(note)) == note


@given(st.booleans(), st.integers(0, 10**13).map(lambda n: n / 1_000_000))
def test_what_the_field_did_is_read_back(on: bool, before: float) -> None:
    note = FieldNote(on, before)
    assert parse_field_note(field_note(note)) == note


@pytest.mark.parametrize("comment", ["", "nfcbridge pair: x octets", "nfcbridge field: up, 0.000000 s before", "hello"])
def test_other_comments_are_no_notes(comment: str) -> None:
    assert parse_pair_note(comment) is None
    assert parse_field_note(comment) is None


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ({"kind": "monotonic", "wall": 1795360955.343458}, 1795360955343458),
        ({"wall": 0}, 0),
        ({"wall": MAX_SECONDS}, 0),
        ({"wall": -1}, 0),
        ({"wall": True}, 0),
        ({"wall": "noon"}, 0),
        ({}, 0),
        ("monotonic", 0),
        (None, 0),
    ],
)
def test_a_trace_begins_when_its_clock_says(clock: object, expected: int) -> None:
    assert origin(Header(clock=clock)) == expected


@pytest.mark.parametrize("seconds", [MAX_SECONDS, -MAX_SECONDS, 1e300])
def test_a_time_that_nothing_holds_is_refused(seconds: float) -> None:
    with pytest.raises(TraceError, match="mend the trace"):
        to_microseconds(seconds)


def test_times_are_whole_microseconds() -> None:
    assert to_microseconds(0.0000014) == 1
    assert to_microseconds(1.415195) == 1415195
    assert to_microseconds(MAX_SECONDS - 1) == 8_999_999_999_000_000
