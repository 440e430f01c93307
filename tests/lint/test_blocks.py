"""Rules of blocks and times at their edges, in literal octets."""

import pytest

from nfcbridge.trace import Header
from tests.lint.told import ACTIVATED, APDUS, CARD, NO_CLOCK, READER, SELECT, findings, rules

PAUSE = "> B3", "< A2"  # a presence check, after a command with number 0


def test_numbers_are_not_judged_where_the_activation_was_not_seen_and_one_alone_is_used() -> None:
    assert rules(CARD, f"> 02{SELECT}", "< 029000", "> 0200A4000C02E103", "< 029000") == []


def test_numbers_are_judged_without_an_activation_once_both_were_used() -> None:
    trace = [f"> 02{SELECT}", "< 029000", "> 0300A4000C02E103", "< 039000", "> 0300B000000F", "< 036A82"]
    assert rules(CARD, *trace) == ["NB101", "NB210"]


def test_the_reader_may_not_begin_with_number_1() -> None:
    assert rules(CARD, *ACTIVATED, f"> 03{SELECT}", "< 039000") == ["NB101"]


def test_a_block_that_is_asked_for_again_has_the_number_that_it_had() -> None:
    assert rules(CARD, *ACTIVATED, f"> 02{SELECT}", "< 029000", "> B2", "< 029000", *PAUSE) == []


@pytest.mark.parametrize(("answer", "found"), [("A2", []), ("A3", ["NB101"]), ("02", ["NB101"])])
def test_a_presence_check_is_answered_with_the_number_of_the_card(answer: str, found: list[str]) -> None:
    assert rules(CARD, *ACTIVATED, f"> 02{SELECT}", "< 029000", "> B3", f"< {answer}") == found


def test_a_chain_of_the_card_goes_on_with_the_number_of_its_acknowledgement() -> None:
    trace = [f"> 02{SELECT}", "< 1290", "> A3", "< 0300"]
    assert rules(CARD, *ACTIVATED, *trace) == []
    assert rules(CARD, *ACTIVATED, *trace[:3], "< 0200") == ["NB101"]


def test_a_late_response_to_nak_is_no_presence_check_taken_for_a_command() -> None:
    trace = [f"> 02{SELECT}", "< 029000", "> 0300A4000C02E103", "> B3", "< 039000"]
    assert "NB105" not in rules(CARD, *ACTIVATED, *trace)


def test_a_new_block_in_answer_to_a_presence_check_is_one() -> None:
    trace = [f"> 02{SELECT}", "< 029000", "> B3", "< 036700"]
    assert rules(CARD, *ACTIVATED, *trace) == ["NB105"]


@pytest.mark.parametrize(
    ("wtxm", "granted", "found"),
    [("01", "01", []), ("3B", "3B", []), ("81", "01", []), ("3C", "3B", ["NB103"]), ("00", "01", ["NB103"])],
)
def test_waiting_times_are_1_to_59_and_the_power_level_is_not_repeated(
    wtxm: str, granted: str, found: list[str]
) -> None:
    trace = [f"> 02{SELECT}", f"< F2{wtxm}", f"> F2{granted}", "< 029000"]
    assert rules(CARD, *ACTIVATED, *trace) == found


def test_a_command_in_answer_to_an_extension_is_wrong() -> None:
    assert "NB103" in rules(CARD, *ACTIVATED, f"> 02{SELECT}", "< F201", f"> 03{SELECT}", "< 039000")


@pytest.mark.parametrize(
    ("ats", "found"),
    [("0578808002", []), ("0577808002", ["NB104"]), ("01", ["NB104"]), ("0578808402", []), ("0578808502", ["NB104"])],
)
def test_small_frames_and_long_guard_times_limit_speed(ats: str, found: list[str]) -> None:
    assert rules(CARD, "+", "> E080", f"< {ats}") == found


@pytest.mark.parametrize(("octets", "found"), [(62, []), (63, ["NB106"])])
def test_the_reader_too_may_send_no_longer_frame_than_the_card_takes(octets: int, found: list[str]) -> None:
    trace = ["+", "> E080", "< 0575808002", f"> 02{'00' * (octets - 1)}", "< 026D00"]
    assert [rule for rule in rules(CARD, *trace) if rule == "NB106"] == found


def test_frames_before_any_activation_have_no_limit() -> None:
    assert "NB106" not in rules(CARD, f"> 02{'00' * 300}")


def test_each_end_can_send_what_is_no_block() -> None:
    first, second = findings(CARD, *ACTIVATED, "> 60", "< 0400")
    assert (first.rule.id, first.what) == ("NB107", "the reader sent 1 octet that are no block")
    assert (second.rule.id, second.what) == ("NB107", "the card sent 2 octets that are no block")


def test_rats_that_nobody_answers_after_a_deselection_is_a_missed_wake_up() -> None:
    (found,) = findings(CARD, *ACTIVATED, "> C2", "< C2", "> E080", "> E080", "< 0578808002")
    assert (found.rule.id, found.what) == ("NB605", "1 ms after S(DESELECT) RATS was not answered")


def test_a_phone_that_comes_back_later_has_missed_nothing() -> None:
    gone = [*ACTIVATED, "> C2", "< C2", "-"]
    assert rules(CARD, *gone, *["-"] * 998, *ACTIVATED) == ["NB605"]
    assert rules(CARD, *gone, *["-"] * 999, *ACTIVATED) == []


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (CARD, ["NB601"]),  # the card's host had the first frame 90 ms ago
        (READER, []),  # the second may be the first that reached it
        (NO_CLOCK, []),
        (Header(level="blocks", source="nfcbridge card", clock={"kind": "driven"}), []),
    ],
)
def test_on_the_cards_side_time_runs_from_the_first_frame_that_was_not_answered(
    header: Header, found: list[str]
) -> None:
    trace = [f"> 02{SELECT}", *["> B2"] * 90, "< 029000"]
    assert [rule for rule in rules(header, *ACTIVATED, *trace) if rule == "NB601"] == found


@pytest.mark.parametrize(("ats", "found"), [({}, []), ({"ats": "0578808002"}, ["NB601"])])
def test_where_the_driver_answers_rats_the_first_line_tells_how_long_the_card_may_take(
    ats: dict[str, str], found: list[str]
) -> None:
    header = Header(level="blocks", card=ats)
    assert rules(header, "+", f"> 02{SELECT}", "< 029000", step=0.082) == found


@pytest.mark.parametrize("frame", ["60", "D011", f"03{SELECT}"])
def test_a_card_is_not_slow_after_what_it_need_not_answer_or_nobody_waits_for(frame: str) -> None:
    trace = [f"> 02{SELECT}", "< 029000", f"> {frame}"]
    told = rules(CARD, *ACTIVATED, *trace, "> 0300B0000002", "< 036986", step=0.06)
    assert "NB601" not in told


def test_on_the_readers_side_the_time_on_the_air_is_taken_off() -> None:
    # RATS and this ATS take 1.1 ms with their delays: two CRCs, 7 octets, and what a card needs at least.
    trace = ["+", "> E080", "< 0578808002"]
    assert rules(CARD, *trace, step=0.0055) == ["NB604"]
    assert rules(READER, *trace, step=0.0055) == []
    assert rules(READER, *trace, step=0.0065) == ["NB604"]


def test_rules_of_blocks_say_nothing_of_a_trace_of_apdus() -> None:
    assert [rule for rule in rules(APDUS, "+", f"> {SELECT}", "< 9000", "> 60", "< 6700") if rule < "NB200"] == []
