"""The card's stack at the level of APDUs: octets in, octets out, and the news about it."""

from typing import Any

import pytest

from nfcbridge.framing import Answer, ExchangeConfig
from nfcbridge.isodep import SendFrame
from nfcbridge.stack import events as seen
from nfcbridge.stack.card import CardStack
from nfcbridge.type4 import CardConfig
from tests.stack.octets import (
    EMPTY_FILE,
    GET_STATE,
    NOT_NOW,
    OK,
    SELECT_AID,
    SELECT_CC,
    SELECT_NDEF,
    STATE,
    STATE_ANSWER,
    read,
    text_message,
    update,
    write,
)


def selected(exchange: ExchangeConfig | None = None, card: CardConfig | None = None) -> CardStack:
    stack = CardStack(card, exchange)
    stack.activated(256, 0.0)
    for command in (SELECT_AID, SELECT_NDEF):
        assert say(stack, command) == OK
    return stack


def say(stack: CardStack, command: bytes, now: float = 0.0) -> bytes | None:
    """The response to a command; None if it is held."""
    frames = sent(stack.receive(command, now))
    assert len(frames) <= 1
    return frames[0] if frames else None


def waits(stack: CardStack) -> bool:
    return stack.owes_reply


def sent(events: list[Any]) -> list[bytes]:
    return [event.frame for event in events if isinstance(event, SendFrame)]


def news(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def answered(number: int, stack: CardStack, now: float = 0.1) -> list[Any]:
    return stack.answer(number, Answer(200, STATE), now)


def test_the_committing_update_is_answered_when_the_answer_is_in_the_file() -> None:
    stack = selected()
    events = stack.receive(write(GET_STATE), 1.0)
    assert sent(events) == []
    (request,) = news(events, seen.RequestReceived)
    assert (request.number, request.request.path, request.request.method) == (1, "/system_state", "GET")
    assert waits(stack)
    events = stack.answer(1, Answer(200, STATE), 1.25)
    assert sent(events) == [OK]
    assert not waits(stack)
    file = len(STATE_ANSWER).to_bytes(2, "big") + STATE_ANSWER
    assert say(stack, read(0, 251), 1.3) == (file + bytes(251))[:251] + OK


def test_an_update_with_le_is_answered_with_the_length_of_the_answer() -> None:
    stack = selected()
    assert sent(stack.receive(write(GET_STATE) + b"\x02", 1.0)) == []
    assert sent(answered(1, stack, 1.1)) == [len(STATE_ANSWER).to_bytes(2, "big") + OK]


def test_an_update_with_le_is_answered_with_the_length_of_the_empty_message_after_the_hold_time() -> None:
    stack = selected()
    stack.receive(write(GET_STATE) + b"\x02", 1.0)
    assert sent(stack.handle_timer(1.4)) == [b"\x00\x03" + OK]


def test_an_answer_larger_than_any_text_record_is_a_413() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    events = stack.answer(1, Answer(200, b'"' + 100_000 * b"a" + b'"'), 0.1)
    assert news(events, seen.AnswerTooLarge) == [seen.AnswerTooLarge(1, 100_002, 0x7FFD)]
    assert sent(events) == [OK]


def test_the_core_time_runs_from_commit_to_answer() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 1.0)
    (ready,) = news(answered(1, stack, 1.25), seen.AnswerReady)
    assert ready.core == pytest.approx(0.25)
    assert ready.status == 200


def test_a_command_is_held_no_longer_than_the_hold_time_and_then_the_file_has_the_empty_message() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 1.0)
    assert stack.next_deadline() == pytest.approx(1.4)
    assert sent(stack.handle_timer(1.39)) == []
    assert sent(stack.handle_timer(1.4)) == [OK]
    assert say(stack, read(0, 5), 1.5) is None
    assert sent(stack.handle_timer(1.9)) == [EMPTY_FILE + OK]


def test_a_held_read_is_executed_when_the_answer_is_there() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 1.0)
    stack.handle_timer(1.4)
    assert say(stack, read(0, 2), 1.5) is None
    assert sent(answered(1, stack, 1.6)) == [len(STATE_ANSWER).to_bytes(2, "big") + OK]


