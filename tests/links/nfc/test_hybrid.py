"""The reader of a charge point as the product has it: cards and phones in turn, on fake devices, on a driven clock."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nfcbridge.charger.point.effects import TagRead
from nfcbridge.charger.point.hmi import HmiState
from nfcbridge.charger.point.reader_states import ReaderState
from nfcbridge.client.session import Session
from nfcbridge.client.transport import NfcTransport
from nfcbridge.errors import LinkClosedError, LinkTimeoutError
from nfcbridge.links import CardIdentity, FieldOff, Frame
from nfcbridge.links.link import CardLooker, looker_of
from nfcbridge.links.nfc import dialogue, outage
from nfcbridge.links.nfc.card import NfcCard
from nfcbridge.server import card_looks, door
from nfcbridge.server import events as told
from nfcbridge.testing.charger import Charger
from nfcbridge.testing.settings import ChargerSettings
from tests.links.nfc.air import AirCard, AirReader
from tests.links.nfc.conftest import IDENTITY, OpenCard
from tests.links.nfc.fake_libusb import FakeDevice, FakeLibusb
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.test_card import ATS, OK, RATS, SELECT, receive
from tests.links.nfc.test_card import Phone as ScriptedPhone
from tests.links.nfc.test_usb import KINDS, name_of
from tests.links.running import PATIENCE

CARD = bytes.fromhex("ABCDEF12")
PASSWORD = "secret"


def until(true: Callable[[], bool]) -> None:
    """Wait for what threads do."""
    give_up = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.002)


class Post:
    """A charge post: a charger whose card reader is a device, and what people hold to it."""

    def __init__(self, stick: FakeDevice, trace: Path) -> None:
        self.chip = stick.chip
        settings = ChargerSettings(uid=IDENTITY.uid, passwords={"operator": PASSWORD})
        self.charger = Charger(settings, trace, name_of(stick))
        self.cards: list[AirCard] = []

    def hold(self, uid: bytes = CARD) -> AirCard:
        card = AirCard(self.chip, CardIdentity(uid=uid, ats=ATS))
        self.cards.append(card)
        return card

    def take_away(self) -> None:
        for card in self.cards:
            card.present = False
            self.chip.cards.remove(card)
        self.cards.clear()

    def phone(self) -> Session:
        return Session(NfcTransport(AirReader(self.chip)), "operator", PASSWORD)

    def read(self) -> list[told.CardRead]:
        return [event for event in self.charger.events if isinstance(event, told.CardRead)]

    def tags(self) -> list[str]:
        return [event.outcome.value for event in self.charger.events if isinstance(event, TagRead)]

    def looks(self) -> int:
        """How often the device was a reader."""
        with self.chip.lock:
            commands: list[int] = list(self.chip.commands)
        return commands.count(0x4A if hasattr(self.chip, "kind") else 0x04)  # InListPassiveTarget, InCommRF

    def looks_on(self) -> None:
        before = self.looks()
        until(lambda: self.looks() > before + 2)

    def finds_tag(self) -> bool:
        try:
            AirReader(self.chip).activate(0.1)
        except LinkTimeoutError:
            return False
        finally:
            self.chip.lose_field()
        return True

    def hmi(self) -> HmiState:
        return self.charger.state.hmi

    @property
    def reader(self) -> ReaderState:
        return self.charger.state.reader


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_looks, "LISTEN", 0.03)
    monkeypatch.setattr(card_looks, "REST", 0.01)
    monkeypatch.setattr(card_looks, "HELD", 0.3)
    monkeypatch.setattr(door, "LOOK", 0.01)
    monkeypatch.setattr(door, "RETRY", 0.02)
    monkeypatch.setattr(outage, "REOPEN", 0.02)
    monkeypatch.setattr(dialogue, "AWAY", 0.05)


@pytest.fixture(name="libusb")
def install_libusb(monkeypatch: pytest.MonkeyPatch) -> FakeLibusb:
    bus = FakeLibusb()
    bus.install(monkeypatch)
    return bus


@pytest.fixture(name="stick", params=["rcs380", "pn533"])
def plug_a_stick(libusb: FakeLibusb, request: pytest.FixtureRequest) -> FakeDevice:
    return libusb.plug(KINDS[request.param]())


@pytest.fixture
def post(stick: FakeDevice, tmp_path: Path) -> Iterator[Post]:
    post = Post(stick, tmp_path / "trace.jsonl")
    with post.charger.emulator, post.charger.api:
        yield post


class TestHybrid:
    """The setting that serves both."""

    def test_a_card_is_read_once_however_long_it_is_held_and_again_when_it_comes_back(self, post: Post) -> None:
        for times in (1, 2):
            post.hold()
            until(lambda times=times: len(post.read()) == times)  # type: ignore[misc]
            post.looks_on()
            post.looks_on()
            assert post.tags() == ["rejected"] * times
            post.take_away()
            time.sleep(card_looks.HELD)  # the reader's clock, not the charger's
        assert [(event.octets, event.outcome) for event in post.read()] == [(4, "rejected")] * 2

    def test_an_unknown_card_is_refused_on_the_hmi_and_a_known_one_authorizes(self, post: Post) -> None:
        post.hold()
        until(lambda: bool(post.read()))
        assert post.hmi() is HmiState.AUTHORIZATION_FAILED
        post.take_away()
        client = post.charger.api
        client.login("operator")
        added = client.post("/whitelist", json={"type": "local", "command": "add", "tags": [{"id": CARD.hex()}]})
        assert added.json()["success"], added.text
        time.sleep(card_looks.HELD)
        post.hold()
        until(lambda: len(post.read()) == 2)
        assert post.read()[-1].outcome == "accepted"
        assert post.charger.state.auth_state.value == "authorized_for_charging"

    def test_no_event_has_the_uid(self, post: Post) -> None:
        post.hold()
        until(lambda: bool(post.read()))
        assert not [event for event in post.charger.events if CARD.hex() in repr(event).lower()]
        post.charger.emulator.flush()
        assert CARD.hex() not in post.charger.trace_file.read_text().lower()

    def test_a_phone_is_served_between_looks_and_nothing_is_looked_for_until_a_minute_after_it(
        self, post: Post
    ) -> None:
        with post.phone() as session:
            assert session.request("GET", "/system_state").status_code == 200
            until(lambda: post.reader is ReaderState.SERVING)
            assert post.hmi() is HmiState.READING_CARD
            looked = post.looks()
            for _ in range(3):
                assert session.request("GET", "/system_state").status_code == 200
        post.hold()
        until(lambda: any(isinstance(event, told.PhoneLeft) for event in post.charger.events))
        post.charger.advance(59)
        time.sleep(0.1)
        assert post.looks() == looked
        assert not post.read()
        post.charger.advance(2)
        assert post.reader is ReaderState.LOOKING
        until(lambda: bool(post.read()))
        assert post.hmi() is HmiState.AUTHORIZATION_FAILED

    def test_pairing_enabled_by_a_phone_reads_the_card_at_once(self, post: Post) -> None:
        with post.phone() as session:
            assert session.request("POST", "/whitelist/pairing").json()["success"]
            until(lambda: post.reader is ReaderState.SERVING)
        post.hold()
        until(lambda: bool(post.read()))
        assert post.read()[0].outcome == "paired, unknown"
        post.take_away()
        with post.phone() as session:
            assert CARD.hex() in session.request("GET", "/whitelist/pairing").text
        looked = post.looks()
        time.sleep(0.1)
        assert post.looks() == looked  # it is paired, and a phone was served

    def test_a_random_uid_is_told_once_and_swipes_nothing(self, post: Post) -> None:
        post.hold(bytes.fromhex("08112233"))
        until(lambda: bool(post.read()))
        assert "UID is random" in post.read()[0].outcome
        post.take_away()
        post.hold(bytes.fromhex("08445566"))
        post.looks_on()
        assert len(post.read()) == 1
        assert post.tags() == []

    def test_a_phone_that_comes_at_any_moment_finds_the_tag(self, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dialogue, "LOOK_AT_FIELD", 0.05)  # a phone that goes after its RATS is found out so
        for nth in range(12):
            time.sleep(0.003 * nth)
            air = AirReader(post.chip)
            air.activate(PATIENCE)
            assert air.transceive(RATS, PATIENCE)
            air.field_off()

    @pytest.mark.parametrize("write", range(0, 14, 3))
    def test_a_reader_that_is_pulled_during_a_look_is_told_once_and_does_both_again(
        self, post: Post, libusb: FakeLibusb, stick: FakeDevice, write: int
    ) -> None:
        post.looks_on()
        stick.pull_at = write
        until(lambda: any(isinstance(event, told.LinkFailed) for event in post.charger.events))
        time.sleep(0.05)
        libusb.plug(stick)
        post.hold()
        until(lambda: bool(post.read()))
        post.take_away()
        with post.phone() as session:
            assert session.request("GET", "/system_state").status_code == 200
        assert sum(isinstance(event, told.LinkFailed) for event in post.charger.events) == 1

    def test_a_controller_that_starts_reads_nothing(self, post: Post) -> None:
        post.charger.power_cycle()
        assert post.reader is ReaderState.OFF
        until(lambda: not post.finds_tag())
        looked = post.looks()
        time.sleep(0.1)
        assert post.looks() == looked
        post.charger.advance(10)
        post.looks_on()
        assert post.finds_tag()


class TestRfidOnly:
    """The product's default: no tag for phones."""

    @pytest.fixture(autouse=True)
    def set_rfid_only(self, post: Post) -> None:
        self.set_mode(post, "RFID only")
        until(lambda: not post.finds_tag())

    @staticmethod
    def set_mode(post: Post, mode: str) -> None:
        post.charger.api.login("operator")
        answer = post.charger.api.post("/settings", json={"params": [{"key": "RfidMode_rfid", "value": mode}]})
        assert answer.json()["params"] == [{"key": "RfidMode_rfid", "value": mode}]

    def test_cards_are_read_and_phones_find_nothing(self, post: Post) -> None:
        assert post.reader is ReaderState.RFID_ONLY
        post.looks_on()
        assert not post.finds_tag()
        post.hold()
        until(lambda: bool(post.read()))
        assert post.tags() == ["rejected"]

    def test_back_in_hybrid_phones_find_the_tag(self, post: Post) -> None:
        self.set_mode(post, "RFID/NFC hybrid")
        until(post.finds_tag)
        with post.phone() as session:
            assert session.request("GET", "/system_state").status_code == 200

    def test_a_reader_that_is_pulled_and_plugged_is_told_once_and_reads_cards_again(
        self, post: Post, libusb: FakeLibusb, stick: FakeDevice
    ) -> None:
        libusb.pull(stick)
        until(lambda: any(isinstance(event, told.LinkFailed) for event in post.charger.events))
        time.sleep(0.1)
        libusb.plug(stick)
        post.hold()
        until(lambda: bool(post.read()))
        assert sum(isinstance(event, told.LinkFailed) for event in post.charger.events) == 1
        assert not post.finds_tag()


