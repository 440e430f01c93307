"""Rules of the NDEF file at their edges: orders of writing, reads in between, sizes."""

import pytest

from nfcbridge.isodep import DEFAULT
from nfcbridge.text import encode_text
from nfcbridge.trace import Header
from tests.lint.told import (
    APDUS,
    DETECTED,
    IDLE_READ,
    IMPORTED,
    SELECT,
    exchange,
    findings,
    read,
    rules,
    take,
    update,
    write,
)

GET, TOKEN = '{"path":"/login","method":"GET","messageID":1}', '{"messageID":1,"statusCode":200},{"token":"a"}'
NEXT, SECOND = GET.replace("1", "2"), TOKEN.replace("1", "2")
MESSAGE = encode_text(GET)
NLEN = len(MESSAGE).to_bytes(2)
BEGUN = (*DETECTED, *IDLE_READ)

ORDERS = {
    "one UPDATE": [(0, NLEN + MESSAGE)],
    "NLEN 0, message, NLEN": [(0, b"\0\0"), (2, MESSAGE), (0, NLEN)],
    "NLEN 0 with a part, the rest, NLEN": [(0, b"\0\0" + MESSAGE[:9]), (11, MESSAGE[9:]), (0, NLEN)],
    "NLEN an octet at a time": [(0, b"\0"), (1, b"\0"), (2, MESSAGE), (0, NLEN[:1]), (1, NLEN[1:])],
    "parts in another order": [(0, b"\0\0"), (12, MESSAGE[10:]), (2, MESSAGE[:10]), (0, NLEN)],
    "started over before anything was written": [(0, b"\0\0"), (0, b"\0\0"), (2, MESSAGE), (0, NLEN)],
}


@pytest.mark.parametrize("order", ORDERS)
def test_orders_of_real_readers_are_good(order: str) -> None:
    lines = [line for offset, data in ORDERS[order] for line in update(offset, data)]
    assert rules(APDUS, *BEGUN, *lines, *take(TOKEN)) == []


def test_nothing_needs_to_be_cleared_where_nlen_is_zero() -> None:
    lines = (*DETECTED, *read(0, b"\0\0"), *update(2, MESSAGE), *update(0, NLEN), *take(TOKEN))
    assert rules(APDUS, *lines) == ["NB306"]


def test_a_reader_that_never_read_nlen_is_told_that_it_does_not_know_it() -> None:
    found, *_ = findings(APDUS, *DETECTED, *update(2, MESSAGE), *update(0, NLEN), *take(TOKEN))
    assert (found.rule.id, found.what) == ("NB301", "the message is written over while NLEN is not known")


def test_nlen_with_the_first_part_and_the_rest_later_is_too_early() -> None:
    lines = (*update(0, NLEN + MESSAGE[:9]), *update(11, MESSAGE[9:20]), *update(22, MESSAGE[20:]))
    assert rules(APDUS, *BEGUN, *lines, *take(TOKEN)) == ["NB302"]


@pytest.mark.parametrize("ats", [DEFAULT.to_bytes().hex(), "0578808002", "zz", 7])
def test_our_own_card_counts_octets_and_its_readers_may_write_so(ats: object) -> None:
    ours = ats == DEFAULT.to_bytes().hex()
    lines = (*update(0, NLEN + MESSAGE[:9]), *update(11, MESSAGE[9:]))
    header = Header(level="apdus", card={"ats": ats})
    assert rules(header, *BEGUN, *lines, *take(TOKEN)) == ([] if ours else ["NB302"])


def test_nlen_alone_before_the_message_is_too_early_for_our_own_card_as_well() -> None:
    header = Header(level="apdus", card={"ats": DEFAULT.to_bytes().hex()})
    lines = (*update(0, NLEN), *update(2, MESSAGE[:9]), *update(11, MESSAGE[9:]))
    assert rules(header, *BEGUN, *lines, *take(TOKEN)) == ["NB302"]


def test_an_activation_tells_whether_the_card_is_ours() -> None:
    lines = [SELECT, "00A4000C02E104", "00B0000002"]
    blocks = [f"> {2 + number % 2:02X}{octets}" for number, octets in enumerate(lines)]
    trace = [line for pair in zip(blocks, ["< 029000", "< 039000", "< 0200039000"], strict=True) for line in pair]
    early = ["> 0300D6000007" + (NLEN + MESSAGE[:5]).hex(), "< 039000"]
    rest = ["> 0200D60007" + f"{len(MESSAGE) - 5:02X}" + MESSAGE[5:].hex(), "< 029000"]
    header = Header(level="blocks", clock=None)
    for ats, found in ((DEFAULT.to_bytes().hex(), ["NB402"]), ("0578808002", ["NB302", "NB402"])):
        assert rules(header, "+", "> E080", f"< {ats}", *trace, *early, *rest) == found


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (["-"], "the end of the field"),
        (["+"], "a new activation"),
        ([f"> {SELECT}", "< 9000"], "a SELECT"),
        ([], "the end of the trace"),
        ([*update(0, b"\0\0")], "a write that starts over"),
    ],
)
def test_what_ends_a_half_write_is_told(end: list[str], words: str) -> None:
    found, *_ = (
        each
        for each in findings(APDUS, *BEGUN, *update(0, b"\0\0"), *update(2, MESSAGE[:20]), *end)
        if each.rule.id == "NB303"
    )
    assert found.what == f"{words} came after 20 octets and before NLEN"


