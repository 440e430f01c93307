"""The card's S(WTX): when it is sent, how much time it asks for, and what may come instead of its answer.

FWI 8 is a waiting time of 77.33 ms; 60 % of it are 46.40 ms.
"""

import pytest

from nfcbridge.errors import LocalProtocolError
from nfcbridge.isodep import Ats, CardLink, Retransmitted, SendFrame
from tests.isodep.octets import OK, ask, h, is_open, memory, run_command, sent

FWT = 4096 / 13.56e6 * 256
EARLY = 0.6 * FWT


def processing(*, now: float = 0.0, ats: Ats | None = None) -> CardLink:
    card = CardLink(ats or Ats(), fsd=256)
    assert ask(card, "0200D6", now=now) == ""
    return card


def test_no_time_runs_while_it_is_the_readers_turn() -> None:
    card = CardLink()
    assert card.next_deadline() is None
    ask(card, "E080")
    assert card.next_deadline() is None
    ask(card, "1200D6")
    assert card.next_deadline() is None
    run_command(card, "03")
    assert card.next_deadline() is None
    assert card.handle_timer(1e9) == []


def test_wtx_is_sent_at_60_percent_of_the_waiting_time_and_not_before() -> None:
    card = processing(now=100.0)
    assert card.next_deadline() == pytest.approx(100.0 + EARLY)
    assert card.handle_timer(100.046) == []
    assert card.handle_timer(100.047) == [SendFrame(h("F2 01"))]


def test_time_runs_from_the_last_block_of_a_chain() -> None:
    card = CardLink(fsd=256)
    ask(card, "1200D6", now=5.0)
    ask(card, "030000", now=6.0)
    assert card.next_deadline() == pytest.approx(6.0 + EARLY)


def test_wtx_waits_for_its_answer_without_a_deadline() -> None:
    card = processing()
    card.handle_timer(1.0)
    assert card.next_deadline() is None
    assert card.handle_timer(2.0) == []


def test_answer_to_wtx_begins_the_time_that_was_asked_for() -> None:
    card = processing()
    card.extend_until(0.4)
    assert sent(card.handle_timer(EARLY)) == "F208"
    assert ask(card, "F208", now=0.05) == ""
    assert card.next_deadline() == pytest.approx(0.05 + 8 * EARLY)
    assert card.respond(OK, 0.3) == [SendFrame(h("029000"))]


@pytest.mark.parametrize(
    ("end", "wtxm"),
    [(-1.0, 1), (0.0, 1), (EARLY * 1.99, 1), (EARLY * 2.01, 2), (EARLY * 59.99, 59), (EARLY * 61, 59), (1e9, 59)],
)
def test_one_wtx_reaches_the_end_that_was_told_within_1_to_59(end: float, wtxm: int) -> None:
    card = processing()
    card.extend_until(end)
    assert card.handle_timer(EARLY) == [SendFrame(bytes((0xF2, wtxm)))]


@pytest.mark.parametrize(("fwi", "wtxm"), [(8, 59), (9, 32), (13, 2), (14, 1)])
def test_extended_time_never_passes_the_longest_waiting_time(fwi: int, wtxm: int) -> None:
    card = processing(ats=Ats(fwi=fwi))
    card.extend_until(1e9)
    assert card.handle_timer(1e3) == [SendFrame(bytes((0xF2, wtxm)))]


def test_hint_is_for_the_open_command_alone() -> None:
    card = processing()
    card.extend_until(1e9)
    card.respond(OK, 0.0)
    ask(card, "0300D6")
    assert sent(card.handle_timer(1.0)) == "F201"


def test_wtx_is_repeated_until_its_answer_comes() -> None:
    card = processing()
    for frame in ("F201", "F201", "F201"):
        deadline = card.next_deadline()
        assert deadline is not None
        assert sent(card.handle_timer(deadline)) == frame
        assert ask(card, "F201", now=deadline + 0.001) == ""
    assert card.respond(OK, 1.0) == [SendFrame(h("029000"))]


