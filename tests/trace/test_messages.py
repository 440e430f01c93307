"""NDEF messages and exchanges in the APDUs of a trace, from literal octets."""

import pytest

from nfcbridge.airtime import SELECTION
from nfcbridge.text import encode_text
from nfcbridge.trace.seen import ApduSeen, ExchangeSeen, MessageSeen
from tests.trace.lines import apdus, blocks, only

HELLO = "D101055402656E6869"  # the text "hi"
REQUEST = '{"path":"/login","method":"GET","messageID":1}'
ANSWER = '{"messageID":1,"statusCode":200},{"token":"t"}'

APPLICATION = ["> 00A4040007D276000085010100", "< 9000"]
CC = ["> 00A4000C02E103", "< 9000", "> 00B000000F", "< 000F2000FB00F80406E1047FFF00009000"]
FILE = ["> 00A4000C02E104", "< 9000"]
DETECTION = [*APPLICATION, *CC, *FILE]


def update(offset: int, octets: str | bytes, sw: str = "9000") -> list[str]:
    data = bytes.fromhex(octets) if isinstance(octets, str) else octets
    return [f"> 00D6{offset:04X}{len(data):02X}{data.hex()}", f"< {sw}"]


def read(offset: int, octets: str | bytes, sw: str = "9000") -> list[str]:
    data = bytes.fromhex(octets) if isinstance(octets, str) else octets
    return [f"> 00B0{offset:04X}{len(data) & 0xFF:02X}", f"< {data.hex()}{sw}"]


def file_of(text: str) -> bytes:
    message = encode_text(text)
    return len(message).to_bytes(2) + message


def messages(*lines: str) -> list[tuple[bool, str]]:
    """Whether it was written, and its octets, of each message."""
    return [(seen.written, seen.octets.hex().upper()) for seen in only(MessageSeen, apdus(*lines))]


def problems(*lines: str) -> list[str]:
    return [seen.problem for seen in only(MessageSeen, apdus(*lines))]


WRITES = {
    "A": update(0, "0009" + HELLO),
    "B": [*update(0, "0000"), *update(2, HELLO[:8]), *update(6, HELLO[8:]), *update(0, "0009")],
    "C": [*update(0, "0000" + HELLO[:8]), *update(6, HELLO[8:]), *update(0, "0009")],
    "octet by octet": [*update(0, "00"), *update(1, "00"), *update(2, HELLO), *update(1, "09"), *update(0, "00")],
    "backwards": [*update(0, "0000"), *update(6, HELLO[8:]), *update(2, HELLO[:8]), *update(0, "0009")],
}


@pytest.mark.parametrize("order", WRITES)
def test_a_message_is_written_in_any_order(order: str) -> None:
    assert messages(*DETECTION, *WRITES[order]) == [(True, HELLO)]


def test_a_message_knows_its_apdus_and_entries() -> None:
    (message,) = only(MessageSeen, apdus(*DETECTION, *WRITES["B"]))
    assert (message.first_apdu, message.last_apdu) == (5, 8)
    assert (message.first, message.last) == (9, 16)
    assert [message.t, message.t_end] == pytest.approx([0.08, 0.15])
    assert message.text == "hi"
    assert message.problem


def test_a_write_that_starts_over_begins_there() -> None:
    (message,) = only(MessageSeen, apdus(*DETECTION, *update(0, "0000"), *update(2, HELLO[:4]), *WRITES["A"]))
    assert message.first_apdu == message.last_apdu == 7


@pytest.mark.parametrize("sw", ["6985", "6A84", "90"])
def test_an_update_that_was_refused_writes_nothing(sw: str) -> None:
    assert messages(*DETECTION, *update(0, "0009" + HELLO, sw)) == []


@pytest.mark.parametrize("between", [["-", "+"], ["+"], FILE])
def test_a_half_write_does_not_outlive_an_activation_or_a_select(between: list[str]) -> None:
    half = [*update(0, "0000"), *update(2, HELLO)]
    assert messages(*DETECTION, *half, *between, *update(0, "0009")) == []


def test_an_update_without_response_counts_if_the_card_asked_for_time() -> None:
    update_block = "> 02 " + update(0, "0009" + HELLO)[0][2:]
    assert len(only(MessageSeen, blocks(update_block, "< F2 01", "-"))) == 1
    assert len(only(MessageSeen, blocks(update_block, "-"))) == 0


@pytest.mark.parametrize(
    "command",
    ["00D60000", "80D6000001FF", "00D60000FF00", "00", "00D6FFFF0100", "00B20000020009", "00A4000C01E1", "00A40400"],
)
def test_commands_that_are_no_write_write_nothing(command: str) -> None:
    assert messages(*DETECTION, f"> {command}", "< 9000") == []


def test_past_the_largest_file_nothing_is_written() -> None:
    assert messages(*DETECTION, f"> 00D6FFFF04{bytes(4).hex()}", "< 9000") == []


