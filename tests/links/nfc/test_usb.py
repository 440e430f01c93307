"""Readers on USB: nfcpy's real transport and drivers, on a libusb without a bus, with a phone or a card before them."""

import contextlib
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx2
import pytest
import usb1

from nfcbridge.charger import BASE_PATH, Controller, FixedPasswords, Role, create_app
from nfcbridge.client.phone import Phone
from nfcbridge.client.session import Session
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import LinkClosedError, LinkError, LinkTimeoutError, NfcBridgeError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.links import CardIdentity, open_reader
from nfcbridge.links.nfc import dialogue, outage
from nfcbridge.links.nfc import transport as transport_module
from nfcbridge.links.nfc.names import parse_name
from nfcbridge.links.nfc.opening import may_be_used, open_device
from nfcbridge.links.nfc.reader import NfcReader
from nfcbridge.server import events as told
from nfcbridge.server.emulator import Emulator
from tests.links.nfc.air import AirCard, AirReader
from tests.links.nfc.conftest import IDENTITY, OpenCard
from tests.links.nfc.fake_chip import FakeChip
from tests.links.nfc.fake_libusb import FakeDevice, FakeLibusb
from tests.links.nfc.fake_port100 import FakePort100
from tests.links.nfc.serving import (
    APP,
    LONG,
    Counting,
    Served,
    Torn,
    client_on,
    deselect_and_select_again,
    pull_away_at_any_frame,
    read_and_write,
)
from tests.links.nfc.test_card import ATS, OK, RATS, SELECT, receive
from tests.links.nfc.test_card import Phone as ScriptedPhone
from tests.links.running import PATIENCE

KINDS: Final[dict[str, Callable[[], FakeDevice]]] = {
    "rcs380": lambda: FakeDevice(0x054C, 0x06C3, FakePort100()),
    "pn533": lambda: FakeDevice(0x04E6, 0x5591, FakeChip("pn533")),
    "pn531": lambda: FakeDevice(0x04CC, 0x0531, FakeChip("pn531")),
}


@pytest.fixture(name="libusb")
def install_libusb(monkeypatch: pytest.MonkeyPatch) -> FakeLibusb:
    bus = FakeLibusb()
    bus.install(monkeypatch)
    return bus


@pytest.fixture(name="stick", params=KINDS)
def plug_a_stick(libusb: FakeLibusb, request: pytest.FixtureRequest) -> FakeDevice:
    return libusb.plug(KINDS[request.param]())


def name_of(stick: FakeDevice) -> str:
    return f"nfc:usb:{stick.vendor:04x}:{stick.product:04x}"