def test_without_hold_nothing_is_ever_held() -> None:
    stack = selected(ExchangeConfig(hold=0.0))
    assert say(stack, write(GET_STATE)) == OK
    assert say(stack, read(0, 5)) == EMPTY_FILE + OK
    assert not waits(stack)


def test_nlen_0_while_not_ready_where_the_configuration_says_so() -> None:
    stack = selected(ExchangeConfig(hold=0.0, not_ready=b""))
    say(stack, write(GET_STATE))
    assert say(stack, read(0, 2)) == bytes(2) + OK


def test_a_select_is_never_held() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    assert say(stack, SELECT_AID) == OK
    assert say(stack, SELECT_CC) == OK
    assert say(stack, read(0, 15)) == bytes.fromhex("000F2000FB00F80406E1047FFF0000") + OK


def test_a_write_while_processing_is_refused_and_told() -> None:
    stack = selected(ExchangeConfig(hold=0.0))
    say(stack, write(GET_STATE))
    events = stack.receive(update(0, bytes(2)), 0.1)
    assert sent(events) == [NOT_NOW]
    assert news(events, seen.WriteRefused) == [seen.WriteRefused(seen.Reason.PROCESSING, count=1)]


def test_a_write_before_the_answer_was_read_is_refused_and_told() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack)
    events = stack.receive(update(0, bytes(2)), 0.2)
    assert sent(events) == [NOT_NOW]
    assert news(events, seen.WriteRefused) == [seen.WriteRefused(seen.Reason.UNREAD, count=1)]
    (again,) = news(stack.receive(update(0, bytes(2)), 0.3), seen.WriteRefused)
    assert again.count == 2


def test_a_write_at_the_moment_the_answer_expires_is_accepted_though_no_timer_ran() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack, 0.1)
    events = stack.receive(update(0, bytes(2)), 10.1)
    assert sent(events) == [OK]
    assert news(events, seen.AnswerExpired) == [seen.AnswerExpired(1, read=False)]


def test_a_request_is_run_once_however_often_the_tag_is_activated_again() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    for at in (0.1, 0.2, 0.3):
        stack.field_lost(at)
        (event,) = news(stack.activated(256, at), seen.TagActivated)
        assert event.again
    answered(1, stack, 0.4)
    for command in (SELECT_AID, SELECT_NDEF):
        say(stack, command, 0.5)
    length = len(STATE_ANSWER) + 2
    assert say(stack, read(0, length), 0.5) == (length - 2).to_bytes(2, "big") + STATE_ANSWER + OK
    assert stack.exchange.number == 1


def test_the_response_of_a_held_command_dies_with_the_field() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    stack.field_lost(0.1)
    assert not waits(stack)
    assert sent(answered(1, stack, 0.2)) == []


@pytest.mark.parametrize("lost", ["field_lost", "deselected", "activated", "select"])
def test_a_half_write_is_rolled_back_and_nothing_else(lost: str) -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack, 0.1)
    say(stack, read(0, 251), 0.2)
    assert say(stack, update(0, bytes(2)), 0.3) == OK
    assert say(stack, update(2, GET_STATE[:20]), 0.3) == OK
    if lost == "select":
        events = stack.receive(SELECT_AID, 0.4)
    elif lost == "activated":
        events = stack.activated(256, 0.4)
    else:
        events = getattr(stack, lost)(0.4)
    assert news(events, seen.WriteRolledBack)
    for command in (SELECT_AID, SELECT_NDEF):
        say(stack, command, 0.5)
    length = len(STATE_ANSWER)
    assert say(stack, read(0, length + 2), 0.5) == length.to_bytes(2, "big") + STATE_ANSWER + OK


def test_the_end_of_a_half_write_by_time_is_told() -> None:
    stack = selected()
    say(stack, update(0, bytes(2)), 1.0)
    assert stack.next_deadline() == pytest.approx(11.0)
    assert news(stack.handle_timer(11.0), seen.WriteRolledBack)
    assert say(stack, read(0, 5), 11.1) == EMPTY_FILE + OK


