"""A recorded card as a link, and served to phones."""

import threading
from pathlib import Path

import httpx2
import pytest

from nfcbridge import NfcTransport, Session, links
from nfcbridge.client.phone import Phone
from nfcbridge.errors import ConfigError, FieldLostError, LinkClosedError, LocalProtocolError, TraceError
from nfcbridge.framing import Answer, Request
from nfcbridge.isodep import Ats
from nfcbridge.replay import captured as captured_module
from nfcbridge.replay import captured_card, replay_file
from nfcbridge.replay.captured import CapturedCharger, Recorded
from nfcbridge.replay.captured_card import CapturedApp, load_capture
from nfcbridge.replay.link import ReplayReader, open_reader, parse_name
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.settings import CardSettings
from nfcbridge.text import decode_text
from nfcbridge.trace import Header
from nfcbridge.type4 import CardConfig
from tests.replay.recordings import any_link, by_hand, changed, lines_of, recording, visit
from tests.replay.test_messages import SELECTED, TOKEN, answer, foreign, login, request

SETTINGS = CardSettings(
    uid=bytes.fromhex("08A1B2C3"),
    ats=Ats(fwi=7, historical=b"\x80\x54nfcb"),
    limits=CardConfig(mle=128, mlc=64, file_size=4096),
)
READS: tuple[tuple[str, str] | tuple[str, str, object], ...] = (
    ("GET", "/system_state"),
    ("POST", "/users", {"userName": "Jenny"}),
    ("GET", "/users"),
)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "t.jsonl"
    with recording(path, card=SETTINGS) as link:
        assert visit(link, *READS) == [200] * 3
    return path


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().removeprefix("other than in the recording: ") for record in caplog.records]


