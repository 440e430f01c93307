"""APDUs in the blocks of a trace, from literal octets."""

import pytest

from nfcbridge import airtime
from nfcbridge.isodep import Ats
from nfcbridge.isodep.blocks import MAX_COMMAND
from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen, FieldSeen
from tests.trace.lines import apdus, blocks, decode, entries, only

RATS = "> E080"
ATS = "< 0578804202"
SELECT = "> 02 00A4000C02E103"
READ = "> 03 00B000000F"
CC = "000F2000FB00F80406E1047FFF0000"


def pairs(*lines: str) -> list[tuple[str, str | None]]:
    """Command and response of each APDU, in hex."""
    return [
        (apdu.command.hex(), None if apdu.response is None else apdu.response.hex())
        for apdu in only(ApduSeen, blocks(*lines))
    ]


def kinds(*lines: str) -> list[BlockKind]:
    return [block.kind for block in only(BlockSeen, blocks(*lines))]


def test_rats_and_ats_are_an_activation() -> None:
    (activation,) = only(ActivationSeen, blocks("+", RATS, ATS))
    assert activation == ActivationSeen(
        first=2,
        last=3,
        t=0.01,
        t_end=0.02,
        fsd=256,
        ats=Ats.parse(bytes.fromhex("0578804202")),
        octets=bytes.fromhex("0578804202"),
        again=False,
    )


def test_an_activation_without_loss_of_field_is_another_one() -> None:
    seen = only(ActivationSeen, blocks("+", RATS, ATS, "> C2", "< C2", "+", RATS, ATS, "-", "+", RATS, ATS))
    assert [activation.again for activation in seen] == [False, True, False]


def test_the_reader_tells_its_frame_size_and_the_card_its_own() -> None:
    decoder = Decoder("blocks")
    assert (decoder.fsd, decoder.ats) == (256, None)
    for entry in entries("> E050", "< 0578804202"):
        decoder.receive(entry)
    assert decoder.fsd == 64
    assert decoder.ats is not None
    assert decoder.ats.fsc == 256


def test_an_ats_that_cannot_be_read_is_one_of_which_nothing_is_known() -> None:
    (activation,) = only(ActivationSeen, blocks(RATS, "< 09788042"))
    assert activation.ats is None
    assert activation.octets.hex() == "09788042"


@pytest.mark.parametrize(("ats", "fsc"), [("0575804202", 64), ("zz", None), ("0978", None), (7, None)])
def test_the_first_line_tells_the_ats_where_the_trace_does_not(ats: object, fsc: int | None) -> None:
    for level in ("blocks", "apdus"):
        known = Decoder(level, header=Header(card={"ats": ats})).ats
        assert (known and known.fsc) == fsc


def test_command_and_response_are_one_apdu() -> None:
    (apdu,) = only(ApduSeen, blocks("+", RATS, ATS, SELECT, "< 02 9000"))
    assert (apdu.command.hex(), apdu.response) == ("00a4000c02e103", b"\x90\x00")
    assert (apdu.index, apdu.first, apdu.last, apdu.t, apdu.t_command, apdu.t_end) == (1, 4, 5, 0.03, 0.03, 0.04)
    assert (apdu.blocks, apdu.wtx, apdu.retransmissions) == (2, 0, 0)
    assert (apdu.command_entries, apdu.response_entries) == ((4,), (5,))
    assert (apdu.sw, apdu.data) == (0x9000, b"")
    assert apdu.air == pytest.approx(airtime.command_time(7, 2, 256))


def test_lower_layers_of_one_entry_come_first() -> None:
    seen = [type(each) for each in blocks("+", RATS, ATS, SELECT, "< 02 9000", "-")]
    assert seen == [FieldSeen, *[BlockSeen] * 2, ActivationSeen, *[BlockSeen] * 2, ApduSeen, FieldSeen]


def test_no_activation_is_needed() -> None:
    assert pairs(READ, f"< 03 {CC}9000") == [("00b000000f", CC.lower() + "9000")]


def test_chains_of_both_directions_are_put_together() -> None:
    seen = blocks(
        "> 12 00D6", "< A2", "> 13 0000", "< A3", "> 02 02FFFF", "< 12 01", "> A3", "< 13 02", "> A2", "< 02 9000"
    )
    (apdu,) = only(ApduSeen, seen)
    assert (apdu.command.hex(), apdu.response and apdu.response.hex()) == ("00d6000002ffff", "01029000")
    assert (apdu.command_entries, apdu.response_entries) == ((1, 3, 5), (6, 8, 10))
    assert (apdu.blocks, apdu.retransmissions) == (10, 0)
    assert [apdu.t, apdu.t_command, apdu.t_end] == pytest.approx([0.0, 0.04, 0.09])


def test_a_chain_may_end_with_an_empty_block() -> None:
    assert pairs("> 12 00B0000002", "< A2", "> 03", "< 12 00039000", "> A3", "< 03") == [("00b0000002", "00039000")]