def test_a_write_with_an_early_nlen_that_ends_in_the_middle_is_half_written() -> None:
    found = findings(APDUS, *BEGUN, *update(0, NLEN), *update(2, MESSAGE[:20]), "-")
    assert [each.rule.id for each in found] == ["NB302", "NB303"]
    assert found[1].what == f"the end of the field came before {len(MESSAGE) - 20} of {len(MESSAGE)} octets"


def test_nlen_over_a_message_of_before_is_stale() -> None:
    assert rules(APDUS, *BEGUN, *update(0, b"\0\3"), "-") == ["NB304"]


def test_a_refused_update_changes_nothing() -> None:
    assert rules(APDUS, *BEGUN, *update(0, b"\0\0", "6982"), "-") == ["NB210"]


@pytest.mark.parametrize(
    ("size", "end", "found"),
    [(0x20, 0x20, []), (0x20, 0x21, ["NB305"]), (0x7FFF, 0x7FFF, []), (0x7FFF, 0x8000, ["NB305"])],
)
def test_the_end_of_the_file_is_the_limit(size: int, end: int, found: list[str]) -> None:
    cc = f"000F2000FB00F80406E104{size:04X}0000"
    trace = [*DETECTED]
    trace[6] = f"< {cc}9000"
    lines = (*trace, *IDLE_READ, *update(0, b"\0\0"), *update(end - 8, bytes(8)), *update(end - 8, bytes(8)), "-")
    assert [rule for rule in rules(APDUS, *lines) if rule != "NB303"] == found


def test_an_update_past_what_any_nlen_can_say_is_no_write_whatever_a_card_makes_of_it() -> None:
    assert rules(APDUS, *BEGUN, *update(0xFFFF, b"ab"), "-") == ["NB305", "NB301", "NB303"]
    assert rules(APDUS, *BEGUN, *update(0xFFFF, b"abc"), "-") == ["NB305"]


def test_an_nlen_past_the_end_is_too_large_to_be_read() -> None:
    _, found = findings(APDUS, *DETECTED, *read(0, b"\x7f\xfe"))
    assert (found.rule.id, found.what) == (
        "NB305",
        "a message of 32766 octets is announced by NLEN, and 32765 are the most",
    )


def test_6a84_is_too_large_by_the_cards_word() -> None:
    assert rules(APDUS, *BEGUN, *update(0, b"\0\0"), *update(2, MESSAGE, "6A84"), "-") == ["NB305", "NB303"]


@pytest.mark.parametrize(("octets", "found"), [(0x2000, []), (0x2001, ["NB309"])])
def test_messages_of_more_than_8_kib_are_long_for_old_iphones(octets: int, found: list[str]) -> None:
    assert rules(APDUS, *DETECTED, *read(0, octets.to_bytes(2))) == found


def test_only_the_first_nlen_after_an_activation_makes_an_empty_tag() -> None:
    assert rules(APDUS, *DETECTED, *read(0, b"\0\0"), *read(0, b"\0\0"), *read(0, b"\0\0")) == ["NB306"]
    assert rules(APDUS, *BEGUN, *read(0, b"\0\0")) == []


def test_reading_without_nlen_is_told_once_and_not_as_an_answer_that_was_not_read() -> None:
    lines = (*BEGUN, *write(GET), *read(2, MESSAGE[:20]), *read(22, MESSAGE[20:]))
    assert rules(APDUS, *lines) == ["NB307", "NB207"]


def test_an_nlen_that_came_with_the_write_need_not_be_read() -> None:
    answer = encode_text(TOKEN)
    command, _ = update(0, NLEN + MESSAGE)
    told = f"< {len(answer):04X}9000"
    assert rules(APDUS, *BEGUN, f"{command}02", told, *read(2, answer)) == []


def test_a_write_is_refused_for_either_of_two_reasons() -> None:
    once = (*BEGUN, *write(GET))
    again = update(0, b"\0\0", "6985")
    assert rules(APDUS, *once, *again, *again, *take(TOKEN)) == ["NB308"]
    assert rules(APDUS, *once, *IDLE_READ, *again, *again, *take(TOKEN)) == ["NB401"]


def test_a_refusal_of_which_the_reason_lies_before_the_trace_is_told_once() -> None:
    again = update(0, b"\0\0", "6985")
    assert rules(APDUS, *BEGUN, *again, *again) == ["NB308"]
    assert rules(APDUS, *BEGUN, *again, *exchange(GET, TOKEN), *again, *again) == ["NB308"] * 2


def test_after_an_activation_a_write_over_an_unread_answer_is_no_pipelining() -> None:
    assert rules(APDUS, *BEGUN, *write(GET), *BEGUN, *exchange(NEXT, SECOND)) == ["NB402"]


TEXT = encode_text("what somebody wrote on a tag")
URI = bytes.fromhex("D1010855016162632E636F6D")


@pytest.mark.parametrize("message", [TEXT, URI])
def test_other_cards_in_a_log_of_another_tool_are_not_held_to_requests_and_answers(message: bytes) -> None:
    back = [*read(2, message), *read(0, len(message).to_bytes(2)), *IDLE_READ, *IDLE_READ]
    assert rules(IMPORTED, *BEGUN, *write(message), *back, *write(message), *write(GET), *take(TOKEN)) == []
    ours = {"NB307", "NB206", "NB414" if message == TEXT else "NB413"}
    assert set(rules(APDUS, *BEGUN, *write(message), *back)) == ours


def test_requests_in_a_log_of_another_tool_are_held_to_the_rules() -> None:
    lines = (*BEGUN, *write(GET), *read(2, MESSAGE))
    assert rules(IMPORTED, *lines) == ["NB307"]
    assert rules(IMPORTED, *BEGUN, *write(GET), *write(NEXT), *take(SECOND)) == ["NB401"]
