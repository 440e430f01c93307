"""What is seen in a trace in words."""

import pytest

from nfcbridge.errors import CommandError
from nfcbridge.text import encode_text
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockSeen, FieldSeen, MessageSeen, Selection
from nfcbridge.trace.words import (
    count_octets,
    describe_activation,
    describe_apdu,
    describe_block,
    describe_command,
    describe_field,
    describe_message,
    describe_pair,
    shorten,
)
from tests.trace.lines import blocks, only


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("00A4040007D276000085010100", "SELECT D2760000850101"),
        ("00A4000C02E104", "SELECT E104"),
        ("00B0000300", "READ 256 octets at 3"),
        ("00D601000201AA", "UPDATE 2 octets at 256"),
    ],
)
def test_a_command_is_named_as_people_call_it(command: str, words: str) -> None:
    assert describe_command(bytes.fromhex(command)) == words


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"\x90\x00", "9000"),
        (bytes(20), "00" * 20),
        (bytes(19) + b"\x90\x00", "00" * 16 + "...9000 (21 octets)"),
    ],
)
def test_long_octets_are_shortened_and_keep_their_end(octets: bytes, shown: str) -> None:
    assert shorten(octets) == shown


def test_what_is_no_command_has_no_name() -> None:
    with pytest.raises(CommandError):
        describe_command(b"\x00")


@pytest.mark.parametrize(("count", "words"), [(0, "0 octets"), (1, "1 octet"), (2, "2 octets")])
def test_octets_are_counted(count: int, words: str) -> None:
    assert count_octets(count) == words


FRAMES = [
    ("> E080", "RATS: FSD 256, CID 0"),
    ("< 0578804202", "ATS: FSC 256, FWT 4.83 ms"),
    ("> E081", "RATS: FSD 256, CID 1"),
    ("< 0678", "ATS that cannot be read"),
    ("> E08F", "RATS"),
    ("> D01106", "PPS: 424 kbit/s to the card, 212 kbit/s from it"),
    ("< D0", "PPS response"),
    ("> 12 00B0", "I(0), more"),
    ("> 12 00B0", "I(0), more, again"),
    ("< A2", "R(ACK 0)"),
    ("> 0B01 000002", "I(1), CID 1"),
    ("> 03", "I(1), empty"),
    ("> BB01", "R(NAK 1), CID 1"),
    ("< F2C1", "S(WTX 1)"),
    ("> C2", "S(DESELECT)"),
    ("> 9320", "no block"),
]


def test_each_block_has_words() -> None:
    seen = only(BlockSeen, blocks(*(frame for frame, _ in FRAMES)))
    assert [describe_block(block) for block in seen] == [words for _, words in FRAMES]


def test_an_activation_tells_what_both_ends_take() -> None:
    seen = only(ActivationSeen, blocks("+", "> E080", "< 0578804202", "+", "> E050", "< 0278"))
    assert [describe_activation(activation) for activation in seen] == [
        "activation: FSD 256, FSC 256, FWT 4.83 ms",
        "re-activation: FSD 64, an ATS that cannot be read",
    ]


def test_the_field_comes_and_goes() -> None:
    assert [describe_field(field) for field in only(FieldSeen, blocks("+", "-"))] == ["card selected", "field gone"]


