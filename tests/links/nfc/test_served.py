"""The emulator on a fake PN532 with nfcpy's real driver below it: login, read and write, and phones as they are."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.client.session import Session
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import LinkError, LinkTimeoutError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.isodep import Activated, DeselectConfirmed, ReaderLink
from nfcbridge.links import open_reader
from nfcbridge.links.nfc import outage
from nfcbridge.links.nfc.card import NfcCard
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator
from nfcbridge.trace.entries import TraceFile
from tests.links.nfc.air import AirReader
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.serving import (
    APP,
    LONG,
    Counting,
    Served,
    Torn,
    client_on,
    deselect_and_select_again,
    pull_away_at_any_frame,
    pump,
    read_and_write,
)
from tests.links.running import PATIENCE


def name_of(board: FakePn532, *, picc: bool) -> str:
    return board.name + ("?picc" if picc else "")


@pytest.mark.parametrize("picc", [False, True])
def test_a_session_with_the_charge_controller(board: FakePn532, picc: bool) -> None:
    controller = Controller(passwords=FixedPasswords({Role.OPERATOR: "secret"}))
    with (
        Served(name_of(board, picc=picc), create_app(controller), base_path=BASE_PATH),
        Session(NfcTransport(AirReader(board.chip)), "operator", "secret") as session,
    ):
        read_and_write(session)


@pytest.mark.parametrize("picc", [False, True])
def test_requests_and_answers_of_many_blocks(board: FakePn532, picc: bool) -> None:
    with Served(name_of(board, picc=picc)), client_on(AirReader(board.chip)) as client:
        assert client.get("/long").json() == {"long": LONG}
        assert client.post("/echo", json={"text": LONG}).json() == {"got": {"text": LONG}}


@pytest.mark.parametrize("picc", [False, True])
def test_a_slow_answer_is_bridged_by_s_wtx(board: FakePn532, picc: bool) -> None:
    air = Counting(board.chip)
    with Served(name_of(board, picc=picc)), client_on(air) as client:
        assert client.get("/slow").json() == {"slow": True}
    assert air.waits


def test_a_phone_that_deselects_and_selects_between_write_and_read_loses_nothing(board: FakePn532) -> None:
    with Served(board.name) as served:
        deselect_and_select_again(served, AirReader(board.chip))


def test_a_phone_pulled_away_at_any_moment_is_answered_when_it_is_back(board: FakePn532) -> None:
    with Served(board.name, exchange=ExchangeConfig(replace=True)) as served:
        pull_away_at_any_frame(served, Torn(board.chip))


def test_a_reader_pulled_and_plugged_again_is_told_once_and_serves_on(
    board: FakePn532, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outage, "REOPEN", 0.02)
    monkeypatch.setattr("nfcbridge.server.door.RETRY", 0.02)
    with Served(board.name) as served, caplog.at_level(logging.WARNING):
        with client_on(AirReader(board.chip)) as client:
            assert client.post("/echo", json=1).json() == {"got": 1}
        board.pull()
        failed = served.wait_for(told.LinkFailed)
        assert isinstance(failed, told.LinkFailed)
        assert "plug it in" in failed.reason
        board.plug()
        with client_on(AirReader(board.chip)) as client:
            assert client.post("/echo", json=2).json() == {"got": 2}
        assert not served.drain(told.LinkFailed)
    assert [record.message for record in caplog.records if "there again" in record.message] == [
        f"the reader at {board.name} is there again"
    ]


def test_what_crosses_is_recorded_with_the_rats(board: FakePn532, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with Served(board.name, trace=trace), client_on(AirReader(board.chip)) as client:
        client.post("/echo", json=1)
    with TraceFile(trace) as recorded:
        assert next(entry.octets for entry in recorded if entry.octets) == bytes.fromhex("E080")


def test_a_reader_that_is_not_there_ends_the_start(board: FakePn532) -> None:
    board.pull()
    with pytest.raises(LinkError, match=r"no reader at nfc:tty:.*plug it in"):
        Served(board.name).emulator.start()


def test_the_two_times_of_a_touch_are_within_5_ms_with_the_serial_line(board: FakePn532) -> None:
    """Host time as measured here, the line by the octets at the speed of the chip, of the best of ten touches."""
    air = AirReader(board.chip)
    answers, listens = [], []
    with Served(board.name) as served:
        (door,) = served.emulator.doors
        end = door.end
        assert isinstance(end, NfcCard)
        for _ in range(10):
            air.activate(PATIENCE)
            link = ReaderLink()
            mark = len(board.chip.lines)
            pump(air, link, link.rats(time.monotonic()), Activated)
            rats, ats = board.chip.lines[mark : mark + 2]
            assert (rats.to_host, ats.to_host) == (True, False)
            assert rats.octets == bytes.fromhex("0000FF05FBD58D00E0803E00")
            answers.append(ats.at - rats.at + rats.seconds + ats.seconds)
            mark = len(board.chip.lines)
            pump(air, link, link.deselect(time.monotonic()), DeselectConfirmed)
            air.activate(PATIENCE)  # which waits until the chip listens
            lines = board.chip.lines[mark:]
            at = next(i for i, line in enumerate(lines) if line.octets == bytes.fromhex("0000FF03FDD591009A00"))
            sent, init = lines[at], lines[at + 1]
            assert init.octets[5:7] == b"\xd4\x8c"
            listens.append(init.at - sent.at + sent.seconds + init.seconds)
            air.field_off()
        assert end.touch.answer is not None
        assert end.touch.listen is not None
    assert min(answers) < 0.005
    assert min(listens) < 0.005


def test_the_frame_size_is_lowered_to_what_the_reader_carries(usb: Any) -> None:
    from tests.links.nfc.fake_chip import FakeChip

    chip = FakeChip("pn531")
    usb.plug(0x04CC, 0x0531, chip)
    with Emulator(APP, ["nfc:usb"]), client_on(AirReader(chip)) as client:
        assert client.get("/long").json() == {"long": LONG}


def test_names_are_opened_through_the_table_of_links(board: FakePn532) -> None:
    end = open_reader(board.name)
    with pytest.raises(LinkTimeoutError, match="hold one to the reader"):
        end.activate(0.01)
    end.close()