def test_a_message_that_is_no_text_record_is_answered_400_at_once() -> None:
    stack = selected()
    events = stack.receive(write(bytes.fromhex("D10101550061")), 0.0)
    assert sent(events) == [OK]
    (broken,) = news(events, seen.RequestBroken)
    assert broken.status == 400
    expected = text_message(b'{"messageID":null,"statusCode":400}')
    assert say(stack, read(0, len(expected) + 2)) == len(expected).to_bytes(2, "big") + expected + OK


def test_a_broken_request_with_a_good_header_is_answered_400_with_its_number() -> None:
    stack = selected()
    events = stack.receive(write(text_message(b'{"path":"/a","method":"GET","messageID":"x"}{"b":1}')), 0.0)
    assert sent(events) == [OK]
    expected = text_message(b'{"messageID":"x","statusCode":400}')
    assert say(stack, read(2, len(expected))) == expected + OK


def test_an_answer_that_the_file_cannot_hold_is_a_413_without_content() -> None:
    stack = selected(card=CardConfig(file_size=100))
    stack.receive(write(GET_STATE), 0.0)
    events = stack.answer(1, Answer(200, b'"' + bytes(100).replace(b"\0", b"a") + b'"'), 0.1)
    (event,) = news(events, seen.AnswerTooLarge)
    assert event.limit == 98
    expected = text_message(b'{"messageID":7,"statusCode":413}')
    assert say(stack, read(2, len(expected))) == expected + OK


def test_a_messageid_too_long_to_be_echoed_is_left_out_of_the_413() -> None:
    # A request needs more octets around its number than a 413 does, so only the language of our records can make the
    # number not fit: it is longer here than the reader's.
    request = text_message(b'{"path":"/","method":"GET","messageID":"' + 64 * b"i" + b'"}')
    stack = CardStack(CardConfig(file_size=len(request) + 2), language="en-x-longer-than-that")
    for command in (SELECT_AID, SELECT_NDEF):
        say(stack, command)
    stack.receive(write(request), 0.0)
    assert sent(stack.answer(1, Answer(200, b'"0123456789"'), 0.1)) == [OK]
    file = say(stack, read(2, 100), 0.2)
    assert file is not None
    assert b'{"messageID":null,"statusCode":413}' in file


def test_a_request_that_nobody_answers_is_given_up_with_504_and_its_late_answer_dropped() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    stack.handle_timer(0.4)
    events = stack.handle_timer(8.0)
    assert news(events, seen.RequestGivenUp) == [seen.RequestGivenUp(1)]
    events = answered(1, stack, 8.1)
    assert news(events, seen.LateAnswer) == [seen.LateAnswer(1)]
    expected = text_message(b'{"messageID":7,"statusCode":504}')
    assert say(stack, read(2, len(expected)), 8.2) == expected + OK


def test_reading_to_the_last_octet_is_told_once_with_its_air_time() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack)
    length = len(STATE_ANSWER) + 2
    assert news(stack.receive(read(0, length - 1), 0.2), seen.AnswerRead) == []
    (event,) = news(stack.receive(read(length - 1, 1), 0.3), seen.AnswerRead)
    assert event.number == 1
    # 71 + 67 octets of payload cost about 85 us each; headers, CRCs and delays come on top.
    assert 0.012 < event.air < 0.025
    assert news(stack.receive(read(0, length), 0.4), seen.AnswerRead) == []


def test_an_answer_read_without_nlen_in_the_same_activation_is_warned_of_once() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack)
    warning = news(stack.receive(read(2, len(GET_STATE)), 0.2), seen.ReadWithoutLength)
    assert warning == [seen.ReadWithoutLength(1)]
    assert news(stack.receive(read(2, len(GET_STATE)), 0.3), seen.ReadWithoutLength) == []


def test_no_warning_after_nlen_was_read_or_the_tag_activated_again() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack)
    say(stack, read(0, 2), 0.2)
    assert news(stack.receive(read(2, 20), 0.2), seen.ReadWithoutLength) == []
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack)
    stack.activated(256, 0.2)
    for command in (SELECT_AID, SELECT_NDEF):
        say(stack, command, 0.3)
    assert news(stack.receive(read(2, 20), 0.3), seen.ReadWithoutLength) == []


