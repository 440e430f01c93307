"""The exchange step by step, with its default times: hold 0.4 s, answers 10 s, half writes 10 s, 504 after 8 s."""

import math
from collections.abc import Callable
from itertools import product

import pytest

from nfcbridge.errors import ConfigError, LocalProtocolError
from nfcbridge.framing import (
    Delivered,
    Discarded,
    Effect,
    Exchange,
    ExchangeConfig,
    Execute,
    Expired,
    GiveUp,
    Pipelined,
    Publish,
    RefuseWrites,
    RollBack,
    State,
)
from nfcbridge.framing.transitions import TRANSITIONS, Input

EMPTY = b"\xd0\x00\x00"
ANSWER = bytes.fromhex("D101085402656E68656C6C6F")
END = 2 + len(ANSWER)  # of the file


def written() -> Exchange:
    exchange = Exchange()
    assert exchange.write_begun(0.0) == []
    return exchange


def committed(config: ExchangeConfig | None = None) -> Exchange:
    exchange = Exchange(config)
    exchange.committed(0.0)
    return exchange


def answered(config: ExchangeConfig | None = None) -> Exchange:
    exchange = committed(config)
    exchange.answered(1, ANSWER, 1.0)
    return exchange


def released() -> Exchange:
    exchange = answered()
    exchange.reactivated(2.0)
    return exchange


def rewritten() -> Exchange:
    exchange = released()
    assert exchange.write_begun(3.0) == []
    return exchange


AT: dict[State, Callable[[], Exchange]] = {
    State.IDLE: Exchange,
    State.WRITING: written,
    State.PROCESSING: committed,
    State.ANSWERED: answered,
    State.RELEASED: released,
    State.REWRITING: rewritten,
}
NOW = 4.0  # no deadline of these has passed

REPORTS: dict[Input, Callable[[Exchange], list[Effect]]] = {
    Input.BEGIN: lambda exchange: exchange.write_begun(NOW),
    Input.UPDATE: lambda exchange: exchange.write_continued(NOW),
    Input.REFUSED: lambda exchange: exchange.write_refused(NOW),
    Input.COMMIT: lambda exchange: exchange.committed(NOW),
    Input.ROLLBACK: lambda exchange: exchange.rolled_back(NOW),
    Input.READ: lambda exchange: exchange.read_up_to(3, END, NOW),
    Input.REACTIVATION: lambda exchange: exchange.reactivated(NOW),
}


@pytest.mark.parametrize("state", State)
def test_each_state_can_be_reached(state: State) -> None:
    assert AT[state]().state is state


@pytest.mark.parametrize(("state", "report"), list(product(State, REPORTS)))
def test_a_report_leads_where_the_table_says_and_one_not_listed_changes_nothing(state: State, report: Input) -> None:
    exchange = AT[state]()
    deadline = exchange.next_deadline()
    after = TRANSITIONS.get((state, report))
    if after is not None:
        REPORTS[report](exchange)
        assert exchange.state is after
        return
    with pytest.raises(LocalProtocolError, match="impossible"):
        REPORTS[report](exchange)
    assert (exchange.state, exchange.number, exchange.next_deadline()) == (state, AT[state]().number, deadline)


def test_what_a_card_cannot_report_is_not_listed() -> None:
    assert set(product(State, REPORTS)) - set(TRANSITIONS) == {
        # the card refuses writes
        *product({State.PROCESSING, State.ANSWERED}, {Input.BEGIN, Input.UPDATE, Input.COMMIT}),
        # the card accepts writes
        *product({State.WRITING, State.RELEASED, State.REWRITING}, {Input.REFUSED}),
    }


# A request and its answer


def test_nothing_is_due_in_the_beginning() -> None:
    exchange = Exchange()
    assert (exchange.state, exchange.number, exchange.pipelining_count) == (State.IDLE, 0, 0)
    assert exchange.next_deadline() is None
    assert exchange.handle_timer(1e9) == []


def test_a_committed_request_is_hidden_guarded_and_executed() -> None:
    exchange = written()
    assert exchange.write_continued(1.0) == []
    assert exchange.committed(2.0) == [Publish(EMPTY), RefuseWrites(True), Execute(1)]


def test_one_update_can_be_a_whole_write() -> None:
    assert Exchange().committed(0.0) == [Publish(EMPTY), RefuseWrites(True), Execute(1)]


def test_the_file_has_nlen_0_while_processing_if_so_configured() -> None:
    assert Exchange(ExchangeConfig(not_ready=b"")).committed(0.0)[0] == Publish(b"")


def test_the_answer_is_published_and_writes_stay_refused() -> None:
    exchange = committed()
    assert exchange.answered(1, ANSWER, 1.0) == [Publish(ANSWER)]
    assert exchange.state is State.ANSWERED


