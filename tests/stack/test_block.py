"""The card's stack at the level of blocks: literal frames in, literal frames out."""

from typing import Any

import pytest

from nfcbridge.framing import Answer
from nfcbridge.isodep import SendFrame
from nfcbridge.stack import events as seen
from nfcbridge.stack.block import BlockCardStack
from nfcbridge.stack.card import CardStack
from nfcbridge.type4 import CardConfig
from tests.stack.octets import GET_STATE, OK, SELECT_AID, SELECT_NDEF, STATE, STATE_ANSWER, read, write

FWT = 302.06e-6 * 2**8


def activated() -> BlockCardStack:
    stack = BlockCardStack(CardStack())
    stack.activated(None, 0.0)
    (ats,) = frames(stack.receive(bytes.fromhex("E080"), 0.0))
    assert ats[0] == len(ats)
    assert frames(stack.receive(b"\x02" + SELECT_AID, 0.0)) == [b"\x02" + OK]
    assert frames(stack.receive(b"\x03" + SELECT_NDEF, 0.0)) == [b"\x03" + OK]
    return stack


def frames(events: list[Any]) -> list[bytes]:
    return [event.frame for event in events if isinstance(event, SendFrame)]


def waits(stack: BlockCardStack) -> bool:
    return stack.owes_reply


def test_the_activation_is_told_with_the_frame_size_of_the_reader() -> None:
    stack = BlockCardStack(CardStack())
    stack.activated(None, 0.0)
    events = stack.receive(bytes.fromhex("E050"), 0.0)
    assert seen.TagActivated(64, again=False) in events


def test_no_frame_is_longer_than_the_link_carries_however_long_the_reader_takes_them() -> None:
    stack = BlockCardStack(CardStack(CardConfig(mle=2000)), max_frame=256)
    stack.activated(None, 0.0)
    stack.receive(bytes.fromhex("E0C0"), 0.0)  # FSDI 12: 4096 octets
    stack.receive(b"\x02" + SELECT_AID, 0.0)
    stack.receive(b"\x03" + SELECT_NDEF, 0.0)
    (frame,) = frames(stack.receive(b"\x02" + bytes.fromhex("00B000000007D0"), 0.1))
    assert len(frame) == 256 - 2
    assert frame[0] == 0x12


def test_a_driver_that_answered_the_rats_has_activated_the_tag() -> None:
    stack = BlockCardStack(CardStack())
    assert seen.TagActivated(64, again=False) in stack.activated(64, 0.0)
    assert frames(stack.receive(b"\x02" + SELECT_AID, 0.0)) == [b"\x02" + OK]


def test_a_held_update_is_bridged_by_one_waiting_time_extension() -> None:
    stack = activated()
    assert frames(stack.receive(b"\x02" + write(GET_STATE), 1.0)) == []
    assert waits(stack)
    deadline = stack.next_deadline()
    assert deadline == pytest.approx(1.0 + 0.6 * FWT, abs=0.001)
    (wtx,) = frames(stack.handle_timer(deadline or 0.0))
    assert wtx[0] == 0xF2
    # The extension must reach the end of the hold time, 1.4 s, with two fifths to spare.
    assert (deadline or 0.0) + wtx[1] * FWT * 0.6 >= 1.4
    assert not waits(stack)
    assert frames(stack.receive(wtx, 1.06)) == []
    assert waits(stack)
    assert frames(stack.answer(1, Answer(200, STATE), 1.2)) == [b"\x02" + OK]


def test_an_answer_that_comes_while_the_extension_is_under_way_waits_for_it() -> None:
    stack = activated()
    stack.receive(b"\x02" + write(GET_STATE), 1.0)
    (wtx,) = frames(stack.handle_timer(1.05))
    assert frames(stack.answer(1, Answer(200, STATE), 1.06)) == []
    assert frames(stack.receive(wtx, 1.07)) == [b"\x02" + OK]


def test_the_hold_ends_by_time_without_an_answer() -> None:
    stack = activated()
    stack.receive(b"\x02" + write(GET_STATE), 1.0)
    (wtx,) = frames(stack.handle_timer(1.05))
    stack.receive(wtx, 1.06)
    assert frames(stack.handle_timer(1.4)) == [b"\x02" + OK]


def test_a_presence_check_is_answered_below_the_application_and_changes_nothing() -> None:
    stack = activated()
    assert frames(stack.receive(b"\xb2", 1.0)) == [b"\xa3"]
    assert frames(stack.receive(b"\x02", 1.0)) == [b"\x02"]


def test_deselect_is_answered_and_told_and_a_new_rats_begins_anew() -> None:
    stack = activated()
    stack.receive(b"\x02" + write(GET_STATE), 1.0)
    events = stack.receive(b"\xc2", 1.1)
    assert frames(events) == [b"\xc2"]
    assert seen.TagDeselected() in events
    assert not waits(stack)
    stack.activated(None, 1.2)
    events = stack.receive(bytes.fromhex("E080"), 1.2)
    assert seen.TagActivated(256, again=True) in events
    assert frames(stack.answer(1, Answer(200, STATE), 1.3)) == []
    stack.receive(b"\x02" + SELECT_AID, 1.3)
    stack.receive(b"\x03" + SELECT_NDEF, 1.3)
    (frame,) = frames(stack.receive(b"\x02" + read(0, 100), 1.4))
    assert frame[1:].startswith(len(STATE_ANSWER).to_bytes(2, "big") + STATE_ANSWER)


def test_nobody_waits_for_a_response_after_the_tag_was_selected_again() -> None:
    stack = activated()
    stack.receive(b"\x02" + write(GET_STATE), 1.0)
    stack.activated(None, 1.1)  # without S(DESELECT) before, in the same field
    assert not waits(stack)
    assert frames(stack.answer(1, Answer(200, STATE), 1.2)) == []
    assert frames(stack.receive(bytes.fromhex("E080"), 1.3)) != []


def test_field_loss_makes_the_card_deaf_until_it_is_activated_again() -> None:
    stack = activated()
    assert seen.FieldLost() in stack.field_lost(1.0)
    assert frames(stack.receive(b"\x02" + SELECT_AID, 1.0)) == []


def test_the_next_deadline_is_the_earlier_of_the_layers() -> None:
    stack = activated()
    assert stack.next_deadline() is None
    stack.receive(b"\x02" + bytes.fromhex("00D60000020000"), 1.0)
    assert stack.next_deadline() == pytest.approx(11.0)
