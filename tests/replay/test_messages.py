"""Replay at the level of messages, of recordings whose secrets and octets nobody can make again."""

import json
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.charger import hash_password
from nfcbridge.framing import Answer, Request, format_answer, format_request
from nfcbridge.replay import Level, replay_file
from nfcbridge.replay.messages import charger_header
from nfcbridge.server.settings import CardSettings
from nfcbridge.text import encode_text
from nfcbridge.trace import Dir, Entry, Header, write_trace
from nfcbridge.type4 import CardConfig
from tests.replay.recordings import CHORES, by_hand, changed, entries_of, record_chores, recording, slow_app, visit

OTHER = "11111111-2222-4333-8444-555555555555"
USER = "aaaaaaaa-2222-4333-8444-555555555555"
TOKEN = "t" * 32
SELECTED = ("00a4040007d276000085010100", "00a4000c02e103", "00a4000c02e104")


def foreign(path: Path, *exchanges: tuple[Request, Answer | None], source: str = "another card") -> Path:
    """A trace of APDUs of another card, whose answers are written in its own way."""
    apdus: list[tuple[str, str]] = [(select, "9000") for select in SELECTED]
    for request, answer in exchanges:
        message = encode_text(format_request(request))
        written = len(message).to_bytes(2, "big") + message
        apdus.append((f"00d6000000{len(written):04x}{written.hex()}", "9000"))
        if answer is not None:
            header = f'{{ "statusCode": {answer.status}, "messageID": {request.message_id.decode()} }}'
            text = header + (f", {answer.content.decode()}" if answer.content else "")
            read = encode_text(text, "de")
            apdus.append(("00b00000000fff", (len(read).to_bytes(2, "big") + read).hex() + "9000"))
    frames = [each for command, response in apdus for each in (f"> {command}", f"< {response}")]
    return by_hand(path, Header(level="apdus", source=source), "on", *frames)


def request(method: str, path: str, session: str | None = None, content: object = None, number: int = 7) -> Request:
    body = b"" if content is None else json.dumps(content).encode()
    return Request(path, method, session, str(number).encode(), body)


def answer(content: object, status: int = 200) -> Answer:
    return Answer(status, b"" if content is None else json.dumps(content).encode())


def login(role: str = "operator", password: str = "operator", told: str = "operator") -> tuple[Any, ...]:
    credentials = {"username": role, "password": hash_password(password, TOKEN)}
    session = {"session_id": OTHER, "username": told, "role": told, "timeout": 60}
    return (
        (request("GET", "/login"), answer({"token": TOKEN})),
        (request("POST", "/login", None, credentials), answer({"logged_in": True, "session": session})),
    )


def assert_equal(path: Path, **options: Any) -> int:
    report = replay_file(path, **options)
    assert report.level is Level.MESSAGE
    assert report.equal, report.lines()
    return report.exchanges


def test_tokens_sessions_and_ids_are_mapped_and_times_let_go(tmp_path: Path) -> None:
    path = foreign(
        tmp_path / "t.jsonl",
        *login(),
        (request("POST", "/users", OTHER, {"userName": "Jenny"}), answer({"userId": USER, "userName": "Jenny"})),
        (request("GET", f"/users/{USER}", OTHER), answer({"userId": USER, "userName": "Jenny"})),
        (request("GET", "/users", f"Bearer {OTHER}"), answer({"users": [{"userId": USER, "userName": "Jenny"}]})),
        (
            request("GET", "/settings?params=SysTime_mon", OTHER),
            answer({"name": "settings", "result": {"SysTime_mon": "2019-11-23T19:35:43.511Z"}}),
        ),
        (request("POST", "/logout", OTHER), answer({"logged_in": False, "message": "Logged out"})),
        (request("GET", "/users", OTHER), answer(None, 401)),
        (request("GET", "/login"), None),
    )
    assert assert_equal(path) == 9


def test_an_id_that_becomes_two_is_a_difference(tmp_path: Path) -> None:
    other = USER.replace("a", "b")
    path = foreign(
        tmp_path / "t.jsonl",
        *login(),
        (request("POST", "/users", OTHER, {"userName": "Jenny"}), answer({"userId": USER, "userName": "Jenny"})),
        (request("GET", "/users", OTHER), answer({"users": [{"userId": other, "userName": "Jenny"}]})),
    )
    difference = replay_file(path).difference
    assert difference is not None
    assert difference.path == "$.users[0].userId"
    assert difference.where == ("exchange 4: GET /users",)


def test_the_first_difference_is_told_with_its_json_path(tmp_path: Path) -> None:
    report = replay_file(foreign(tmp_path / "t.jsonl", *login(told="user")))
    assert report.difference is not None
    assert report.difference.what == '$.session.username: "user" became "operator"'
    assert report.difference.path == "$.session.username"
    assert report.difference.entry == 14  # field, three SELECTs, UPDATE, READ, UPDATE: the command of its READ


def test_a_login_with_another_password_needs_it(tmp_path: Path) -> None:
    path = foreign(tmp_path / "t.jsonl", *login("installer", "secret", "installer"))
    report = replay_file(path)
    assert report.difference is not None
    assert report.difference.what == "statusCode: 200 became 401"
    assert report.notes == ("known are the passwords of operator: give others with --password ROLE=FILE",)
    assert assert_equal(path, passwords={"installer": "anything"}) == 2


