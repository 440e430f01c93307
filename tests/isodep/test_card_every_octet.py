"""All 256 first octets in every state of the card, with nothing, a CID or an octet behind them.

What is answered is written out by hand from the rules of ISO/IEC 14443-4; whatever is not listed must be met with
silence and must leave the card as it was.
"""

from collections.abc import Callable

import pytest

from nfcbridge.isodep import Ats, CardLink
from tests.isodep.octets import OK, ask, h, is_open, memory, run_command, sent

ATS = "0578808002"


def selected() -> CardLink:
    return CardLink(Ats())


def activated() -> CardLink:
    card = selected()
    ask(card, "E080")
    return card


def idle() -> CardLink:
    """The last block was I(0) of the card, so its number is 0."""
    card = activated()
    run_command(card, "0200A4")
    return card


def receiving() -> CardLink:
    card = activated()
    ask(card, "1200A4")
    return card


def processing() -> CardLink:
    card = activated()
    ask(card, "0200A4")
    return card


def extending() -> CardLink:
    card = processing()
    ask(card, "B2")
    return card


def answering() -> CardLink:
    card = extending()
    card.respond(OK, 0.0)
    return card


def sending() -> CardLink:
    card = CardLink(Ats(), fsd=16)
    run_command(card, "0200A4", response="11" * 14)
    return card


def overflowed() -> CardLink:
    card = CardLink(Ats(fsci=12), fsd=256)
    for i in range(17):
        card.receive_frame(bytes((0x12 + i % 2,)) + bytes(4093), 0.0)
    return card


def deselected() -> CardLink:
    card = activated()
    ask(card, "C2")
    return card


PART = "12" + "11" * 13
OPEN = "nothing is sent and a command is open"
# Bare octets, then octets and the CID 0 or an INF of 00, then octets and the CID 1, which is not ours, or an INF of 01.
ANSWERS: dict[Callable[[], CardLink], dict[str, str]] = {
    selected: {},
    activated: {"02": "02", "12": "A2", "B2": "A3", "C2": "C2"}
    | {"0A00": "0A00", "1A00": "AA00", "BA00": "AB00", "CA00": "CA00", "0200": OPEN, "1200": "A2"}
    | {"0201": OPEN, "1201": "A2", "D001": "D0"},
    idle: {"03": "03", "13": "A3", "A2": "029000", "B2": "029000", "B3": "A2", "C2": "C2"}
    | {"0B00": "0B00", "1B00": "AB00", "AA00": "029000", "BA00": "029000", "BB00": "AA00", "CA00": "CA00"}
    | {"0300": OPEN, "1300": "A3", "0301": OPEN, "1301": "A3"},
    receiving: {"03": OPEN, "13": "A3", "A2": "A2", "B2": "A2", "B3": "A2", "C2": "C2"}
    | {"0B00": OPEN, "1B00": "AB00", "AA00": "A2", "BA00": "A2", "BB00": "A2", "CA00": "CA00"}
    | {"0300": OPEN, "1300": "A3", "0301": OPEN, "1301": "A3"},
    processing: {"A2": "F201", "B2": "F201", "B3": "F201", "C2": "C2"}
    | {"AA00": "FA0001", "BA00": "FA0001", "BB00": "FA0001", "CA00": "CA00"},
    extending: {"A2": "F201", "B2": "F201", "B3": "F201", "C2": "C2"}
    | {"AA00": "F201", "BA00": "F201", "BB00": "F201", "CA00": "CA00", "F201": OPEN},
    answering: {"A2": "F201", "B2": "F201", "B3": "F201", "C2": "C2"}
    | {"AA00": "F201", "BA00": "F201", "BB00": "F201", "CA00": "CA00", "F201": "029000"},
    sending: {"A2": PART, "B2": PART, "A3": "0311", "B3": "A2", "C2": "C2"}
    | {"AA00": PART, "BA00": PART, "AB00": "0B0011", "BB00": "AA00", "CA00": "CA00"},
    overflowed: {"C2": "C2", "CA00": "CA00"},
    deselected: {},
}


@pytest.mark.parametrize("prepare", ANSWERS, ids=lambda prepare: str(prepare.__name__))
@pytest.mark.parametrize("rest", ["", "00", "01"])
def test_every_first_octet_is_answered_or_met_with_silence(prepare: Callable[[], CardLink], rest: str) -> None:
    for octet in range(256):
        frame = f"{octet:02X}{rest}"
        if prepare is selected and frame in {"E000", "E001"}:
            continue  # RATS
        card = prepare()
        before = memory(card)
        events = card.receive_frame(h(frame), 0.0)
        expected = ANSWERS[prepare].get(frame, "")
        assert sent(events) == ("" if expected == OPEN else expected), frame
        if expected == OPEN:
            assert is_open(card), frame
        elif not expected:
            assert events == [], frame
            after = memory(card)
            if prepare is activated:  # PPS was allowed and is not any more; nothing else may change
                del before["_state"], after["_state"]
            assert after == before, frame


def test_rats_is_answered_in_no_state_but_selected() -> None:
    for prepare in ANSWERS:
        assert ask(prepare(), "E080") == (ATS if prepare is selected else ""), prepare.__name__
