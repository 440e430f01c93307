"""What becomes of a request: through the real server, over real links, to the application and back."""

import logging
from collections.abc import Iterator

import httpx2
import pytest

from nfcbridge.framing import ExchangeConfig
from nfcbridge.server import events as told
from nfcbridge.server.settings import CardSettings
from nfcbridge.type4 import CardConfig
from tests.server.hall import SOON, Desk
from tests.stack.octets import OK, read, text_message, write

LINKS = ["memory:desk", "udp:127.0.0.1:0"]


@pytest.fixture(params=LINKS)
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(request.param) as desk:
        yield desk


def test_method_path_query_authorization_and_content_reach_the_application_and_its_answer_comes_back(
    desk: Desk,
) -> None:
    with desk.phone() as phone:
        answer = phone.exchange("POST", "/echo?a=1&b=2", authorization="the session", content=b'{"x":[1,2]}')
    assert answer.status == 200
    assert answer.content == (
        b'{"method":"POST","path":"/echo","query":"a=1&b=2","authorization":"the session","type":"application/json",'
        b'"client":"%s","content":{"x":[1,2]}}' % desk.name.encode()
    )


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("/raise", 500, b""),
        ("/text", 502, b""),
        ("/redirect", 502, b""),
        ("/forbidden", 403, b""),
        ("/unknown", 404, b""),
        ("/nothing", 204, b""),
    ],
)
def test_what_the_application_does_is_a_status_without_content(
    desk: Desk, path: str, status: int, content: bytes
) -> None:
    with desk.phone() as phone:
        answer = phone.exchange("GET", path)
        assert (answer.status, answer.content) == (status, content)
        assert phone.exchange("GET", "/echo").status == 200


def test_the_content_of_an_error_crosses_when_asked_for() -> None:
    with Desk(drop_error_content=False) as desk, desk.phone() as phone:
        assert phone.exchange("GET", "/forbidden").content == b'{"why":"because"}'


def test_the_base_path_is_put_before_the_path_of_a_message() -> None:
    with Desk(base_path="/v1") as desk, desk.phone() as phone:
        assert phone.exchange("GET", "/echo").status == 404
        assert phone.exchange("GET", "/v1/echo").status == 404
    assert desk.hall.calls == []


def test_the_application_hears_of_no_path_that_leaves_its_own(desk: Desk) -> None:
    with desk.phone() as phone:
        assert phone.exchange("GET", "/echo/../raise").status == 400
    assert desk.hall.calls == []


def test_the_largest_answer_crosses_whole_and_one_octet_more_is_413_with_nothing_truncated() -> None:
    # {"messageID":1,"statusCode":200}, has 33 octets, the record 10, NLEN 2, and the quotes of the content 2.
    size = 1000
    settings = CardSettings(limits=CardConfig(file_size=size))
    with Desk(card=settings) as desk, desk.phone(first_id=1) as phone:
        fits = size - 2 - 10 - 33 - 2
        assert phone.exchange("GET", f"/large?{fits}").content == b'"%s"' % (b"x" * fits)
        answer = phone.exchange("GET", f"/large?{fits + 1}")
        assert (answer.status, answer.content) == (413, b"")
        warning = desk.wait_for(told.Warned)
    assert warning.reason == "the answer has 999 octets, the file takes 998: 413"


def test_an_answer_past_all_files_is_413_too(desk: Desk) -> None:
    with desk.phone() as phone:
        assert phone.exchange("GET", "/large?40000").status == 413


def test_an_application_that_never_answers_is_504_and_is_cancelled() -> None:
    with Desk(exchange=ExchangeConfig(hold=0.01, give_up=0.05)) as desk, desk.phone() as phone:
        assert phone.exchange("GET", "/wait").status == 504
        assert desk.hall.gate.left.wait(SOON)
        assert desk.wait_for(told.ApplicationFailed).reason == "request 1 was not answered in time: 504"
        assert phone.exchange("GET", "/echo").status == 200