def test_a_login_that_was_refused_is_refused_again(tmp_path: Path) -> None:
    wrong = {"username": "operator", "password": "0" * 64}
    path = foreign(
        tmp_path / "t.jsonl",
        (request("GET", "/login"), answer({"token": TOKEN})),
        (request("POST", "/login", None, wrong), answer(None, 401)),
    )
    assert assert_equal(path) == 2


def test_what_is_no_request_is_answered_with_400(tmp_path: Path) -> None:
    path = foreign(tmp_path / "t.jsonl", (request("GET", "/login"), answer({"token": TOKEN})))
    header, entries = entries_of(path)
    message = encode_text("hello")
    written = (len(message) + 0).to_bytes(2, "big") + message
    read = encode_text(format_answer(Answer(400)))
    more = [
        Entry(1.0, Dir.READER, bytes.fromhex(f"00d60000{len(written):02x}") + written),
        Entry(1.1, Dir.CARD, b"\x90\x00"),
        Entry(1.2, Dir.READER, bytes.fromhex("00b00000ff")),
        Entry(1.3, Dir.CARD, len(read).to_bytes(2, "big") + read + b"\x90\x00"),
    ]
    write_trace(path, header, [*entries, *more])
    assert assert_equal(path) == 2


def test_our_own_recording_is_replayed_with_other_secrets(tmp_path: Path) -> None:
    path = changed(record_chores(tmp_path / "t.jsonl"), lambda lines: lines[0].update(seed=None))
    assert assert_equal(path) == len(CHORES) + 3
    assert assert_equal(path, level="message") == len(CHORES) + 3


def test_a_recording_of_the_reader_s_end_is_replayed_as_messages(tmp_path: Path) -> None:
    import httpx2

    from nfcbridge import NfcTransport

    path = tmp_path / "reader.jsonl"
    with (
        recording(tmp_path / "card.jsonl") as link,
        httpx2.Client(transport=NfcTransport(link, trace=path), base_url="http://charger") as client,
    ):
        client.get("/login")
    header, _ = entries_of(path)
    assert header.source.endswith(" reader")
    assert header.clock["wall"] > 1.5e9
    assert assert_equal(path) == 1


def test_an_application_can_take_the_place_of_the_charger(tmp_path: Path) -> None:
    exchanges = [(request("GET", f"/{wait}"), answer({"waited": wait})) for wait in (0, 50)]
    path = foreign(tmp_path / "t.jsonl", *exchanges)
    assert assert_equal(path, app=slow_app) == 2
    slow = foreign(path, (request("GET", "/9000"), answer(None, 504)))
    assert assert_equal(slow, app=slow_app) == 1


def test_what_an_application_does_wrong_is_noted(tmp_path: Path) -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise OSError

    path = foreign(tmp_path / "t.jsonl", (request("GET", "/0"), answer(None, 500)))
    assert replay_file(path, app=broken).notes == ("GET /0: the application raised: OSError",)


def test_a_trace_without_a_request_is_an_error(tmp_path: Path) -> None:
    path = foreign(tmp_path / "t.jsonl")
    assert replay_file(path).error.startswith("there is no request in it; ")


def test_a_trace_that_was_cut_off_says_so(tmp_path: Path) -> None:
    path = foreign(tmp_path / "t.jsonl", *login())
    path.write_text(path.read_text()[:-5])
    report = replay_file(path)
    assert report.equal
    assert report.notes[0].endswith("was cut off and is left out")


@pytest.mark.parametrize(
    ("clock", "wall"), [("monotonic", 0.0), ({"wall": 5}, 5), ({"wall": "today"}, 0.0), (None, 0.0)]
)
def test_a_new_charger_has_the_wall_time_of_the_recording(clock: object, wall: float) -> None:
    assert charger_header(Header(clock=clock)).clock["charger"]["wall"] == wall


def test_a_phone_is_seen_while_it_asks(tmp_path: Path) -> None:
    # HmiState_mon differs where nobody tells the charge point of the phone.
    path = tmp_path / "t.jsonl"
    with recording(path) as link:
        visit(link, ("GET", "/settings?params=HmiState_mon"))
    assert assert_equal(path, level="message") == 4
    assert CardConfig().mle == 251


def test_two_replays_of_the_same_trace_tell_the_same(tmp_path: Path) -> None:
    path = foreign(tmp_path / "t.jsonl", (request("GET", "/login"), answer(None)))
    first, second = replay_file(path), replay_file(path)
    assert any('{"token": "' in line for line in first.lines())
    assert first.lines() == second.lines()


def test_an_answer_that_the_recorded_file_was_too_small_for_is_too_large_again(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with recording(path, card=CardSettings(limits=CardConfig(file_size=400), language="de-CH")) as link:
        assert visit(link, ("GET", "/system_state"), ("GET", "/settings"), ("GET", "/settings?params=SysTime_mon")) == [
            200,
            413,
            200,
        ]
    assert assert_equal(path, level="message") == 6


@pytest.mark.parametrize(("room", "equal"), [(0, True), (-1, False)])
def test_a_file_that_an_answer_just_fits_into_holds_it(room: int, equal: bool, tmp_path: Path) -> None:
    told = {"token": TOKEN}
    path = foreign(tmp_path / "t.jsonl", (request("GET", "/login"), answer(told)))
    message = encode_text(format_answer(Answer(200, json.dumps(told, separators=(",", ":")).encode(), b"7")), "de-CH")
    header, entries = entries_of(path)
    header.card = {"file_size": len(message) + 2 + room, "language": "de-CH"}
    write_trace(path, header, entries)
    report = replay_file(path, level="message")
    assert report.equal is equal
    assert equal or "statusCode: 200 became 413" in report.lines()[1]
