"""The phone: what it sends, when it gives up, and that it can always go on."""

import threading
import time
from collections.abc import Iterator

import pytest

from nfcbridge.client import phone as module
from nfcbridge.client.phone import Phone
from nfcbridge.errors import (
    CommandError,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    LocalProtocolError,
    RemoteProtocolError,
    ResponseError,
)
from nfcbridge.framing import Answer, ExchangeConfig
from nfcbridge.isodep import OUR_HISTORICAL, Ats
from nfcbridge.links import CardFound, open_reader
from nfcbridge.server.settings import CardSettings
from nfcbridge.stack.reader import POLL_FIRST
from nfcbridge.type4 import WriteOrder
from tests.client.ends import CC, NOT_FOUND, READ_ONLY_CC, ForeignTag, Overheard
from tests.server.hall import SOON, Desk
from tests.stack.octets import OK, SELECT_AID, SELECT_CC, SELECT_NDEF, read, text_message, update, write

REQUEST = text_message(b'{"path":"/a","method":"GET","messageID":1}')
ANSWER = text_message(b'{"messageID":1,"statusCode":200},[1]')
DETECTION = [SELECT_AID, SELECT_CC, read(0, 15), SELECT_NDEF]
OUR_ATR = b"\x3b\x86\x80\x01" + OUR_HISTORICAL + b"\x00"


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk() as desk:
        yield desk


@pytest.fixture
def end(desk: Desk) -> Iterator[Overheard]:
    end = Overheard(open_reader(desk.name))
    yield end
    end.close()


# What it sends


def test_an_exchange_with_a_tag_of_ours_is_one_update_and_one_read_of_just_the_answer(desk: Desk) -> None:
    sent: list[tuple[bytes, bytes]] = []
    with desk.phone(watch=lambda *both: sent.append(both), first_id=1) as phone:
        assert [command for command, _ in sent] == DETECTION
        sent.clear()
        assert phone.exchange("GET", "/nothing") == Answer(204, b"", b"1")
    answer = text_message(b'{"messageID":1,"statusCode":204}')
    request = text_message(b'{"path":"/nothing","method":"GET","messageID":1}')
    length = len(answer).to_bytes(2, "big")
    assert sent == [
        (write(request) + b"\x02", length + OK),
        (read(0, len(answer) + 2), length + answer + OK),
    ]


def test_to_a_foreign_tag_it_writes_nlen_0_the_message_and_nlen() -> None:
    tag = ForeignTag([ANSWER])
    assert Phone(tag, first_id=1).exchange("GET", "/a") == Answer(200, b"[1]", b"1")
    length = len(REQUEST).to_bytes(2, "big")
    assert tag.commands == [*DETECTION, update(0, b"\0\0"), update(2, REQUEST), update(0, length), read(0, 251)]


def test_a_tag_of_ours_is_known_by_its_historical_octets_on_a_link_of_apdus_too() -> None:
    tag = ForeignTag([ANSWER], atr=OUR_ATR)
    phone = Phone(tag, first_id=1)
    phone.exchange("GET", "/a")
    assert phone.ours
    assert tag.commands[4:] == [write(REQUEST) + b"\x02", read(0, 251)]


def test_the_write_order_and_the_language_are_those_asked_for() -> None:
    tag = ForeignTag([ANSWER])
    Phone(tag, first_id=1, order=WriteOrder.ONE, language="de-CH").exchange("GET", "/a")
    assert tag.commands[4] == write(REQUEST.replace(b"\x02en", b"\x05de-CH").replace(b"\x01\x2d\x54", b"\x01\x30\x54"))


def test_messages_are_numbered_from_1_and_one_that_was_not_sent_has_no_number() -> None:
    tag = ForeignTag([text_message(b'{"messageID":%d,"statusCode":200}' % number) for number in (1, 2, 3)])
    phone = Phone(tag, first_id=1)
    phone.exchange("GET", "/a")
    with pytest.raises(LocalProtocolError):
        phone.exchange("get", "/a")
    assert [phone.exchange("GET", "/a").message_id for _ in range(2)] == [b"2", b"3"]


def test_what_it_did_is_counted() -> None:
    tag = ForeignTag([ANSWER])
    phone = Phone(tag, first_id=1)
    phone.exchange("GET", "/a")
    counted = phone.statistics
    assert (counted.activations, counted.exchanges, counted.commands) == (1, 1, 8)
    assert counted.octets_sent == sum(map(len, tag.commands))
    assert counted.octets_received == 7 * 2 + 15 + 251 + 2


