"""One link and its thread: it goes on after whatever a device, a reader, a callback or we ourselves do wrong."""

import logging
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from nfcbridge.errors import LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.framing import Answer, ExchangeConfig, Request
from nfcbridge.isodep import SendFrame
from nfcbridge.links import CardSelected, FieldOff, Frame, Level
from nfcbridge.server import door
from nfcbridge.server import events as told
from nfcbridge.server.apploop import PendingAnswer
from nfcbridge.server.door import Door
from nfcbridge.server.emulator import Emulator
from nfcbridge.stack import events as seen
from tests.server.hall import SOON, Desk, Hall
from tests.server.scripted import ScriptedCard
from tests.stack.octets import EMPTY_FILE, OK, SELECT_AID, SELECT_NDEF, read, text_message, write

NOTHING = write(text_message(b'{"path":"/nothing","method":"GET","messageID":1}'))
NOTHING_ANSWER = text_message(b'{"messageID":1,"statusCode":204}')
WAIT = write(text_message(b'{"path":"/wait","method":"GET","messageID":1}'))


class Room:
    """An emulator at a scripted link, and what it tells."""

    def __init__(self, end: ScriptedCard) -> None:
        self.end = end
        self.hall = Hall()
        self.events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
        self.emulator = Emulator(self.hall.app, [end], exchange=ExchangeConfig(hold=0.0), on_event=self.events.put)

    def next_event(self) -> told.EmulatorEvent:
        return self.events.get(timeout=SOON)

    def ask(self, command: bytes) -> bytes:
        """The response to a command, where nothing but that comes."""
        self.end.script.put(Frame(command))
        what, response = self.end.next_log()
        assert what == "send"
        return response

    def read_answer(self) -> bytes:
        """The message in the file once it is not the empty one any more."""
        file = EMPTY_FILE
        while file.startswith(EMPTY_FILE):
            file = self.ask(read(0, 100))
        return file[2 : 2 + int.from_bytes(file[:2], "big")]


@pytest.fixture
def retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "RETRY", 0.0)


@pytest.fixture
def room() -> Iterator[Callable[[ScriptedCard], Room]]:
    rooms: list[Room] = []

    def make(end: ScriptedCard) -> Room:
        room = Room(end)
        rooms.append(room)
        room.emulator.start()
        return room

    yield make
    for each in rooms:
        if each.hall.gate.reached.is_set():
            each.hall.gate.open()
        each.emulator.stop()


Make = Callable[[ScriptedCard], Room]


# Links of either level


@pytest.mark.parametrize(("fsd", "told_size"), [(None, 256), (64, 64)])
def test_a_link_of_apdus_gives_and_takes_apdus(room: Make, fsd: int | None, told_size: int) -> None:
    served = room(ScriptedCard(incoming=[CardSelected(fsd)]))
    assert served.ask(SELECT_AID) == OK
    assert served.ask(SELECT_NDEF) == OK
    assert served.ask(read(0, 5)) == EMPTY_FILE + OK
    served.end.script.put(FieldOff())
    arrived = served.next_event()
    assert isinstance(arrived, told.PhoneArrived)
    assert arrived.frame_size == told_size
    assert isinstance(served.next_event(), told.PhoneLeft)


def test_a_second_power_on_is_a_reactivation(room: Make) -> None:
    served = room(ScriptedCard(incoming=[CardSelected(), CardSelected()]))
    assert [type(served.next_event()) for _ in range(2)] == [told.PhoneArrived, told.Reactivated]


def test_a_driver_that_answered_the_rats_itself_begins_with_the_first_block(room: Make) -> None:
    served = room(ScriptedCard(Level.BLOCKS, [CardSelected(256)]))
    assert served.ask(b"\x02" + SELECT_AID) == b"\x02" + OK


def test_the_link_is_halted_once_a_deselect_is_answered(room: Make) -> None:
    served = room(ScriptedCard(Level.BLOCKS, [CardSelected(256)]))
    assert served.ask(bytes.fromhex("C2")) == bytes.fromhex("C2")
    assert served.end.next_log() == ("halt", b"")


