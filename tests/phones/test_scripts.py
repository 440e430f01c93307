"""The scripts alone: which octets each reader sends in which order, against canned responses and no card of ours."""

import contextlib
from collections.abc import Callable, Generator

import pytest

from nfcbridge import phones
from nfcbridge.errors import CommandError, RemoteProtocolError
from nfcbridge.phones import AndroidStyle, Script, Step
from nfcbridge.phones.script import Limits, parse_limits, read_message, transceive, write_octets
from nfcbridge.text import encode_text
from tests.phones.canned import (
    ANSWER,
    ANSWER_MESSAGE,
    ASK,
    ASK_MESSAGE,
    CC,
    DETECTION,
    PRESENT,
    REACTIVATE,
    SELECT_APPLICATION,
    CannedTag,
)


def one_request(answers: list[str | None]) -> Generator[str, str | None, None]:
    answers.append((yield ASK))


def play(script: Callable[[phones.Conversation], Script[None]], tag: CannedTag) -> list[str | None]:
    """Play a script with a conversation of one request; what the app was answered comes back."""
    answers: list[str | None] = []
    play_out(script(one_request(answers)), tag)
    return answers


def play_out(script: Script[None], tag: CannedTag) -> None:
    with contextlib.suppress(StopIteration):
        step = next(script)
        while True:
            step = script.send(tag.play(step))


def android(style: AndroidStyle) -> Callable[[phones.Conversation], Script[None]]:
    return lambda conversation: phones.android(conversation, style)


def update(offset: int, octets: bytes) -> str:
    return f"00D6{offset:04X}{len(octets):02X}{octets.hex().upper()}"


def read(offset: int, size: int) -> str:
    return f"00B0{offset:04X}{size:02X}"


DISCOVERY = [*DETECTION, read(0, 2), read(2, 3), REACTIVATE, PRESENT]
WRITE = [update(0, b"\0\0"), update(2, ASK_MESSAGE), update(0, len(ASK_MESSAGE).to_bytes(2))]
ASKED, ANSWERED, GIVEN_NULL = f"> {ASK}", f"< {ANSWER}", "< None"


def test_android_that_closes_and_connects_detects_before_the_write_and_before_the_read() -> None:
    tag = CannedTag()
    assert play(android(AndroidStyle.CLOSE_AND_CONNECT), tag) == [ANSWER]
    assert tag.log == [
        *DISCOVERY,
        ASKED,
        *[REACTIVATE, *DETECTION, *WRITE, PRESENT],
        *[REACTIVATE, *DETECTION, read(0, 2), read(2, len(ANSWER_MESSAGE))],
        ANSWERED,
    ]


def test_android_that_reads_at_once_reads_as_many_octets_as_it_wrote_and_no_length() -> None:
    tag = CannedTag()
    assert play(android(AndroidStyle.READ_AT_ONCE), tag) == []
    assert tag.log == [
        *DISCOVERY,
        ASKED,
        *[REACTIVATE, *DETECTION, *WRITE, PRESENT],
        read(2, len(ASK_MESSAGE)),
        GIVEN_NULL,
    ]


def test_android_that_reads_at_once_is_lucky_when_the_lengths_are_the_same() -> None:
    answer = ANSWER.ljust(len(ASK))
    tag = CannedTag(answer=encode_text(answer))
    assert play(android(AndroidStyle.READ_AT_ONCE), tag) == [answer]


def test_an_app_with_iso_dep_does_all_in_one_activation_of_its_own() -> None:
    tag = CannedTag()
    assert play(android(AndroidStyle.ISO_DEP), tag) == [ANSWER]
    assert tag.log == [
        *DISCOVERY,
        *[REACTIVATE, *DETECTION],
        ASKED,
        *[*WRITE, read(0, 2), read(2, len(ANSWER_MESSAGE))],
        ANSWERED,
    ]


@pytest.mark.parametrize("style", [AndroidStyle.CLOSE_AND_CONNECT, AndroidStyle.READ_AT_ONCE])
def test_android_that_discovered_an_empty_file_never_reads_again(style: AndroidStyle) -> None:
    tag = CannedTag(idle=b"")
    assert play(android(style), tag) == []
    assert tag.log == [
        *[*DETECTION, read(0, 2), REACTIVATE, PRESENT],
        ASKED,
        *[REACTIVATE, *DETECTION, *WRITE],
        GIVEN_NULL,
    ]


def test_nfcpy_writes_length_and_message_in_one_update_where_they_fit() -> None:
    tag = CannedTag()
    assert play(phones.nfcpy, tag) == [ANSWER]
    assert tag.log == [
        *[SELECT_APPLICATION, "00A4000C02E103", "00B0000002", "00B000020D"],
        *["00A4000C02E104", read(0, 2), read(2, 3)],
        ASKED,
        update(0, len(ASK_MESSAGE).to_bytes(2) + ASK_MESSAGE),
        *["00A4000C02E104", read(0, 2), read(2, len(ANSWER_MESSAGE))],
        ANSWERED,
    ]


