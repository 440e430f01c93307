"""What is exported and imported again is the same trace: octets, directions, the field, times, the first line."""

import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.formats import capture
from nfcbridge.formats.gsmtap_writer import GsmtapWriter
from nfcbridge.formats.iso14443_writer import Iso14443Writer
from nfcbridge.formats.writer import Writer
from nfcbridge.trace import Dir, Entry, Header
from tests.formats.written import frames, write

LEVELS = st.sampled_from(["blocks", "apdus"])
CLOCKS = st.sampled_from(["monotonic", {"kind": "monotonic", "wall": 1795360955.343458}, {"wall": 0.000001}, None])
HEADERS = st.builds(Header, level=LEVELS, link=st.text(max_size=5), clock=CLOCKS, seed=st.none() | st.integers(0))
MICROSECONDS = st.integers(0, 10**12)
ENTRIES = st.one_of(
    st.tuples(MICROSECONDS, st.just(Dir.FIELD), st.just(b""), st.booleans()),
    st.tuples(
        MICROSECONDS,
        st.sampled_from([Dir.READER, Dir.CARD]),
        st.binary(min_size=1, max_size=300) | st.sampled_from([b"\x26", b"\x52", b"\xb2", b"\xc2", b"\xe0\x80"]),
        st.just(False),
    ),
)
PAIRS = st.tuples(
    MICROSECONDS,
    st.integers(0, 10**9),
    st.binary(min_size=4, max_size=300),
    st.binary(min_size=1, max_size=300),
    st.lists(st.booleans(), max_size=3),
)


def there_and_back(writer: Writer, entries: Iterable[Entry]) -> tuple[Header, list[object]]:
    reading = capture.read(io.BytesIO(write(writer, entries)))
    return reading.header, list(reading.items)


def rounded(entries: Iterable[Entry]) -> list[Entry]:
    return [Entry(round(each.t, 6), each.dir, each.octets, each.on, each.number) for each in entries]


def exact(items: Iterable[object]) -> list[Entry]:
    """Entries with their times to the microsecond; nothing else may be there."""
    entries = [item for item in items if isinstance(item, Entry)]
    assert entries == list(items)
    return rounded(entries)


@given(HEADERS, st.lists(ENTRIES, max_size=20))
def test_frames_come_back_whatever_they_are(header: Header, told: list[tuple[int, Dir, bytes, bool]]) -> None:
    entries = [
        Entry(at / 1_000_000, direction, octets, on, number)
        for number, (at, direction, octets, on) in enumerate(told, 1)
    ]
    back, items = there_and_back(Iso14443Writer(header), entries)
    assert back == header
    assert exact(items) == rounded(entries)


@given(HEADERS, st.lists(PAIRS, max_size=10))
def test_apdus_come_back_from_gsmtap(header: Header, pairs: list[tuple[int, int, bytes, bytes, list[bool]]]) -> None:
    header = Header(level="apdus", link=header.link, clock=header.clock, seed=header.seed)
    entries: list[Entry] = []
    at = 0
    for after, delay, command, response, fields in pairs:
        told = [(Dir.FIELD, b"", on) for on in fields]
        at += after % 1_000_000_000
        for direction, octets, on in (*told, (Dir.READER, command, False)):
            entries.append(Entry(at / 1_000_000, direction, octets, on, len(entries) + 1))
        at += delay
        entries.append(Entry(at / 1_000_000, Dir.CARD, response, number=len(entries) + 1))
    writer = GsmtapWriter(header)
    back, items = there_and_back(writer, entries)
    assert not writer.left_out.count
    assert not entries or back == header
    assert exact(items) == rounded(entries)


@pytest.mark.parametrize("level", ["blocks", "apdus"])
def test_a_trace_without_entries_comes_back(level: str) -> None:
    header = Header(level=level, source="x")
    assert there_and_back(Iso14443Writer(header), []) == (header, [])


def test_blocks_become_apdus_in_gsmtap() -> None:
    lines = (">0200B0000002", "<F201", ">F201", "<0200039000")
    back, items = there_and_back(GsmtapWriter(Header(link="udp:x")), frames(*lines))
    assert (back.level, back.link) == ("apdus", "udp:x")
    assert [(each.dir, each.octets.hex()) for each in exact(items)] == [
        (Dir.READER, "00b0000002"),
        (Dir.CARD, "00039000"),
    ]
