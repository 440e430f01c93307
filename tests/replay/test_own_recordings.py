"""What our own card recorded is replayed octet for octet."""

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nfcbridge import NfcTransport, Session, links
from nfcbridge.cli.charger import SimSettings, open_charger
from nfcbridge.cli.demo import acts_of, login_state_logout
from nfcbridge.client.phone import Phone
from nfcbridge.errors import NfcBridgeError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.isodep import Ats
from nfcbridge.links import CardSelected, FieldOff, Frame
from nfcbridge.links import Level as LinkLevel
from nfcbridge.phones import ScriptedPhone
from nfcbridge.replay import Level, level_of, replay_file
from nfcbridge.server.emulator import Emulator
from nfcbridge.server.settings import CardSettings
from nfcbridge.text import encode_text
from nfcbridge.trace import Dir, Header, TraceOrigin
from nfcbridge.type4 import CardConfig
from tests.replay.recordings import (
    CHORES,
    any_link,
    changed,
    entries_of,
    lines_of,
    record_chores,
    recording,
    slow_app,
    visit,
)
from tests.server.scripted import ScriptedCard
from tests.stack.octets import SELECT_AID, SELECT_NDEF, read

CHARGING = """
title = "A car that charges"
[[whitelist]]
id = "abcdef12"
user = "Jenny"
[[step]]
at = 0
do = "plug"
[[step]]
at = 0
do = "swipe"
id = "abcdef12"
[[step]]
at = 0
do = "charge"
"""


def assert_equal(path: Path, **options: Any) -> int:
    """Replay a trace, which is to be equal; returns how many requests were executed."""
    report = replay_file(path, **options)
    assert report.lines()[0].startswith(f"{path}: equal (frame level"), "\n".join(report.lines())
    assert report.equal
    assert report.frames == sum(entry.dir is Dir.CARD for entry in entries_of(path)[1])
    return report.exchanges


def visit_in_vain(link: str) -> None:
    """Visit a charger whose link may fail at any time, three times."""
    for _ in range(3):
        with contextlib.suppress(httpx2.HTTPError, NfcBridgeError):
            visit(link, *CHORES[:4])


def without_app(lines: list[dict[str, Any]]) -> None:
    lines[0]["app"] = {}


def test_login_reads_writes_and_logout_are_replayed_octet_for_octet(tmp_path: Path) -> None:
    assert assert_equal(record_chores(tmp_path / "t.jsonl")) == len(CHORES) + 3


def test_two_recordings_have_other_seeds_and_other_secrets(tmp_path: Path) -> None:
    traces = [lines_of(record_chores(tmp_path / name)) for name in ("a", "b")]
    assert len({trace[0]["seed"] for trace in traces}) == 2
    answers = [[line["hex"] for line in trace if line.get("dir") == "card"] for trace in traces]
    assert answers[0] != answers[1]


def test_with_another_seed_the_token_is_the_first_difference(tmp_path: Path) -> None:
    path = changed(record_chores(tmp_path / "t.jsonl"), lambda lines: lines[0].update(seed=1))
    difference = replay_file(path).difference
    assert difference is not None
    assert difference.path == "$.token"
    assert difference.what.startswith("$.token: ")
    assert difference.where[-1] == "request: GET /login"


