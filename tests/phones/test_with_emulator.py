"""Scripted phones against the real emulator: who gets an answer, who a warning, and that nobody meets a dead tag."""

from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from nfcbridge import links, phones
from nfcbridge.phones import AndroidStyle, Conversation, Script, ScriptedPhone
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator
from tests.foreign.echo_app import app

LINK = "memory:phones"
REQUESTS = [f'{{"path":"/echo","method":"POST","messageID":{number}}},{{"n":{number}}}' for number in (1, 2, 3)]
ANSWERS = [f'{{"messageID":{number},"statusCode":200}},{{"n":{number}}}' for number in (1, 2, 3)]
PATIENCE = 10.0

WORKING = [
    lambda conversation: phones.android(conversation, AndroidStyle.CLOSE_AND_CONNECT),
    lambda conversation: phones.android(conversation, AndroidStyle.ISO_DEP),
    phones.nfcpy,
    phones.ours,
]


class Desk:
    """An emulator with a phone that comes and goes."""

    def __init__(self) -> None:
        self.events: SimpleQueue[told.EmulatorEvent] = SimpleQueue()

    def hold(self, script: Callable[[Conversation], Script[None]]) -> tuple[list[str | None], list[told.EmulatorEvent]]:
        """Hold a phone to the tag, let it carry the requests, take it away.

        Returns:
            What the app was answered, and what the server told meanwhile.
        """
        answers: list[str | None] = []

        def conversation() -> Conversation:
            for request in REQUESTS:
                answer = yield request
                answers.append(answer)

        end = links.open_reader(LINK)
        try:
            ScriptedPhone(end).play(script(conversation()))
        finally:
            end.close()
        heard = [self.events.get(timeout=PATIENCE)]
        while not isinstance(heard[-1], told.PhoneLeft):
            heard.append(self.events.get(timeout=PATIENCE))
        return answers, heard


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    with Emulator(app, [LINK], on_event=desk.events.put):
        yield desk


def kinds(heard: list[told.EmulatorEvent], *wanted: type[told.EmulatorEvent]) -> list[told.EmulatorEvent]:
    return [event for event in heard if isinstance(event, wanted)]


@pytest.mark.parametrize("script", WORKING)
def test_a_phone_that_reads_the_length_gets_every_answer(
    script: Callable[[Conversation], Script[None]], desk: Desk
) -> None:
    answers, heard = desk.hold(script)
    assert answers == ANSWERS
    assert not kinds(heard, told.Warned, told.Refused, told.ApplicationFailed)
    assert len(kinds(heard, told.AnswerSent)) == len(ANSWERS)


def test_an_android_app_that_reads_at_once_is_warned_of_on_the_server(desk: Desk) -> None:
    answers, heard = desk.hold(lambda conversation: phones.android(conversation, AndroidStyle.READ_AT_ONCE))
    assert answers == []
    (warning,) = kinds(heard, told.Warned)
    assert isinstance(warning, told.Warned)
    assert warning.remedy == "the app must close() and connect() before it reads, or use IsoDep"


@pytest.mark.parametrize("script", WORKING)
def test_what_an_app_did_wrong_does_not_outlive_its_activation(
    script: Callable[[Conversation], Script[None]], desk: Desk
) -> None:
    desk.hold(lambda conversation: phones.android(conversation, AndroidStyle.READ_AT_ONCE))
    answers, heard = desk.hold(script)
    assert answers == ANSWERS
    assert not kinds(heard, told.Warned, told.Refused)


def test_android_reactivates_between_its_request_and_the_answer_and_loses_nothing(desk: Desk) -> None:
    _, heard = desk.hold(lambda conversation: phones.android(conversation, AndroidStyle.CLOSE_AND_CONNECT))
    kept = [event.kept for event in heard if isinstance(event, told.Reactivated)]
    # After discovery; then before each write and before each read.
    assert kept == [False, *[False, True], *[True, True], *[True, True]]