def test_requests_are_numbered_1_2_3() -> None:
    exchange = Exchange()
    for number in (1, 2, 3):
        assert exchange.committed(0.0)[-1] == Execute(number)
        exchange.answered(number, ANSWER, 0.0)
        exchange.reactivated(0.0)


# Writes after the answer


def test_any_octet_of_the_answer_that_was_read_lets_the_next_write_begin() -> None:
    exchange = answered()
    assert exchange.read_up_to(3, END, 2.0) == [RefuseWrites(False)]
    assert exchange.write_begun(3.0) == []


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_reading_nlen_is_not_reading_the_answer(offset: int) -> None:
    exchange = answered()
    assert exchange.read_up_to(offset, END, 2.0) == []
    assert exchange.write_refused(3.0) == [Pipelined(State.ANSWERED)]


def test_the_answer_read_to_its_last_octet_is_delivered_once() -> None:
    exchange = answered()
    assert exchange.read_up_to(END - 1, END, 2.0) == [RefuseWrites(False)]
    assert exchange.read_up_to(END, END, 2.0) == [Delivered(1)]
    assert exchange.read_up_to(END, END, 2.0) == []


def test_an_answer_read_past_its_end_is_delivered() -> None:
    assert answered().read_up_to(END + 9, END, 2.0) == [RefuseWrites(False), Delivered(1)]


def test_each_answer_is_delivered() -> None:
    exchange = answered()
    exchange.read_up_to(END, END, 2.0)
    exchange.committed(3.0)
    exchange.answered(2, ANSWER, 4.0)
    assert exchange.read_up_to(END, END, 5.0) == [RefuseWrites(False), Delivered(2)]


def test_a_re_activation_after_the_answer_lets_the_next_write_begin() -> None:
    exchange = answered()
    assert exchange.reactivated(2.0) == [RefuseWrites(False)]
    assert exchange.committed(3.0) == [Publish(EMPTY), RefuseWrites(True), Execute(2)]


def test_a_re_activation_while_processing_counts_when_the_answer_is_ready() -> None:
    exchange = committed()
    assert exchange.reactivated(0.5) == []
    assert exchange.answered(1, ANSWER, 1.0) == [Publish(ANSWER), RefuseWrites(False)]
    assert exchange.write_begun(1.5) == []


def test_a_re_activation_before_the_request_does_not_count() -> None:
    exchange = Exchange()
    exchange.reactivated(0.0)
    exchange.committed(0.0)
    assert exchange.answered(1, ANSWER, 1.0) == [Publish(ANSWER)]


def test_a_write_while_processing_is_pipelining_and_counted() -> None:
    exchange = committed()
    assert exchange.write_refused(1.0) == [Pipelined(State.PROCESSING)]
    assert exchange.pipelining_count == 1


def test_a_write_over_an_unread_answer_is_pipelining_and_counted() -> None:
    exchange = answered()
    assert exchange.write_refused(2.0) == [Pipelined(State.ANSWERED)]
    assert exchange.write_refused(2.0) == [Pipelined(State.ANSWERED)]
    assert exchange.pipelining_count == 2


def test_pipelining_is_accepted_over_an_answer_if_so_configured_and_never_while_processing() -> None:
    exchange = Exchange(ExchangeConfig(replace=True))
    assert exchange.committed(0.0) == [Publish(EMPTY), RefuseWrites(True), Execute(1)]
    assert exchange.answered(1, ANSWER, 1.0) == [Publish(ANSWER), RefuseWrites(False)]
    assert exchange.committed(2.0) == [Publish(EMPTY), RefuseWrites(True), Execute(2)]


# Half writes


def test_a_half_write_over_an_idle_file_leaves_it_idle() -> None:
    exchange = written()
    assert exchange.rolled_back(1.0) == []
    assert (exchange.state, exchange.next_deadline()) == (State.IDLE, None)


def test_a_half_write_over_an_answer_leaves_the_answer() -> None:
    exchange = rewritten()
    assert exchange.rolled_back(4.0) == []
    assert exchange.next_deadline() == 11.0  # as it was
    assert exchange.write_begun(5.0) == []  # and as free as it was


def test_a_re_activation_alone_tells_the_loss_of_a_half_write() -> None:
    exchange = written()
    assert exchange.reactivated(1.0) == []
    assert (exchange.state, exchange.next_deadline()) == (State.IDLE, None)
    exchange = rewritten()
    assert exchange.reactivated(4.0) == []
    assert (exchange.state, exchange.next_deadline()) == (State.RELEASED, 11.0)


