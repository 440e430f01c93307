"""Commands with their responses in GSMTAP."""

from nfcbridge.formats.gsmtap_writer import MAX_APDUS, MAX_FIELD_NOTES, GsmtapWriter, packet_of
from nfcbridge.formats.writer import MAX_LEFT_OUT
from nfcbridge.trace import Dir, Entry, Header
from tests.formats.written import SELECT, blocks_of, frames, packets_of, write

GSMTAP = "02040400" + "00" * 12


def test_a_packet_is_ip_udp_gsmtap_command_and_response() -> None:
    packet = packet_of(bytes.fromhex("00B0000002"), bytes.fromhex("00039000")).hex()
    assert packet[:20] == "45000035000040004011"
    assert packet[24:56] == "7f0000017f000001" + "12791279" + "0021" + "0000"
    assert packet[56:] == GSMTAP + "00b0000002" + "00039000"


def test_the_checksum_makes_the_sum_of_the_header_all_ones() -> None:
    for length in range(300):
        header = packet_of(bytes(4 + length), b"\x90\x00")[:20]
        total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2))
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        assert total == 0xFFFF


def test_blocks_are_put_together() -> None:
    lines = ("on", ">E080", "<0578804202", ">1200B00000", "<A2", ">0302", "<130003", ">A2", "<029000")
    ((at, octets, comments),) = packets_of(write(GsmtapWriter(Header()), frames(*lines)))
    assert at == 4000
    assert octets[44:].hex() == "00b0000002" + "00039000"
    assert comments == ["nfcbridge field: on, 0.003000 s before", "nfcbridge pair: 5 octets, answered after 0.005000 s"]


def test_the_section_keeps_the_first_line() -> None:
    section, interface = blocks_of(GsmtapWriter(Header(level="apdus")).begin())
    assert section.options[1][1].startswith(b'nfcbridge header: {"nfcbridge_trace":1,"level":"apdus"')
    assert interface.body[:2] == bytes([101, 0])
    section, _ = blocks_of(GsmtapWriter(Header(card={"idle": "00" * 40_000})).begin())
    assert len(section.options) == 2


def test_what_has_no_place_is_named() -> None:
    writer = GsmtapWriter(Header(level="apdus"))
    long = Entry(0.0, Dir.READER, bytes.fromhex("00D6000000FFFF") + bytes(0xFFFF), number=7)
    lines = (">60", "<6700", ">" + SELECT, ">" + SELECT, "<9000", "off")
    written = write(writer, [*frames(*lines), long, Entry(0.0, Dir.CARD, b"\x90\x00", number=8), *frames(">00B0")])
    assert len(packets_of(written)) == 1
    assert [sentence.split(":")[0] for sentence in writer.left_out.sentences] == [
        "line 2",
        "line 4",
        "line 8",
        "line 2",
    ]
    assert [sentence.split(", ")[0][8:] for sentence in writer.left_out.sentences] == [
        "a command has at least 4 octets",
        "no response came",
        f"command and response have more than {MAX_APDUS} octets: left out",
        "no response came",
    ]


def test_the_longest_pair_is_written_and_a_longer_one_is_named() -> None:
    for more, written in ((0, 1), (1, 0)):
        response = bytes(MAX_APDUS - 7 + more)
        entries = [
            Entry(0.0, Dir.READER, bytes.fromhex("00B00000000000"), number=1),
            Entry(0.0, Dir.CARD, response, number=2),
        ]
        writer = GsmtapWriter(Header(level="apdus"))
        assert len(packets_of(write(writer, entries))) == written
        assert writer.left_out.count == more


def test_of_a_reader_that_polls_the_last_field_events_are_told() -> None:
    lines = ["on", "off"] * MAX_FIELD_NOTES + [">" + SELECT, "<9000"]
    ((_, _, comments),) = packets_of(write(GsmtapWriter(Header(level="apdus")), frames(*lines)))
    assert len(comments) == MAX_FIELD_NOTES + 1
    assert comments[-2] == "nfcbridge field: off, 0.001000 s before"


def test_sentences_about_what_was_left_out_are_bounded_and_counted() -> None:
    writer = GsmtapWriter(Header(level="apdus"))
    write(writer, frames(*([">60", "<6700"] * (MAX_LEFT_OUT + 1))))
    assert len(writer.left_out.sentences) == MAX_LEFT_OUT
    assert writer.left_out.count == MAX_LEFT_OUT + 1
