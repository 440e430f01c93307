"""Frames as Wireshark reads them: pseudo header, CRC, field events."""

import pytest

from nfcbridge.errors import TraceError
from nfcbridge.formats.crc import crc_a
from nfcbridge.formats.iso14443_writer import MAX_OCTETS, Iso14443Writer
from nfcbridge.trace import Dir, Entry, Header
from tests.formats.written import SELECT, blocks_of, frames, packets_of, write


def octets_of(level: str, *lines: str) -> list[str]:
    return [octets.hex() for _, octets, _ in packets_of(write(Iso14443Writer(Header(level=level)), frames(*lines)))]


def test_frames_have_a_pseudo_header_and_their_crc() -> None:
    # The CRCs of RATS and R(NAK) are those of other people's traces.
    assert octets_of("blocks", "on", ">E080", "<0578804202", ">B2", "off") == [
        "00fc0000",
        "00fe0004e0803173",
        "00ff00070578804202" + crc_a(bytes.fromhex("0578804202")).hex(),
        "00fe0003b267c7",
        "00fd0000",
    ]


def test_a_request_of_seven_bits_has_no_crc() -> None:
    assert octets_of("blocks", ">26", ">52", "<26") == ["00fe000126", "00fe000152", "00ff000326" + crc_a(b"\x26").hex()]


def test_apdus_are_put_into_blocks_with_the_numbers_of_an_activation() -> None:
    lines = (">00B0000002", "<00039000", ">" + SELECT, "<9000", "on", ">60", "<6700")
    assert [octets[8:-4] for octets in octets_of("apdus", *lines)] == [
        "0200b0000002",
        "0200039000",
        "03" + SELECT.lower(),
        "039000",
        "",
        "0260",
        "026700",
    ]


def test_the_section_says_what_it_is_and_where_from() -> None:
    header = Header(level="apdus", link="vpcd:x", source="somebody's reader")
    section, interface = blocks_of(Iso14443Writer(header).begin())
    (_, words), (_, note), (code, program) = section.options
    assert words.startswith(b"Recorded by somebody's reader at vpcd:x, exported by nfcbridge ")
    assert b"which nobody sent" in words
    assert note.startswith(b"nfcbridge header: {")
    assert code == 4
    assert program.startswith(b"nfcbridge ")
    assert interface.body[:2] == bytes([0x08, 0x01])
    assert interface.options == [(2, b"vpcd:x"), (9, b"\x06")]


def test_a_first_line_too_long_for_a_comment_is_left_out() -> None:
    section, _ = blocks_of(Iso14443Writer(Header(card={"idle": "00" * 40_000})).begin())
    assert [code for code, _ in section.options] == [1, 4]
    assert b"which nobody sent" not in section.options[0][1]


def test_times_are_those_of_the_clock_on_the_wall() -> None:
    writer = Iso14443Writer(Header(clock={"wall": 1_700_000_000.25}))
    assert [at for at, _, _ in packets_of(write(writer, frames("on", ">B2")))] == [
        1_700_000_000_251_000,
        1_700_000_000_252_000,
    ]


def test_times_begin_at_0_where_nobody_knows_the_day() -> None:
    assert [at for at, _, _ in packets_of(write(Iso14443Writer(Header()), frames("on")))] == [1000]


def test_a_time_before_the_first_line_is_refused_unless_the_day_is_known() -> None:
    entry = Entry(-1.0, Dir.FIELD, on=True, number=1)
    with pytest.raises(TraceError, match="before the first line"):
        write(Iso14443Writer(Header()), [entry])
    assert packets_of(write(Iso14443Writer(Header(clock={"wall": 10})), [entry]))[0][0] == 9_000_000


def test_the_longest_frame_is_written_and_a_longer_one_is_named() -> None:
    writer = Iso14443Writer(Header())
    longest = Entry(0.0, Dir.READER, bytes(MAX_OCTETS - 2), number=1)
    longer = Entry(0.0, Dir.READER, bytes(MAX_OCTETS - 1), number=2)
    ((_, octets, _),) = packets_of(write(writer, [longest, longer]))
    assert len(octets) == 4 + MAX_OCTETS
    assert writer.left_out.sentences == ["line 3: a packet holds 65535 octets and not 65536: left out"]