def test_a_field_that_was_lost_before_anybody_came_is_no_news(room: Make) -> None:
    served = room(ScriptedCard(incoming=[FieldOff(), None, CardSelected()]))
    assert isinstance(served.next_event(), told.PhoneArrived)


# Faults


@pytest.mark.usefixtures("retry")
def test_it_goes_on_after_a_device_that_failed(room: Make) -> None:
    served = room(ScriptedCard(incoming=[CardSelected(), LinkError("unplugged: plug it in"), CardSelected()]))
    assert isinstance(served.next_event(), told.PhoneArrived)
    assert isinstance(served.next_event(), told.PhoneLeft)
    failed = served.next_event()
    assert failed == told.LinkFailed(failed.t, "scripted:desk", "unplugged: plug it in")
    assert isinstance(served.next_event(), told.PhoneArrived)
    assert served.ask(SELECT_AID) == OK


@pytest.mark.usefixtures("retry")
def test_a_link_that_fails_loses_nothing_but_a_half_write(room: Make) -> None:
    served = room(ScriptedCard(incoming=[CardSelected()]))
    for command in (SELECT_AID, SELECT_NDEF, NOTHING):
        assert served.ask(command) == OK
    served.end.script.put(LinkError("a glitch"))
    served.end.script.put(CardSelected())
    for command in (SELECT_AID, SELECT_NDEF):
        assert served.ask(command) == OK
    assert served.read_answer() == NOTHING_ANSWER


