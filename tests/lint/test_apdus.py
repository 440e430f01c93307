"""Rules of APDUs and of the CC at their edges."""

import pytest

from nfcbridge.lint.container import android_refusals, ios_refusals, parse_container
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

GOOD_CC = "000F2000FB00F80406E1047FFF0000"
GET, TOKEN = '{"path":"/login","method":"GET","messageID":1}', '{"messageID":1,"statusCode":200},{"token":"a"}'


@pytest.mark.parametrize(
    ("cc", "android", "ios"),
    [
        (GOOD_CC, [], []),
        ("000E2000FB00F80406E1047FFF0000", ["a CCLEN of 14, less than 15"], []),
        ("000F1000FB00F80406E1047FFF0000", [], ["mapping version 1.0, which its application of 2.0 does not have"]),
        (
            "000F4100FB00F80406E1047FFF0000",
            ["mapping version 4.1"],
            ["mapping version 4.1, which its application of 2.0 does not have"],
        ),
        ("000F20000F00F80406E1047FFF0000", [], []),
        ("000F20000E00F80406E1047FFF0000", ["MLe 14, less than 15"], []),
        ("000F2000FB00010406E1047FFF0000", [], []),
        ("000F2000FB00000406E1047FFF0000", ["MLc 0"], []),
        ("000F2000FB00F80506E1047FFF0000", ["a TLV 05 in the place of 04"], []),
        (
            "000F2000FB00F80406E1037FFF0000",
            ["the reserved file identifier E103"],
            ["the reserved file identifier E103"],
        ),
        ("000F2000FB00F80406E10400050000", [], []),
        ("000F2000FB00F80406E10400040000", ["a file of 4 octets, outside 5..32767"], []),
        ("000F2000FB00F80406E10480000000", ["a file of 32768 octets, outside 5..32767"], []),
        ("000F3000FB00F80406E10480000000", [], []),
        ("000F2000FB00F80406E1047FFF0100", ["read access 01"], ["read access 01"]),
        ("000F2000FB00F80406E1047FFF8000", [], ["read access 80"]),
        ("000F2000FB00F80406E1047FFFFF00", ["read access FF"], ["read access FF"]),
        ("000F2000FB00F80406E1047FFF007F", ["write access 7F"], []),
        ("000F2000FB00F80406E1047FFF0080", [], []),
        ("00113000FB00F80608E104000080000000", [], []),
    ],
)
def test_what_phones_refuse_of_a_cc(cc: str, android: list[str], ios: list[str]) -> None:
    container = parse_container(bytes.fromhex(cc))
    assert container is not None
    assert list(android_refusals(container)) == android
    assert list(ios_refusals(container)) == ios


@pytest.mark.parametrize("cc", [GOOD_CC[:-2], "00113000FB00F80608E10400008000"])
def test_too_few_octets_are_no_cc(cc: str) -> None:
    assert parse_container(bytes.fromhex(cc)) is None


def test_a_cc_is_judged_once_however_often_it_is_read_and_in_however_many_parts() -> None:
    bad = "000F20000E00F80406E1047FFF0000"
    select = ("> 00A4000C02E103", "< 9000")
    halves = ("> 00B0000002", f"< {bad[:4]}9000", "> 00B000020D", f"< {bad[4:]}9000")
    assert rules(APDUS, "+", f"> {SELECT}", "< 9000", *select, *halves, *select, *halves) == ["NB201", "NB205"]


def test_parts_of_a_cc_that_do_not_meet_are_none() -> None:
    assert (
        rules(APDUS, "+", f"> {SELECT}", "< 9000", "> 00A4000C02E103", "< 9000", "> 00B000020D", f"< {'00' * 13}9000")
        == []
    )


def test_selecting_the_application_again_within_it_is_needless_and_another_one_is_not() -> None:
    (found,) = findings(APDUS, *DETECTED, f"> {SELECT}", "< 9000")
    assert (found.rule.id, found.what) == ("NB205", "the NDEF application was selected again, while the NDEF file was")
    assert rules(APDUS, *DETECTED, "> 00A4040005A000000003", "< 9000", f"> {SELECT}", "< 9000") == []
    assert rules(APDUS, *DETECTED, "> 00A4040005A000000003", "< 6A82") == []


def test_files_of_other_applications_are_not_ours() -> None:
    other = ("+", "> 00A4040005A000000003", "< 9000", "> 00A4000C02E104", "< 9000", "> 00B0000010", "< 6982")
    assert rules(APDUS, *other) == []


@pytest.mark.parametrize("sw", ["6A81", "6D00"])
def test_an_application_of_2_0_that_is_not_there_is_none_for_an_iphone(sw: str) -> None:
    assert rules(APDUS, "+", f"> {SELECT}", f"< {sw}") == ["NB202"]


