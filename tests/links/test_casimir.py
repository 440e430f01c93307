"""The tag in casimir's radio. The hub is a plain socket here; packets are literal, by its rf_packets.pdl."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge import links
from nfcbridge.client.phone import Phone
from nfcbridge.errors import ConfigError, LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.links import (
    LINKS,
    CardIdentity,
    CardSelected,
    FieldOff,
    Frame,
    Incoming,
    Level,
    casimir,
    open_card,
    socket_card,
)
from nfcbridge.links.casimir import MAX_FRAME
from nfcbridge.links.casimir_packets import NEW_HEADER, OLD_HEADER, Packet, header_size
from nfcbridge.links.socket_card import SocketCard, connect_to_port
from nfcbridge.server.emulator import Emulator
from tests.links.fake_casimir import Hub, HubPhone
from tests.links.running import PATIENCE
from tests.server.hall import Hall

UID = bytes.fromhex("08A1B2C3")
ATS = bytes.fromhex("0578804202")
SELECT = bytes.fromhex("00A4040007D276000085010100")

# sender 0007, receiver FFFF or the tag's 0102, technology, protocol, type; in the new header bit rate 00, power FF
POLL = "0700 FFFF 00 00 01"
POLL_WITH_WUPA = "0700 FFFF 00 00 01 00 52"
NEW_POLL = "0700 FFFF 00 00 01 00FF 00"
NEW_POLL_WITH_WUPA = "0700 FFFF 00 00 01 00FF 00 52"
POLLED = "0201 0700 00 00 02 04 08A1B2C3 01 04"
NEW_POLLED = "0201 0700 00 00 02 00FF 04 08A1B2C3 01 04"
T4AT_SELECT = "0700 0201 00 04 03 80"
NEW_T4AT_SELECT = "0700 0201 00 04 03 00FF 80"
SELECTED = "0201 0700 00 04 04 04 78804202"
NEW_SELECTED = "0201 0700 00 04 04 00FF 04 78804202"
COMMAND = "0700 0201 00 04 00" + SELECT.hex()
RESPONSE = "0201 0700 00 04 00 9000"
PRESENCE = "0700 0201 00 04 00"
PRESENT = "0201 0700 00 04 00"
DEACTIVATE = "0700 0201 00 04 05 00 00"
GONE = "0700 0201 00 00 05 03 02"  # the hub tells everybody of a connection that ended: discovery, RF link loss


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as it:
        yield it


@pytest.fixture
def card(hub: Hub) -> Iterator[SocketCard]:
    end = open_card(hub.name, CardIdentity(uid=UID, ats=ATS))
    assert isinstance(end, SocketCard)
    hub.accept()
    yield end
    end.close()


def select(hub: Hub, card: SocketCard) -> None:
    hub.send(T4AT_SELECT)
    assert card.receive(PATIENCE) == CardSelected(256)
    assert hub.read() == octets(SELECTED)


def test_a_poll_is_answered_with_the_uid_and_a_select_with_the_ats_from_t0(hub: Hub, card: SocketCard) -> None:
    hub.send(POLL, T4AT_SELECT, COMMAND)
    assert card.receive(PATIENCE) == CardSelected(256)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.send(b"\x90\x00")
    assert [hub.read() for _ in range(3)] == [octets(POLLED), octets(SELECTED), octets(RESPONSE)]


def test_the_header_of_nine_octets_is_known_by_the_poll_and_answered_in_kind(hub: Hub, card: SocketCard) -> None:
    hub.send(NEW_POLL, NEW_T4AT_SELECT, "0700 0201 00 04 00 00FF" + SELECT.hex())
    assert card.receive(PATIENCE) == CardSelected(256)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.send(b"\x90\x00")
    replies = [hub.read() for _ in range(3)]
    assert replies == [octets(NEW_POLLED), octets(NEW_SELECTED), octets("0201 0700 00 04 00 00FF 9000")]


@pytest.mark.parametrize(
    ("packet", "header"),
    [
        (POLL, OLD_HEADER),
        (POLL + "00", OLD_HEADER),
        (POLL_WITH_WUPA, OLD_HEADER),
        (NEW_POLL, NEW_HEADER),
        (NEW_POLL_WITH_WUPA, NEW_HEADER),
        (T4AT_SELECT, OLD_HEADER),
        (NEW_T4AT_SELECT, NEW_HEADER),
        (T4AT_SELECT + "00", None),
        ("0700 FFFF 01 00 01", None),  # another technology
        ("0700 0201 00 02 03", None),  # select of a Type 2 Tag
        (COMMAND, None),
        (DEACTIVATE, None),
    ],
)
def test_the_size_of_the_header_shows_in_polls_and_selects_of_ours(packet: str, header: int | None) -> None:
    parsed = Packet.parse(octets(packet))
    assert parsed is not None
    assert header_size(parsed) == header


def test_a_select_without_a_poll_wakes_the_tag_in_the_version_that_it_shows(hub: Hub, card: SocketCard) -> None:
    hub.send(NEW_T4AT_SELECT)
    assert card.receive(PATIENCE) == CardSelected(256)
    assert hub.read() == octets(NEW_SELECTED)
    hub.send(T4AT_SELECT)
    assert card.receive(PATIENCE) == CardSelected(256)
    assert hub.read() == octets(SELECTED)


@pytest.mark.parametrize(("parameter", "fsd"), [("00", 16), ("50", 64), ("80", 256), ("F0", 256)])
def test_the_frame_size_of_the_phone_is_that_of_its_rats(hub: Hub, card: SocketCard, parameter: str, fsd: int) -> None:
    hub.send(T4AT_SELECT[:-2] + parameter)
    assert card.receive(PATIENCE) == CardSelected(fsd)


def test_a_presence_check_is_answered_in_kind_and_never_passed_on(hub: Hub, card: SocketCard) -> None:
    select(hub, card)
    hub.send(PRESENCE, PRESENCE, COMMAND)
    assert card.receive(PATIENCE) == Frame(SELECT)
    assert [hub.read(), hub.read()] == [octets(PRESENT)] * 2


@pytest.mark.parametrize(
    "packet",
    [
        "0700 FFFF 01 00 01",  # polls of NFC-B, NFC-F, NFC-V
        "0700 FFFF 02 00 01",
        "0700 FFFF 03 00 01",
        "0700 0201 00 02 03",  # select of a Type 2 Tag
        "0700 0201 00 05 03 00",  # select of NFC-DEP
        "0900 0201 00 04 03 80",  # select by another phone
        "0900 FFFF 00 00 01",  # poll of another phone: a tag that is in use is silent
        "0900 0201 00 04 00 00B00000",  # data of another phone
        "0900 0201 00 00 05 03 02",  # another phone has left
        "0700 0201 00 02 00 00",  # data of another protocol
        "0700 0201 02 04 00 00",  # and of another technology
        "0700 FFFF 00 00 06 01",  # field information of 2026
        "0700 0201 00 04 04 00",  # what only a phone wants
        "0700 0201 00 00 02 00 01 00",
        "0700 0201 00 04 FF",
        "0700 0201 00 04",
        "07",
        "",
    ],
)
def test_what_is_not_for_this_tag_is_ignored(hub: Hub, card: SocketCard, packet: str) -> None:
    select(hub, card)
    hub.send(packet, COMMAND)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.send(b"\x90\x00")
    assert hub.read() == octets(RESPONSE)


@pytest.mark.parametrize("end", [DEACTIVATE, GONE, "0700 0201 00 04 05 01"])
def test_after_a_deactivation_the_tag_is_free_for_another_phone(hub: Hub, card: SocketCard, end: str) -> None:
    select(hub, card)
    hub.send(end)
    assert card.receive(PATIENCE) == FieldOff()
    card.send(b"\x90\x00")  # of a command that nobody waits for
    hub.send(COMMAND, "0900 FFFF 00 00 01", "0900 0201 00 04 03 80")
    assert card.receive(PATIENCE) == CardSelected(256)
    assert hub.read() == octets("0201 0900 00 00 02 04 08A1B2C3 01 04")
    assert hub.read() == octets("0201 0900 00 04 04 04 78804202")


def test_a_phone_that_polls_again_has_lost_the_tag_without_a_word(hub: Hub, card: SocketCard) -> None:
    select(hub, card)
    hub.send(POLL, T4AT_SELECT)
    assert card.receive(PATIENCE) == FieldOff()
    assert card.receive(PATIENCE) == CardSelected(256)
    assert [hub.read(), hub.read()] == [octets(POLLED), octets(SELECTED)]


def test_every_phone_that_polls_is_answered_until_one_selects(hub: Hub, card: SocketCard) -> None:
    hub.send(POLL, "0900 FFFF 00 00 01", "0900 0201 00 04 03 80")
    assert card.receive(PATIENCE) == CardSelected(256)
    assert [hub.read()[2:4].hex() for _ in range(3)] == ["0700", "0900", "0900"]


def test_a_second_answer_to_one_command_is_dropped(hub: Hub, card: SocketCard) -> None:
    select(hub, card)
    hub.send(COMMAND)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.send(b"\x90\x00")
    card.send(b"\x6d\x00")
    hub.send(PRESENCE, COMMAND)
    assert card.receive(PATIENCE) == Frame(SELECT)
    assert [hub.read(), hub.read()] == [octets(RESPONSE), octets(PRESENT)]


def test_the_longest_apdu_passes_whole_and_one_octet_more_is_refused(hub: Hub, card: SocketCard) -> None:
    hub.send(NEW_T4AT_SELECT, octets("0700 0201 00 04 00 00FF") + bytes(MAX_FRAME))
    assert card.receive(PATIENCE) == CardSelected(256)
    assert card.receive(PATIENCE) == Frame(bytes(MAX_FRAME))
    answer = bytes(MAX_FRAME)
    thread = threading.Thread(target=card.send, args=(answer,))
    thread.start()
    assert hub.read() == octets(NEW_SELECTED)
    assert hub.read() == octets("0201 0700 00 04 00 00FF") + answer
    thread.join()
    with pytest.raises(LocalProtocolError):
        card.send(bytes(MAX_FRAME + 1))


def test_a_hub_that_is_restarted_is_joined_again_and_told_of_once(
    hub: Hub, card: SocketCard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_card, "RECONNECT_INTERVAL", 0.001)
    select(hub, card)
    hub.hang_up()
    hub.__exit__(None, None, None)
    with caplog.at_level(logging.WARNING):
        assert card.receive(PATIENCE) == FieldOff()
        assert card.receive(0.02) is None  # a dozen attempts
        assert card.receive(0) is None
        card.send(b"\x90\x00")
        with Hub(hub.port) as again:
            assert card.receive(0.05) is None
            again.accept().send(POLL, T4AT_SELECT)
            assert card.receive(PATIENCE) == CardSelected(256)
    left, back = [record.message for record in caplog.records]
    assert left == f"the hub left {hub.name}: the tag goes back as soon as it is there again"
    assert back == f"the hub is there again at {hub.name}"


def test_a_connection_that_is_reset_is_an_end_like_any_other(hub: Hub, card: SocketCard) -> None:
    select(hub, card)
    hub.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    hub.hang_up()
    assert card.receive(PATIENCE) == FieldOff()


def test_a_lost_field_is_told_to_the_hub_by_leaving_and_coming_back(hub: Hub, card: SocketCard) -> None:
    select(hub, card)
    card.lose_field()
    assert hub.left()
    assert card.receive(0.05) is None  # it is back, and waits
    hub.accept().send(POLL, T4AT_SELECT)
    assert card.receive(PATIENCE) == CardSelected(256)
    card.halt()


def test_a_hub_that_does_not_read_is_gone(hub: Hub, card: SocketCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_card, "SEND_TIMEOUT", 0.01)
    select(hub, card)
    incoming: Incoming | None = None
    for _ in range(200):
        with contextlib.suppress(ConnectionError):
            hub.send(COMMAND)
        incoming = card.receive(PATIENCE)
        if incoming == FieldOff():
            break
        card.send(bytes(MAX_FRAME))
    assert incoming == FieldOff()


def test_close_ends_a_wait_at_once_in_any_state(hub: Hub, card: SocketCard) -> None:
    started = threading.Event()

    def close() -> None:
        started.wait()
        card.close()

    thread = threading.Thread(target=close)
    thread.start()
    started.set()
    with pytest.raises(LinkClosedError):
        card.receive(None)
    thread.join()
    card.close()
    with pytest.raises(LinkClosedError):
        card.receive(0)
    with pytest.raises(LinkClosedError):
        card.send(b"\x90\x00")
    card.lose_field()
    assert hub.left()


def test_a_name_takes_the_port_of_casimir_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def refuse(host: str, port: int) -> socket.socket:
        asked.append((host, port))
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(casimir, "connect_to_port", refuse)
    identity = CardIdentity(uid=UID, ats=ATS)
    for name in ("casimir", "casimir:", "casimir:localhost", "casimir::7900"):
        with pytest.raises(LinkError, match=r"Connection refused.*: start it, or Cuttlefish"):
            open_card(name, identity)
    assert asked == [("127.0.0.1", 7001), ("127.0.0.1", 7001), ("localhost", 7001), ("127.0.0.1", 7900)]
    with pytest.raises(ConfigError):
        open_card("casimir:localhost:x", identity)


def test_a_connection_that_met_itself_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.connect(sock.getsockname())
    monkeypatch.setattr(socket, "create_connection", lambda *_: sock)
    with pytest.raises(ConnectionRefusedError):
        connect_to_port("127.0.0.1", 1)
    assert sock.fileno() == -1


def test_a_unix_socket_is_joined_too(tmp_path: Path) -> None:
    path = str(tmp_path / "rf.sock")
    with pytest.raises(LinkError, match=r"rf\.sock"):
        open_card(f"casimir:{path}", CardIdentity(uid=UID, ats=ATS))
    with Hub(path=path) as hub:
        card = open_card(f"casimir:{path}", CardIdentity(uid=UID, ats=ATS))
        hub.accept().send(POLL, T4AT_SELECT)
        assert (card.name, card.level, card.link_sends_ats) == (hub.name, Level.APDUS, True)
        assert card.receive(PATIENCE) == CardSelected(256)
        card.close()


@pytest.mark.parametrize("header", [7, 9])
def test_a_phone_behind_the_hub_exchanges_messages_with_our_tag(header: int) -> None:
    hall = Hall()
    with Hub() as hub, Emulator(hall.app, [hub.name]):
        phone = Phone(HubPhone(hub.accept(), header=header))
        assert phone.exchange("GET", "/echo?a").status == 200
        assert len(phone.exchange("GET", "/large?30000").content) == 30002
        assert phone.ours
        phone.disconnect()
        assert phone.exchange("POST", "/echo", content=b'"%s"' % (b"x" * 5000)).status == 200
        assert phone.statistics.activations == 2
    assert hall.calls == ["GET /echo", "GET /large", "POST /echo"]


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_no_packets_disturb_the_tag(packets: list[bytes]) -> None:
    with Hub() as hub:
        card = open_card(hub.name, CardIdentity(uid=UID, ats=ATS))
        hub.accept().send(*packets)
        while card.receive(0.001) is not None:
            pass
        hub.send("0700 0201 00 04 05 00 00", POLL, T4AT_SELECT)
        give_up = time.monotonic() + PATIENCE
        while not isinstance(card.receive(0.1), CardSelected):
            assert time.monotonic() < give_up
        card.close()


@pytest.mark.parametrize(("port", "missing"), [(7001, False), (7900, False), (7909, False), (7910, True), (7000, True)])
def test_a_casimir_that_does_not_run_is_told(
    port: int, *, missing: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = tmp_path / "tcp"
    table.write_text(f"  sl  local_address rem_address   st\n   0: 0100007F:{port:04X} 00000000:0000 0A 00000000:0\n")
    monkeypatch.setattr(links, "SOCKETS", (table,))
    kind = LINKS["casimir"]
    assert bool(kind.missing()) is missing
    assert (kind.level, kind.reader) == (Level.APDUS, None)