# What it makes of foreign tags


def test_it_reads_until_the_answer_is_there_whatever_else_is() -> None:
    utf16 = b"\x82de" + '{"messageID":1,"statusCode":200},"ü"'.encode("utf-16-be")
    answer = bytes((0xD1, 0x01, len(utf16), 0x54)) + utf16
    other = text_message(b'{"messageID":"another phone\'s","statusCode":200},"secret"')
    tag = ForeignTag([REQUEST, b"", other, answer])
    began = time.monotonic()
    assert Phone(tag, first_id=1).exchange("GET", "/a") == Answer(200, '"ü"'.encode(), b"1")
    assert tag.commands[-4:] == [read(0, 251)] * 4
    assert time.monotonic() - began >= 7 * POLL_FIRST  # pauses of 1, 2 and 4 times this


def test_what_is_no_answer_is_an_error_and_ends_the_activation() -> None:
    tag = ForeignTag([text_message(b"hello")])
    phone = Phone(tag, first_id=1)
    with pytest.raises(ResponseError):
        phone.exchange("GET", "/a")
    assert tag.log[-1] == "field off"


def test_a_refused_write_is_an_error_and_the_next_exchange_begins_with_an_activation() -> None:
    tag = ForeignTag([ANSWER, text_message(b'{"messageID":2,"statusCode":200}')])
    phone = Phone(tag, first_id=1)
    phone.connect()
    tag.responses = [bytes.fromhex("6985")]
    with pytest.raises(CommandError) as refused:
        phone.exchange("GET", "/a")
    assert refused.value.sw == 0x6985
    tag.log.clear()
    phone.exchange("GET", "/a")
    assert tag.log[:5] == ["activate", *DETECTION]


# Detection


def test_a_tag_that_is_there_is_not_looked_for_again() -> None:
    tag = ForeignTag()
    phone = Phone(tag, first_id=1)
    assert phone.connect() is phone.connect()
    assert tag.log == ["activate", *DETECTION]


@pytest.mark.parametrize(
    ("responses", "error"),
    [
        ([NOT_FOUND, NOT_FOUND], CommandError),
        ([OK, OK, b"\0\0" + OK], RemoteProtocolError),
    ],
)
def test_what_is_no_type_4_tag_is_left_in_order_and_the_next_one_is_found(
    responses: list[bytes], error: type[Exception]
) -> None:
    tag = ForeignTag([ANSWER])
    phone = Phone(tag, first_id=1)
    tag.responses = [*responses[:2], *(CC[:2] + b"\xff" * 13 + OK for _ in responses[2:])]
    with pytest.raises(error):
        phone.connect()
    assert tag.log[-1] == "field off"
    assert phone.tag is None
    assert phone.exchange("GET", "/a").status == 200


def test_a_card_that_does_not_answer_the_rats_is_left_in_order(end: Overheard) -> None:
    def deaf(_octets: bytes, _timeout: float) -> None:
        return None

    air, end.air = end.air, deaf
    phone = Phone(end, first_id=1)
    with pytest.raises(LinkTimeoutError, match="ACTIVATING: hold the phone still on the tag"):
        phone.connect(0.0)
    assert (set(end.frames), end.offs) == ({bytes.fromhex("E080")}, 1)
    end.air = air
    assert phone.exchange("GET", "/nothing").status == 204
    assert phone.statistics.activations == 1


def test_a_tag_that_is_slow_to_be_detected_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DETECT_TIMEOUT", 0.0)
    tag = ForeignTag()
    with pytest.raises(LinkTimeoutError, match="hold the phone still on the tag"):
        Phone(tag, first_id=1).connect(0.0)
    assert tag.log == ["activate", "field off"]


def test_a_lost_ats_is_had_by_another_activation(end: Overheard) -> None:
    air = end.air

    def lost_once(octets: bytes, timeout: float) -> bytes | None:
        reply = air(octets, timeout)  # the card answers, and to no second RATS
        return None if len(end.frames) == 1 else reply

    end.air = lost_once
    phone = Phone(end, first_id=1)
    phone.connect(SOON)
    rats = bytes.fromhex("E080")
    assert end.frames.count(rats) == len(end.frames) - len(DETECTION)
    assert (end.offs, phone.statistics.activations) == (1, 1)
    assert phone.exchange("GET", "/nothing").status == 204


