"""The reader's procedures: literal APDUs first, against a card that is a list; then against our own card."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import CommandError, LocalProtocolError, NfcBridgeError, RemoteProtocolError
from nfcbridge.type4 import (
    NDEF_AID_1,
    CardConfig,
    Committed,
    Procedure,
    TagInfo,
    Type4Card,
    WriteOrder,
    detect,
    read,
    run_procedure,
    select,
    write,
)

T = TypeVar("T")
Dialogue = list[tuple[str, str]]

SELECT_APPLICATION = "00A4040007D276000085010100"
SELECT_APPLICATION_1 = "00A4040007D2760000850100"
DETECTION: Dialogue = [
    (SELECT_APPLICATION, "9000"),
    ("00A4000C02E103", "9000"),
    ("00B000000F", "000F2000FB00F80406E1047FFF00009000"),
    ("00A4000C02E104", "9000"),
]
TAG = TagInfo(mle=251, mlc=248, file_size=0x7FFF)


def hold(procedure: Procedure[T], dialogue: Dialogue) -> T:
    """Carries a procedure out against a card that expects these commands, no fewer and no more."""
    expected = iter(dialogue)

    def transceive(command: bytes) -> bytes:
        wanted, response = next(expected, ("nothing", ""))
        assert command.hex().upper() == wanted.replace(" ", "").upper()
        return bytes.fromhex(response)

    result = run_procedure(procedure, transceive)
    assert not list(expected)
    return result


def test_detection_takes_four_commands() -> None:
    assert hold(detect(), DETECTION) == TAG


def test_detection_falls_back_to_mapping_version_1_and_its_ways_to_select() -> None:
    dialogue = [
        (SELECT_APPLICATION, "6A82"),
        (SELECT_APPLICATION_1, "9000"),
        ("00A4000002E103", "9000"),
        ("00B000000F", "000F10003B00340406E10404000000 9000"),
        ("00A4000002E104", "9000"),
    ]
    assert hold(detect(), dialogue) == TagInfo(0x3B, 0x34, 0x0400, version=0x10, aid=NDEF_AID_1)


def test_detection_follows_what_the_capability_container_says() -> None:
    dialogue = [
        *DETECTION[:2],
        ("00B000000F", "001730 0FFF 1000 0406 E105 0080 00 FF 9000"),
        ("00A4000C02E105", "9000"),
    ]
    expected = TagInfo(0xFFF, 0x1000, 0x80, writable=False, file_id=0xE105, version=0x30)
    assert hold(detect(), dialogue) == expected


def test_detection_reads_on_when_a_capability_container_comes_in_pieces() -> None:
    dialogue = [
        *DETECTION[:2],
        ("00B000000F", "000F 9000"),
        ("00B000020D", "2000FB00F80406E1047FFF00 9000"),
        ("00B0000E01", "00 9000"),
        DETECTION[3],
    ]
    assert hold(detect(), dialogue) == TAG


@pytest.mark.parametrize(
    ("dialogue", "sw", "words"),
    [
        (
            [(SELECT_APPLICATION, "6A82"), (SELECT_APPLICATION_1, "6A82")],
            0x6A82,
            "SELECT of the NDEF application: 6A82, file or application not found",
        ),
        ([DETECTION[0], ("00A4000C02E103", "6A82")], 0x6A82, "SELECT of the file E103: 6A82"),
        ([*DETECTION[:2], ("00B000000F", "6982")], 0x6982, "READ BINARY at 0: 6982"),
        (
            [*DETECTION[:2], ("00B000000F", "000E 9000"), ("00B000020D", "6B00")],
            0x6B00,
            "READ BINARY at 2: 6B00, the offset is at or past the end of the file",
        ),
        ([*DETECTION[:3], ("00A4000C02E104", "6F00")], 0x6F00, "SELECT of the file E104: 6F00$"),
    ],
)
def test_detection_ends_with_the_step_that_the_tag_refuses(dialogue: Dialogue, sw: int, words: str) -> None:
    with pytest.raises(CommandError, match=words) as refusal:
        hold(detect(), dialogue)
    assert refusal.value.sw == sw


@pytest.mark.parametrize(
    ("responses", "words"),
    [
        (["9000", "9000", "9000"], "READ BINARY at 0: 0 octets, wanted 1..15"),
        (["9000", "9000", "00" * 16 + "9000"], "READ BINARY at 0: 16 octets, wanted 1..15"),
        (["9000", "9000", "00" * 15 + "9000"], "length is 0, less than 15"),
        (["9000", "9000", "0011300FFF10000608E104000080009000"], "TLV 06 08, not 04 06"),
        (["90"], "1 octets are no response"),
        ([""], "0 octets are no response"),
    ],
)
def test_detection_refuses_a_tag_that_answers_nonsense(responses: list[str], words: str) -> None:
    answers = iter(responses)
    with pytest.raises(RemoteProtocolError, match=words):
        run_procedure(detect(), lambda _: bytes.fromhex(next(answers)))


def test_a_known_tag_is_selected_again_with_two_commands() -> None:
    hold(select(TAG), [DETECTION[0], DETECTION[3]])
    old = TagInfo(59, 52, 0x400, file_id=0xE105, aid=NDEF_AID_1)
    hold(select(old), [(SELECT_APPLICATION_1, "9000"), ("00A4000002E105", "9000")])


FOUR = bytes.fromhex("D1010054")
TIGHT = TagInfo(mle=15, mlc=4, file_size=32)


@pytest.mark.parametrize(
    ("info", "order", "ours", "commands"),
    [
        (TAG, None, True, ["00D60000 06 0004 D1010054 02"]),
        (TAG, WriteOrder.ONE, False, ["00D60000 06 0004 D1010054"]),
        (TAG, None, False, ["00D60000 02 0000", "00D60002 04 D1010054", "00D60000 02 0004"]),
        (TAG, WriteOrder.NLEN_FIRST, True, ["00D60000 02 0000", "00D60002 04 D1010054", "00D60000 02 0004"]),
        (TAG, WriteOrder.FIRST_CHUNK, True, ["00D60000 06 0000 D1010054", "00D60000 02 0004"]),
        (TIGHT, WriteOrder.ONE, True, ["00D60000 04 0004 D101", "00D60004 02 0054 02"]),
        (TIGHT, WriteOrder.ONE, False, ["00D60000 04 0000 D101", "00D60004 02 0054", "00D60000 02 0004"]),
        (TIGHT, WriteOrder.FIRST_CHUNK, False, ["00D60000 04 0000 D101", "00D60004 02 0054", "00D60000 02 0004"]),
        (TIGHT, None, False, ["00D60000 02 0000", "00D60002 04 D1010054", "00D60000 02 0004"]),
        (
            TagInfo(mle=15, mlc=1, file_size=32),
            WriteOrder.ONE,
            True,
            [
                "00D60000 01 00",
                "00D60001 01 04",
                "00D60002 01 D1",
                "00D60003 01 01",
                "00D60004 01 00",
                "00D60005 01 54",
            ],
        ),
    ],
)
def test_a_message_is_written_with_these_commands(
    info: TagInfo, order: WriteOrder | None, ours: bool, commands: list[str]
) -> None:
    hold(write(info, FOUR, order, ours=ours), [(command, "9000") for command in commands])


def test_a_card_of_ours_says_the_length_of_its_answer_in_the_response_to_the_last_update() -> None:
    command = "00D60000 06 0004 D1010054 02"
    assert hold(write(TAG, FOUR, ours=True), [(command, "0123 9000")]) == 0x123
    assert hold(write(TAG, FOUR, ours=True), [(command, "9000")]) is None
    assert hold(write(TAG, FOUR, WriteOrder.ONE), [("00D60000 06 0004 D1010054", "9000")]) is None


def test_a_chunk_that_fills_its_block_is_not_made_longer_by_an_le() -> None:
    assert updates(TAG, bytes(246), ours=True)[-1][-1:] == b"\x00"
    assert updates(TAG, bytes(245), ours=True)[-1][-1:] == b"\x02"


def test_a_write_uses_extended_commands_only_where_255_octets_are_not_enough() -> None:
    info = TagInfo(mle=300, mlc=300, file_size=0x1000)
    message = bytes(400)
    hold(
        write(info, message, WriteOrder.ONE, ours=True),
        [
            ("00D60000 00012C 0190" + "00" * 298, "9000"),
            ("00D6012C 66" + "00" * 102 + "02", "9000"),
        ],
    )


def test_255_octets_go_in_a_short_command_and_256_in_an_extended_one() -> None:
    info = TagInfo(mle=255, mlc=0xFFFF, file_size=0x1000)
    hold(write(info, bytes(253), ours=True), [("00D60000 FF 00FD" + "00" * 253 + "02", "9000")])
    hold(write(info, bytes(254), ours=True), [("00D60000 000100 00FE" + "00" * 254 + "0002", "9000")])


@pytest.mark.parametrize(
    ("message", "chunk"), [(246, 1), (247, 2), (32_765, 133)], ids=["fits", "one octet more", "fills the file"]
)
def test_a_message_goes_to_our_card_in_the_fewest_updates(message: int, chunk: int) -> None:
    assert len(list(updates(TAG, bytes(message), ours=True))) == chunk


def updates(info: TagInfo, message: bytes, *, ours: bool) -> list[bytes]:
    sent: list[bytes] = []

    def transceive(command: bytes) -> bytes:
        sent.append(command)
        return b"\x90\x00"

    run_procedure(write(info, message, ours=ours), transceive)
    return sent


def test_a_refused_update_ends_the_write() -> None:
    with pytest.raises(CommandError, match="UPDATE BINARY at 2: 6985, not possible in the present state") as refusal:
        hold(write(TAG, FOUR), [("00D60000020000", "9000"), ("00D6000204D1010054", "6985")])
    assert refusal.value.sw == 0x6985


@pytest.mark.parametrize(
    ("info", "message", "words"),
    [
        (TAG, b"", r"a message of 0 octets does not go into the tag: 1\.\.32765"),
        (TAG, bytes(32_766), r"a message of 32766 octets does not go into the tag: 1\.\.32765"),
        (TIGHT, bytes(31), r"a message of 31 octets does not go into the tag: 1\.\.30 octets do; ask for less"),
        (TagInfo(251, 248, 0xFFFE), bytes(32_766), r"1\.\.32765"),  # past what an offset can say
        (TagInfo(251, 248, 0x7FFF, writable=False), FOUR, "read-only"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_command_is_sent(info: TagInfo, message: bytes, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        hold(write(info, message), [])


def test_a_message_as_large_as_the_file_is_written() -> None:
    assert len(updates(TIGHT, bytes(30), ours=True)) == 8


@pytest.mark.parametrize(
    ("info", "first", "dialogue", "message"),
    [
        # One READ takes NLEN and a short message; zeros follow it.
        (TAG, 256, [("00B00000FB", "0003D00000" + "00" * 246 + "9000")], "D00000"),
        (TAG, 256, [("00B00000FB", "00F9" + "AA" * 249 + "9000")], "AA" * 249),
        # The rest in one more, and no octet more than that.
        (TAG, 256, [("00B00000FB", "00FA" + "AA" * 249 + "9000"), ("00B000FB01", "BB9000")], "AA" * 249 + "BB"),
        (TAG, 256, [("00B00000FB", "0000" + "00" * 249 + "9000")], ""),
        # Who knows the size asks for it.
        (TAG, 5, [("00B0000005", "0003D000009000")], "D00000"),
        (TAG, 2, [("00B0000002", "00039000"), ("00B0000203", "D000009000")], "D00000"),
        (TAG, 0, [("00B0000002", "00039000"), ("00B0000203", "D000009000")], "D00000"),
        # The READ is not larger than the file or MLe.
        (TagInfo(251, 248, 32), 256, [("00B0000020", "0003D00000" + "00" * 27 + "9000")], "D00000"),
        (TIGHT, 256, [("00B000000F", "000E" + "AA" * 13 + "9000"), ("00B0000F01", "BB9000")], "AA" * 13 + "BB"),
        # An MLe of 256 is used as 255, one above it with extended Le for more than 256.
        (TagInfo(256, 248, 0x7FFF), 256, [("00B00000FF", "0003D00000" + "00" * 250 + "9000")], "D00000"),
        (TagInfo(257, 248, 0x7FFF), 256, [("00B0000000", "0003D00000" + "00" * 251 + "9000")], "D00000"),
        (TagInfo(257, 248, 0x7FFF), 300, [("00B00000000101", "0003D00000" + "00" * 252 + "9000")], "D00000"),
        (
            TagInfo(0xFFFF, 248, 0x7FFF),
            256,
            [("00B0000000", "0400" + "AA" * 254 + "9000"), ("00B00100000302", "BB" * 770 + "9000")],
            "AA" * 254 + "BB" * 770,
        ),
        # A card may answer with fewer octets, but not with none.
        (TAG, 5, [("00B0000005", "009000"), ("00B0000104", "039000"), ("00B0000203", "D000009000")], "D00000"),
        (TAG, 5, [("00B0000005", "0003D09000"), ("00B0000302", "009000"), ("00B0000401", "009000")], "D00000"),
    ],
)
def test_a_message_is_read_with_these_commands(info: TagInfo, first: int, dialogue: Dialogue, message: str) -> None:
    assert hold(read(info, first=first), dialogue) == bytes.fromhex(message)


def test_reading_from_scratch_selects_first() -> None:
    dialogue = [DETECTION[0], DETECTION[3], ("00B0000005", "0003D000009000")]
    assert hold(read(TAG, from_scratch=True, first=5), dialogue) == bytes.fromhex("D00000")


@pytest.mark.parametrize(
    ("info", "response", "error", "words"),
    [
        (TIGHT, "9000", RemoteProtocolError, "READ BINARY at 0: 0 octets"),
        (TIGHT, "00" * 16 + "9000", RemoteProtocolError, "READ BINARY at 0: 16 octets, wanted 1..15"),
        (TIGHT, "001F9000", RemoteProtocolError, "the length 31 is past the end of the file"),
        (TAG, "7FFE9000", RemoteProtocolError, "the length 32766 is past the end of the file"),
        (TagInfo(251, 248, 0xFFFE), "7FFE9000", RemoteProtocolError, "the length 32766 is past the end of the file"),
        (TIGHT, "6986", CommandError, "READ BINARY at 0: 6986, no file is selected"),
    ],
)
def test_a_read_that_makes_no_sense_is_given_up(
    info: TagInfo, response: str, error: type[NfcBridgeError], words: str
) -> None:
    with pytest.raises(error, match=words):
        run_procedure(read(info), lambda _: bytes.fromhex(response))


def publishing(card: Type4Card, committed: list[bytes]) -> Callable[[bytes], bytes]:
    """A tag that remembers: what is committed is published."""

    def transceive(command: bytes) -> bytes:
        response, report = card.receive_command(command)
        if isinstance(report, Committed):
            committed.append(report.message)
            card.publish(report.message)
        return response

    return transceive


@given(
    message=st.binary(min_size=1, max_size=700),
    mle=st.integers(15, 800) | st.just(0xFFFF),
    mlc=st.integers(1, 800) | st.just(0xFFFF),
    order=st.sampled_from([None, *WriteOrder]),
    ours=st.booleans(),
    first=st.integers(0, 800),
)
def test_our_card_commits_once_what_is_written_in_any_order_and_gives_it_back(
    message: bytes, mle: int, mlc: int, order: WriteOrder | None, ours: bool, first: int
) -> None:
    card = Type4Card(CardConfig(mle=mle, mlc=mlc, file_size=1000))
    committed: list[bytes] = []
    transceive = publishing(card, committed)
    info = run_procedure(detect(), transceive)
    assert (info.mle, info.mlc, info.file_size) == (mle, mlc, 1000)
    run_procedure(write(info, message, order, ours=ours), transceive)
    assert committed == [message]
    assert run_procedure(read(info, first=first), transceive) == message


@given(st.lists(st.binary(max_size=20) | st.builds(lambda data: data + b"\x90\x00", st.binary(max_size=17))))
def test_any_responses_end_in_a_result_or_an_error_of_ours(responses: list[bytes]) -> None:
    answers = iter(responses)
    procedures: list[Procedure[object]] = [detect(), select(TIGHT), read(TIGHT), write(TIGHT, FOUR)]
    for procedure in procedures:
        try:
            run_procedure(procedure, lambda _: next(answers, b"\x90\x00"))
        except RemoteProtocolError as error:
            assert str(error)  # noqa: PT017 - a result is as good
