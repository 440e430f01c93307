"""The reader's stack: what it sends, octet for octet, and what it makes of slow, strange and broken cards."""

from collections.abc import Iterable

import pytest

from nfcbridge.errors import CommandError, LocalProtocolError, RecordError, ResponseError
from nfcbridge.framing import Answer, Request
from nfcbridge.stack.reader import POLL_FIRST, POLL_MOST, Pause, exchange
from nfcbridge.type4 import TagInfo, WriteOrder
from tests.stack.octets import OK, read, text_message, update, write

TAG = TagInfo(mle=251, mlc=248, file_size=0x7FFF)
REQUEST = Request("/a", "GET", None, b"7")
MESSAGE = text_message(b'{"path":"/a","method":"GET","messageID":7}')
ANSWER = text_message(b'{"messageID":7,"statusCode":200},[1]')
FIRST_READ = read(0, 251)
ASKING_WRITE = write(MESSAGE) + b"\x02"


def file_of(message: bytes) -> bytes:
    return (len(message).to_bytes(2, "big") + message + bytes(251))[:251]


def play(
    files: Iterable[bytes], *, ours: bool = True, order: WriteOrder | None = None, update_response: bytes = OK
) -> tuple[Answer, list[object]]:
    """Run an exchange against a card that accepts every write and has these files, one a read."""
    contents = iter(files)
    steps: list[object] = []
    machine = exchange(TAG, REQUEST, order=order, ours=ours)
    try:
        step = next(machine)
        while True:
            steps.append(step)
            if isinstance(step, Pause):
                step = next(machine)
            elif step[1] == 0xD6:
                step = machine.send(update_response)
            else:
                step = machine.send(file_of(next(contents))[: step[-1]] + OK)
    except StopIteration as end:
        return end.value, steps


def test_a_card_of_ours_takes_one_update_and_one_read_of_just_the_answer() -> None:
    answer, steps = play([ANSWER], update_response=len(ANSWER).to_bytes(2, "big") + OK)
    assert steps == [ASKING_WRITE, read(0, 2 + len(ANSWER))]
    assert answer == Answer(200, b"[1]", b"7")


def test_a_card_that_does_not_say_the_length_is_read_in_one_block() -> None:
    answer, steps = play([ANSWER])
    assert steps == [ASKING_WRITE, FIRST_READ]
    assert answer == Answer(200, b"[1]", b"7")


def test_an_unknown_card_is_written_nlen_0_data_nlen() -> None:
    _, steps = play([ANSWER], ours=False)
    nlen = len(MESSAGE).to_bytes(2, "big")
    assert steps == [update(0, bytes(2)), update(2, MESSAGE), update(0, nlen), FIRST_READ]


@pytest.mark.parametrize(
    "not_yet",
    [
        b"",
        bytes.fromhex("D00000"),
        MESSAGE,
        text_message(b'{"messageID":6,"statusCode":200},"old"'),
    ],
    ids=["NLEN 0", "empty message", "own request", "old answer"],
)
def test_what_is_not_the_answer_yet_is_read_again_after_a_pause(not_yet: bytes) -> None:
    answer, steps = play([not_yet, not_yet, ANSWER])
    assert answer.status == 200
    assert steps[1:] == [FIRST_READ, Pause(POLL_FIRST), FIRST_READ, Pause(2 * POLL_FIRST), FIRST_READ]


def test_pauses_grow_up_to_a_bound() -> None:
    _, steps = play([b""] * 10 + [ANSWER])
    pauses = [step.seconds for step in steps if isinstance(step, Pause)]
    assert max(pauses) == POLL_MOST
    assert pauses == sorted(pauses)


def test_an_error_without_number_is_the_answer_to_a_request_the_card_could_not_read() -> None:
    answer, _ = play([text_message(b'{"messageID":null,"statusCode":400}')])
    assert answer.status == 400


def test_a_success_without_number_is_not_our_answer() -> None:
    answer, _ = play([text_message(b'{"messageID":null,"statusCode":200},"whose?"'), ANSWER])
    assert answer.content == b"[1]"


def test_an_answer_in_utf16_and_another_language_is_read() -> None:
    payload = b"\x85de-DE" + '{"messageID":7,"statusCode":200},"ü"'.encode("utf-16")
    answer, _ = play([bytes((0xD1, 0x01, len(payload), 0x54)) + payload])
    assert answer.content == '"ü"'.encode()


def test_what_is_no_text_record_or_no_answer_is_an_error() -> None:
    with pytest.raises(RecordError):
        play([bytes.fromhex("D101015500")])
    with pytest.raises(ResponseError):
        play([text_message(b"hello")])


def test_a_refused_write_is_an_error_with_the_status_word() -> None:
    machine = exchange(TAG, REQUEST, ours=True)
    next(machine)
    with pytest.raises(CommandError) as refused:
        machine.send(bytes.fromhex("6985"))
    assert refused.value.sw == 0x6985


def test_a_request_larger_than_the_file_is_refused_before_anything_is_sent() -> None:
    machine = exchange(TagInfo(mle=251, mlc=248, file_size=40), REQUEST)
    with pytest.raises(LocalProtocolError):
        next(machine)
