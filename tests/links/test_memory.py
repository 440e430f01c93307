"""What is special about the link inside one process."""

import threading

import pytest

from nfcbridge.errors import FieldLostError, LinkTimeoutError
from nfcbridge.links import CardSelected, FieldOff, Frame, memory, open_card, open_reader
from tests.links.running import IDENTITY, PATIENCE, UID7, RunningCard, activate, echo


def test_a_reader_waits_for_a_card_that_comes_later() -> None:
    reader = open_reader("memory:later")
    found = []
    thread = threading.Thread(target=lambda: found.append(reader.activate(100)), daemon=True)
    thread.start()
    card = open_card("memory:later", IDENTITY)
    thread.join(PATIENCE)
    assert [seen.uid for seen in found] == [UID7]
    assert card.receive(0) == CardSelected(None)
    card.close()
    reader.close()


def test_a_name_is_forgotten_with_its_last_end() -> None:
    reader = open_reader("memory:forgotten")
    card = open_card("memory:forgotten", IDENTITY)
    reader.close()
    assert "memory:forgotten" in memory.airs
    card.close()
    assert "memory:forgotten" not in memory.airs


def test_a_reader_that_waits_for_its_answer_learns_that_the_card_left() -> None:
    card = open_card("memory:leaving", IDENTITY)
    reader = open_reader("memory:leaving")
    received = threading.Event()

    def leave() -> None:
        card.receive(PATIENCE)
        card.receive(PATIENCE)
        received.set()
        card.close()

    reader.activate(PATIENCE)
    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    with pytest.raises(FieldLostError, match="left"):
        reader.transceive(b"\x02", PATIENCE)
    thread.join(PATIENCE)
    assert received.is_set()
    reader.close()


def test_what_was_meant_for_a_card_that_left_does_not_reach_the_next_one() -> None:
    reader = open_reader("memory:next")
    first = open_card("memory:next", IDENTITY)
    reader.activate(PATIENCE)
    reader.transceive(b"\xe0\x80", 0)
    first.close()
    with pytest.raises(LinkTimeoutError, match="open its card end"):
        reader.activate(0)
    second = open_card("memory:next", IDENTITY)
    assert second.receive(0) is None
    with RunningCard(second, echo):
        activate(reader)
        assert reader.transceive(b"\x02", PATIENCE) == b"\x02"
    reader.close()


def test_frames_of_an_earlier_period_are_no_frames_of_this_one() -> None:
    card = open_card("memory:period", IDENTITY)
    reader = open_reader("memory:period")
    reader.activate(PATIENCE)
    reader.transceive(b"\x02", 0)
    card.lose_field()
    reader.activate(PATIENCE)
    # The frame was sent before the second selection, to a card that had lost the field.
    assert [card.receive(0) for _ in range(3)] == [CardSelected(), Frame(b"\x02"), CardSelected()]
    reader.close()
    card.close()


def test_an_answer_to_an_earlier_period_goes_nowhere() -> None:
    card = open_card("memory:answer", IDENTITY)
    reader = open_reader("memory:answer")
    reader.activate(PATIENCE)
    card.receive(0)
    reader.activate(PATIENCE)
    card.send(b"\x90\x00")  # the card has not seen the second selection yet
    assert reader.transceive(b"\x02", 0) is None
    reader.field_off()
    assert [card.receive(0) for _ in range(3)] == [CardSelected(), Frame(b"\x02"), FieldOff()]
    reader.close()
    card.close()