@pytest.mark.parametrize(
    ("command", "response", "words"),
    [
        ("00A4040007D276000085010100", "9000", "SELECT NDEF application"),
        ("00A4040007D2760000850100", "6A82", "SELECT NDEF application 1.0: 6A82, file or application not found"),
        ("00A4040007A0000000031010", "9000", "SELECT application A0000000031010"),
        ("00A4000C02E103", "9000", "SELECT CC"),
        ("00A4000C02E104", "9000", "SELECT NDEF file"),
        ("00A4000C02000A", "9000", "SELECT file 000A"),
        ("00A4000C013F", "9000", "SELECT file 3F"),
        ("00B0000002", "00549000", "READ NLEN: 84"),
        ("00B0000002", "009000", "READ NLEN: 1 came"),
        ("00B0000002", "6986", "READ NLEN: 6986, no file is selected"),
        ("00B000020A", "000102030405060708099000", "READ 10 octets at 2"),
        ("00B000020A", "00019000", "READ 10 octets at 2: 2 came"),
        ("00B000020A", "9000", "READ 10 octets at 2"),
        ("00B0000201", None, "READ 1 octet at 2: no response"),
        ("00B00002", "6700", "READ no octets at 2: 6700, wrong length"),
        ("00D60000020000", "9000", "UPDATE NLEN 0"),
        ("00D60000020054", "6581", "UPDATE NLEN 84: 6581, the octets could not be stored"),
        ("00D6000003000501", "9000", "UPDATE NLEN 5 and 1 octet"),
        ("00D600010105", "9000", "UPDATE 1 octet at 1"),
        ("00D600020401020304", "90", "UPDATE 4 octets at 2: a response without status word"),
        ("8050000008", "6E00", "command 80500000, 5 octets: 6E00, unknown class"),
        ("00CA0000", "6D00", "command 00CA0000, 4 octets: 6D00, unknown instruction"),
        ("60", "6700", "no command, 1 octet: 6700, wrong length"),
        ("00A4040003AA", "1234", "no command, 6 octets: 1234"),
    ],
)  # fmt: skip
def test_each_command_and_its_outcome_have_words(command: str, response: str | None, words: str) -> None:
    assert describe_apdu(bytes.fromhex(command), None if response is None else bytes.fromhex(response)) == words


def test_what_is_selected_tells_what_is_read() -> None:
    cc = bytes.fromhex("000F2000FB00F80406E1047FFF00009000")
    assert describe_apdu(bytes.fromhex("00B000000F"), cc, Selection.CC) == "READ 15 octets of the CC"
    assert describe_apdu(bytes.fromhex("00B0000002"), cc[:2] + cc[-2:], Selection.CC) == "READ 2 octets of the CC"
    assert describe_apdu(bytes.fromhex("00B000020D"), cc[2:], Selection.CC) == "READ 13 octets of the CC at 2"
    assert describe_apdu(bytes.fromhex("00B0000002"), cc[-4:], Selection.OTHER) == "READ 2 octets at 0"
    assert describe_apdu(bytes.fromhex("00D60000020000"), cc[-2:], Selection.OTHER) == "UPDATE 2 octets at 0"


def test_a_trace_knows_what_was_selected_and_who_asked_for_time() -> None:
    lines = ["> 02 00A4000C02E103", "< 02 9000", "> 03 00B0000002", "< F2 01", "> F2 01", "< 03 000F9000"]
    select, read = only(ApduSeen, blocks(*lines))
    assert (select.selected, read.selected) == (Selection.UNKNOWN, Selection.CC)
    assert describe_pair(select) == "SELECT CC"
    assert describe_pair(read) == "READ 2 octets of the CC (1 S(WTX))"


def test_a_message_has_words() -> None:
    def words(text: str, *, written: bool) -> str:
        octets = encode_text(text)
        length = f"{len(octets) + 2:02X}"
        file = (len(octets).to_bytes(2) + octets).hex()
        lines = (
            [f"> 02 00D60000{length}{file}", "< 02 9000"] if written else [f"> 02 00B00000{length}", f"< 02 {file}9000"]
        )
        (message,) = only(MessageSeen, blocks(*lines))
        return describe_message(message)

    request = '{"path":"/login","method":"GET","messageID":"a"}'
    assert words(request, written=True) == 'NDEF message of 55 octets written: request GET /login, messageID "a"'
    answer = '{"messageID":1,"statusCode":401}'
    assert words(answer, written=False) == "NDEF message of 39 octets read: answer 401, messageID 1"
    assert words("hi", written=True).startswith("NDEF message of 9 octets written: ")
    assert len(words("hi", written=False)) > len("NDEF message of 9 octets read: ")