@pytest.mark.parametrize(
    "link",
    [
        "udp:127.0.0.1:0",
        "faulty:udp:127.0.0.1:0?seed=11&loss=0.01",
        "faulty:udp:127.0.0.1:0?seed=12&corrupt=0.02",
        "faulty:udp:127.0.0.1:0?seed=13&delay=0.002",
    ],
)
def test_other_links_and_faulty_ones_are_replayed_too(link: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with recording(path, link) as name:
        visit_in_vain(name)
    assert assert_equal(path) > 5
    assert_equal(changed(path, without_app))


@pytest.mark.parametrize("seed", range(4))
def test_a_field_that_is_lost_again_and_again_is_replayed(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with recording(path) as name:
        # At the reader, who notices at once.
        transport = NfcTransport(f"faulty:{name}?seed={seed}&field=0.06")
        with httpx2.Client(transport=transport, base_url="http://charger", timeout=1.0) as client:
            for _ in range(30):
                with contextlib.suppress(httpx2.HTTPError, NfcBridgeError):
                    client.get("/login")
    assert sum(line.get("on") is False for line in lines_of(path)) > 5
    assert_equal(path)
    assert_equal(changed(path, without_app))


@pytest.mark.parametrize("reader", ["ours", "android", "nfcpy-order"])
def test_the_orders_of_phones_are_replayed_with_their_activations(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for act in acts_of(reader):
        with recording(path) as name:
            end = links.open_reader(name)
            ScriptedPhone(end).play(act.play(login_state_logout("operator", "operator")))
            end.close()
        assert_equal(path)
        assert_equal(changed(path, without_app))


@pytest.mark.parametrize("exchange", [ExchangeConfig(hold=0), ExchangeConfig(hold=0.0005, not_ready=b"")])
def test_a_card_that_does_not_hold_is_replayed(exchange: ExchangeConfig, tmp_path: Path) -> None:
    path = record_chores(tmp_path / "t.jsonl", exchange=exchange)
    assert_equal(path)
    assert_equal(changed(path, without_app))


def test_small_frames_and_chunks_are_replayed(tmp_path: Path) -> None:
    settings = CardSettings(ats=Ats(fsci=2, fwi=4), limits=CardConfig(mle=60, mlc=20), language="de")
    path = record_chores(tmp_path / "t.jsonl", card=settings)
    assert_equal(path)
    assert_equal(changed(path, without_app))


def test_chained_responses_are_replayed(tmp_path: Path) -> None:
    settings = CardSettings(ats=Ats(fsci=5), limits=CardConfig(mle=1000, mlc=500))  # FSD is 256
    path = record_chores(tmp_path / "t.jsonl", card=settings)
    assert_equal(path)
    assert_equal(changed(path, without_app))


@pytest.mark.parametrize("hold", [1.0, 0.1])
def test_waiting_time_extensions_and_the_end_of_holding_are_replayed(hold: float, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    link = any_link()
    origin = TraceOrigin({"kind": "asgi", "app": "tests.replay.recordings:slow_app"})
    with (
        Emulator(
            slow_app, [link], exchange=ExchangeConfig(hold=hold, not_ready=b""), trace=path, origin=origin,
            card=CardSettings(ats=Ats(fwi=6)),
        ),
        httpx2.Client(transport=NfcTransport(link), base_url="http://charger") as client,
    ):  # fmt: skip
        for wait in (0, 200, 20, 130):
            assert client.get(f"/{wait}").json() == {"waited": wait}
    extensions = [entry for entry in entries_of(path)[1] if entry.dir is Dir.CARD and entry.octets[0] == 0xF2]
    assert len(extensions) >= 3
    assert assert_equal(path, app=slow_app) == 4
    assert_equal(path)


def test_what_is_served_but_not_known_is_said_not_to_run(tmp_path: Path) -> None:
    path = changed(record_chores(tmp_path / "t.jsonl"), without_app)
    assert "answers of the recording" in replay_file(path).notes[0]


def test_times_and_energies_of_a_running_transaction_are_replayed(tmp_path: Path) -> None:
    scenario = tmp_path / "charging.toml"
    scenario.write_text(CHARGING)
    path = tmp_path / "t.jsonl"
    with recording(path, sim=SimSettings(3600.0, scenario)) as name:
        assert visit(name, *[("GET", "/system_state"), ("GET", "/settings")] * 4, ("GET", "/transactions")) == [200] * 9
    text = path.read_text()
    assert b'"transaction"'.hex() in text
    assert b"Jenny".hex() in text
    scenario.unlink()  # the recording has it
    assert_equal(path)


@pytest.mark.parametrize("read", [True, False])
def test_a_setting_over_nfc_takes_effect_once_its_answer_is_over_in_the_replay_too(read: bool, tmp_path: Path) -> None:
    scenario = tmp_path / "charging.toml"
    scenario.write_text(CHARGING)
    path = tmp_path / "t.jsonl"
    change = {"params": [{"key": "OperatorCurrentLimit_vehicleif", "value": 8}]}
    exchange = ExchangeConfig(answer_ttl=0.05)
    # Read, it is obeyed from the moment of the frame on. Not read, some time after it has expired: nothing else tells
    # when, so there no hour passes in a second.
    sim = SimSettings(3600.0 if read else 1.0, scenario)
    with (
        recording(path, sim=sim, exchange=exchange) as name,
        Session(NfcTransport(name), "operator", "operator") as app,
    ):
        put = json.dumps(change).encode()
        if read:
            assert app.request("PUT", "/settings", put).status_code == 200
        else:
            with contextlib.suppress(httpx2.HTTPError):
                stop_reading(app, put)
        threading.Event().wait(0.2)
        states = [app.request("GET", "/settings?params=Power_mon,Energy_mon").json()["result"] for _ in range(3)]
    assert states[0]["Power_mon"] == pytest.approx(8 * 3 * 0.23)
    assert_equal(path)


def stop_reading(app: Session, content: bytes) -> None:
    """Send a change, and leave before its answer is read."""
    commands = 0

    def lift(_command: bytes, _response: bytes) -> None:
        nonlocal commands
        commands += 1
        if commands == 1:
            phone.disconnect()

    transport = app._client._transport  # noqa: SLF001 - the phone of this client
    phone: Any = transport._phone  # type: ignore[attr-defined]  # noqa: SLF001
    phone._watch = lift  # noqa: SLF001
    app.request("PUT", "/settings", content)


def test_a_password_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with recording(path, password="secret") as name:
        visit(name, ("GET", "/system_state"), password="secret")
    assert "secret" not in path.read_text()
    report = replay_file(path)
    assert report.difference is not None
    assert report.difference.what.startswith("statusCode: 200 became 401")
    assert "the password of user, operator is not known: give it with --password ROLE=FILE" in report.notes
    assert_equal(path, passwords={"operator": "secret"})


def test_stored_data_are_named_as_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for _ in range(2):  # the second finds the user of the first
        with recording(path, data=tmp_path / "data") as name:
            visit(name, ("POST", "/users", {"userName": "Jenny"}), ("GET", "/users"))
    report = replay_file(path)
    assert report.difference is not None
    assert report.difference.path.startswith("$.users[")
    assert any("with data of a directory" in note for note in report.notes)


def test_a_trace_that_was_cut_off_is_replayed_up_to_there(tmp_path: Path) -> None:
    path = record_chores(tmp_path / "t.jsonl")
    text = path.read_text()
    for cut in range(len(text) - 200, len(text) - 1):
        path.write_text(text[:cut])
        report = replay_file(path)
        assert report.equal, report.lines()
        whole = text[cut - 1] == "\n" or text[cut] == "\n"
        assert bool(report.notes) is not whole


def test_frame_is_the_level_of_our_card_and_message_that_of_others() -> None:
    ours: dict[str, Any] = {"source": "nfcbridge 0.1.0 card", "seed": 1, "app": {"kind": "charge controller"}}
    assert level_of(Header(**ours)) is Level.FRAME
    assert level_of(Header(**ours | {"app": {}, "seed": None})) is Level.FRAME
    assert level_of(Header(**ours | {"seed": None})) is Level.MESSAGE  # redacted
    assert level_of(Header(**ours | {"source": "nfcbridge 0.1.0 reader"})) is Level.MESSAGE
    assert level_of(Header(**ours | {"source": "pcscd --apdu"})) is Level.MESSAGE
    assert level_of(Header(**ours | {"source": ""})) is Level.MESSAGE


def record_slow(path: Path, exchange: ExchangeConfig, *waits: int) -> list[int]:
    """Ask the slow application, and record it. Returns the statuses."""
    link = any_link()
    with (
        Emulator(slow_app, [link], exchange=exchange, trace=path, card=CardSettings(ats=Ats(fwi=6))),
        httpx2.Client(transport=NfcTransport(link), base_url="http://charger") as client,
    ):
        return [client.get(f"/{wait}").status_code for wait in waits]


@pytest.mark.parametrize("hold", [0.0, 0.02, 1.0])
def test_a_request_that_is_given_up_is_given_up_in_the_replay(hold: float, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    assert record_slow(path, ExchangeConfig(hold=hold, give_up=0.1, not_ready=b""), 300, 0) == [504, 200]
    assert assert_equal(path, app=slow_app) == 2
    assert_equal(path)


@pytest.mark.parametrize("not_ready", [b"", bytes.fromhex("D00000")])
def test_polling_until_an_answer_is_there_is_replayed(not_ready: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    assert record_slow(path, ExchangeConfig(hold=0, not_ready=not_ready), 30, 0, 60) == [200] * 3
    assert_equal(path, app=slow_app)
    assert_equal(path)


@pytest.mark.parametrize("blocks", range(6, 16))
def test_a_field_that_a_scenario_cuts_is_replayed(blocks: int, tmp_path: Path) -> None:
    scenario = tmp_path / "cut.toml"
    scenario.write_text(f'title = "cut"\n[[step]]\nat = 0\ndo = "fault"\nfault = "cut={blocks}"\n')
    path = tmp_path / "t.jsonl"
    with recording(path, sim=SimSettings(scenario=scenario)) as name:
        transport = NfcTransport(name)
        with httpx2.Client(transport=transport, base_url="http://charger", timeout=0.2) as client:
            for _ in range(2):
                with contextlib.suppress(httpx2.HTTPError, NfcBridgeError):
                    client.get("/login")
    assert any(line.get("on") is False for line in lines_of(path)[: blocks + 4])
    assert_equal(path)


def test_an_answer_that_nobody_reads_expires_in_the_replay_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    link = any_link()
    with Emulator(slow_app, [link], exchange=ExchangeConfig(answer_ttl=0.15), trace=path) as emulator:
        end = links.open_reader(link)
        phone = Phone(end)
        phone.connect()
        message = encode_text('{"path":"/0","method":"GET","messageID":1}')
        written = len(message).to_bytes(2, "big") + message
        assert phone.transmit(bytes.fromhex("00d60000") + bytes([len(written)]) + written) == b"\x90\x00"
        wait = threading.Event()
        read = bytes.fromhex("00b0000003")
        seen: set[bytes] = set()
        while len(seen) < 2:
            seen.add(phone.transmit(read))
            wait.wait(0.01)
        emulator.flush()
        phone.close()
    assert bytes.fromhex("0003d09000") in seen
    assert_equal(path, app=slow_app)
    assert_equal(path)


def test_what_others_log_in_for_meanwhile_makes_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    names = [any_link(), any_link()]
    with (
        open_charger(None, {"operator": "operator"}, recorded=True, dev=True) as charger,
        Emulator(
            charger.app,
            names,
            base_path=charger.base_path,
            http="127.0.0.1:0",
            trace=path,
            origin=charger.origin,
            oversight=charger.bench.tag,
        ) as emulator,
    ):
        for _ in range(2):
            for name in names:
                assert visit(name, ("GET", "/system_state"), ("GET", "/users")) == [200, 200]
            assert httpx2.get(f"{emulator.http_url}/v1/login").status_code == 200
    for each in (path, path.with_stem("t-2")):
        assert_equal(each)


def test_apdus_of_a_pc_sc_reader_are_replayed(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    message = encode_text('{"path":"/login","method":"GET","messageID":1}')
    written = len(message).to_bytes(2, "big") + message
    commands = [SELECT_AID, SELECT_NDEF, bytes.fromhex("00d60000") + bytes([len(written)]) + written, read(0, 255)]
    end = ScriptedCard(
        LinkLevel.APDUS, [CardSelected(), *map(Frame, commands), CardSelected(), Frame(SELECT_AID), FieldOff()]
    )
    with (
        open_charger(None, {"operator": "operator"}, recorded=True, dev=True) as charger,
        Emulator(charger.app, [end], base_path=charger.base_path, trace=path, origin=charger.origin),
    ):
        answers = [end.next_log()[1] for _ in range(5)]
    assert b'"token"' in answers[3]
    assert entries_of(path)[0].level == "apdus"
    assert_equal(path)
    assert_equal(changed(path, without_app))
