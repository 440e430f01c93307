"""The card: literal commands and responses, every instruction and class in every state, and garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.type4 import (
    EMPTY_MESSAGE,
    CardConfig,
    Committed,
    ReadUpTo,
    Report,
    RolledBack,
    Type4Card,
    WriteBegun,
    WriteContinued,
    WriteRefused,
)

SELECT_APPLICATION = "00A4040007D276000085010100"
SELECT_CC = "00A4000C02E103"
SELECT_NDEF = "00A4000C02E104"
STATES = {
    "nothing": [],
    "application": [SELECT_APPLICATION],
    "CC": [SELECT_APPLICATION, SELECT_CC],
    "NDEF file": [SELECT_APPLICATION, SELECT_NDEF],
}
SMALL = CardConfig(mle=15, mlc=16, file_size=32)
MESSAGE = bytes.fromhex("D1010154 02")


def card_in(state: str, config: CardConfig = CardConfig(), message: bytes = EMPTY_MESSAGE) -> Type4Card:  # noqa: B008
    card = Type4Card(config, message)
    for command in STATES[state]:
        assert card.receive_command(bytes.fromhex(command)) == (b"\x90\x00", None)
    return card


def send(card: Type4Card, command: str) -> str:
    """The response, in hexadecimal digits."""
    return card.receive_command(bytes.fromhex(command))[0].hex().upper()


def report(card: Type4Card, command: str) -> Report | None:
    return card.receive_command(bytes.fromhex(command))[1]


def test_the_card_answers_what_aosp_sends_to_detect_and_read_a_tag() -> None:
    card = Type4Card()
    dialogue = [
        ("00A4040007D276000085010100", "9000"),
        ("00A4000C02E103", "9000"),
        ("00B000000F", "000F2000FB00F80406E1047FFF00009000"),
        ("00A4000C02E104", "9000"),
        ("00B0000002", "00039000"),
        ("00B0000203", "D000009000"),
    ]
    assert [(command, send(card, command)) for command, _ in dialogue] == dialogue


def test_the_card_answers_what_aosp_sends_to_write_a_message() -> None:
    card = card_in("NDEF file")
    dialogue = [
        ("00D60000020000", WriteBegun()),
        ("00D6000205D101015402", WriteContinued()),
        ("00D60000020005", Committed(MESSAGE)),
    ]
    assert [(command, report(card, command)) for command, _ in dialogue] == dialogue


# state, command, response; a card with MLe 15 and a file of 32 octets that holds D101015402.
RESPONSES = [
    # SELECT by name: with and without Le, P2 00 and 0C, short and extended, in every state.
    ("nothing", "00A4040007D2760000850101", "9000"),
    ("nothing", "00A4040C07D276000085010100", "9000"),
    ("nothing", "00A4040007D2760000850101FF", "9000"),
    ("nothing", "00A40400000007D2760000850101", "9000"),
    ("nothing", "00A40400000007D27600008501010000", "9000"),
    ("CC", "00A4040007D276000085010100", "9000"),
    ("NDEF file", "00A4040007D276000085010100", "9000"),
    ("nothing", "00A4040007D276000085010000", "6A82"),  # mapping version 1.0
    ("nothing", "00A4040006D2760000850100", "6A82"),  # shortened
    ("nothing", "00A4040008D276000085010101", "6A82"),  # lengthened
    ("nothing", "00A404000E325041592E5359532E444446303100", "6A82"),  # 2PAY.SYS.DDF01
    ("nothing", "00A4040000", "6A82"),
    ("nothing", "00A40400", "6A82"),
    # SELECT by file identifier.
    ("application", "00A4000C02E103", "9000"),
    ("application", "00A4000002E103", "9000"),
    ("application", "00A4000C02E10400", "9000"),
    ("application", "00A4000002E10400", "9000"),
    ("application", "00A4000C000002E104", "9000"),
    ("CC", "00A4000C02E104", "9000"),
    ("NDEF file", "00A4000C02E103", "9000"),
    ("nothing", "00A4000C02E103", "6A82"),
    ("nothing", "00A4000C02E104", "6A82"),
    ("application", "00A4000C02E105", "6A82"),
    ("application", "00A40000023F00", "6A82"),
    ("application", "00A4000C", "6700"),
    ("application", "00A4000C01E1", "6700"),
    ("application", "00A4000C03E10400", "6700"),
    # Other ways of selection.
    ("application", "00A4020C02E104", "6A86"),
    ("application", "00A4000402E104", "6A86"),
    ("nothing", "00A4040207D2760000850101", "6A86"),
    # READ BINARY.
    ("nothing", "00B000000F", "6986"),
    ("application", "00B000000F", "6986"),
    ("CC", "00B0000002", "000F9000"),
    ("CC", "00B000020D", "20000F00100406E104002000009000"),
    ("CC", "00B0000000", "000F20000F00100406E104002000009000"),
    ("CC", "00B0000E01", "009000"),
    ("CC", "00B0000E02", "009000"),
    ("CC", "00B0000F01", "6B00"),
    ("NDEF file", "00B0000001", "009000"),
    ("NDEF file", "00B0000101", "059000"),
    ("NDEF file", "00B0000007", "0005D1010154029000"),
    ("NDEF file", "00B000000F", "0005D1010154020000000000000000" + "9000"),
    ("NDEF file", "00B0000010", "0005D1010154020000000000000000" + "9000"),  # MLe
    ("NDEF file", "00B0000000", "0005D1010154020000000000000000" + "9000"),
    ("NDEF file", "00B00000000000", "0005D1010154020000000000000000" + "9000"),
    ("NDEF file", "00B00000000002", "00059000"),
    ("NDEF file", "00B0001E05", "00009000"),  # across the end: fewer octets
    ("NDEF file", "00B0001F00", "009000"),
    ("NDEF file", "00B0002001", "6B00"),
    ("NDEF file", "00B0002000", "6B00"),
    ("NDEF file", "00B0002101", "6B00"),
    ("NDEF file", "00B07FFF01", "6B00"),
    ("NDEF file", "00B0800001", "6B00"),  # b8 of P1, a short file identifier: we have none
    ("NDEF file", "00B0FFFF01", "6B00"),
    ("NDEF file", "00B00000", "6700"),  # no Le is not Le 0
    ("NDEF file", "00B0000001AA", "6700"),
    ("NDEF file", "00B0000001AA01", "6700"),
    # UPDATE BINARY.
    ("nothing", "00D60000020000", "6986"),
    ("application", "00D60000020000", "6986"),
    ("CC", "00D60000020000", "6982"),
    ("CC", "00D6000E01FF", "6982"),  # how AOSP makes a tag read-only
    ("NDEF file", "00D60000020000", "9000"),
    ("NDEF file", "00D6000002000000", "9000"),  # an Le is ignored
    ("NDEF file", "00D600000000020000", "9000"),
    ("NDEF file", "00D6000011" + "00" * 17, "9000"),  # more than MLc
    ("NDEF file", "00D6001F0100", "9000"),
    ("NDEF file", "00D6001F020000", "6A84"),
    ("NDEF file", "00D600200100", "6A84"),
    ("NDEF file", "00D6800001AA", "6A84"),
    ("NDEF file", "00D60000", "6700"),
    ("NDEF file", "00D6000000", "6700"),  # Lc 0 and nothing after it: a case 2 command
    ("NDEF file", "00D60000000000", "6700"),
    ("NDEF file", "00D600000300", "6700"),
    # Neither a command of ours nor one at all.
    ("NDEF file", "", "6700"),
    ("NDEF file", "60", "6700"),
    ("NDEF file", "00B000", "6700"),
    ("NDEF file", "9060000000", "6E00"),
    ("NDEF file", "905A00000300000000", "6E00"),
    ("NDEF file", "10D60000020000", "6E00"),  # chaining
    ("NDEF file", "0CB0000002", "6E00"),  # secure messaging
    ("NDEF file", "01B0000002", "6E00"),  # channel 1
    ("NDEF file", "FFCA000000", "6E00"),  # the UID by PC/SC, which the reader should have answered
    ("NDEF file", "00B10000055403000000", "6D00"),  # mapping version 3.0
    ("NDEF file", "00D7000008540300000053 01AA", "6D00"),
    ("NDEF file", "00CA000000", "6D00"),
]


@pytest.mark.parametrize(("state", "command", "response"), RESPONSES)
def test_a_command_has_its_response(state: str, command: str, response: str) -> None:
    assert send(card_in(state, SMALL, MESSAGE), command) == response


@pytest.mark.parametrize("state", STATES)
def test_every_instruction_is_decided_in_every_state(state: str) -> None:
    for ins in range(256):
        response = send(card_in(state), f"00{ins:02X}0000")
        expected = {0xA4: {"6700"}, 0xB0: {"6700", "6986"}, 0xD6: {"6700", "6986", "6982"}}.get(ins, {"6D00"})
        assert response in expected, f"{ins:02X}"


@pytest.mark.parametrize("state", STATES)
def test_every_class_but_00_is_unknown(state: str) -> None:
    for cla in range(1, 256):
        for command in (f"{cla:02X}A4040007D276000085010100", f"{cla:02X}B0000002", f"{cla:02X}D60000020000"):
            card = card_in(state)
            assert send(card, command) == "6E00"
            assert not card.writing


def test_a_file_is_no_longer_selected_after_the_application_is_selected_again() -> None:
    card = card_in("NDEF file")
    assert send(card, SELECT_APPLICATION) == "9000"
    assert send(card, "00B0000002") == "6986"


@pytest.mark.parametrize(
    "refused",
    [
        "00A4040007D2760000850100",
        "00A4000C02E105",
        "00A4000C01E1",
        "00A4020C02E103",
        "00B0002001",
        "00D600200100",
        "00D6000000",
        "00D600000500",
        "00600000",
        "9060000000",
        "60",
    ],
)
def test_a_refused_command_changes_nothing(refused: str) -> None:
    card = card_in("NDEF file", SMALL, MESSAGE)
    send(card, "00D60000020000")
    send(card, "00D6000202D101")
    assert report(card, refused) is None
    assert card.writing
    assert send(card, "00B0000004") == "0000D1019000"
    assert report(card, "00D60000020002") == Committed(b"\xd1\x01")


@pytest.mark.parametrize("command", [SELECT_APPLICATION, SELECT_CC, SELECT_NDEF])
def test_a_select_rolls_a_half_write_back_and_says_so(command: str) -> None:
    card = card_in("NDEF file", message=MESSAGE)
    send(card, "00D60000020000")
    assert report(card, command) == RolledBack()
    assert not card.writing
    assert report(card, command) is None
    send(card, SELECT_NDEF)
    assert send(card, "00B0000007") == "0005D1010154029000"


def test_a_reset_selects_nothing_and_rolls_a_half_write_back() -> None:
    card = card_in("NDEF file", message=MESSAGE)
    assert not card.reset()
    assert send(card, "00B0000002") == "6986"
    for command in (SELECT_APPLICATION, SELECT_NDEF, "00D60000020000"):
        send(card, command)
    assert card.reset()
    assert not card.writing
    assert send(card, SELECT_NDEF) == "6A82"
    assert card.message == MESSAGE


def test_a_roll_back_by_the_caller_leaves_the_file_selected() -> None:
    card = card_in("NDEF file", message=MESSAGE)
    send(card, "00D60000020000")
    assert card.rollback()
    assert not card.rollback()
    assert send(card, "00B0000002") == "00059000"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("00B0000001", ReadUpTo(1, 7)),
        ("00B0000002", ReadUpTo(2, 7)),
        ("00B0000003", ReadUpTo(3, 7)),
        ("00B0000006", ReadUpTo(6, 7)),
        ("00B0000007", ReadUpTo(7, 7)),
        ("00B0000008", ReadUpTo(7, 7)),
        ("00B0000601", ReadUpTo(7, 7)),
        ("00B0000701", None),
        ("00B0200001", None),
    ],
)
def test_a_read_says_how_far_into_the_message_it_went(command: str, expected: ReadUpTo | None) -> None:
    assert report(card_in("NDEF file", message=MESSAGE), command) == expected


def test_reading_the_capability_container_or_a_half_write_is_not_reported() -> None:
    card = card_in("CC")
    assert report(card, "00B000000F") is None
    card = card_in("NDEF file")
    send(card, "00D60000020000")
    assert report(card, "00B0000005") is None


def test_reading_an_empty_file_reads_up_to_its_end() -> None:
    assert report(card_in("NDEF file", message=b""), "00B0000002") == ReadUpTo(2, 2)


def test_a_committed_message_is_not_in_the_file_before_it_is_published() -> None:
    card = card_in("NDEF file")
    assert report(card, "00D60000070005D101015402") == Committed(MESSAGE)
    assert card.message == EMPTY_MESSAGE
    assert send(card, "00B0000005") == "0003D000009000"
    card.publish(MESSAGE)
    assert card.message == MESSAGE
    assert send(card, "00B0000007") == "0005D1010154029000"


def test_refused_writes_are_answered_with_6985_and_reported_and_reads_go_on() -> None:
    card = card_in("NDEF file", SMALL)
    card.refuse_writes = True
    for command in ("00D60000020000", "00D600020100", "00D600200100"):
        assert card.receive_command(bytes.fromhex(command)) == (b"\x69\x85", WriteRefused())
    assert not card.writing
    assert send(card, "00D6000000") == "6700"
    assert send(card, "00B0000005") == "0003D000009000"
    assert send(card, SELECT_CC) == "9000"
    assert card.receive_command(bytes.fromhex("00D60000020000")) == (b"\x69\x82", None)
    assert send(card, "00B0000002") == "000F9000"
    send(card, SELECT_NDEF)
    card.refuse_writes = False
    assert send(card, "00D60000020000") == "9000"


def test_a_read_only_card_says_so_and_refuses_every_update() -> None:
    card = card_in("CC", CardConfig(writable=False))
    assert send(card, "00B0000D02") == "00FF9000"
    send(card, SELECT_NDEF)
    assert send(card, "00D60000020000") == "6982"
    assert not card.writing


@pytest.mark.parametrize(("state", "expected"), [("NDEF file", True), ("CC", False), ("nothing", False)])
def test_only_a_read_of_the_selected_ndef_file_reads_it(state: str, expected: bool) -> None:
    assert card_in(state, SMALL).reads_ndef_file(bytes.fromhex("00B0000002")) is expected


@pytest.mark.parametrize(
    "command",
    [
        "00B0002001",
        "00B00000",
        "00B0000001AA",
        "00D60000020000",
        "00D60000",
        "80B0000002",
        SELECT_NDEF,
        "60",
        "00CA000000",
    ],
)
def test_a_command_that_gives_no_octets_of_the_ndef_file_does_not_read_it(command: str) -> None:
    assert not card_in("NDEF file", SMALL).reads_ndef_file(bytes.fromhex(command))


def test_a_message_as_large_as_the_file_is_published_and_one_octet_more_is_not() -> None:
    card = card_in("NDEF file", SMALL)
    assert card.capacity == 30
    card.publish(bytes(30))
    with pytest.raises(LocalProtocolError):
        card.publish(bytes(31))
    assert card.message == bytes(30)
    with pytest.raises(LocalProtocolError):
        Type4Card(SMALL, bytes(31))


def test_the_longest_read_and_update_go_through_extended_apdus() -> None:
    card = card_in("NDEF file", CardConfig(mle=0xFFFF, mlc=0xFFFF))
    message = bytes(range(256)) * 127
    update = bytes.fromhex("00D60000 00 7F02") + len(message).to_bytes(2, "big") + message
    assert card.receive_command(update) == (b"\x90\x00", Committed(message))
    card.publish(message)
    response, read = card.receive_command(bytes.fromhex("00B00000000000"))
    assert response == len(message).to_bytes(2, "big") + message + bytes(0x7FFF - 2 - len(message)) + b"\x90\x00"
    assert read == ReadUpTo(len(message) + 2, len(message) + 2)


def test_a_card_cannot_be_configured_past_the_limits() -> None:
    with pytest.raises(ConfigError):
        Type4Card(CardConfig(mle=14))


HEADERS = st.sampled_from(
    ["00A40400", "00A4000C", "00B00000", "00B00002", "00D60000", "00D60001", "00D60002", "00D6001E"]
)
COMMANDS = (
    st.binary(max_size=12)
    | st.builds(lambda head, body: bytes.fromhex(head) + body, HEADERS, st.binary(max_size=6))
    | st.builds(
        lambda head, data, le: bytes.fromhex(head) + bytes([len(data)]) + data + le,
        HEADERS,
        st.binary(min_size=1, max_size=20),
        st.binary(max_size=1),
    )
    | st.sampled_from([SELECT_APPLICATION, SELECT_CC, SELECT_NDEF]).map(bytes.fromhex)
)


@given(state=st.sampled_from(sorted(STATES)), commands=st.lists(COMMANDS, max_size=12))
def test_any_octets_have_a_response_and_the_message_stays(state: str, commands: list[bytes]) -> None:
    card = card_in(state, SMALL, MESSAGE)
    for command in commands:
        reads = card.reads_ndef_file(command)
        response, what = card.receive_command(command)
        assert 2 <= len(response) <= 15 + 2
        if command[1:2] == b"\xb0":
            assert (response[-2:] == b"\x90\x00") == (len(response) > 2)  # 9000 never without octets
        assert not reads or response[-2:] == b"\x90\x00"
        assert isinstance(what, ReadUpTo) or what is None or command[1] in {0xA4, 0xD6}
        assert card.message == MESSAGE
    # An honest reader that follows sees what it would have seen.
    card.reset()
    dialogue = [SELECT_APPLICATION, SELECT_NDEF, "00B0000007"]
    assert [send(card, command) for command in dialogue] == ["9000", "9000", "0005D1010154029000"]