READS = {
    "NLEN, then the message": [*read(0, "0009"), *read(2, HELLO)],
    "both at once": read(0, "0009" + HELLO),
    "octet by octet": [*read(0, "00"), *read(1, "09"), *read(2, HELLO)],
    "NLEN with a part": [*read(0, "0009" + HELLO[:6]), *read(5, HELLO[6:])],
    "more than there is": read(0, "0009" + HELLO + "0000"),
    "overlapping": [*read(0, "0009"), *read(2, HELLO[:10]), *read(4, HELLO[4:])],
    "backwards": [*read(0, "0009"), *read(6, HELLO[8:]), *read(2, HELLO[:8])],
    "as far as the file goes": [*read(0, "0009"), *read(2, HELLO, "6282")],
}


@pytest.mark.parametrize("order", READS)
def test_a_message_is_read_in_any_chunks(order: str) -> None:
    assert messages(*DETECTION, *READS[order]) == [(False, HELLO)]


def test_each_reading_of_a_message_is_told() -> None:
    assert len(messages(*DETECTION, *READS["both at once"] * 2)) == 2
    assert len(messages(*DETECTION, *READS["NLEN, then the message"], *read(2, HELLO))) == 2


def test_nlen_of_zero_and_a_part_are_no_message() -> None:
    assert messages(*DETECTION, *read(0, "0000"), *read(2, "00"), *read(0, "0009"), *read(2, HELLO[:4])) == []


def test_a_read_that_was_refused_reads_nothing() -> None:
    assert messages(*DETECTION, *read(0, "0009" + HELLO, "6B00"), "> 00B0000002", "< 9000") == []


def test_extended_commands_carry_messages_of_any_length() -> None:
    message = encode_text("x" * 600)
    octets = len(message).to_bytes(2) + message
    assert messages(
        *DETECTION,
        f"> 00D6000000{len(octets):04X}{octets.hex()}",
        "< 9000",
        f"> 00B0000000{len(octets):04X}",
        f"< {octets.hex()}9000",
    ) == [(True, message.hex().upper()), (False, message.hex().upper())]


def test_the_cc_is_no_message_and_tells_which_file_is_the_one() -> None:
    other = "< 000F2000FB00F80406000A7FFF00009000"
    assert messages(*APPLICATION, *CC[:3], other, "> 00A4000C02000A", "< 9000", *WRITES["A"]) == [(True, HELLO)]
    assert messages(*APPLICATION, *CC[:3], other, *FILE, *WRITES["A"]) == []


def test_the_cc_may_be_read_in_parts() -> None:
    parts = ["> 00A4000C02E103", "< 9000", *read(0, "000F"), *read(2, "2000FB00F80406000A7FFF0000")]
    assert messages(*APPLICATION, *parts, "> 00A4000C02000A", "< 9000", *WRITES["A"]) == [(True, HELLO)]
    late = ["> 00A4000C02E103", "< 9000", *read(2, "2000FB00F80406000A7FFF0000")]
    assert messages(*APPLICATION, *late, "> 00A4000C02000A", "< 9000", *WRITES["A"]) == [(True, HELLO)]


def test_another_application_has_no_messages() -> None:
    payment = ["> 00A4040007A0000000031010", "< 9000", "> 00A4000C02E104", "< 9000"]
    assert messages(*payment, *WRITES["A"], *READS["both at once"]) == []
    assert messages("> 00A4000C020001", "< 9000", *WRITES["A"]) == []


def test_an_application_that_is_not_there_leaves_the_selection() -> None:
    assert messages(*DETECTION, "> 00A4040007A0000000031010", "< 6A82", *WRITES["A"]) == [(True, HELLO)]


def test_after_a_select_without_response_any_file_may_be_the_one() -> None:
    assert messages(*APPLICATION, *CC, "> 00A4000C02E104", *WRITES["A"]) == [(True, HELLO)]


def test_a_trace_may_begin_in_the_middle() -> None:
    assert messages(*WRITES["A"], *READS["both at once"]) == [(True, HELLO), (False, HELLO)]
    assert messages(*CC[2:], *WRITES["A"]) == [(True, HELLO)]
    assert messages(*APPLICATION, *CC[2:], *WRITES["A"]) == [(True, HELLO)]


def test_our_own_card_tells_nlen_in_answer_to_the_last_update() -> None:
    written = file_of(REQUEST)
    answered = encode_text(ANSWER)
    told = [f"> 00D6000000{len(written):04X}{written.hex()}0002", f"< {len(answered):04X}9000"]
    request, answer = only(MessageSeen, apdus(*DETECTION, *told, *read(2, answered)))
    assert answer.answer is not None
    assert (answer.octets, answer.first_apdu, answer.last_apdu) == (answered, request.last_apdu, request.last_apdu + 1)


def test_android_reads_the_answer_with_the_length_of_the_request() -> None:
    request, answer = file_of(REQUEST), file_of(ANSWER.replace("t", "t" * 100))
    seen = only(MessageSeen, apdus(*DETECTION, *update(0, request), *read(2, answer[2 : len(request)]), *read(0, "00")))
    assert [message.written for message in seen] == [True, False]
    assert seen[1].octets == answer[2 : len(request)]
    assert seen[1].problem.startswith("read without NLEN, with the length of the request: ")