class TestTag:
    """The reader is the tag of a phone."""

    def test_a_session_with_the_charge_controller(self, stick: FakeDevice) -> None:
        controller = Controller(passwords=FixedPasswords({Role.OPERATOR: "secret"}))
        with (
            Served(name_of(stick), create_app(controller), base_path=BASE_PATH),
            Session(NfcTransport(AirReader(stick.chip)), "operator", "secret") as session,
        ):
            read_and_write(session)

    def test_chains_both_ways_and_waits(self, stick: FakeDevice) -> None:
        air = Counting(stick.chip)
        with Served(name_of(stick)), client_on(air) as client:
            assert client.get("/long").json() == {"long": LONG}
            assert client.post("/echo", json={"text": LONG}).json() == {"got": {"text": LONG}}
            assert not air.waits
            assert client.get("/slow").json() == {"slow": True}
            assert air.waits

    def test_deselected_and_selected_again(self, stick: FakeDevice) -> None:
        with Served(name_of(stick)) as served:
            deselect_and_select_again(served, AirReader(stick.chip))

    def test_a_phone_pulled_away_at_any_frame_is_answered_when_it_is_back(self, stick: FakeDevice) -> None:
        with Served(name_of(stick), exchange=ExchangeConfig(replace=True)) as served:
            pull_away_at_any_frame(served, Torn(stick.chip))

    @pytest.mark.parametrize("write", [0, 1, 2, 5, 8])
    def test_unplugged_in_the_middle_of_an_exchange_and_plugged_again(
        self,
        libusb: FakeLibusb,
        stick: FakeDevice,
        write: int,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(outage, "REOPEN", 0.02)
        monkeypatch.setattr("nfcbridge.server.door.RETRY", 0.02)
        with Served(name_of(stick)) as served, caplog.at_level(logging.WARNING):
            stick.pull_at = write
            phone = Phone(AirReader(stick.chip))
            with contextlib.suppress(NfcBridgeError):
                phone.exchange("POST", "/echo", content=b"1", connect_timeout=0.1, read_timeout=0.3)
            failed = served.wait_for(told.LinkFailed)
            assert isinstance(failed, told.LinkFailed)
            assert failed.reason.startswith(f"no reader at {name_of(stick)}: plug it in")
            phone.disconnect()
            libusb.plug(stick)
            with client_on(AirReader(stick.chip)) as client:
                assert client.post("/echo", json=2).json() == {"got": 2}
            assert not served.drain(told.LinkFailed)  # it was told once
        assert [record.message for record in caplog.records if "there again" in record.message] == [
            f"the reader at {name_of(stick)} is there again"
        ]

    @pytest.mark.parametrize("failure", [usb1.USBErrorIO, usb1.USBErrorPipe, usb1.USBErrorOverflow])
    def test_a_transfer_that_fails_is_told_and_the_reader_begun_anew(
        self, stick: FakeDevice, failure: type[Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nfcbridge.server.door.RETRY", 0.02)
        with Served(name_of(stick)) as served, client_on(AirReader(stick.chip)) as client:
            assert client.post("/echo", json=1).json() == {"got": 1}
            stick.fails.append(failure)
            event = served.wait_for(told.LinkFailed)
            assert isinstance(event, told.LinkFailed)
            assert "failed" in event.reason
            stick.chip.lose_field()
            assert client.post("/echo", json=2).json() == {"got": 2}

    def test_closing_ends_a_wait_soon_and_lets_the_device_go(self, stick: FakeDevice, open_end: OpenCard) -> None:
        end = open_end(name_of(stick))
        assert stick.claimed is not None
        raised = threading.Event()

        def wait() -> None:
            try:
                end.receive(None)
            except LinkClosedError:
                raised.set()

        thread = threading.Thread(target=wait)
        thread.start()
        began = time.monotonic()
        end.close()
        thread.join(PATIENCE)
        assert raised.is_set()
        assert time.monotonic() - began < 1
        assert stick.claimed is None

    def test_a_phone_that_comes_in_the_moment_of_a_cancelled_command_does_not_confuse_the_next_ones(
        self, stick: FakeDevice, open_end: OpenCard
    ) -> None:
        end = open_end(name_of(stick))
        phone = ScriptedPhone(stick)  # type: ignore[arg-type]  # all that it asks of a board is its chip
        chip, receive_of_chip = stick.chip, stick.chip.receive
        late: list[bytes] = []

        def receive_late(octets: bytes) -> None:
            if octets == chip_ack and not late:
                late.append(octets)
                chip.select()
                chip.air(RATS)  # answered by the chip before it sees the acknowledgement that cancels
            receive_of_chip(octets)

        chip_ack = bytes.fromhex("0000FF00FF00")
        chip.receive = receive_late
        assert end.poll_card(0.01) is None
        assert late
        chip.receive = receive_of_chip
        chip.lose_field()
        phone.activate(end)
        assert phone.ask(end, SELECT, OK) == OK

    def test_a_chip_whose_word_of_a_phone_was_lost_is_told_to_listen_again(
        self, stick: FakeDevice, open_end: OpenCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end = open_end(name_of(stick))
        phone = ScriptedPhone(stick)  # type: ignore[arg-type]
        phone.air.activate(PATIENCE)
        phone.air.transceive(RATS, 0.01)
        with stick.arrived:
            stick.frames.clear()
        stick.chip.lose_field()
        with pytest.raises(LinkTimeoutError):
            phone.air.activate(0.05)
        assert end.receive(0.05) is None
        monkeypatch.setattr(dialogue, "LISTEN_ANEW", 0.02)
        assert end.receive(0.05) is None
        phone.activate(end)
        assert phone.ask(end, SELECT, OK) == OK

    def test_a_chip_that_hangs_is_told_and_does_not_hang_us(
        self, stick: FakeDevice, open_end: OpenCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nfcbridge.links.nfc.chips.port100.ACKNOWLEDGED", 20)
        monkeypatch.setattr(transport_module, "LONGEST_WAIT", 0.02)
        end = open_end(name_of(stick))
        phone = ScriptedPhone(stick)  # type: ignore[arg-type]
        phone.activate(end)
        phone.begin(lambda air: air.transceive(SELECT, 0.05))
        receive(end)
        monkeypatch.setattr(stick.chip, "receive", lambda _octets: None)
        with pytest.raises(LinkError, match=r"does not answer|failed|no reader"):
            end.send(OK)
        phone.end()


class TestOpening:
    """Finding, claiming and refusing."""

    def test_what_a_killed_program_left_is_thrown_away(self, stick: FakeDevice) -> None:
        stick.frames += [bytes.fromhex("0000FF00FF00"), bytes.fromhex("0000FF03FDD58D009E00")] * 3
        opened = open_device(parse_name("usb"), as_card=True)
        opened.close()

    def test_a_device_that_never_stops_sending_is_no_reader(
        self, stick: FakeDevice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport_module, "MAX_LEFT_OVER", 3)
        stick.frames += [b"\x00"] * 3
        with pytest.raises(LinkError, match="sends without end"):
            open_device(parse_name("usb"), as_card=True)
        open_device(parse_name("usb"), as_card=True).close()

    def test_a_driver_that_fails_lets_the_device_go(self, stick: FakeDevice) -> None:
        gc.disable()  # which would do it, some time
        try:
            for nth in range(4):
                stick.fails.extend([None] * nth + [usb1.USBErrorIO])
                with contextlib.suppress(LinkError):
                    open_device(parse_name("usb"), as_card=True).close()
                assert stick.claimed is None
                stick.fails.clear()
        finally:
            gc.enable()
        open_device(parse_name("usb"), as_card=True).close()

    def test_a_reader_that_somebody_else_has_is_told(self, stick: FakeDevice) -> None:
        stick.held = True
        with pytest.raises(LinkError, match=f"{name_of(stick)} is in use: "):
            open_device(parse_name("usb"), as_card=True)

    def test_a_second_program_is_refused_while_the_first_has_it(self, stick: FakeDevice, open_end: OpenCard) -> None:
        open_end(name_of(stick))
        with pytest.raises(LinkError, match="is in use"):
            open_device(parse_name("usb"), as_card=True)

    def test_no_permission_names_the_rule(self, libusb: FakeLibusb, stick: FakeDevice) -> None:
        libusb.forbidden = True
        with pytest.raises(LinkError, match=rf'no permission.*idProduct}}=="{stick.product:04x}"'):
            open_device(parse_name("usb"), as_card=True)

    @pytest.mark.parametrize(
        ("refusal", "words"),
        [
            (usb1.USBErrorAccess, "no permission for nfc:usb:"),
            (usb1.USBErrorBusy, "is in use"),
            (usb1.USBErrorNoDevice, "no reader at nfc:usb:"),
            (usb1.USBErrorNotFound, "no reader at nfc:usb:"),
            (usb1.USBErrorNotSupported, "install WinUSB"),
            (usb1.USBErrorOther, "failed"),
        ],
    )
    def test_what_libusb_says_while_a_device_is_opened(
        self, stick: FakeDevice, refusal: type[Exception], words: str
    ) -> None:
        stick.refuses = refusal
        with pytest.raises(LinkError, match=words):
            open_device(parse_name("usb"), as_card=True)

    def test_a_reader_that_tells_no_names_is_opened(self, stick: FakeDevice) -> None:
        stick.no_strings = True
        open_device(parse_name("usb"), as_card=True).close()

    @pytest.mark.parametrize("lacking", ["settings", "endpoints"])
    def test_a_device_without_what_a_reader_has_is_no_reader(self, stick: FakeDevice, lacking: str) -> None:
        getattr(stick, lacking).clear()
        with pytest.raises(LinkError, match="no reader at"):
            open_device(parse_name("usb"), as_card=True)

    @pytest.mark.parametrize("path", ["usb", "usb:{vendor:04x}", "usb:{vendor:04x}:{product:04x}", "usb:001:001"])
    def test_every_way_to_name_it_finds_it(self, stick: FakeDevice, path: str) -> None:
        opened = open_device(parse_name(path.format(vendor=stick.vendor, product=stick.product)), as_card=True)
        assert opened.device.path == "usb:001:001"
        opened.close()

    def test_a_reader_named_by_its_number_is_another_one_when_it_is_plugged_again(
        self, libusb: FakeLibusb, stick: FakeDevice
    ) -> None:
        open_device(parse_name("usb:001:001"), as_card=True).close()
        libusb.pull(stick)
        libusb.plug(stick)
        with pytest.raises(LinkError, match="name it by vendor and product"):
            open_device(parse_name("usb:001:001"), as_card=True)

    @pytest.mark.usefixtures("stick")
    @pytest.mark.parametrize("path", ["usb:1d6b", "usb:054c:0001", "usb:002", "usb:001:099"])
    def test_another_name_does_not(self, path: str) -> None:
        with pytest.raises(LinkError, match=f"no reader at nfc:{path}"):
            open_device(parse_name(path), as_card=True)


class TestReader:
    """The reader is the phone."""

    @pytest.fixture
    def reader(self, stick: FakeDevice) -> Iterator[NfcReader]:
        end = open_reader(name_of(stick))
        assert isinstance(end, NfcReader)
        yield end
        end.close()

    def test_a_whole_card_is_read(self, stick: FakeDevice, reader: NfcReader) -> None:
        transport = NfcTransport(reader)
        with (
            Emulator(APP, [AirCard(stick.chip, IDENTITY)]),
            httpx2.Client(transport=transport, base_url="http://charger", timeout=20) as client,
        ):
            assert client.get("/long").json() == {"long": LONG}
            assert client.get("/slow").json() == {"slow": True}
            assert client.post("/echo", json=LONG).json() == {"got": LONG}
            assert transport.statistics.activations == 1

    @pytest.mark.parametrize("write", [0, 3])
    def test_unplugged_in_the_middle_of_a_frame_and_plugged_again(
        self, libusb: FakeLibusb, stick: FakeDevice, reader: NfcReader, write: int
    ) -> None:
        with Emulator(APP, [AirCard(stick.chip, IDENTITY)]):
            phone = Phone(reader)
            assert phone.exchange("GET", "/long").status == 200
            stick.pull_at = write
            with pytest.raises(NfcBridgeError, match=rf"reader at {name_of(stick)}.*plug it in"):
                phone.exchange("GET", "/long", connect_timeout=0.2)
        libusb.plug(stick)
        with Emulator(APP, [AirCard(stick.chip, IDENTITY)]):
            assert phone.exchange("GET", "/long").status == 200
        phone.close()

    def test_an_rfid_card_is_looked_for_while_nobody_is_there(self, stick: FakeDevice, open_end: OpenCard) -> None:
        end = open_end(name_of(stick))
        phone = ScriptedPhone(stick)  # type: ignore[arg-type]
        assert end.poll_card(0.01) is None
        rfid = AirCard(stick.chip, CardIdentity(uid=bytes.fromhex("ABCDEF12"), ats=ATS))
        assert end.poll_card(0.01) == bytes.fromhex("ABCDEF12")
        assert not stick.chip.own_field
        rfid.present = False
        phone.activate(end)
        assert end.poll_card(0.01) is None  # a phone is there
        assert phone.ask(end, SELECT, OK) == OK


@pytest.mark.parametrize("may", [True, False])
def test_on_linux_the_file_of_a_device_says_who_may_use_it(monkeypatch: pytest.MonkeyPatch, may: bool) -> None:
    wanted = ("/dev/bus/usb/003/014", os.R_OK | os.W_OK)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.access", lambda *asked: asked == wanted and may)
    assert may_be_used(3, 14) is may


def test_elsewhere_it_is_told_when_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert may_be_used(3, 14)