def test_what_is_no_request_is_400_and_runs_nothing(desk: Desk) -> None:
    with desk.phone() as phone:
        phone.transmit(write(text_message(b"{}")))
        broken = text_message(b'{"messageID":null,"statusCode":400}')
        assert phone.transmit(read(0, 2 + len(broken))) == len(broken).to_bytes(2, "big") + broken + OK
    event = desk.wait_for(told.RequestBroken)
    assert (event.number, event.status) == (1, 400)
    assert event.reason
    assert desk.hall.calls == []


def test_nfc_and_http_reach_one_application_whose_life_is_one() -> None:
    with Desk(http="127.0.0.1:0") as desk:
        assert desk.hall.lives == ["began"]
        with desk.phone() as phone:
            assert phone.exchange("GET", "/echo").status == 200
        assert desk.emulator.http_url is not None
        assert httpx2.get(f"{desk.emulator.http_url}/echo").json()["client"] == "127.0.0.1"
        assert desk.hall.calls == ["GET /echo", "GET /echo"]
    assert desk.hall.lives == ["began", "ended"]


# What is told


def test_each_step_is_told_and_no_secret_with_it(desk: Desk) -> None:
    with desk.phone() as phone:
        phone.exchange("POST", "/echo?tag=secret", authorization="secret", content=b'"secret"')
    heard = [desk.wait_for(told.EmulatorEvent)]
    while not isinstance(heard[-1], told.PhoneLeft):
        heard.append(desk.wait_for(told.EmulatorEvent))
    assert "secret" not in repr(heard)
    assert {event.link for event in heard} == {desk.name}
    arrived, request, sent, left = heard
    assert isinstance(arrived, told.PhoneArrived)
    assert isinstance(request, told.RequestReceived)
    assert (request.number, request.method, request.path) == (1, "POST", "/echo")
    assert isinstance(sent, told.AnswerSent)
    assert (sent.number, sent.status) == (1, 200)
    assert 0 < sent.core < SOON
    assert 0.01 < sent.air < 0.1
    assert left == told.PhoneLeft(left.t, desk.name, None)
    assert arrived.t <= request.t <= sent.t <= left.t


def test_what_an_application_raises_is_told_by_its_kind_and_place_and_not_in_its_words(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nfcbridge")
    with desk.phone() as phone:
        phone.exchange("GET", "/raise")
    failed = desk.wait_for(told.ApplicationFailed)
    assert failed.link == ""
    start, _, line = failed.reason.rpartition(":")
    assert start == "GET /raise: the application raised ValueError at hall.py"
    assert line.isdigit()
    assert [record.levelno for record in caplog.records if "a secret of the application" in str(record.exc_info)] == [
        logging.DEBUG  # which nobody sees who has not asked for it
    ]


def test_what_an_application_answers_and_no_message_can_say_is_told(desk: Desk) -> None:
    with desk.phone() as phone:
        phone.exchange("GET", "/text")
    assert desk.wait_for(told.ApplicationFailed).reason == "GET /text: the application answered other than JSON"


@pytest.mark.parametrize("request_", [b'{"path":"/nothing","method":"GET"}', b"no request"])
def test_a_phone_that_leaves_before_it_has_read_is_told_with_the_number_of_its_request(
    desk: Desk, request_: bytes
) -> None:
    with desk.phone() as phone:
        phone.transmit(write(text_message(request_)))
    assert desk.wait_for(told.PhoneLeft).unread == 1


def test_the_uid_and_the_frame_size_of_a_phone_are_told() -> None:
    with Desk(card=CardSettings(uid=bytes.fromhex("04A1A2A3A4A5A6"))) as desk, desk.phone():
        arrived = desk.wait_for(told.PhoneArrived)
    assert (arrived.uid, arrived.frame_size) == ("04a1a2a3a4a5a6", 256)


def test_a_random_uid_says_that_it_is_one_and_is_another_each_time() -> None:
    uids = set()
    for _ in range(2):
        with Desk() as desk, desk.phone():
            uids.add(desk.wait_for(told.PhoneArrived).uid)
    assert {uid[:2] for uid in uids} == {"08"}
    assert len(uids) == 2
