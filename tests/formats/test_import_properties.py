"""No octets make a reader fail: random ones, logs with a part changed, and what a fuzzer has found."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import TraceError
from nfcbridge.formats.capture import MIN_CONSTANT
from nfcbridge.formats.found import MAX_OCTETS, FormatProblem
from nfcbridge.formats.importing import IMPORT_FORMATS, Source, detect, detect_text, read_import
from nfcbridge.trace import Entry
from nfcbridge.trace.entries import format_entry, parse_entry
from tests.formats.imports import FINDS, FIXTURES, names

LOGS = [path.read_bytes()[:6000] for path in FIXTURES]

MARKS = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\x1b[",
        b"> ",
        b">> ",
        b"APDU: ",
        b"SW: ",
        b" | ",
        b"A<< (",
        b"RECV: ",
        b"\x00",
        b"0 ",
        b"\xff\xfe",
    ]
)


def read_whole(octets: bytes, name: str | None) -> list[Entry]:
    """Read a file; every entry must be one that a trace can hold."""
    try:
        _, reading = read_import(Source(io.BytesIO(octets)), name)
    except TraceError:
        return []
    entries = []
    for item in reading.items:
        if isinstance(item, FormatProblem):
            assert item.words
            assert str(item.position)
            continue
        entries.append(item)
        assert item.number == len(entries)
        assert len(item.octets) <= MAX_OCTETS
        parsed = parse_entry(format_entry(item).encode(), item.number)
        assert (parsed.dir, parsed.octets, parsed.on) == (item.dir, item.octets, item.on)
    return entries


@pytest.mark.parametrize("name", names())
@given(octets=st.binary(max_size=600))
def test_random_octets_are_read_by_every_format(name: str, octets: bytes) -> None:
    read_whole(octets, name)


@given(st.binary(max_size=2000))
def test_random_octets_are_of_a_format_or_of_none(octets: bytes) -> None:
    assert detect(octets) is None or detect(octets) in IMPORT_FORMATS.values()
    read_whole(octets, None)


@given(st.text(max_size=500))
def test_random_text_is_of_a_format_or_of_none(text: str) -> None:
    assert detect_text(text) is None or detect_text(text) in IMPORT_FORMATS.values()


@given(st.sampled_from(LOGS), st.data())
def test_a_log_with_a_part_changed_is_read(log: bytes, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(log)))
    end = data.draw(st.integers(begin, min(len(log), begin + 300)))
    changed = log[:begin] + data.draw(st.binary(max_size=30) | MARKS) + log[end:]
    name = data.draw(st.sampled_from([None, *names()]))
    entries = read_whole(changed, name)
    assert all(entry.t >= 0 for entry in entries)


@given(st.sampled_from(LOGS), st.data())
def test_what_stands_before_a_cut_is_imported_all_the_same(log: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(log)))
    whole, part = (read_whole(octets, None) for octets in (log, log[:cut]))
    assert len(part) <= len(whole)
    # The last frame may have lost its end where nothing says how long it was; one APDU of NFCGate may be a block.
    if len(part) > MIN_CONSTANT:
        assert [(entry.dir, entry.octets) for entry in part[:-1]] == [
            (entry.dir, entry.octets) for entry in whole[: len(part) - 1]
        ]


def test_what_a_fuzzer_found_is_read() -> None:
    for path in FINDS:
        octets = path.read_bytes()
        for name in (None, *names()):
            read_whole(octets, name)


PIECES = [
    " ",
    "\n",
    "\t \n",
    ">> ",
    "| ",
    "|\n",
    "00 ",
    "RECV:",
    "A<< (",
    "\x1b[",
    "00000000 ",
    "In: ",
    "[+] ",
    "\r",
    "AAAA\n",
]


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_a_text_of_one_piece_takes_no_longer_than_its_length(piece: str) -> None:
    # What looked at each character from each other would take minutes.
    octets = ("| Rdr | 00 \n> 00 A4 04 00 07\n" + piece * (60_000 // len(piece))).encode()
    for name in (None, *names()):
        read_whole(octets, name)