def test_the_loss_of_a_half_write_may_be_told_twice() -> None:
    for exchange in (written(), rewritten()):
        assert exchange.rolled_back(4.0) + exchange.reactivated(4.0) + exchange.rolled_back(4.0) == []


@pytest.mark.parametrize("state", [State.IDLE, State.PROCESSING, State.ANSWERED, State.RELEASED])
def test_a_roll_back_without_a_half_write_changes_nothing(state: State) -> None:
    exchange = AT[state]()
    assert exchange.rolled_back(NOW) == []
    assert (exchange.state, exchange.next_deadline()) == (state, AT[state]().next_deadline())


@pytest.mark.parametrize("state", [State.IDLE, State.WRITING, State.PROCESSING, State.REWRITING])
def test_a_read_of_anything_else_than_an_answer_changes_nothing(state: State) -> None:
    exchange = AT[state]()
    assert exchange.read_up_to(END, END, NOW) == []
    assert (exchange.state, exchange.next_deadline()) == (state, AT[state]().next_deadline())


def test_reading_a_half_write_is_not_reading_the_answer_below_it() -> None:
    exchange = rewritten()
    assert exchange.read_up_to(END, END, 4.0) == []
    exchange.rolled_back(5.0)
    assert exchange.handle_timer(11.0) == [Expired(1, unread=True), Publish(EMPTY)]


def test_a_half_write_lapses_10_s_after_its_last_update() -> None:
    exchange = written()
    exchange.write_continued(7.0)
    assert exchange.next_deadline() == 17.0
    assert exchange.handle_timer(math.nextafter(17.0, 0.0)) == []
    assert exchange.handle_timer(17.0) == [RollBack()]
    assert (exchange.state, exchange.next_deadline()) == (State.IDLE, None)


def test_a_write_that_starts_over_has_its_time_again() -> None:
    exchange = written()
    exchange.write_begun(7.0)
    assert exchange.next_deadline() == 17.0


def test_an_answer_may_lapse_below_a_half_write_which_goes_on() -> None:
    exchange = rewritten()
    assert exchange.next_deadline() == 11.0
    assert exchange.handle_timer(11.0) == [Expired(1, unread=True)]
    assert exchange.next_deadline() == 13.0
    assert exchange.committed(12.0) == [Publish(EMPTY), RefuseWrites(True), Execute(2)]


@pytest.mark.parametrize("end", [Exchange.rolled_back, Exchange.reactivated])
def test_a_half_write_whose_answer_lapsed_below_it_leaves_the_file_idle(
    end: Callable[[Exchange, float], list[Effect]],
) -> None:
    exchange = rewritten()
    exchange.handle_timer(11.0)
    assert end(exchange, 12.0) == [Publish(EMPTY)]
    assert (exchange.state, exchange.next_deadline()) == (State.IDLE, None)


def test_times_that_passed_together_end_in_their_order() -> None:
    assert rewritten().handle_timer(100.0) == [Expired(1, unread=True), RollBack(), Publish(EMPTY)]
    exchange = Exchange(ExchangeConfig(half_write_ttl=2.0))
    exchange.committed(0.0)
    exchange.answered(1, ANSWER, 1.0)
    exchange.reactivated(2.0)
    exchange.write_begun(3.0)
    assert exchange.handle_timer(100.0) == [RollBack(), Expired(1, unread=True), Publish(EMPTY)]


# The times of request and answer


def test_an_answer_leaves_the_file_10_s_after_it_was_ready() -> None:
    exchange = answered()
    assert exchange.next_deadline() == 11.0
    assert exchange.handle_timer(math.nextafter(11.0, 0.0)) == []
    assert exchange.handle_timer(11.0) == [Expired(1, unread=True), Publish(EMPTY), RefuseWrites(False)]
    assert (exchange.state, exchange.next_deadline()) == (State.IDLE, None)


def test_reading_does_not_prolong_the_answer() -> None:
    exchange = answered()
    exchange.read_up_to(3, END, 2.0)
    exchange.reactivated(10.9)
    assert exchange.handle_timer(11.0) == [Expired(1, unread=False), Publish(EMPTY)]


def test_the_idle_message_is_the_configured_one() -> None:
    exchange = answered(ExchangeConfig(idle=b"\xd1idle", answer_ttl=0.5))
    assert Publish(b"\xd1idle") in exchange.handle_timer(1.5)