def test_the_same_phone_finds_the_same_card_and_only_its_numbers_are_told(
    trace: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    again = tmp_path / "again.jsonl"
    assert visit(NfcTransport(f"replay:{trace}", trace=again), *READS) == [200] * 3
    (told,) = warnings_of(caplog)  # our phones begin with any number
    assert told.startswith("GET /login: has the messageID ")
    assert told.endswith(" in the recording; this is told once")
    shapes = [[(line["dir"], line["hex"][:10]) for line in lines_of(path) if "hex" in line] for path in (trace, again)]
    assert len(shapes[0]) > 40
    assert shapes[0] == shapes[1]


def test_uid_ats_and_cc_are_the_recorded_ones(trace: Path) -> None:
    end = links.open_reader(f"replay:{trace}")
    assert end.name == f"replay:{trace}"
    assert end.level is links.Level.BLOCKS
    assert end.activate(1.0).uid == SETTINGS.uid
    assert end.transceive(bytes.fromhex("E080"), 1.0) == SETTINGS.ats.to_bytes()
    phone = Phone(end)
    tag = phone.connect()
    assert (tag.mle, tag.mlc, tag.capacity) == (128, 64, 4094)
    phone.close()


def test_what_a_phone_does_otherwise_is_answered_and_told(trace: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Session(NfcTransport(f"replay:{trace}"), "operator", "other") as session:
        assert session.request("GET", "/users").json() == session.request("GET", "/users").json()
        assert session.request("GET", "/users?x=1").status_code == 200
        assert session.request("POST", "/users", b'{"userName":"Alex"}').json()["userName"] == "Jenny"
        assert session.request("GET", "/settings").status_code == 404
    words = warnings_of(caplog)
    assert (
        'POST /login: has another content than in the recording, $.password: "..." became "... (the hash of' in words[1]
    )
    assert "GET /users: comes out of turn: in the recording GET /system_state is next" in words
    assert "GET /users?x=1: has another query than in the recording, /users" in words
    assert 'POST /users: has another content than in the recording, $.userName: "Jenny" became "Alex"' in words
    assert "GET /settings is not in the recording: 404" in words
    assert sum(word.startswith("APDU ") for word in words) == 1
    (apdu,) = [word for word in words if word.startswith("APDU ")]
    assert "; the recording has " in apdu


def test_a_session_that_was_never_recorded_is_refused(trace: Path) -> None:
    with httpx2.Client(transport=NfcTransport(f"replay:{trace}"), base_url="http://charger") as client:
        assert client.get("/users").status_code == 401
        assert client.get("/users", headers={"Authorization": "x"}).status_code == 401


def test_the_messageid_is_echoed_anew_and_its_difference_told_once(tmp_path: Path) -> None:
    capture = load_capture(foreign(tmp_path / "t.jsonl", *login()), lambda _text: None)
    card = capture.make_card()
    for select in SELECTED:
        card.receive(bytes.fromhex(select), 0.0)
    charger = capture.charger
    for number in (b'"a"', b"5"):
        charger.answer(Request("/login", "GET", message_id=number))
    assert charger.departures[0] == 'GET /login: has the messageID "a", 7 in the recording; this is told once'
    assert sum("messageID" in each for each in charger.departures) == 1


def apdus(end: ReplayReader, *commands: str) -> list[str]:
    end.activate(1.0)
    answers = [end.transceive(bytes.fromhex(command), 1.0) for command in commands]
    return ["" if each is None else each.hex() for each in answers]


def test_a_trace_of_apdus_is_a_link_of_apdus_with_its_own_form_of_answers(tmp_path: Path) -> None:
    path = foreign(tmp_path / "t.jsonl", *login())
    end = open_reader(str(path))
    assert (end.level, end.max_frame) == (links.Level.APDUS, 0x1_0002)
    from nfcbridge.framing import format_request
    from nfcbridge.text import encode_text

    message = encode_text(format_request(request("GET", "/login", number=31)))
    written = len(message).to_bytes(2, "big") + message
    *_, read = apdus(end, *SELECTED, f"00d60000{len(written):02x}{written.hex()}", "00b00000ff")
    octets = bytes.fromhex(read)
    text = octets[2 : 2 + int.from_bytes(octets[:2], "big")]
    assert decode_text(text) == '{ "statusCode": 200, "messageID": 31 }, {"token": "' + TOKEN + '"}'
    assert b"\x02de" in text
    assert end.departures == ["GET /login: has the messageID 31, 7 in the recording; this is told once"]
    end.close()


CC3 = "000f2000f6003404060001" + "0800" + "0000"


def test_a_cc_with_another_file_is_given_as_it_was(tmp_path: Path) -> None:
    # A file 0001 of 2,048 octets, MLe 246, MLc 52.
    path = foreign(tmp_path / "t.jsonl", *login())
    frames = [f"{'>' if line['dir'] == 'reader' else '<'} {line['hex']}" for line in lines_of(path)[5:]]
    selects = ["on", "> 00a4040007d276000085010100", "< 9000", "> 00a4000c02e103", "< 9000", "> 00b000000f"]
    by_hand(path, Header(level="apdus"), *selects, f"< {CC3}9000", "> 00a4000c020001", "< 9000", *frames[3:])
    phone = Phone(open_reader(str(path)))
    tag = phone.connect()
    assert (tag.mle, tag.mlc, tag.capacity, tag.file_id) == (246, 52, 2046, 1)
    assert phone.exchange("GET", "/login").status == 200
    phone.close()


def test_speed_takes_the_time_that_was_taken(trace: Path) -> None:
    now = 100.0
    capture = load_capture(trace, lambda _text: None)
    exchanges = capture.charger._exchanges  # noqa: SLF001 - another pace
    exchanges[0] = Recorded(exchanges[0].request, Answer(200, b"{}"), "", 0.12)
    end = ReplayReader("replay:x", capture, speed=2.0, now=lambda: now)

    def wait(seconds: float) -> bool:
        nonlocal now
        now += seconds
        return False

    end._closing.wait = wait  # type: ignore[method-assign, assignment]  # noqa: SLF001
    end.activate(1.0)
    assert end.transceive(bytes.fromhex("E080"), 1.0)
    from nfcbridge.framing import format_request
    from nfcbridge.text import encode_text

    message = encode_text(format_request(request("GET", "/login")))
    written = len(message).to_bytes(2, "big") + message
    sent = [bytes.fromhex(select) for select in SELECTED] + [bytes([0, 0xD6, 0, 0, len(written)]) + written]
    answers = [end.transceive(bytes([2 | number % 2]) + apdu, 1.0) for number, apdu in enumerate(sent)]
    assert answers[-1] is not None
    assert answers[-1][0] == 0xF2  # FWT is 38.7 ms, of which 60 % had passed
    assert now == pytest.approx(100.0232, abs=0.0002)
    assert end.transceive(answers[-1], 1.0) == bytes.fromhex("039000")
    assert now == pytest.approx(100.06)


def test_a_card_that_stays_silent_takes_the_time_of_the_reader(trace: Path) -> None:
    end = open_reader(str(trace))
    end.activate(1.0)
    assert end.transceive(b"\xff", 0.001) is None
    end.close()


def test_a_link_that_is_closed_or_has_no_field_says_so(trace: Path) -> None:
    end = open_reader(str(trace))
    with pytest.raises(FieldLostError):
        end.transceive(b"\x02", 1.0)
    end.activate(1.0)
    with pytest.raises(LocalProtocolError, match="4097 octets"):
        end.transceive(bytes(4097), 1.0)
    end.field_off()
    end.field_off()
    with pytest.raises(FieldLostError):
        end.transceive(b"\x02", 1.0)
    end.activate(1.0)
    threading.Timer(0.01, end.close).start()
    with pytest.raises(LinkClosedError):
        end.transceive(b"\xff", 20.0)
    with pytest.raises(LinkClosedError):
        end.activate(1.0)


def test_a_name_is_a_file_and_perhaps_a_speed(tmp_path: Path) -> None:
    assert parse_name("a/b.jsonl") == (Path("a/b.jsonl"), 0.0)
    assert parse_name("b.jsonl?speed=1.5") == (Path("b.jsonl"), 1.5)
    odd = tmp_path / "what?speed=1"
    odd.touch()
    assert parse_name(str(odd)) == (odd, 0.0)
    for wrong in ("b?speed=x", "b?speed=-1", "b?speed=1e9", "b?pace=1", "b?speed=nan"):
        with pytest.raises(ConfigError, match="replay: has one setting, speed=1"):
            parse_name(wrong)
    with pytest.raises(ConfigError, match="needs a recording"):
        parse_name("")


def test_what_cannot_be_served_says_why(trace: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the recording .*none: No such file or directory; check the path"):
        load_capture(tmp_path / "none")
    with pytest.raises(TraceError, match="there is neither a request nor a CC in it"):
        load_capture(by_hand(tmp_path / "a", Header(), "on", "> e080", "< 0578804202"))
    copy = tmp_path / "b"
    copy.write_text(trace.read_text())
    with pytest.raises(ConfigError, match="no card can be made of it: a UID has 4, 7 or 10 octets"):
        load_capture(changed(copy, lambda lines: lines[0]["card"].update(uid="08")))
    with pytest.raises(ConfigError, match="no card can be made of it"):
        load_capture(changed(copy, lambda lines: lines[0]["card"].update(uid="08010203", hold="long")))


def test_what_a_first_line_does_not_tell_is_taken_from_the_frames(trace: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b"
    copy.write_text(trace.read_text())
    capture = load_capture(changed(copy, lambda lines: lines[0].update(card={"uid": 5}, app={})))
    assert capture.identity().uid == captured_card.DEFAULT_UID
    assert capture.ats() == SETTINGS.ats
    assert (capture.limits().mle, capture.limits().file_size) == (128, 4096)
    assert capture.exchange().hold == 0.4


@pytest.mark.parametrize("reads", [((0, 15),), ((0, 2), (2, 13)), ((0, 1), (1, 7), (8, 9)), ((3, 5), (0, 20))])
def test_a_tag_that_was_only_looked_at_is_a_tag(reads: tuple[tuple[int, int], ...], tmp_path: Path) -> None:
    cc = bytes.fromhex("000f20003b00340406e10504000080 0000")
    frames = ["> 00a4040007d276000085010100", "< 9000", "> 00a4000c02e103", "< 9000"]
    for offset, count in reads:
        frames += [f"> 00b0{offset:04x}{count:02x}", f"< {cc[offset : offset + count].hex()}9000"]
    frames += ["> 00a4000c02e105", "< 9000", "> 00b0000005", "< 0003d000009000"]
    trace = by_hand(tmp_path / "t.jsonl", Header(level="apdus", source="a reader"), "on", *frames)
    capture = load_capture(trace, lambda _text: None)
    assert (capture.limits().mle, capture.limits().mlc, capture.limits().file_size) == (59, 52, 1024)
    assert not capture.limits().writable
    assert capture.announced.cc.startswith(cc[:15])


def test_what_is_read_of_other_files_is_no_cc(tmp_path: Path) -> None:
    frames = ("> 00a4040007d276000085010100", "< 9000", "> 00a4000c02e104", "< 9000", "> 00b000000f")
    trace = by_hand(tmp_path / "t", Header(level="apdus"), "on", *frames, "< 000f20003b00340406e105040000009000")
    with pytest.raises(TraceError, match="there is neither a request nor a CC in it"):
        load_capture(trace)


def test_a_capture_is_bounded(trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured_module, "MAX_EXCHANGES", 2)
    monkeypatch.setattr(captured_module, "MAX_DEPARTURES", 1)
    monkeypatch.setattr(captured_card, "MAX_COMMANDS", 5)
    capture = load_capture(trace, lambda _text: None)
    assert (len(capture.charger), capture.charger.too_many) == (2, 4)
    assert capture.problem == f"{trace}: 4 exchanges after the first 2 are not answered from"
    copy = tmp_path / "t.jsonl"
    copy.write_text(trace.read_text() + "{")
    cut_off, too_many = load_capture(copy, lambda _text: None).problem.split("; ")
    assert "was cut off" in cut_off
    assert "4 exchanges after the first 2" in too_many
    assert sum(map(len, capture.commands)) == 5
    for _ in range(3):
        capture.charger.answer(Request("/nothing", "GET"))
    assert len(capture.charger.departures) == 1


def test_a_request_without_a_recorded_answer_gets_504(tmp_path: Path) -> None:
    capture = load_capture(foreign(tmp_path / "t.jsonl", (request("GET", "/login"), None)), lambda _text: None)
    assert capture.charger.answer(Request("/login", "GET", message_id=b"7")) == Answer(504)
    assert capture.charger.departures == ["GET /login: nobody read the answer in the recording: 504"]


def test_what_is_no_request_is_told(trace: Path) -> None:
    end = open_reader(str(trace))
    end.activate(1.0)
    end.transceive(bytes.fromhex("E080"), 1.0)
    frames = ["02" + SELECTED[0], "03" + SELECTED[1], "02" + SELECTED[2], "0300d60000050003d00000"]
    assert [end.transceive(bytes.fromhex(frame), 1.0) for frame in frames][-1] == bytes.fromhex("039000")
    assert any(each.startswith("what was written is no request") for each in end.departures)
    end.close()


def test_a_recorded_card_is_served_on_any_link(trace: Path, tmp_path: Path) -> None:
    told: list[str] = []
    capture = load_capture(trace, told.append)
    link = any_link()
    served = tmp_path / "served.jsonl"
    card = CardSettings(capture.identity().uid, capture.ats(), capture.limits(), make=capture.make_card)
    app = CapturedApp(capture.charger)
    exchange = capture.exchange()
    with Emulator(app, [link], card=card, exchange=exchange, drop_error_content=False, trace=served):
        assert visit(link, *READS, ("GET", "/nowhere")) == [200, 200, 200, 404]
    assert told[0] == "GET /nowhere is not in the recording: 404"
    assert not any("messageID" in each for each in told)
    assert replay_file(served).equal  # whoever answers, the card is ours


def test_exchanges_of_a_charger_can_be_given_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    charger = CapturedCharger([Recorded(Request("/a", "GET"), answer({}), "", 0.0)])
    assert charger.answer(Request("/a", "GET")) == answer({})
    assert charger.answer(Request("/b", "GET")).status == 404
    assert warnings_of(caplog) == ["GET /b is not in the recording: 404"]
    assert charger.last is None