def test_the_idle_message_is_in_the_file_until_the_first_answer() -> None:
    stack = selected(ExchangeConfig(idle=text_message(b"hello")))
    assert say(stack, read(0, 14)) == b"\x00\x0c" + text_message(b"hello") + OK


def test_the_language_of_answers_is_configurable() -> None:
    stack = CardStack(language="de")
    for command in (SELECT_AID, SELECT_NDEF):
        say(stack, command)
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack)
    response = say(stack, read(0, 10), 0.2)
    assert response is not None
    assert response[7:9] == b"de"


def waited_twice() -> CardStack:
    """A phone that waited for the UPDATE and for NLEN, and has the NLEN of the empty message now, at 0.8 s."""
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    stack.handle_timer(0.4)
    assert say(stack, read(0, 2), 0.4) is None
    assert sent(stack.handle_timer(0.8)) == [b"\x00\x03" + OK]
    return stack


def test_the_message_belongs_to_the_nlen_that_was_read_though_the_answer_came_between() -> None:
    stack = waited_twice()
    answered(1, stack, 0.85)
    assert say(stack, read(2, 3), 0.86) == bytes.fromhex("D00000") + OK
    assert say(stack, read(0, 2), 0.9) == len(STATE_ANSWER).to_bytes(2, "big") + OK
    assert say(stack, read(2, len(STATE_ANSWER)), 0.9) == STATE_ANSWER + OK


def test_the_empty_message_whose_nlen_was_read_is_not_held_for() -> None:
    stack = waited_twice()
    assert say(stack, read(2, 3), 0.81) == bytes.fromhex("D00000") + OK
    assert say(stack, read(0, 2), 0.82) is None


def test_what_was_read_of_the_empty_message_does_not_release_the_answer() -> None:
    stack = waited_twice()
    answered(1, stack, 0.85)
    say(stack, read(2, 3), 0.86)
    assert say(stack, update(0, bytes(2)), 0.9) == NOT_NOW


def test_after_a_new_activation_the_nlen_of_before_counts_no_more() -> None:
    stack = waited_twice()
    answered(1, stack, 0.85)
    stack.activated(256, 0.9)
    for command in (SELECT_AID, SELECT_NDEF):
        say(stack, command, 0.9)
    assert say(stack, read(2, 5), 0.9) == STATE_ANSWER[:5] + OK


def test_a_write_that_begins_is_not_touched_by_a_read_after_the_nlen_of_before() -> None:
    stack = waited_twice()
    answered(1, stack, 0.85)
    stack.handle_timer(10.85)
    assert say(stack, update(0, bytes(2) + GET_STATE[:10]), 11.0) == OK
    assert say(stack, read(2, 10), 11.1) == GET_STATE[:10] + OK
    assert stack.tag.writing


def test_reading_without_nlen_is_warned_of_while_the_answer_is_not_there_too() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    stack.handle_timer(0.4)
    assert say(stack, read(2, len(GET_STATE)), 0.4) is None
    assert news(stack.handle_timer(0.8), seen.ReadWithoutLength) == [seen.ReadWithoutLength(1)]


def test_the_end_of_an_answer_that_was_read_whole_is_no_news() -> None:
    stack = selected()
    stack.receive(write(GET_STATE), 0.0)
    answered(1, stack, 0.1)
    say(stack, read(0, 251), 0.2)
    assert news(stack.handle_timer(10.1), seen.AnswerExpired) == []
    assert say(stack, read(0, 5), 10.2) == EMPTY_FILE + OK


def test_air_time_counts_the_blocks_of_a_command_by_the_frames_that_the_card_takes() -> None:
    times = []
    for fsc in (256, 16):
        stack = selected()
        stack.fsc = fsc
        stack.receive(write(GET_STATE), 0.0)
        answered(1, stack)
        (event,) = news(stack.receive(read(0, 251), 0.2), seen.AnswerRead)
        times.append(event.air)
    # 67 octets of a command in frames of 16 are five blocks more, each with an R(ACK): six octets and two delays.
    assert times[1] - times[0] > 4 * (6 * 85e-6 + 2 * 86e-6)