def test_a_request_is_given_up_after_8_s_and_its_504_takes_the_place_of_the_answer() -> None:
    exchange = committed()
    assert exchange.next_deadline() == 8.0
    assert exchange.handle_timer(math.nextafter(8.0, 0.0)) == []
    assert exchange.handle_timer(8.0) == [GiveUp(1)]
    assert exchange.next_deadline() is None
    assert exchange.answered(1, b"504", 8.0) == [Publish(b"504")]
    assert exchange.next_deadline() == 18.0


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_an_answer_to_another_request_than_the_one_in_process_is_discarded(number: int) -> None:
    exchange = Exchange(ExchangeConfig(replace=True))
    for current in (1, 2):
        exchange.committed(0.0)
        exchange.answered(current, ANSWER, 0.0)
    exchange.committed(0.0)
    assert exchange.answered(number, b"late", 1.0) == [Discarded(number)]
    assert exchange.answered(3, ANSWER, 1.0) == [Publish(ANSWER), RefuseWrites(False)]


@pytest.mark.parametrize("state", [state for state in State if state is not State.PROCESSING])
def test_a_second_answer_is_discarded(state: State) -> None:
    exchange = AT[state]()
    assert exchange.answered(exchange.number, b"late", NOW) == [Discarded(exchange.number)]
    assert exchange.state is state


def test_an_answer_after_the_504_is_discarded() -> None:
    exchange = committed()
    exchange.handle_timer(8.0)
    exchange.answered(1, b"504", 8.0)
    assert exchange.answered(1, ANSWER, 8.1) == [Discarded(1)]


def test_an_answer_at_the_deadline_is_too_late_though_nobody_looked_at_the_time() -> None:
    exchange = committed()
    assert exchange.answered(1, ANSWER, 8.0) == [GiveUp(1), Discarded(1)]
    assert exchange.answered(1, b"504", 8.0) == [Publish(b"504")]


def test_an_answer_just_before_the_deadline_is_in_time() -> None:
    exchange = committed()
    now = math.nextafter(8.0, 0.0)
    assert exchange.answered(1, ANSWER, now) == [Publish(ANSWER)]
    assert exchange.handle_timer(8.0) == []


# Inputs after a deadline at which nobody looked


def test_an_update_after_its_write_lapsed_is_dropped_with_it() -> None:
    exchange = written()
    assert exchange.write_continued(10.0) == [RollBack()]
    assert (exchange.state, exchange.next_deadline()) == (State.IDLE, None)


def test_an_update_after_its_write_lapsed_leaves_the_answer_below_it() -> None:
    exchange = Exchange(ExchangeConfig(half_write_ttl=2.0))
    exchange.committed(0.0)
    exchange.answered(1, ANSWER, 1.0)
    exchange.reactivated(2.0)
    exchange.write_begun(3.0)
    assert exchange.write_continued(5.0) == [RollBack()]
    assert (exchange.state, exchange.next_deadline()) == (State.RELEASED, 11.0)


def test_a_write_refused_after_the_answer_lapsed_is_no_pipelining() -> None:
    exchange = answered()
    assert exchange.write_refused(11.0) == [Expired(1, unread=True), Publish(EMPTY), RefuseWrites(False)]
    assert (exchange.state, exchange.pipelining_count) == (State.IDLE, 0)


def test_an_answer_read_after_it_lapsed_was_not_read() -> None:
    exchange = answered()
    assert exchange.read_up_to(END, END, 11.0) == [Expired(1, unread=True), Publish(EMPTY), RefuseWrites(False)]


def test_a_write_after_the_answer_lapsed_has_none_below_it() -> None:
    exchange = released()
    assert exchange.write_begun(11.0) == [Expired(1, unread=True), Publish(EMPTY)]
    assert exchange.state is State.WRITING


# Holding


def test_a_response_is_held_while_processing_and_only_then() -> None:
    for state, at in AT.items():
        assert at().hold_until(NOW) == (4.4 if state is State.PROCESSING else None)


def test_a_hold_of_0_holds_nothing() -> None:
    assert committed(ExchangeConfig(hold=0.0)).hold_until(1.0) is None


# Settings


def test_the_defaults_are_those_that_phones_need() -> None:
    config = ExchangeConfig()
    assert (config.hold, config.answer_ttl, config.half_write_ttl, config.give_up) == (0.4, 10.0, 10.0, 8.0)
    assert (config.idle, config.not_ready, config.replace) == (EMPTY, EMPTY, False)


@pytest.mark.parametrize("time", ["answer_ttl", "half_write_ttl", "give_up"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan])
def test_a_time_that_is_none_is_refused(time: str, seconds: float) -> None:
    with pytest.raises(ConfigError, match=time):
        ExchangeConfig(**{time: seconds})  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [-0.1, math.inf, math.nan])
def test_a_hold_that_is_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="hold"):
        ExchangeConfig(hold=seconds)


def test_an_idle_message_without_octets_is_refused() -> None:
    with pytest.raises(ConfigError, match="Android"):
        ExchangeConfig(idle=b"")