@pytest.mark.parametrize("end", [["-"], FILE, read(0, "00"), read(100, "00"), []])
def test_what_was_read_without_nlen_is_told_when_it_ends(end: list[str]) -> None:
    assert messages(*DETECTION, *read(2, HELLO[:8]), *read(6, HELLO[8:]), *end) == [(False, HELLO)]


def test_what_begins_in_the_middle_of_a_message_is_none() -> None:
    assert messages(*DETECTION, *read(10, "00112233")) == []


def test_a_message_is_understood_or_the_problem_is_told() -> None:
    def said(octets: str | bytes, *, written: bool) -> tuple[str | None, str]:
        data = bytes.fromhex(octets) if isinstance(octets, str) else octets
        move = update if written else read
        (message,) = only(MessageSeen, apdus(*DETECTION, *move(0, len(data).to_bytes(2) + data)))
        assert (message.request is None) or written
        assert (message.answer is None) or not written
        return message.text, message.problem

    assert said(encode_text(REQUEST), written=True) == (REQUEST, "")
    assert said(encode_text(ANSWER), written=False) == (ANSWER, "")
    assert said("D00000", written=False) == (None, "the empty message")
    text, problem = said(encode_text(ANSWER), written=True)
    assert text == ANSWER
    assert "path" in problem
    assert said(encode_text(REQUEST), written=False)[1].startswith("a broken answer")
    assert said("D1010155", written=False)[0] is None
    assert said("FFFF", written=True)[0] is None


def exchanges(*lines: str) -> list[ExchangeSeen]:
    return only(ExchangeSeen, apdus(*lines))


def test_a_request_and_its_answer_are_an_exchange() -> None:
    (exchange,) = exchanges(*DETECTION, *update(0, file_of(REQUEST)), *read(0, file_of(ANSWER)))
    assert exchange.request.request is not None
    assert exchange.request.request.path == "/login"
    assert exchange.answer is not None
    assert exchange.answer.answer is not None
    assert exchange.answer.answer.status == 200
    assert (exchange.index, exchange.first, exchange.last, exchange.apdus, exchange.blocks) == (1, 9, 12, 2, 4)
    assert [exchange.t, exchange.t_end] == pytest.approx([0.08, 0.11])
    assert exchange.activations == 0


def test_activations_between_writing_and_reading_belong_to_the_exchange() -> None:
    write, answer = update(0, file_of(REQUEST)), read(0, file_of(ANSWER))
    seen = apdus(*DETECTION, *write, "+", *DETECTION, *answer)
    (exchange,) = only(ExchangeSeen, seen)
    assert (exchange.activations, exchange.apdus) == (1, 6)
    air = sum(apdu.air for apdu in only(ApduSeen, seen)[4:]) + SELECTION
    assert exchange.air == pytest.approx(air)


def test_an_exchange_of_blocks_counts_all_that_crossed() -> None:
    write, nlen, answer = update(0, file_of(REQUEST)), read(0, "0003"), read(0, file_of(ANSWER))

    def block(lines: list[str], number: int) -> list[str]:
        return [line[:2] + f"0{2 + number}" + line[2:] for line in lines]

    activation = ["> C2", "< C2", "> E080", "< 0578804202"]
    lines = [*block(write, 0), *activation, "> B2", "< A3", *block(nlen, 0), *block(answer, 1)]
    (exchange,) = only(ExchangeSeen, blocks(*lines))
    assert (exchange.apdus, exchange.blocks, exchange.activations) == (3, 12, 1)
    waited = [*block(write, 0)[:1], "< F2 01", "> F2 01", "> B2", *block(write, 0)[1:], *block(answer, 1)]
    (exchange,) = only(ExchangeSeen, blocks(*waited))
    assert (exchange.wtx, exchange.retransmissions, exchange.blocks) == (1, 0, 7)


def test_a_request_that_is_followed_by_another_has_no_answer() -> None:
    write = update(0, file_of(REQUEST))
    first, second = exchanges(*DETECTION, *write, *FILE, *write, *read(0, file_of(ANSWER)))
    assert (first.answer, first.first, first.last, first.apdus) == (None, 9, 12, 2)
    assert second.answer is not None
    assert (second.index, second.first, second.apdus) == (2, 13, 2)


def test_a_request_at_the_end_of_the_trace_has_no_answer() -> None:
    (exchange,) = exchanges(*DETECTION, *update(0, file_of(REQUEST)), *read(0, "0003D00000"))
    assert (exchange.answer, exchange.last, exchange.apdus) == (None, 12, 2)


def test_an_answer_that_is_read_again_begins_no_exchange() -> None:
    answer = read(0, file_of(ANSWER))
    assert len(exchanges(*DETECTION, *update(0, file_of(REQUEST)), *answer, *answer)) == 1
    assert exchanges(*DETECTION, *answer) == []
