"""The emulator as a whole: what it is made of, that it starts whole or not at all, and that it always ends."""

import gc
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

import nfcbridge
from nfcbridge.client.phone import Phone
from nfcbridge.dispatch import Receive, Scope, Send
from nfcbridge.errors import ConfigError, LinkError, LocalProtocolError, TraceError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.isodep import Ats
from nfcbridge.links import CardIdentity, Level, open_card, open_reader
from nfcbridge.server import events as told
from nfcbridge.server.door import Door
from nfcbridge.server.emulator import SWITCH_INTERVAL, Emulator, place_of, serve
from nfcbridge.server.settings import CardSettings, parse_endpoint
from nfcbridge.type4 import CardConfig
from tests.server.hall import SOON, Desk, Hall
from tests.server.scripted import ScriptedCard
from tests.stack.octets import OK, SELECT_AID, text_message, write

IDENTITY = CardIdentity(uid=bytes.fromhex("08010203"), ats=bytes.fromhex("0578804202"))

WAIT = write(text_message(b'{"path":"/wait","method":"GET"}'))


def assert_free(name: str) -> None:
    """The card end of this link can be opened: nobody has it."""
    open_card(name, IDENTITY).close()


def link_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("nfcbridge-")]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """No test may leave a thread of ours behind."""
    yield
    assert link_threads() == []


# What can be set


