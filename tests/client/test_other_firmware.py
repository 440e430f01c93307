"""The habits of other firmware: each is coped with, or told in words that say what to do."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from nfcbridge.client.phone import Phone
from nfcbridge.errors import CommandError, LinkTimeoutError, LocalProtocolError, RecordError, ResponseError
from nfcbridge.links import ReaderEnd
from nfcbridge.type4 import WriteOrder
from tests.client.firmware import EMPTY, Firmware, Meanwhile, SlowCard, text_record


class Clock:
    """Time that passes by pauses alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


def make_phone(end: ReaderEnd, clock: Clock | None = None, **settings: Any) -> Phone:
    clock = clock or Clock()
    return Phone(end, clock=clock.time, sleep=clock.sleep, **settings)


def old_answer(_request: bytes) -> bytes:
    return text_record('{"messageID":3,"statusCode":200},"old"')


def own_request(request: bytes) -> bytes:
    return request


def nlen_0(_request: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("meanwhile", [lambda _request: EMPTY, nlen_0, own_request, old_answer])
@pytest.mark.parametrize("order", [None, *WriteOrder])
def test_an_answer_that_is_ready_only_after_polling_is_waited_for(
    meanwhile: Meanwhile, order: WriteOrder | None
) -> None:
    tag = Firmware(polls=7, meanwhile=meanwhile)
    clock = Clock()
    answer = make_phone(tag, clock, order=order).exchange("POST", "/settings", content=b'{"a":"1"}')
    assert (answer.status, answer.content) == (200, b'"done"')
    assert [request[1:] for request in tag.requests] == [[{"a": "1"}]]
    assert len(clock.pauses) >= 7
    assert clock.pauses[-7:] == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16, 0.2, 0.2])  # seldom, and more and more so


@pytest.mark.parametrize("meanwhile", [lambda _request: EMPTY, nlen_0, own_request, old_answer])
def test_an_answer_that_never_comes_is_a_timeout_that_tells_what_may_be(meanwhile: Meanwhile) -> None:
    tag = Firmware(polls=10_000, meanwhile=meanwhile)
    clock = Clock()
    with pytest.raises(LinkTimeoutError, match="no answer came in time: it may have been executed") as failed:
        make_phone(tag, clock).exchange("POST", "/a", read_timeout=6.0)
    assert failed.value.maybe_executed
    assert 5.0 < clock.now <= 6.0
    assert len(tag.requests) == 1


def test_an_old_answer_that_was_there_before_is_not_taken_for_ours() -> None:
    tag = Firmware(first=old_answer(b""), meanwhile=old_answer, polls=2)
    assert make_phone(tag).exchange("GET", "/a").content == b'"done"'


def test_of_two_phones_none_takes_the_answer_of_the_other() -> None:
    ids = {make_phone(tag).exchange("GET", "/a").message_id for tag in (Firmware() for _ in range(20))}
    assert len(ids) > 15
    assert all(100_000 <= int(each) <= 999_999 for each in ids)
    tag = Firmware()
    phone = make_phone(tag)
    first, second, third = (int(phone.exchange("GET", "/a").message_id) for _ in range(3))
    assert (second, third) == (first + 1, first + 2)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text_record(text, language=b"de"),
        lambda text: text_record(text, language=b"zh-Hant-TW"),
        lambda text: text_record(text, utf16=True),
        lambda text: text_record("\ufeff" + text, utf16=True),
        lambda text: text_record(
            text.replace('"messageID": ', '"messageID":"').replace(', "statusCode"', '","statusCode"')
        ),
        lambda text: text_record(text.replace(",", " ,\n ")),
    ],
    ids=["German", "a long language", "UTF-16", "UTF-16 with its mark", "a number as a string", "white space"],
)
def test_answers_are_read_however_the_text_is_written(encode: Callable[[str], bytes]) -> None:
    tag = Firmware(encode=encode, content={"name": "Säule"})
    answer = make_phone(tag).exchange("GET", "/a")
    assert (answer.status, json.loads(answer.content)) == (200, {"name": "Säule"})


@pytest.mark.parametrize(
    ("mle", "mlc", "size"),
    [
        (15, 2, 0x200),
        (15, 13, 0x200),
        (0x3B, 0x34, 0x400),
        (0xFF, 0xFF, 0x2000),
        (0x100, 0xFF, 0x7FFF),
        (0x1000, 0x1000, 0x7FFF),
    ],
)
def test_files_and_commands_of_any_size_are_kept_to(mle: int, mlc: int, size: int) -> None:
    content = "x" * (size - 100)
    tag = Firmware(mle=mle, mlc=mlc, size=size, content=content, polls=1)
    answer = make_phone(tag).exchange("POST", "/a", content=b'"%s"' % (b"y" * (size - 120)))
    assert json.loads(answer.content) == content
    assert tag.requests[0][1] == "y" * (size - 120)


def test_a_request_that_is_too_large_for_a_small_file_is_refused_before_it_is_sent() -> None:
    tag = Firmware(size=100)
    with pytest.raises(
        LocalProtocolError, match=r"does not go into the tag: 1\.\.98 octets do; ask for less"
    ) as refused:
        make_phone(tag).exchange("POST", "/a", content=b'"%s"' % (b"y" * 100))
    assert not refused.value.maybe_executed
    assert tag.updates == []


def test_a_tag_without_write_access_is_told_before_anything_is_sent() -> None:
    tag = Firmware(writable=False)
    with pytest.raises(LocalProtocolError, match="the tag is read-only: its capability container forbids writing"):
        make_phone(tag).exchange("GET", "/a")
    assert tag.updates == []


@pytest.mark.parametrize("status", ["6982", "6985", "6A84", "6581"])
def test_a_tag_that_refuses_a_write_all_the_same_is_told_with_its_status_word(status: str) -> None:
    tag = Firmware(refuse=bytes.fromhex(status))
    with pytest.raises(CommandError, match=f"UPDATE BINARY at 0: {status}") as refused:
        make_phone(tag).exchange("POST", "/a")
    assert not refused.value.maybe_executed
    assert len(tag.updates) == 1


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (bytes.fromhex("D10103 55 016162"), RecordError),  # a URI
        (text_record("hello"), ResponseError),
        (text_record('{"statusCode":"200","messageID":1}'), ResponseError),
        (b"\xd1\x01\x05T\x3fen", RecordError),
    ],
    ids=["a URI", "no answer", "a status that is none", "a record that is none"],
)
def test_what_is_no_answer_is_told_and_that_the_request_may_have_been_executed(
    message: bytes, error: type[Exception]
) -> None:
    tag = Firmware(encode=lambda _text: message)
    with pytest.raises(error) as failed:
        make_phone(tag).exchange("POST", "/a")
    assert isinstance(failed.value, RecordError | ResponseError)
    assert failed.value.maybe_executed


@pytest.mark.parametrize(("extensions", "wtxm"), [(1, 1), (5, 10), (2, 59)])
def test_a_slow_card_that_asks_for_time_gets_it(extensions: int, wtxm: int) -> None:
    card = SlowCard(Firmware(), extensions, wtxm)
    assert make_phone(card).exchange("GET", "/a").content == b'"done"'
    assert card.asked >= 8 * extensions


def test_a_card_that_asks_for_more_time_than_anybody_has_is_given_up() -> None:
    card = SlowCard(Firmware(), 1000, 59)
    with pytest.raises(LinkTimeoutError, match="the card asks for more than 10 s"):
        make_phone(card).connect(0.0)