class TestEnd:
    """The card end alone."""

    @pytest.fixture
    def end(self, stick: FakeDevice, open_end: OpenCard) -> NfcCard:
        return open_end(name_of(stick))

    @pytest.fixture
    def phone(self, stick: FakeDevice, end: NfcCard) -> ScriptedPhone:
        assert isinstance(end, CardLooker)
        assert looker_of(end) is end
        return ScriptedPhone(stick)  # type: ignore[arg-type]  # all that it asks of a board is its chip

    def test_withdrawn_it_is_no_tag_and_waits_in_vain(self, end: NfcCard, phone: ScriptedPhone) -> None:
        end.withdraw()
        end.withdraw()
        with pytest.raises(LinkTimeoutError):
            phone.air.activate(0.02)
        assert end.receive(0.01) is None
        end.send(OK)
        end.halt()
        end.lose_field()
        with pytest.raises(LinkTimeoutError):
            phone.air.activate(0.02)
        end.offer()
        phone.activate(end)
        assert phone.ask(end, SELECT, OK) == OK

    def test_a_phone_that_is_there_loses_it(self, end: NfcCard, phone: ScriptedPhone) -> None:
        phone.activate(end)
        assert phone.ask(end, SELECT, OK) == OK  # the chip waits for the next frame
        end.withdraw()
        assert phone.air.transceive(SELECT, 0.01) is None
        end.offer()
        phone.air.field_off()
        assert end.receive(0.01) is None  # nothing to be told
        phone.activate(end)
        phone.begin(lambda air: air.transceive(SELECT, 0.02))
        assert receive(end) == Frame(SELECT)  # the chip waits for our answer
        end.withdraw()
        assert phone.end() is None
        end.offer()
        phone.air.field_off()
        phone.activate(end)

    def test_cards_are_found_while_it_is_withdrawn_and_it_stays_so(
        self, stick: FakeDevice, end: NfcCard, phone: ScriptedPhone
    ) -> None:
        end.withdraw()
        AirCard(stick.chip, CardIdentity(uid=CARD, ats=ATS))
        for _ in range(3):
            assert end.poll_card(0) == CARD
        with pytest.raises(LinkTimeoutError):
            phone.air.activate(0.02)

    def test_a_phone_that_has_come_is_not_disturbed_by_a_look(self, end: NfcCard, phone: ScriptedPhone) -> None:
        phone.air.activate(PATIENCE)
        phone.begin(lambda air: air.transceive(RATS, PATIENCE))
        until(lambda: end._dialogue.chip.wait(0))  # noqa: SLF001 - its RATS is there, and nobody has taken it
        assert end.poll_card(0.01) is None
        receive(end)
        assert receive(end) == Frame(RATS)
        end.send(ATS)
        assert phone.end() == ATS

    def test_a_reader_that_comes_back_while_it_is_withdrawn_stays_so(
        self, libusb: FakeLibusb, stick: FakeDevice, end: NfcCard, phone: ScriptedPhone
    ) -> None:
        end.withdraw()
        libusb.pull(stick)
        with pytest.raises(Exception, match="plug it in"):
            end.poll_card(0.01)
        assert end.poll_card(0.01) is None
        libusb.plug(stick)
        AirCard(stick.chip, CardIdentity(uid=CARD, ats=ATS))
        until(lambda: end.poll_card(0.01) == CARD)
        with pytest.raises(LinkTimeoutError):
            phone.air.activate(0.02)
        end.offer()
        stick.chip.cards.clear()
        phone.activate(end)

    def test_a_reader_that_is_gone_can_be_withdrawn_and_offered(
        self, libusb: FakeLibusb, stick: FakeDevice, end: NfcCard, phone: ScriptedPhone
    ) -> None:
        libusb.pull(stick)
        with pytest.raises(Exception, match="plug it in"):
            end.receive(PATIENCE)
        end.withdraw()
        end.offer()
        libusb.plug(stick)
        until(lambda: end.receive(0.01) is None and end.opened is not None)
        phone.activate(end)
        phone.air.field_off()
        assert receive(end) == FieldOff()

    def test_a_closed_one_is_neither(self, end: NfcCard) -> None:
        end.close()
        end.withdraw()
        end.offer()
        with pytest.raises(LinkClosedError):
            end.poll_card(0)

    def test_a_wait_ends_with_close(self, end: NfcCard) -> None:
        import threading

        end.withdraw()
        timer = threading.Timer(0.02, end.close)
        timer.start()
        with pytest.raises(LinkClosedError):
            end.receive(None)
        timer.join()


def test_the_simulation_of_nfcpy_has_no_cards(open_end: OpenCard) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    end = open_end(f"nfc:udp:127.0.0.1:{port}", IDENTITY)
    assert end.poll_card(0.01) is None


@pytest.mark.parametrize("picc", ["", "?picc"])
def test_a_pn532_looks_too_and_is_the_tag_again_in_either_of_its_ways(
    board: FakePn532, open_end: OpenCard, picc: str
) -> None:
    end = open_end(board.name + picc)
    card = AirCard(board.chip, CardIdentity(uid=CARD, ats=ATS))
    for _ in range(3):
        assert end.poll_card(0) == CARD
        assert not board.chip.own_field
    end.withdraw()
    assert end.poll_card(0) == CARD
    assert board.chip.waits_for() is None
    card.present = False
    end.offer()
    air = AirReader(board.chip)
    assert air.activate(PATIENCE).uid == IDENTITY.uid
    assert board.chip.picc is bool(picc)