def test_response_waits_for_the_answer_to_wtx() -> None:
    card = processing()
    card.handle_timer(1.0)
    assert is_open(card)
    assert card.respond(OK, 1.1) == []
    assert not is_open(card)
    assert ask(card, "F201", now=1.2) == "029000"
    assert ask(card, "B2") == "029000"
    assert run_command(card, "0300A4") == ("00A4", "039000")


def test_a_second_response_is_the_callers_fault_also_while_the_first_waits() -> None:
    card = processing()
    card.handle_timer(1.0)
    card.respond(OK, 1.1)
    with pytest.raises(LocalProtocolError, match="ANSWERING"):
        card.respond(OK, 1.1)


def test_long_response_is_chained_after_wtx() -> None:
    card = CardLink(fsd=16)
    ask(card, "0200B0")
    card.handle_timer(1.0)
    card.respond(bytes(14), 1.0)
    assert ask(card, "F201") == "12" + "00" * 13
    assert ask(card, "A3") == "0300"


@pytest.mark.parametrize(
    "frame", ["F202", "F200", "F241", "F2", "F20101", "FA0001", "0300A4", "0200A4", "1300A4", "A3"]
)
@pytest.mark.parametrize("answered", [False, True])
def test_nothing_but_the_same_multiplier_answers_wtx(frame: str, answered: bool) -> None:
    card = processing()
    card.handle_timer(1.0)
    if answered:
        card.respond(OK, 1.0)
    before = memory(card)
    if frame == "FA0001":  # the same multiplier, and CID 0 may be used or left out
        assert ask(card, frame) == ("0A009000" if answered else "")
        return
    assert card.receive_frame(h(frame), 1.1) == []
    assert memory(card) == before


@pytest.mark.parametrize("frame", ["B2", "A2", "B3"])
@pytest.mark.parametrize("answered", [False, True])
def test_lost_wtx_is_repeated(frame: str, answered: bool) -> None:
    card = processing()
    card.extend_until(0.2)
    assert sent(card.handle_timer(EARLY)) == "F204"
    if answered:
        card.respond(OK, 0.1)
    for _ in range(2):
        assert card.receive_frame(h(frame), 0.1) == [SendFrame(h("F204")), Retransmitted()]
    assert ask(card, "F204") == ("029000" if answered else "")


@pytest.mark.parametrize("frame", ["B2", "A2", "B3"])
def test_reader_that_asks_after_its_command_gets_wtx_at_once(frame: str) -> None:
    card = processing()
    card.extend_until(0.2)
    assert card.receive_frame(h(frame), 0.01) == [SendFrame(h("F2 05"))]
    assert ask(card, "F205", now=0.02) == ""
    assert card.next_deadline() == pytest.approx(0.02 + 5 * EARLY)
    assert card.respond(OK, 0.03) == [SendFrame(h("029000"))]


@pytest.mark.parametrize("frame", ["0200D6", "0300D6", "1300D6", "A3", "F201", "D00100", "E080", ""])
def test_other_frames_leave_an_open_command_and_its_time_alone(frame: str) -> None:
    card = processing()
    before = memory(card)
    assert card.receive_frame(h(frame), 0.01) == []
    assert memory(card) == before


def test_wtx_has_the_cid_of_the_command() -> None:
    card = CardLink()
    ask(card, "E087")
    ask(card, "0A0700D6")
    assert sent(card.handle_timer(1.0)) == "FA0701"
    assert ask(card, "F201", "FA0601") == ""
    card.respond(OK, 1.0)
    assert ask(card, "FA0701") == "0A079000"


def test_field_loss_ends_waiting() -> None:
    card = processing()
    card.reset()
    assert card.next_deadline() is None
    with pytest.raises(LocalProtocolError):
        card.respond(OK, 0.0)
