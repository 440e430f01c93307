"""One request is outstanding: the rule through the real server, with its threads, its loop and the real clock."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from nfcbridge.client.phone import Phone
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.framing import ExchangeConfig
from nfcbridge.links import ReaderEnd, open_reader
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator
from tests.server.apps import OK as ANSWER_OK
from tests.server.hall import SOON, Desk
from tests.stack.octets import (
    EMPTY_FILE,
    NOT_NOW,
    OK,
    SELECT_AID,
    SELECT_CC,
    SELECT_NDEF,
    read,
    text_message,
    update,
    write,
)

WAIT = write(text_message(b'{"path":"/wait","method":"GET","messageID":1}'))
WAITED = text_message(b'{"messageID":1,"statusCode":200},"waited"')
NOTHING = write(text_message(b'{"path":"/nothing","method":"GET","messageID":2}'))
NOTHING_ANSWER = text_message(b'{"messageID":2,"statusCode":204}')
POLL = ExchangeConfig(hold=0.0)
ATS = bytes.fromhex("0B 78 80 80 02 80546E666362")


def file_of(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def read_file(phone: Phone, octets: int) -> bytes:
    response = phone.transmit(read(0, octets))
    assert response[-2:] == OK
    return response[:-2]


@pytest.fixture
def polled() -> Iterator[Desk]:
    """A server that never holds a command."""
    with Desk(exchange=POLL) as desk:
        yield desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk() as desk:
        yield desk


def activate(end: ReaderEnd) -> None:
    """Up to the selected NDEF file, in literal blocks; the next block has number 0."""
    end.activate(SOON)
    assert end.transceive(bytes.fromhex("E080"), SOON) == ATS
    assert end.transceive(b"\x02" + SELECT_AID, SOON) == b"\x02" + OK
    assert end.transceive(b"\x03" + SELECT_NDEF, SOON) == b"\x03" + OK


@pytest.fixture
def end(desk: Desk) -> Iterator[ReaderEnd]:
    end = open_reader(desk.name)
    activate(end)
    yield end
    end.close()


# While the request is processed


def test_the_committing_update_is_answered_when_the_answer_is_there_and_s_wtx_keeps_the_reader_until_then(
    desk: Desk, end: ReaderEnd
) -> None:
    frame = end.transceive(b"\x02" + WAIT, SOON)
    assert frame is not None
    assert frame[0] == 0xF2  # S(WTX), long before the hold is over
    desk.hall.gate.open()
    while frame is not None and frame[0] == 0xF2:
        frame = end.transceive(frame, SOON)
    assert frame == b"\x02" + OK
    assert end.transceive(b"\x03" + read(0, len(WAITED) + 2), SOON) == b"\x03" + file_of(WAITED) + OK


def test_s_wtx_goes_out_while_the_application_blocks_its_loop(desk: Desk, end: ReaderEnd) -> None:
    try:
        blocking = write(text_message(b'{"path":"/block","method":"GET"}'))
        extension = end.transceive(b"\x02" + blocking, SOON)
        assert extension is not None
        assert extension[0] == 0xF2
        assert desk.hall.blocking.is_set()
        assert not desk.hall.blocked.is_set()
    finally:
        desk.hall.blocked.set()


def test_a_phone_that_is_lifted_and_comes_back_is_heard_while_its_command_is_held() -> None:
    with Desk(exchange=ExchangeConfig(hold=10 * SOON, give_up=10 * SOON)) as desk:
        end = open_reader(desk.name)
        activate(end)
        extension = end.transceive(b"\x02" + WAIT, SOON)
        assert extension is not None
        assert extension[0] == 0xF2
        end.transceive(extension, 0.0)
        lifted = time.monotonic()
        end.field_off()
        left = desk.wait_for(told.PhoneLeft)
        assert left.unread == 1
        assert left.t - lifted < 1.0  # the next S(WTX) is due after 2.7 s
        activate(end)
        assert not desk.hall.gate.left.is_set()
        end.close()


def test_one_link_does_not_wait_for_the_request_of_another() -> None:
    desk = Desk()
    with Emulator(desk.hall.app, ["memory:one", "memory:two"]) as emulator:
        one, two = (open_reader(name) for name in emulator.link_names)
        try:
            activate(one)
            blocking = write(text_message(b'{"path":"/block","method":"GET"}'))
            assert one.transceive(b"\x02" + blocking, 0.0) is None
            assert desk.hall.blocking.wait(SOON)
            activate(two)
            assert two.transceive(b"\x02" + read(0, 5), SOON) == b"\x02" + EMPTY_FILE + OK
        finally:
            desk.hall.blocked.set()
            one.close()
            two.close()


def test_when_the_hold_is_over_the_reader_polls_an_empty_message() -> None:
    with Desk(exchange=ExchangeConfig(hold=0.01)) as desk, desk.phone() as phone:
        assert phone.transmit(WAIT) == OK
        assert read_file(phone, 5) == EMPTY_FILE
        assert not desk.hall.gate.left.is_set()


def test_when_asked_for_the_reader_polls_a_length_of_0() -> None:
    with Desk(exchange=ExchangeConfig(hold=0.0, not_ready=b"")) as desk, desk.phone() as phone:
        assert phone.transmit(WAIT) == OK
        assert read_file(phone, 2) == b"\0\0"


def test_a_phone_that_polls_gets_the_answer_and_never_its_own_request(polled: Desk) -> None:
    files = []

    def watch(command: bytes, response: bytes) -> None:
        if command[1] == 0xB0 and polled.hall.calls:
            files.append(response)
            if len(files) == 2:
                polled.hall.gate.open()

    with polled.phone(watch=watch) as phone:
        assert phone.exchange("GET", "/wait").content == b'"waited"'
    assert [file[:5] for file in files[:2]] == [EMPTY_FILE] * 2
    assert not any(b'"path"' in file for file in files)
    assert polled.hall.calls == ["GET /wait"]


def test_a_write_is_refused_while_a_request_is_processed_and_all_else_answers_9000(polled: Desk) -> None:
    with polled.phone() as phone:
        assert phone.transmit(WAIT) == OK
        assert phone.transmit(NOTHING) == NOT_NOW
        for command in (SELECT_AID, SELECT_CC, read(0, 15), SELECT_NDEF, read(0, 2)):
            assert phone.transmit(command)[-2:] == OK
        refused = polled.wait_for(told.Refused)
    assert refused.reason == "the request before it is still processed"
    assert refused.remedy == "write one request, read its answer, then write the next"
    assert polled.hall.calls == ["GET /wait"]


def test_the_file_is_read_while_the_application_blocks_its_loop(polled: Desk) -> None:
    with polled.phone() as phone:
        assert phone.transmit(write(text_message(b'{"path":"/block","method":"GET"}'))) == OK
        try:
            assert read_file(phone, 5) == EMPTY_FILE
            assert not polled.hall.blocked.is_set()
        finally:
            polled.hall.blocked.set()


# Once it is answered


def test_a_write_over_an_answer_that_nobody_read_is_refused_and_told(desk: Desk) -> None:
    with desk.phone() as phone:
        assert phone.transmit(NOTHING) == OK
        assert read_file(phone, 2) == file_of(NOTHING_ANSWER)[:2]  # NLEN is none of the answer
        assert phone.transmit(NOTHING) == NOT_NOW
        refused = desk.wait_for(told.Refused)
        assert refused.reason == "the answer to the request before it was not read"
        assert refused.remedy.startswith("read the answer before writing the next request")
        assert read_file(phone, len(NOTHING_ANSWER) + 2) == file_of(NOTHING_ANSWER)
        assert phone.transmit(NOTHING) == OK
    assert len(desk.hall.calls) == 2


def test_an_answer_of_which_an_octet_was_read_may_be_written_over(desk: Desk) -> None:
    with desk.phone() as phone:
        phone.transmit(NOTHING)
        read_file(phone, 3)
        assert phone.transmit(NOTHING) == OK


def test_pipelining_can_be_allowed() -> None:
    with Desk(exchange=ExchangeConfig(replace=True)) as desk, desk.phone() as phone:
        assert [phone.transmit(NOTHING) for _ in range(3)] == [OK] * 3
    assert len(desk.hall.calls) == 3


def test_no_refusal_outlives_its_activation_and_the_answer_is_there_unchanged(desk: Desk) -> None:
    with desk.phone() as phone:
        phone.transmit(NOTHING)
        phone.disconnect()
        phone.connect(SOON)
        assert read_file(phone, len(NOTHING_ANSWER) + 2) == file_of(NOTHING_ANSWER)
        phone.disconnect()
        phone.connect(SOON)
        assert read_file(phone, len(NOTHING_ANSWER) + 2) == file_of(NOTHING_ANSWER)
        assert phone.transmit(NOTHING) == OK
    assert desk.wait_for(told.PhoneLeft).unread == 1


@pytest.mark.parametrize("octets", [0, 3], ids=["not read", "read in part"])
def test_an_answer_leaves_the_file_when_its_time_is_over(octets: int) -> None:
    with Desk(exchange=ExchangeConfig(answer_ttl=0.05)) as desk, desk.phone() as phone:
        phone.transmit(NOTHING)
        if octets:
            read_file(phone, octets)
        expired = desk.wait_for(told.AnswerUnread)
        assert (expired.number, expired.partly) == (1, octets > 0)
        assert read_file(phone, 5) == EMPTY_FILE
        assert phone.transmit(NOTHING) == OK


def test_a_phone_that_is_told_of_again_has_not_lost_an_answer_that_expired() -> None:
    with Desk(exchange=ExchangeConfig(answer_ttl=0.05)) as desk, desk.phone() as phone:
        phone.transmit(NOTHING)
        desk.wait_for(told.AnswerUnread)
        phone.disconnect()
        assert desk.wait_for(told.PhoneLeft).unread is None


def test_a_reader_that_takes_the_length_of_its_request_for_that_of_the_answer_is_warned_of(desk: Desk) -> None:
    with desk.phone() as phone:
        phone.transmit(NOTHING)
        phone.transmit(read(2, 10))
    warning = desk.wait_for(told.Warned)
    assert warning.reason == "answer 1 is read with the length of the request, without NLEN"
    assert warning.remedy == "the app must close() and connect() before it reads, or use IsoDep"


# Half writes


def test_a_half_write_ends_some_time_after_its_last_update() -> None:
    with Desk(exchange=ExchangeConfig(half_write_ttl=0.05)) as desk, desk.phone() as phone:
        assert phone.transmit(update(0, WAIT[5:20])) == OK
        warning = desk.wait_for(told.Warned)
        assert (warning.reason, warning.remedy) == (
            "a half-written request was dropped",
            "write again, from NLEN 0 on",
        )
        assert read_file(phone, 5) == EMPTY_FILE
    assert desk.hall.calls == []


def test_a_half_write_goes_with_the_field_and_is_never_executed(desk: Desk) -> None:
    with desk.phone() as phone:
        assert phone.transmit(update(0, WAIT[5:20])) == OK
        phone.disconnect()
        desk.wait_for(told.Warned)
        phone.connect(SOON)
        assert read_file(phone, 5) == EMPTY_FILE
        assert phone.transmit(update(15, WAIT[20:])) == OK  # what was written before is forgotten
    assert desk.hall.calls == []


# Executed once


def test_a_block_that_is_repeated_executes_nothing_twice(desk: Desk, end: ReaderEnd) -> None:
    response = end.transceive(b"\x02" + NOTHING, SOON)
    assert response == b"\x02" + OK
    assert end.transceive(bytes.fromhex("B2"), SOON) == response
    assert desk.hall.calls == ["GET /nothing"]


def test_a_request_whose_phone_was_lifted_before_the_response_is_executed_once_and_its_answer_kept(
    desk: Desk, end: ReaderEnd
) -> None:
    assert end.transceive(b"\x02" + WAIT, 0.0) is None
    assert desk.hall.gate.reached.wait(SOON)
    end.field_off()
    assert desk.wait_for(told.PhoneLeft).unread == 1
    desk.hall.gate.open()
    activate(end)
    frame = end.transceive(b"\x02" + read(0, len(WAITED) + 2), SOON)
    assert frame == b"\x02" + file_of(WAITED) + OK
    assert desk.hall.calls == ["GET /wait"]


def test_a_reactivation_is_told_with_whether_something_was_kept(desk: Desk, end: ReaderEnd) -> None:
    activate(end)
    assert desk.wait_for(told.Reactivated).kept is False
    assert end.transceive(b"\x02" + NOTHING, SOON) == b"\x02" + OK
    activate(end)
    assert desk.wait_for(told.Reactivated).kept is True


def test_an_answer_that_comes_after_its_request_was_given_up_is_discarded() -> None:
    late = threading.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                late.set()
        for message in ANSWER_OK:
            await send(message)

    with Emulator(app, ["memory:late"], exchange=ExchangeConfig(hold=0.0, give_up=0.05)) as emulator:
        phone = Phone(open_reader(emulator.link_names[0]))
        try:
            assert phone.exchange("GET", "/late").status == 504
            assert late.wait(SOON)
            assert phone.exchange("GET", "/soon").content == b'{"ok":true}'
        finally:
            phone.close()