def test_a_command_that_is_sent_again_counts_once() -> None:
    seen = blocks("> 02 00B0000002", "> 02 00B0000002", "< 02 00039000")
    (apdu,) = only(ApduSeen, seen)
    assert (apdu.command.hex(), apdu.blocks, apdu.retransmissions) == ("00b0000002", 3, 1)
    assert [block.repeated for block in only(BlockSeen, seen)] == [False, True, False]


def test_a_block_that_the_card_asks_for_again_counts_once() -> None:
    assert pairs("> 12 00B0", "> B2", "< A3", "> 12 00B0", "< A2", "> 03 000002", "< 03 00039000") == [
        ("00b0000002", "00039000")
    ]


def test_a_part_of_a_response_that_is_sent_again_counts_once() -> None:
    seen = blocks("> 02 00B0000004", "< 12 0102", "> B2", "< 12 0102", "> A3", "< 03 03049000")
    (apdu,) = only(ApduSeen, seen)
    assert apdu.response == bytes.fromhex("010203049000")
    assert apdu.retransmissions == 1


def test_an_acknowledgement_that_is_sent_again_is_a_retransmission() -> None:
    lost = blocks("> 02 00B0000004", "< 12 0102", "> A3", "> A3", "< 13 0304", "> A3", "< 13 0304", "> A2", "< 02 9000")
    (apdu,) = only(ApduSeen, lost)
    assert apdu.response == bytes.fromhex("010203049000")
    repeated = [block.entry for block in only(BlockSeen, lost) if block.repeated]
    assert repeated == [4, 6, 7]
    assert apdu.retransmissions == 3


def test_a_response_that_is_sent_again_makes_no_second_apdu() -> None:
    seen = blocks("> 02 00B0000002", "< 02 00039000", "> B2", "< 02 00039000", "> 03 00B0000003", "< 03 0003D09000")
    assert [apdu.index for apdu in only(ApduSeen, seen)] == [1, 2]
    assert only(BlockSeen, seen)[3].repeated


def test_the_same_command_with_the_next_number_is_another_one() -> None:
    assert len(pairs("> 02 00B0000002", "< 02 00039000", "> 03 00B0000002", "< 03 00039000")) == 2


def test_block_numbers_that_never_change_still_give_apdus() -> None:
    lines = ["> 02 00B0000002", "< 02 00039000"] * 3
    assert pairs(*lines) == [("00b0000002", "00039000")] * 3


def test_a_command_that_is_sent_again_after_its_response_is_no_other_where_numbers_change() -> None:
    lines = [SELECT, "< 02 9000", READ, f"< 03 {CC}9000"]
    assert len(pairs(*lines, READ)) == 2
    assert len(pairs(*lines, READ, f"< 03 {CC}9000")) == 2


def test_a_card_that_asks_for_time_is_waited_for() -> None:
    (apdu,) = only(ApduSeen, blocks("> 02 00D600000100", "< F2 01", "> F2 01", "< F2 01", "> F2 01", "< 02 9000"))
    assert (apdu.response, apdu.wtx, apdu.blocks) == (b"\x90\x00", 2, 6)


@pytest.mark.parametrize("end", ["> C2", "-", "+", "> E080"])
def test_what_ends_the_activation_ends_a_command_without_response(end: str) -> None:
    seen = blocks("+", "> 02 00B0000002", "< F2 01", end)
    (apdu,) = only(ApduSeen, seen)
    assert (apdu.response, apdu.sw, apdu.data, apdu.last, apdu.t_end) == (None, None, b"", 2, 0.01)
    assert isinstance(seen[-1], FieldSeen | BlockSeen)  # what ended it comes after it


def test_a_command_after_one_without_response_ends_that() -> None:
    assert pairs("> 02 00B0000002", "> 02 00B0000003", "< 02 00039000") == [
        ("00b0000002", None),
        ("00b0000003", "00039000"),
    ]


def test_the_end_of_the_trace_ends_a_command_without_response() -> None:
    assert pairs("> 02 00B0000002") == [("00b0000002", None)]


def test_half_a_command_is_no_apdu() -> None:
    assert pairs("> 12 00B0", "< A2", "> C2", "< C2") == []
    assert pairs("> 12 00B0") == []


@pytest.mark.parametrize(
    "check", [("> B2", "< A3"), ("> 02", "< 02"), ("> 0A00", "< 0A00"), ("> BA00", "< AA00"), ("> 02", "< A2")]
)
def test_presence_checks_are_no_apdus(check: tuple[str, str]) -> None:
    assert pairs("+", RATS, ATS, *check, "> 03 00B0000002", "< 03 00039000") == [("00b0000002", "00039000")]


def test_a_presence_check_that_is_answered_with_octets_is_no_apdu() -> None:
    assert pairs("> 02", "< 02 9000") == []


def test_an_empty_answer_to_a_command_is_a_response_without_status_word() -> None:
    (apdu,) = only(ApduSeen, blocks("> 02 00B0000002", "< 02"))
    assert (apdu.response, apdu.sw) == (b"", None)