@pytest.mark.parametrize("heard", range(len(DETECTION)))
def test_a_tag_that_falls_silent_during_detection_is_activated_and_detected_anew(heard: int) -> None:
    tag = ForeignTag([ANSWER])
    tag.responses = [*[OK, OK, CC + OK, OK][:heard], None]
    phone = Phone(tag, first_id=1)
    phone.connect()
    assert tag.log == ["activate", *DETECTION[: heard + 1], "field off", "activate", *DETECTION]
    assert phone.exchange("GET", "/a").status == 200


def test_a_tag_that_is_gone_after_a_silence_is_told_so(end: Overheard) -> None:
    def activate(timeout: float) -> CardFound:  # noqa: ARG001 - the name is part of the interface
        raise LinkTimeoutError("no card came")

    def gone(_octets: bytes, _timeout: float) -> None:
        end.activate = activate  # type: ignore[method-assign]

    end.air = gone
    with pytest.raises(LinkTimeoutError, match=r"^no card came$"):
        Phone(end, first_id=1).connect()
    assert end.offs == 2


def test_frames_are_no_longer_than_the_link_carries(desk: Desk) -> None:
    end = Overheard(open_reader(desk.name), max_frame=50)
    phone = Phone(end, first_id=1)
    assert phone.exchange("POST", "/echo", content=b'"%s"' % (b"x" * 100)).status == 200
    assert end.frames[0] == bytes.fromhex("E040")  # FSD 48
    assert max(map(len, end.frames)) == 48 - 2
    phone.close()


def test_a_driver_that_has_sent_the_rats_is_believed(end: Overheard) -> None:
    def activate(timeout: float) -> CardFound:
        found = end.inside.activate(timeout)
        return CardFound(found.uid, ats=end.inside.transceive(bytes.fromhex("E080"), timeout))

    end.activate = activate  # type: ignore[method-assign]
    phone = Phone(end, first_id=1)
    assert phone.exchange("GET", "/nothing").status == 204
    assert phone.ours
    assert end.frames[0] == b"\x02" + SELECT_AID


def test_a_card_that_asks_for_time_after_its_ats_gets_it() -> None:
    ats = Ats(sfgi=6)
    heard: list[float] = []
    with Desk(card=CardSettings(ats=ats)) as desk:
        end = Overheard(open_reader(desk.name))
        air = end.air

        def listening(octets: bytes, timeout: float) -> bytes | None:
            heard.append(time.monotonic())
            return air(octets, timeout)

        end.air = listening
        phone = Phone(end, first_id=1)
        phone.connect()
        phone.close()
    assert heard[1] - heard[0] >= ats.sfgt


# Requests that cannot be sent


def one_too_many() -> bytes:
    """Content one octet larger than a file of 32,767 octets takes with NLEN, record and header."""
    return b'"%s"' % (b"x" * (0x7FFF - 2 - 10 - len('{"path":"/a","method":"POST","messageID":1},') - 2 + 1))


def test_the_largest_request_is_sent() -> None:
    tag = ForeignTag([ANSWER])
    assert Phone(tag, first_id=1).exchange("POST", "/a", content=one_too_many().replace(b"xx", b"x", 1)).status == 200


@pytest.mark.parametrize(
    ("method", "content"),
    [("get", b""), ("", b""), ("GET", b"{"), ("POST", one_too_many()), ("POST", b'"%s"' % (b"x" * 70_000))],
)
def test_a_request_that_cannot_be_sent_leaves_the_phone_as_it_was(method: str, content: bytes) -> None:
    tag = ForeignTag([ANSWER])
    phone = Phone(tag, first_id=1)
    phone.connect()
    with pytest.raises(LocalProtocolError):
        phone.exchange(method, "/a", content=content)
    assert tag.log == ["activate", *DETECTION]
    assert phone.exchange("GET", "/a").status == 200
    assert tag.log.count("activate") == 1


def test_a_tag_that_nobody_may_write_is_not_written() -> None:
    tag = ForeignTag([ANSWER], cc=READ_ONLY_CC)
    with pytest.raises(LocalProtocolError):
        Phone(tag, first_id=1).exchange("GET", "/a")
    assert tag.commands == DETECTION


def test_a_command_needs_a_card_that_is_activated(end: Overheard) -> None:
    phone = Phone(end, first_id=1)
    assert not phone.ours
    with pytest.raises(LinkError, match="connect"):
        phone.transmit(SELECT_AID)
    assert end.frames == []
    phone.connect()
    assert phone.transmit(SELECT_AID) == OK
    phone.disconnect()
    with pytest.raises(LinkError, match="connect"):
        phone.transmit(SELECT_AID)


# Time


