"""Rules that are held against a link while it is served: what is told, how often, and by whom."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from nfcbridge.links import CardEnd, CardIdentity, open_card
from nfcbridge.lint import RULES, Severity
from nfcbridge.server import events as told
from nfcbridge.server import live_lint
from nfcbridge.server.live_lint import REPEAT, TOLD_BY_THE_DOOR, LiveLint
from tests.server.hall import SOON, Desk
from tests.stack.octets import NOT_NOW, OK, read, text_message, write

READ_WITHOUT_LE = bytes.fromhex("00B00000")
SELECTION = (bytes.fromhex("00A4040007D276000085010100"), bytes.fromhex("00A4000C02E104"))
DONE = b"\x90\x00"
WRONG_LENGTH = b"\x67\x00"
NOTHING = write(text_message(b'{"path":"/nothing","method":"GET","messageID":1}'))


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.t = 100.0

    def __call__(self) -> float:
        return self.t


class Watched:
    """A lint of one link of blocks without an emulator, and what it tells."""

    def __init__(self, end: CardEnd, **settings: Any) -> None:
        self.events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
        self.clock = Clock()
        self.lint = LiveLint(self.events.put, now=self.clock, **settings)
        self.ear = self.lint.listen(end)

    def exchange(self, command: bytes, response: bytes) -> None:
        self.ear.record_reader(command)
        self.ear.record_card(response)

    def broken(self) -> told.RuleBroken:
        event = self.events.get(timeout=SOON)
        assert isinstance(event, told.RuleBroken)
        return event


@pytest.fixture
def end() -> Iterator[CardEnd]:
    end = open_card("memory:live", CardIdentity(uid=bytes.fromhex("08A1B2C3"), ats=bytes.fromhex("0578808002")))
    yield end
    end.close()


@pytest.fixture
def watched(end: CardEnd) -> Iterator[Watched]:
    watched = Watched(end)
    with watched.lint:
        yield watched


def until(events: "SimpleQueue[told.EmulatorEvent]", rule: str) -> list[told.RuleBroken]:
    """What is told up to this rule."""
    heard: list[told.RuleBroken] = []
    while not heard or heard[-1].rule != rule:
        event = events.get(timeout=SOON)
        assert isinstance(event, told.RuleBroken)
        heard.append(event)
    return heard


def block(number: int, apdu: bytes) -> bytes:
    return bytes((2 + number,)) + apdu


def break_rule(watched: Watched) -> None:
    """A card that answers with the wrong number, in a new activation."""
    watched.ear.record_field(on=True)
    for command, response in (
        (b"\xe0\x80", bytes.fromhex("0578808002")),
        (block(0, SELECTION[0]), block(0, DONE)),
        (block(1, SELECTION[1]), block(0, DONE)),
    ):
        watched.exchange(command, response)


def test_a_broken_rule_is_told_with_the_time_of_its_frame(watched: Watched) -> None:
    watched.lint.start()
    watched.clock.t = 102.5
    break_rule(watched)
    assert watched.broken() == told.RuleBroken(
        102.5,
        "memory:live",
        "NB101",
        "block-number-wrong",
        "error",
        "the card sent I-block 0, and 1 was its turn",
        RULES["NB101"].mend,
        1,
    )


def test_the_same_rule_is_told_again_after_a_while_with_how_often_it_was_broken(watched: Watched) -> None:
    watched.lint.start()
    for step in (0.0, 1.0, REPEAT - 1.1, 0.2, REPEAT):
        watched.clock.t += step
        break_rule(watched)
    assert [watched.broken().count for _ in range(3)] == [1, 4, 5]


def test_what_was_heard_before_the_start_is_looked_at(watched: Watched) -> None:
    break_rule(watched)
    watched.lint.start()
    assert watched.broken().rule == "NB101"


def test_notes_and_what_the_emulator_tells_itself_are_not_told(watched: Watched) -> None:
    watched.lint.start()
    watched.ear.record_field(on=True)
    for command, response in (
        (b"\xe0\x80", bytes.fromhex("0577808002")),  # NB104, a note
        (block(0, SELECTION[0]), block(0, DONE)),
        (block(1, SELECTION[1]), block(1, DONE)),
        (block(0, NOTHING), block(0, DONE)),
        (block(1, read(2, 5)), block(1, b"hello" + DONE)),  # NB307, Warned
        (block(0, NOTHING), block(0, NOT_NOW)),  # NB308, Refused
    ):
        watched.exchange(command, response)
    break_rule(watched)
    assert watched.broken().rule == "NB101"


def test_others_may_be_silent(end: CardEnd) -> None:
    watched = Watched(end, silent=frozenset({"NB101"}))
    with watched.lint:
        watched.lint.start()
        break_rule(watched)
        watched.exchange(block(0, READ_WITHOUT_LE), block(0, WRONG_LENGTH))
        assert watched.broken().rule == "NB208"


@pytest.mark.parametrize(("link", "told_of"), [("memory:live", False), ("nfc:usb", True)])
def test_a_link_without_a_chip_is_not_held_to_its_times(link: str, told_of: bool, end: CardEnd) -> None:
    end.name = link  # type: ignore[misc]  # it is a plain attribute of this end
    watched = Watched(end)
    with watched.lint:
        watched.lint.start()
        watched.ear.record_field(on=True)
        watched.ear.record_reader(b"\xe0\x80")
        watched.clock.t += 0.01
        watched.ear.record_card(bytes.fromhex("0578808002"))
        break_rule(watched)
        assert watched.broken().rule == ("NB604" if told_of else "NB101")


def test_rules_that_are_silent_are_there_and_none_of_them_is_a_note() -> None:
    assert all(RULES[rule].severity is not Severity.NOTE for rule in TOLD_BY_THE_DOOR)


def test_a_frame_that_finds_no_room_is_lost_and_the_link_is_heard_again_from_its_next_activation(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_lint, "MAX_PENDING", 3)
    break_rule(watched)  # seven entries
    assert watched.lint.lost == 4
    monkeypatch.setattr(live_lint, "MAX_PENDING", 100)
    watched.exchange(b"not heard", b"either")
    watched.ear.record_field(on=False)
    assert watched.lint.lost == 7
    break_rule(watched)
    watched.lint.start()
    assert (watched.broken().rule, watched.lint.lost) == ("NB101", 7)


def test_it_ends_at_once_whatever_still_waits(watched: Watched) -> None:
    watched.lint.start()
    for _ in range(1000):
        break_rule(watched)
    watched.lint.close()
    watched.lint.close()
    assert "nfcbridge-lint" not in {thread.name for thread in threading.enumerate()}


def test_one_that_was_never_started_ends_too(end: CardEnd) -> None:
    watched = Watched(end)
    break_rule(watched)
    watched.lint.close()
    assert watched.events.empty()


def test_an_emulator_with_a_lint_tells_of_what_its_phone_does() -> None:
    events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
    with LiveLint(events.put) as lint, Desk(listen=lint.listen) as desk:
        lint.start()
        with desk.phone() as phone:
            assert phone.transmit(READ_WITHOUT_LE) != OK
        (*_, event) = until(events, "NB208")
        assert (event.rule, event.link, event.count) == ("NB208", "memory:desk", 1)


def test_what_the_door_warns_of_is_told_once() -> None:
    events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
    with LiveLint(events.put) as lint, Desk(listen=lint.listen) as desk:
        lint.start()
        with desk.phone() as phone:
            phone.transmit(NOTHING)
            phone.transmit(read(2, 10))  # NB307
            desk.wait_for(told.Warned)
            phone.transmit(READ_WITHOUT_LE)
        assert not {event.rule for event in until(events, "NB208")} & TOLD_BY_THE_DOOR