def test_the_names_of_links_have_their_real_ports() -> None:
    with Emulator(Hall().app, ["udp:127.0.0.1:0", "memory:second"]) as emulator:
        udp, memory = emulator.link_names
        assert udp.startswith("udp:127.0.0.1:")
        assert not udp.endswith(":0")
        assert memory == "memory:second"


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_an_endpoint_is_host_and_port(text: str, endpoint: tuple[str, int]) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "localhost", "localhost:", "h:65536", "h:-1", "h:x", "[::1:80", "u@h:80", "h:80/x", "h:8\n0"],
)
def test_what_is_no_endpoint_is_a_config_error_that_shows_one(text: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 127\.0\.0\.1:8080 or \[::1\]:8080"):
        Emulator(Hall().app, [], http=text)


def test_http_is_served_at_an_ipv6_address_in_brackets() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with Emulator(Hall().app, [], http="[::1]:0") as emulator:
        assert emulator.http_url is not None
        assert emulator.http_url.startswith("http://[::1]:")
        assert httpx2.get(f"{emulator.http_url}/echo").status_code == 200


def test_without_http_there_is_no_url() -> None:
    with Emulator(Hall().app, ["memory:desk"]) as emulator:
        assert emulator.http_url is None


@pytest.mark.parametrize(("idle", "not_ready", "name"), [(43, 0, "idle"), (1, 43, "not-ready")])
def test_a_message_that_the_file_cannot_hold_is_refused_before_it_is_needed(
    idle: int, not_ready: int, name: str
) -> None:
    small = CardSettings(limits=CardConfig(file_size=44))
    with pytest.raises(ConfigError, match=f"the {name} message has 43 octets, the file takes 42"):
        Emulator(Hall().app, [], card=small, exchange=ExchangeConfig(idle=bytes(idle), not_ready=bytes(not_ready)))
    fits = Emulator(Hall().app, [], card=small, exchange=ExchangeConfig(idle=bytes(42), not_ready=bytes(42)))
    assert fits.link_names == []


def test_a_file_too_small_for_the_shortest_answer_to_a_fault_is_refused() -> None:
    # D1 01 len 54 02 'en' and {"messageID":null,"statusCode":400}: 42 octets, and two of NLEN.
    small = CardSettings(limits=CardConfig(file_size=43))
    with pytest.raises(ConfigError, match="shortest answer has 42 octets, the file takes 41: choose a larger file"):
        Emulator(Hall().app, [], card=small)


def test_a_language_that_no_record_can_have_is_refused_before_the_first_answer() -> None:
    with pytest.raises(ConfigError, match="language code"):
        CardSettings(language="")


def test_frames_that_the_link_cannot_carry_are_refused() -> None:
    emulator = Emulator(Hall().app, ["udp:127.0.0.1:0"], card=CardSettings(ats=Ats(fsci=9)))
    with pytest.raises(ConfigError, match=r"frames of 512 octets do not fit udp:127\.0\.0\.1:\d+, which carries 256"):
        emulator.start()


def test_frames_that_the_link_just_carries_are_taken() -> None:
    with Emulator(Hall().app, ["memory:desk"], card=CardSettings(ats=Ats(fsci=12))) as emulator:
        assert emulator.link_names == ["memory:desk"]


def test_responses_that_a_link_of_apdus_cannot_carry_are_refused() -> None:
    end = ScriptedCard(Level.APDUS)
    with pytest.raises(ConfigError, match="responses of 255 octets do not fit scripted:desk, which carries 256"):
        Emulator(Hall().app, [end], card=CardSettings(limits=CardConfig(mle=255))).start()
    assert end.next_log() == ("close", b"")
    with Emulator(Hall().app, [ScriptedCard(Level.APDUS)], card=CardSettings(limits=CardConfig(mle=254))) as emulator:
        assert len(emulator.doors) == 1


def test_nobody_needs_to_listen(caplog: pytest.LogCaptureFixture) -> None:
    with Emulator(Hall().app, ["memory:desk"]):
        phone = Phone(open_reader("memory:desk"))
        assert phone.exchange("GET", "/nothing").status == 204
        phone.close()
    assert caplog.text == ""


def test_a_place_is_told_where_there_is_one() -> None:
    assert place_of(ValueError()) == ""


# Start: all or nothing


def test_a_start_that_fails_at_the_last_link_leaves_nothing_behind() -> None:
    hall = Hall()
    end = ScriptedCard()
    emulator = Emulator(hall.app, ["memory:first", "memory:first", end], http="127.0.0.1:0")
    with pytest.raises(LinkError, match="memory:first has a card already"):
        emulator.start()
    assert_free("memory:first")
    assert end.next_log() == ("close", b"")
    assert hall.lives == ["began", "ended"]
    assert emulator.http_url is not None
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(emulator.http_url)


def test_a_port_that_is_taken_is_told_and_no_link_is_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        end = ScriptedCard()
        emulator = Emulator(Hall().app, ["memory:first", end], http=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(LinkError, match="another program has this port"):
            emulator.start()
    assert emulator.doors == []
    assert end.next_log() == ("close", b"")


def test_an_application_that_cannot_start_is_told_and_no_link_is_opened() -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    emulator = Emulator(broken, ["memory:first"])
    with pytest.raises(ConfigError, match="no database"):
        emulator.start()
    assert_free("memory:first")


def test_a_thread_that_cannot_be_had_ends_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Door] = []
    start = Door.start

    def start_one(door: Door) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(door)
        start(door)

    monkeypatch.setattr(Door, "start", start_one)
    with pytest.raises(RuntimeError, match="new thread"):
        Emulator(Hall().app, ["memory:first", "memory:second"]).start()
    assert_free("memory:first")
    assert_free("memory:second")


def test_a_trace_that_cannot_be_written_is_told_and_its_link_closed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write the trace"):
        Emulator(Hall().app, ["memory:first"], trace=tmp_path).start()
    assert_free("memory:first")


def test_it_starts_once() -> None:
    with Desk() as desk:
        with pytest.raises(LocalProtocolError):
            desk.emulator.start()
        with desk.phone() as phone:  # and has not ended by that
            assert phone.exchange("GET", "/echo").status == 200


def test_entering_one_that_was_started_does_not_start_it_again() -> None:
    with serve(Hall().app, "memory:desk") as emulator:
        assert emulator.link_names == ["memory:desk"]
    assert_free("memory:desk")


def test_what_start_up_made_is_kept_from_the_collector_for_as_long_as_it_serves() -> None:
    gc.unfreeze()
    with Desk():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_a_busy_application_hands_the_interpreter_on_soon_for_as_long_as_it_serves() -> None:
    before = sys.getswitchinterval()
    with Desk():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert sys.getswitchinterval() == pytest.approx(before)


# Stop


def test_a_stop_before_the_start_and_a_second_one_do_nothing() -> None:
    emulator = Emulator(Hall().app, ["memory:first"])
    emulator.stop()
    emulator.start()
    emulator.stop()
    emulator.stop()
    assert_free("memory:first")


def test_a_stop_ends_requests_and_event_streams_that_are_open_within_2_seconds() -> None:
    desk = Desk(http="127.0.0.1:0", exchange=ExchangeConfig(hold=0.0))
    desk.emulator.start()
    assert desk.emulator.http_url is not None
    with (
        desk.phone() as phone,
        httpx2.Client(base_url=desk.emulator.http_url) as client,
        client.stream("GET", "/stream") as stream,
    ):
        assert next(stream.iter_text()) == "data: 1\n\n"
        assert phone.transmit(WAIT) == OK
        assert desk.hall.gate.reached.wait(SOON)
        began = time.monotonic()
        desk.emulator.stop()
        assert time.monotonic() - began < 2.5  # 2 s, and some for a busy machine
    assert desk.hall.gate.left.is_set()
    assert desk.hall.lives == ["began", "ended"]


def test_a_stop_ends_all_else_when_a_trace_is_not_whole() -> None:
    desk = Desk(trace="/dev/full")
    desk.emulator.start()
    with pytest.raises(TraceError, match="the trace /dev/full is not whole"):
        desk.emulator.stop()
    assert_free("memory:desk")
    assert desk.hall.lives == ["began", "ended"]


# Several links


def test_one_application_is_behind_several_links_each_with_its_own_tag_and_trace(tmp_path: Path) -> None:
    hall = Hall()
    trace = tmp_path / "air.jsonl"
    with serve(hall.app, ["memory:one", "udp:127.0.0.1:0"], trace=trace) as emulator:
        for name in emulator.link_names:
            phone = Phone(open_reader(name))
            assert msgspec.json.decode(phone.exchange("GET", "/echo").content)["client"] == name
            phone.close()
        names = emulator.link_names
    assert hall.lives == ["began", "ended"]
    assert [lines_of(path)[0]["link"] for path in (trace, tmp_path / "air-2.jsonl")] == names


# The trace


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_a_trace_says_what_it_is_of_and_has_every_frame_in_the_order_of_the_air(tmp_path: Path) -> None:
    path = tmp_path / "air.jsonl"
    settings = CardSettings(uid=bytes.fromhex("08A1B2C3"), ats=Ats(fwi=9), limits=CardConfig(mle=200, mlc=100))
    with Desk(card=settings, exchange=ExchangeConfig(hold=0.3), trace=path) as desk:
        end = open_reader(desk.name)
        end.activate(SOON)
        assert end.transceive(bytes.fromhex("E080"), SOON) == bytes.fromhex("0578809002")
        assert end.transceive(b"\x02" + SELECT_AID, SOON) == b"\x02" + OK
        end.close()
        desk.wait_for(told.PhoneLeft)
    header, *frames = lines_of(path)
    clock = header.pop("clock")
    assert (clock.pop("kind"), list(clock)) == ("monotonic", ["wall"])
    assert abs(clock["wall"] - time.time()) < 60
    assert header == {
        "nfcbridge_trace": 1,
        "level": "blocks",
        "link": "memory:desk",
        "source": f"nfcbridge {nfcbridge.__version__} card",
        "seed": None,
        "app": {},
        "card": {
            "uid": "08a1b2c3",
            "ats": "0578809002",
            "mle": 200,
            "mlc": 100,
            "file_size": 0x7FFF,
            "writable": True,
            "language": "en",
            "idle": "d00000",
            "not_ready": "d00000",
            "hold": 0.3,
            "half_write_ttl": 10.0,
            "answer_ttl": 10.0,
            "give_up": 8.0,
            "replace": False,
        },
    }
    times = [frame.pop("t") for frame in frames]
    assert times == sorted(times)
    assert frames == [
        {"dir": "field", "on": True},
        {"dir": "reader", "hex": "e080"},
        {"dir": "card", "hex": "0578809002"},
        {"dir": "reader", "hex": "0200a4040007d276000085010100"},
        {"dir": "card", "hex": "029000"},
        {"dir": "field", "on": False},
    ]


def test_a_trace_of_a_faulty_link_has_its_seed(tmp_path: Path) -> None:
    path = tmp_path / "air.jsonl"
    with Emulator(Hall().app, ["faulty:memory:desk?seed=7&field=0.5"], trace=path) as emulator:
        name = emulator.link_names[0]
    (header,) = lines_of(path)
    assert (header["seed"], header["link"]) == (7, name)


def test_a_trace_of_apdus_says_so(tmp_path: Path) -> None:
    path = tmp_path / "air.jsonl"
    with Emulator(Hall().app, [ScriptedCard(Level.APDUS)], trace=path):
        pass
    assert lines_of(path)[0]["level"] == "apdus"