def test_nfcpy_writes_zeros_for_the_length_with_the_first_chunk_where_one_update_is_too_short() -> None:
    tag = CannedTag(cc=bytes.fromhex("000F2000FB00200406E1047FFF0000"))
    assert play(phones.nfcpy, tag) == [ANSWER]
    content = bytes(2) + ASK_MESSAGE
    assert tag.log[8:-4] == [
        update(0, content[:32]),
        update(32, content[32:]),
        update(0, len(ASK_MESSAGE).to_bytes(2)),
    ]


@pytest.mark.parametrize(("says_length", "size"), [(True, 2 + len(ANSWER_MESSAGE)), (False, 251)])
def test_our_own_reader_takes_one_update_and_one_read(size: int, *, says_length: bool) -> None:
    tag = CannedTag(says_length=says_length)
    assert play(phones.ours, tag) == [ANSWER]
    assert tag.log == [
        *DETECTION,
        ASKED,
        update(0, len(ASK_MESSAGE).to_bytes(2) + ASK_MESSAGE) + "02",  # Le: how long is the answer?
        read(0, size),
        ANSWERED,
    ]


def test_a_conversation_that_was_given_null_is_closed() -> None:
    closed: list[str] = []

    def conversation() -> phones.Conversation:
        try:
            yield ASK
        except GeneratorExit:
            closed.append("closed")
            raise

    play_out(phones.android(conversation(), AndroidStyle.READ_AT_ONCE), CannedTag())
    assert closed == ["closed"]


def result_of(script: Script[object], *responses: bytes) -> tuple[object, list[Step]]:
    """Send responses into a script, the last of which ends it; its result and its steps."""
    steps = [next(script)]
    steps += [script.send(response) for response in responses[:-1]]
    with pytest.raises(StopIteration) as end:
        script.send(responses[-1])
    return end.value.value, steps


@pytest.mark.parametrize(("response", "sw"), [("6A82", 0x6A82), ("01026985", 0x6985)])
def test_another_status_word_than_9000_is_an_error_that_has_it(response: str, sw: int) -> None:
    with pytest.raises(CommandError, match=f"the card answered {sw:04X} to 00A4000C02") as caught:
        result_of(transceive(bytes.fromhex("00A4000C02E103")), bytes.fromhex(response))
    assert caught.value.sw == sw


@pytest.mark.parametrize("response", [b"", b"\x90"])
def test_a_response_without_a_status_word_is_an_error(response: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no status word"):
        result_of(transceive(bytes.fromhex("00B0000002")), response)


def test_a_long_message_is_read_in_parts_that_the_card_allows() -> None:
    limits = Limits(mle=100, mlc=100, file_size=0x7FFF)
    message, steps = result_of(read_message(limits, 250), *(bytes(size) + b"\x90\x00" for size in (100, 60, 90)))
    assert message == bytes(250)
    assert steps == [bytes.fromhex(hex_) for hex_ in ("00B0000264", "00B0006664", "00B000A25A")]


def test_no_reader_asks_for_256_octets_at_once() -> None:
    limits = Limits(mle=256, mlc=256, file_size=0x7FFF)
    _, steps = result_of(read_message(limits, 256), bytes(255) + b"\x90\x00", bytes(1) + b"\x90\x00")
    assert steps == [bytes.fromhex("00B00002FF"), bytes.fromhex("00B0010101")]


def test_a_card_that_answers_9000_without_octets_ends_the_reading() -> None:
    with pytest.raises(RemoteProtocolError, match="gave no octet"):
        result_of(read_message(Limits(mle=15, mlc=15, file_size=100), 5), b"\x90\x00")


def test_a_long_message_is_written_in_parts_that_the_card_allows() -> None:
    limits = Limits(mle=255, mlc=3, file_size=0x7FFF)
    _, steps = result_of(write_octets(limits, 2, b"abcd"), b"\x90\x00", b"\x90\x00")
    assert steps == [bytes.fromhex("00D6000203616263"), bytes.fromhex("00D600050164")]


def test_the_limits_come_from_the_cc() -> None:
    assert parse_limits(CC) == Limits(mle=251, mlc=248, file_size=0x7FFF)


@pytest.mark.parametrize(
    ("cc", "words"),
    [
        ("000F2000FB00F80406E1047FFF00", "too short"),
        ("", "too short"),
        ("000F3000FB00F80406E1047FFF0000", "not one of mapping 2.0"),
        ("000F2000FB00F80508E1047FFF0000", "not one of mapping 2.0"),
        ("000F2000FB00F80406E10480000000", "file size 32768"),
        ("000F20000E00F80406E1047FFF0000", "MLe 14"),
    ],
)
def test_a_cc_that_android_gives_up_is_refused(cc: str, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        parse_limits(bytes.fromhex(cc))


def test_the_smallest_cc_that_android_takes_is_taken() -> None:
    assert parse_limits(bytes.fromhex("000F20000F00010406E10400050000")) == Limits(mle=15, mlc=1, file_size=5)