@pytest.mark.parametrize("error", [LinkError("unplugged"), ValueError("a bug")], ids=["device", "ours"])
def test_the_next_attempt_at_a_link_takes_its_time_and_a_stop_does_not_wait_for_it(
    room: Make, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(door, "RETRY", 10 * SOON)
    monkeypatch.setattr(door, "JOIN_TIMEOUT", SOON)
    served = room(ScriptedCard(incoming=[error, CardSelected()]))
    assert isinstance(served.next_event(), told.LinkFailed)
    with pytest.raises(Empty):
        served.events.get(timeout=0.05)
    began = time.monotonic()
    served.emulator.stop()
    assert time.monotonic() - began < SOON / 2


def test_a_link_that_others_closed_is_told_and_left(room: Make) -> None:
    served = room(ScriptedCard(incoming=[CardSelected(), LinkClosedError("gone for good"), CardSelected()]))
    assert isinstance(served.next_event(), told.PhoneArrived)
    assert isinstance(served.next_event(), told.PhoneLeft)
    failed = served.next_event()
    assert isinstance(failed, told.LinkFailed)
    assert failed.reason == "gone for good"
    served.emulator.stop()
    assert served.events.empty()


def test_a_link_that_we_close_ourselves_is_no_news(room: Make) -> None:
    served = room(ScriptedCard())
    served.emulator.stop()
    assert served.events.empty()


@pytest.mark.usefixtures("retry")
@pytest.mark.parametrize("second", [[], [LinkError("and again")]], ids=["one fault", "a second fault"])
def test_after_a_fault_of_ours_the_reader_meets_a_new_tag(
    room: Make, second: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    served = room(ScriptedCard(incoming=[CardSelected()]))
    for command in (SELECT_AID, SELECT_NDEF, NOTHING):
        assert served.ask(command) == OK
    assert served.read_answer() == NOTHING_ANSWER
    served.end.faults = [LocalProtocolError("256 octets"), *second]
    assert served.ask(read(0, 100))
    assert served.end.next_log() == ("lose_field", b"")
    served.end.script.put(CardSelected())
    for command in (SELECT_AID, SELECT_NDEF):
        assert served.ask(command) == OK
    assert served.ask(read(0, 5)) == EMPTY_FILE + OK
    heard = [served.next_event() for _ in range(6)]
    failed = heard[4]
    assert [type(event) for event in heard] == [
        told.PhoneArrived,
        told.RequestReceived,
        told.AnswerSent,
        told.PhoneLeft,
        told.LinkFailed,
        told.PhoneArrived,
    ]
    assert failed == told.LinkFailed(
        failed.t, "scripted:desk", "a fault of nfcbridge, LocalProtocolError: the tag begins anew"
    )
    assert "a fault of nfcbridge" in caplog.text
    assert "LocalProtocolError: 256 octets" in caplog.text


@pytest.mark.usefixtures("retry")
def test_a_request_that_is_out_at_a_fault_of_ours_is_executed_to_its_end_and_answers_nobody(room: Make) -> None:
    served = room(ScriptedCard(incoming=[CardSelected()]))
    for command in (SELECT_AID, SELECT_NDEF, WAIT):
        assert served.ask(command) == OK
    assert served.hall.gate.reached.wait(SOON)
    served.end.script.put(ValueError("a bug"))
    heard = [served.next_event() for _ in range(4)]
    assert isinstance(heard[2], told.PhoneLeft)
    assert heard[2].unread == 1
    assert served.end.next_log() == ("lose_field", b"")
    assert not served.hall.gate.left.is_set()
    served.hall.gate.open()
    served.end.script.put(CardSelected())
    served.end.script.put(FieldOff())
    served.end.script.put(CardSelected())
    for command in (SELECT_AID, SELECT_NDEF, NOTHING):
        assert served.ask(command) == OK
    assert served.read_answer() == NOTHING_ANSWER
    assert isinstance(served.next_event(), told.PhoneArrived)
    left = served.next_event()
    assert isinstance(left, told.PhoneLeft)
    assert left.unread is None
    assert served.hall.calls == ["GET /wait", "GET /nothing"]


def test_a_callback_that_raises_is_logged_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def raise_(event: told.EmulatorEvent) -> None:
        raise RuntimeError(f"no place for {type(event).__name__}")

    desk = Desk()
    with Emulator(desk.hall.app, ["memory:desk"], on_event=raise_) as desk.emulator, desk.phone() as phone:
        assert phone.exchange("GET", "/text").status == 502  # reported by the application's loop
        assert phone.exchange("GET", "/nothing").status == 204
    assert "no place for PhoneArrived" in caplog.text
    assert "no place for ApplicationFailed" in caplog.text
    assert {record.levelno for record in caplog.records if record.name.startswith("nfcbridge")} == {logging.ERROR}


# The order of what is done


class FakeLoop:
    """An application's loop in which the test answers."""

    def __init__(self) -> None:
        self.submitted: SimpleQueue[PendingAnswer] = SimpleQueue()

    def submit(self, request: Request, client: str = "", *, instant: float | None = None) -> PendingAnswer:
        assert client == "scripted:desk"
        pending = PendingAnswer(request.message_id)
        self.submitted.put(pending)
        return pending


class FakeStack:
    """A tag that tells what is done to it, and lets the test decide what it wants."""

    frame_size = 256

    def __init__(self) -> None:
        self.calls: SimpleQueue[tuple[str, Any, float]] = SimpleQueue()
        self.deadline: float | None = None
        self.owes_reply = False
        self.answer_events: list[Any] = [SendFrame(b"answer")]

    def next_deadline(self) -> float | None:
        return self.deadline

    def receive(self, frame: bytes, now: float) -> list[Any]:
        self.calls.put(("receive", frame, now))
        return [seen.RequestReceived(1, Request("/x", "GET"), 20)] if frame == b"request" else []

    def answer(self, number: int, answer: Answer, now: float) -> list[Any]:
        self.calls.put(("answer", (number, answer), now))
        return self.answer_events

    def handle_timer(self, now: float) -> list[Any]:
        self.calls.put(("timer", None, now))
        self.deadline = None
        return [SendFrame(b"timer")]

    def next_call(self) -> tuple[str, Any, float]:
        return self.calls.get(timeout=SOON)


class Bench:
    """A door with all around it fake."""

    def __init__(self) -> None:
        self.end = ScriptedCard(Level.BLOCKS)
        self.stack = FakeStack()
        self.loop = FakeLoop()
        self.events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()
        self.door = Door(
            self.end,
            lambda: self.stack,  # type: ignore[arg-type, return-value]
            self.loop,  # type: ignore[arg-type]
            self.events.put,
            uid=b"\x08\0\0\0",
        )
        self.door.start()

    def request(self, *, owes_reply: bool = False) -> PendingAnswer:
        """Let a request be received."""
        self.stack.owes_reply = owes_reply
        self.end.script.put(Frame(b"request"))
        assert self.stack.next_call()[0] == "receive"
        return self.loop.submitted.get(timeout=SOON)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.door.close()
    bench.door.join()


ANSWER = Answer(200, b"[]", b"1")


def test_an_answer_that_a_reader_waits_for_is_sent_at_once(bench: Bench) -> None:
    bench.request(owes_reply=True).settle(ANSWER)
    assert bench.stack.next_call()[:2] == ("answer", (1, ANSWER))
    assert bench.end.next_log() == ("send", b"answer")


def test_an_answer_that_nobody_waits_for_was_ready_when_it_was(bench: Bench) -> None:
    pending = bench.request()
    pending.settle(ANSWER)
    settled = time.monotonic()
    bench.end.script.put(None)  # the look at it
    what, _, ready_at = bench.stack.next_call()
    assert what == "answer"
    assert ready_at <= settled


def test_an_answer_whose_moment_was_not_noted_yet_was_ready_when_it_is_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PendingAnswer, "add_done_callback", lambda _self, _callback: None)
    before = time.monotonic()
    bench.request(owes_reply=True).settle(ANSWER)
    what, _, ready_at = bench.stack.next_call()
    assert what == "answer"
    assert before <= ready_at <= time.monotonic()


def test_an_answer_goes_before_the_frame_that_may_be_a_read_of_it(bench: Bench) -> None:
    pending = bench.request()
    pending.settle(ANSWER)
    bench.end.script.put(Frame(b"read"))
    assert [bench.stack.next_call()[0] for _ in range(2)] == ["answer", "receive"]


def test_an_answer_goes_before_a_deadline_that_passed_while_nobody_looked(bench: Bench) -> None:
    pending = bench.request()
    bench.stack.deadline = 0.0
    pending.settle(ANSWER)
    bench.end.script.put(None)
    assert [bench.stack.next_call()[0] for _ in range(2)] == ["answer", "timer"]


def test_a_deadline_is_kept_while_a_reader_waits_for_the_application(bench: Bench) -> None:
    bench.stack.deadline = time.monotonic() + 0.01
    bench.request(owes_reply=True)
    assert bench.stack.next_call()[0] == "timer"
    assert bench.end.next_log() == ("send", b"timer")


def test_an_answer_that_turns_out_to_be_too_late_is_told_as_one_that_never_came(bench: Bench) -> None:
    bench.stack.answer_events = [seen.LateAnswer(1), seen.RequestGivenUp(1)]
    bench.request(owes_reply=True).settle(ANSWER)
    assert isinstance(bench.events.get(timeout=SOON), told.RequestReceived)
    failed = bench.events.get(timeout=SOON)
    assert isinstance(failed, told.ApplicationFailed)
    assert failed.reason == "request 1 was not answered in time: 504"


def test_a_link_is_listened_to_without_end_while_nothing_is_due(bench: Bench) -> None:
    assert bench.end.next_timeout() is None


@pytest.mark.parametrize(("owes_reply", "timeout"), [(False, door.LOOK_FOR_ANSWER), (True, 0.0)])
def test_a_link_is_listened_to_while_the_application_has_a_request(
    bench: Bench, owes_reply: bool, timeout: float
) -> None:
    assert bench.end.next_timeout() is None
    bench.request(owes_reply=owes_reply)
    assert bench.end.next_timeout() == timeout


def test_an_application_that_was_stopped_is_503(bench: Bench) -> None:
    bench.request(owes_reply=True).cancel()
    assert bench.stack.next_call()[:2] == ("answer", (1, Answer(503)))


def test_a_door_closes_while_a_reader_waits_for_the_application(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "JOIN_TIMEOUT", SOON)
    pending = bench.request(owes_reply=True)
    began = time.monotonic()
    bench.door.close()
    bench.door.join()
    assert time.monotonic() - began < SOON / 2
    assert not pending.cancelled()  # the application has its grace