def test_a_cid_is_no_part_of_the_apdu() -> None:
    seen = blocks("> 0A01 00B0000002", "< 0A01 00039000")
    assert [block.cid for block in only(BlockSeen, seen)] == [1, 1]
    assert pairs("> 0A01 00B0000002", "< 0AC1 00039000") == [("00b0000002", "00039000")]


def test_each_frame_is_named() -> None:
    named = kinds(
        RATS, ATS, "> D01105", "< D0", SELECT, "> 12 00", "< A2", "> B2", "< F2 01", "> F2 01", "> C2", "< C2"
    )
    assert named == [
        BlockKind.RATS,
        BlockKind.ATS,
        BlockKind.PPS,
        BlockKind.PPS_RESPONSE,
        BlockKind.I_LAST,
        BlockKind.I_MORE,
        BlockKind.ACK,
        BlockKind.NAK,
        BlockKind.WTX,
        BlockKind.WTX,
        BlockKind.DESELECT,
        BlockKind.DESELECT,
    ]


@pytest.mark.parametrize(
    "frame",
    [
        "26",
        "52",
        "9320",
        "9370 08A1B2C3D8",
        "5000",
        "0A",
        "A200",
        "C200",
        "F2",
        "F200",
        "F23C",
        "E0",
        "D000",
        "DF01",
        "06 00",
    ],
)
def test_what_is_no_block_changes_nothing(frame: str) -> None:
    assert kinds(f"> {frame}") == [BlockKind.INVALID]
    assert pairs("> 02 00B0000002", f"> {frame}", f"< {frame}", "< 02 00039000") == [("00b0000002", "00039000")]


def test_a_card_sends_no_rats() -> None:
    assert kinds("< E080", "< D01105") == [BlockKind.INVALID] * 2


def test_a_card_that_does_not_answer_pps_keeps_the_bit_rate() -> None:
    seen = only(BlockSeen, blocks("> D01105", "< 02 9000", "> 02 00B0000002"))
    assert seen[1].kind is BlockKind.I_LAST
    assert seen[2].air == pytest.approx(airtime.frame_time(6) + airtime.READER_DELAY)


def test_frames_after_pps_have_its_bit_rates_until_the_next_activation() -> None:
    seen = only(
        BlockSeen, blocks(RATS, ATS, "> D01109", "< D0", "> 02 00B0000002", "< 02 00039000", "> C2", "< C2", RATS, ATS)
    )
    rates = {106: seen[0], 212: seen[4], 424: seen[5]}
    for rate, block in rates.items():
        delay = airtime.READER_DELAY if block.from_reader else airtime.CARD_DELAY
        assert block.air == pytest.approx(airtime.frame_time(len(block.octets), rate) + delay)
    assert seen[8].air == pytest.approx(seen[0].air)
    assert seen[3].air == pytest.approx(airtime.frame_time(1) + airtime.CARD_DELAY)


def test_a_command_without_end_is_given_up() -> None:
    decoder = Decoder("blocks")
    part = bytes(1000)
    count = MAX_COMMAND // len(part) + 1
    for number in range(count):
        decoder.receive(Entry(0.0, Dir.READER, bytes([0x12 | number % 2]) + part, number=2 * number + 1))
        decoder.receive(Entry(0.0, Dir.CARD, bytes([0xA2 | number % 2]), number=2 * number + 2))
    assert decoder.close() == []


def test_a_response_without_end_is_given_up() -> None:
    decoder = Decoder("blocks")
    decoder.receive(Entry(0.0, Dir.READER, bytes.fromhex("0200B0000002"), number=1))
    seen = []
    for number in range(67):
        seen += decoder.receive(Entry(0.0, Dir.CARD, bytes([0x12 | number % 2]) + bytes(1000), number=2))
        seen += decoder.receive(Entry(0.0, Dir.READER, bytes([0xA3 ^ number % 2]), number=3))
    seen += decoder.receive(Entry(0.0, Dir.CARD, bytes.fromhex("039000"), number=4))
    assert only(ApduSeen, seen) == []


def test_a_trace_of_apdus_needs_no_putting_together() -> None:
    seen = apdus("+", "> 00A4000C02E103", "< 9000", "> 00B000000F", "-")
    first, second = only(ApduSeen, seen)
    assert (first.first, first.last, first.sw, first.blocks) == (2, 3, 0x9000, 2)
    assert (second.index, second.response, second.last, second.blocks) == (2, None, 4, 1)
    assert [field.on for field in only(FieldSeen, seen)] == [True, False]
    assert first.air == pytest.approx(airtime.command_time(7, 2, 256))


def test_a_response_without_command_is_no_apdu() -> None:
    assert apdus("< 9000") == []


def test_an_empty_command_is_a_presence_check() -> None:
    assert decode([Entry(0.0, Dir.READER, number=1), Entry(0.1, Dir.CARD, number=2)], "apdus") == []
    (block,) = decode([Entry(0.0, Dir.READER, number=1)])
    assert isinstance(block, BlockSeen)
    assert block.kind is BlockKind.INVALID