@pytest.mark.parametrize(
    ("command", "response", "found"),
    [
        ("00B00000", "6700", ["NB208"]),
        ("00B0000000", "9000", ["NB208"]),
        ("00B0000000", "6700", ["NB208"]),
        ("00B0000010", "6700", []),
        ("00B0000010", "6B00", ["NB210"]),
        ("00B0000300", "6B00", ["NB210"]),
        ("00B0000010", "6C05", []),
        ("00B0000010", "90", []),
        ("00B00000100000", "6700", ["NB208"]),
        ("80B00000100000", "6E00", []),
        ("00D60000", "6700", ["NB210"]),
        ("00D60000020000FF", "6700", ["NB210"]),
        ("00CA0000", "6D00", []),
    ],
)
def test_commands_of_which_the_form_or_the_answer_is_wrong(command: str, response: str, found: list[str]) -> None:
    assert rules(APDUS, *DETECTED, f"> {command}", f"< {response}") == found


def test_a_select_with_le_may_not_be_refused_for_it() -> None:
    assert rules(APDUS, "+", f"> {SELECT}", "< 6700") == ["NB202", "NB208"]


@pytest.mark.parametrize(("ne", "found"), [(0xFB, []), (0xFC, ["NB209"]), (0x00, [])])
def test_a_read_asks_for_mle_at_most_or_for_all(ne: int, found: list[str]) -> None:
    assert rules(APDUS, *DETECTED, f"> 00B00000{ne:02X}", "< 0003D000009000") == found


def test_where_no_cc_was_read_no_limit_is_known() -> None:
    trace = ["+", f"> {SELECT}", "< 9000", "> 00A4000C02E104", "< 9000"]
    assert rules(APDUS, *trace, *read(2, b"1" * 10), *read(12, b"2" * 255)) == []


def test_a_message_in_short_reads_is_told_once_and_the_next_one_again() -> None:
    parts = [line for start in range(2, 50, 8) for line in read(start, b"x" * 8)]
    assert rules(APDUS, *DETECTED, *read(0, b"\0\x30"), *parts) == ["NB207"]
    twice = [*read(0, b"\0\x30"), *parts] * 2
    assert rules(APDUS, *DETECTED, *twice) == ["NB207"] * 2


def test_nlen_with_the_first_part_is_a_short_read_too_and_nlen_alone_is_none() -> None:
    assert rules(APDUS, *DETECTED, *read(0, b"\0\x10" + b"x" * 8), *read(10, b"x" * 8)) == ["NB207"]
    assert rules(APDUS, *DETECTED, *read(0, b"\0"), *read(1, b"\x10"), *read(2, b"x" * 16)) == []


def test_a_command_that_nobody_answers_before_the_next_one_is_told() -> None:
    assert rules(APDUS, *DETECTED, "> 00B0000002", *IDLE_READ) == ["NB211"]


@pytest.mark.parametrize("between", [(), DETECTED])
def test_the_third_look_for_one_answer_is_polling_and_is_told_once(between: tuple[str, ...]) -> None:
    looks = (*IDLE_READ, *between) * 4
    assert rules(APDUS, *DETECTED, *IDLE_READ, *write(GET), *between, *looks, *take(TOKEN)) == ["NB206"]
    two = (*IDLE_READ, *between)
    assert rules(APDUS, *DETECTED, *IDLE_READ, *write(GET), *between, *two, *take(TOKEN)) == []


def test_an_answer_may_be_read_again_after_an_activation_and_not_before() -> None:
    once = (*DETECTED, *IDLE_READ, *exchange(GET, TOKEN))
    assert rules(APDUS, *once, *take(TOKEN), *take(TOKEN)) == ["NB212"]
    assert rules(APDUS, *once, *DETECTED, *take(TOKEN)) == []


def test_a_trace_that_begins_in_the_middle_is_about_the_ndef_file() -> None:
    assert rules(APDUS, *write(GET), *take(TOKEN)) == []
    assert rules(APDUS, *update(2, b"abc")) == ["NB303"]


def test_files_with_a_long_length_are_not_judged() -> None:
    cc = "00113000FB00F80608E104000080000000"
    trace = ["+", f"> {SELECT}", "< 9000", "> 00A4000C02E103", "< 9000", "> 00B0000011", f"< {cc}9000"]
    assert rules(APDUS, *trace, "> 00A4000C02E104", "< 9000", *update(4, b"abc"), *read(0, b"\0\0\0\3")) == []


def test_times_of_apdus_are_judged_where_they_are_real() -> None:
    slow = ("+", f"> {SELECT}", "< 9000")
    assert rules(APDUS, *slow, step=0.7) == ["NB602"]
    assert rules(Header(level="apdus", clock="none"), *slow, step=0.7) == []
    assert rules(APDUS, *slow, step=0.6) == []
    assert rules(IMPORTED, *slow, step=0.7) == ["NB602"]


@pytest.mark.parametrize("le", ["", "00"])
def test_a_select_of_the_application_without_le_that_is_refused_may_be_refused_for_that(le: str) -> None:
    assert rules(APDUS, "+", f"> {SELECT[:-2]}{le}", "< 6A82") == (["NB202"] if le else ["NB208"])
    assert rules(APDUS, "+", f"> {SELECT[:-2]}{le}", "< 9000") == []