def test_an_answer_that_does_not_come_in_time_is_given_up_between_two_looks() -> None:
    tag = ForeignTag([b""])
    with pytest.raises(LinkTimeoutError, match="it may have been executed"):
        Phone(tag, first_id=1).exchange("GET", "/a", read_timeout=0.005)
    assert tag.log[-1] == "field off"


def test_a_card_that_extends_its_time_is_given_up_when_the_time_of_the_exchange_is_over() -> None:
    with Desk(exchange=ExchangeConfig(hold=SOON)) as desk, desk.phone() as phone:
        began = time.monotonic()
        with pytest.raises(LinkTimeoutError):
            phone.exchange("GET", "/wait", read_timeout=0.1)
        assert time.monotonic() - began < SOON / 2
        assert desk.hall.calls == ["GET /wait"]
        desk.hall.gate.open()
        assert phone.exchange("GET", "/nothing").status == 204


def test_an_exchange_that_has_no_time_left_sends_nothing(end: Overheard) -> None:
    phone = Phone(end, first_id=1)
    phone.connect()
    before = len(end.frames)
    with pytest.raises(LinkTimeoutError, match="not done in time"):
        phone.exchange("GET", "/nothing", read_timeout=0.0)
    assert len(end.frames) == before


def test_a_command_on_a_link_of_apdus_has_what_is_left_of_the_time_of_the_exchange() -> None:
    tag = ForeignTag([ANSWER])
    phone = Phone(tag, first_id=1)
    phone.connect()
    assert 4.0 < min(tag.timeouts) <= max(tag.timeouts) <= 5.0
    tag.timeouts.clear()
    phone.transmit(SELECT_NDEF)
    assert tag.timeouts == [module.APDU_TIMEOUT]
    phone.exchange("GET", "/a", read_timeout=2.0)
    assert 1.0 < min(tag.timeouts[1:]) <= max(tag.timeouts[1:]) <= 2.0
    phone.transmit(SELECT_NDEF)
    assert tag.timeouts[-1] == module.APDU_TIMEOUT


# Tags that go


def test_a_tag_that_was_exchanged_between_two_requests_costs_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRUSTED", 0.0)
    with Desk() as desk:
        phone = Phone(open_reader(desk.name))
        assert phone.exchange("GET", "/nothing").status == 204
    with Desk() as desk:
        assert phone.exchange("GET", "/nothing").status == 204
        assert desk.hall.calls == ["GET /nothing"]
    assert phone.statistics.activations == 2
    phone.close()


def test_a_tag_that_was_not_heard_for_a_while_is_asked_by_one_short_frame(
    end: Overheard, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Phone(end, first_id=1)
    phone.connect()
    before = len(end.frames)
    phone.connect()
    assert len(end.frames) == before
    monkeypatch.setattr(module, "TRUSTED", 0.0)
    phone.connect()
    assert end.frames[before:] == [bytes.fromhex("B2")]
    assert phone.statistics.activations == 1


def test_a_card_that_breaks_the_protocol_when_it_is_asked_is_activated_again(
    end: Overheard, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Phone(end, first_id=1)
    phone.connect()
    monkeypatch.setattr(module, "TRUSTED", 0.0)
    air = end.air

    def broken(octets: bytes, timeout: float) -> bytes | None:
        return b"\xff" if octets == bytes.fromhex("B2") else air(octets, timeout)

    end.air = broken
    phone.connect()
    assert (end.offs, phone.statistics.activations) == (1, 2)


def test_a_watch_that_raises_in_the_midst_of_an_exchange_costs_that_exchange_alone(desk: Desk) -> None:
    def watch(command: bytes, _response: bytes) -> None:
        if command[1] == 0xD6 and not desk.hall.calls[1:]:
            raise KeyboardInterrupt

    with desk.phone(watch=watch) as phone:
        with pytest.raises(KeyboardInterrupt):
            phone.exchange("GET", "/nothing")
        assert phone.tag is None
        assert phone.exchange("GET", "/nothing").status == 204


def test_closing_ends_an_exchange_of_another_thread(desk: Desk) -> None:
    raised: list[Exception] = []
    with desk.phone() as phone:

        def exchange() -> None:
            try:
                phone.exchange("GET", "/wait")
            except LinkError as error:
                raised.append(error)

        thread = threading.Thread(target=exchange)
        thread.start()
        assert desk.hall.gate.reached.wait(SOON)
        phone.close()
        thread.join(SOON)
    assert [type(error) for error in raised] == [LinkClosedError]
