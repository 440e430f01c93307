"""The card in vsmartcard's virtual reader. The driver is a plain socket here that writes in two pieces as vpcd does."""

import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import ConfigError, LinkClosedError, LinkError, LocalProtocolError
from nfcbridge.links import CardIdentity, CardSelected, FieldOff, Frame, Level, open_card, socket_card
from nfcbridge.links import vpcd as vpcd_module
from nfcbridge.links.socket_card import SocketCard, connect_to_port
from nfcbridge.links.vpcd import VpcdTalk, make_atr
from tests.links.running import IDENTITY, PATIENCE, RunningCard, echo
from tests.links.test_both_ends import wait_for_close

OFF: Final = b"\x00"
ON: Final = b"\x01"
RESET: Final = b"\x02"
ATR: Final = b"\x04"
SELECT: Final = bytes.fromhex("00A4040007D276000085010100")
OUR_ATS: Final = bytes.fromhex("0B788042028054 6E66 6362")
OUR_ATR: Final = bytes.fromhex("3B86800180546E666362DA")


class Driver:
    """The driver's side of one slot."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE)
        self._stack = ExitStack()
        self._stack.enter_context(self._server)
        self._sock: socket.socket | None = None
        self.port: int = self._server.getsockname()[1]
        self.name = f"vpcd:127.0.0.1:{self.port}"

    @property
    def sock(self) -> socket.socket:
        assert self._sock is not None
        return self._sock

    def accept(self) -> Self:
        """Take the card that has connected."""
        self._sock = self._stack.enter_context(self._server.accept()[0])
        self._sock.settimeout(PATIENCE)
        return self

    def write(self, *messages: bytes) -> None:
        for message in messages:
            self.sock.sendall(struct.pack(">H", len(message)))
            self.sock.sendall(message)

    def read(self) -> bytes:
        (size,) = struct.unpack(">H", self._read(2))
        return self._read(size)

    def _read(self, size: int) -> bytes:
        octets = b""
        while len(octets) < size:
            more = self.sock.recv(size - len(octets))
            assert more, "the card left"
            octets += more
        return octets

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def driver() -> Iterator[Driver]:
    with Driver() as it:
        yield it


@pytest.fixture
def card(driver: Driver) -> Iterator[SocketCard]:
    end = open_card(driver.name, CardIdentity(uid=bytes(4), ats=OUR_ATS))
    assert isinstance(end, SocketCard)
    driver.accept()
    yield end
    end.close()


@pytest.mark.parametrize(
    ("historical", "atr"),
    [
        # Of real cards, from the list of pcsc-tools.
        ("", "3B80800101"),
        ("80", "3B8180018080"),  # NXP DESFire
        ("00009000", "3B8480010000900095"),  # a German passport of 2010
        ("0000000000000000", "3B8880010000000000000000 09"),  # a German identity card
        # By hand.
        ("80546E666362", "3B86800180546E666362DA"),
        ("00" * 15, "3B8F8001" + "00" * 15 + "0E"),
    ],
)
def test_the_atr_holds_the_historical_octets(historical: str, atr: str) -> None:
    assert make_atr(bytes.fromhex(historical)) == bytes.fromhex(atr)


@given(historical=st.binary(max_size=15))
def test_the_octets_of_an_atr_after_the_first_sum_up_to_nothing(historical: bytes) -> None:
    total = 0
    for octet in make_atr(historical)[1:]:
        total ^= octet
    assert total == 0


def test_more_historical_octets_than_an_atr_holds_are_refused_before_connecting(driver: Driver) -> None:
    with pytest.raises(ConfigError, match="15 historical octets, the ATS has 16"):
        open_card(driver.name, CardIdentity(uid=bytes(4), ats=b"\x12\x08" + bytes(16)))


def test_the_card_says_what_it_is(card: SocketCard, driver: Driver) -> None:
    assert (card.name, card.level, card.link_sends_ats) == (driver.name, Level.APDUS, True)


def test_power_and_commands_arrive_in_order(card: SocketCard, driver: Driver) -> None:
    driver.write(ATR, ON, ATR, SELECT)
    assert card.receive(PATIENCE) == CardSelected(None)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.send(b"\x90\x00")
    assert [driver.read() for _ in range(3)] == [OUR_ATR, OUR_ATR, b"\x90\x00"]
    driver.write(RESET, OFF)
    assert card.receive(PATIENCE) == CardSelected(None)
    assert card.receive(PATIENCE) == FieldOff()


def test_power_that_was_off_does_not_go_off(card: SocketCard, driver: Driver) -> None:
    driver.write(OFF, ON, OFF, OFF, ON)
    assert [card.receive(PATIENCE) for _ in range(3)] == [CardSelected(None), FieldOff(), CardSelected(None)]


@pytest.mark.parametrize("octets", [b"\x03", b"\x05", b"\x60", b"\xff", b"\x00\x00", b"\x04\x04"])
def test_what_is_no_control_is_a_command_that_gets_its_answer(card: SocketCard, driver: Driver, octets: bytes) -> None:
    driver.write(octets)
    assert card.receive(PATIENCE) == Frame(octets)
    card.send(b"\x67\x00")
    assert driver.read() == b"\x67\x00"


def test_an_empty_message_is_ignored(card: SocketCard, driver: Driver) -> None:
    driver.write(b"", SELECT)
    assert card.receive(PATIENCE) == Frame(SELECT)


def test_messages_are_put_together_from_single_octets(card: SocketCard, driver: Driver) -> None:
    stream = b"\x00\x01\x01\x00\x0d" + SELECT
    for octet in stream[:-1]:
        driver.sock.sendall(bytes([octet]))
    assert card.receive(PATIENCE) == CardSelected(None)
    assert card.receive(0.001) is None
    driver.sock.sendall(stream[-1:])
    assert card.receive(PATIENCE) == Frame(SELECT)


def test_the_longest_command_and_answer_cross(card: SocketCard, driver: Driver) -> None:
    longest = bytes(range(256)) * 256
    with RunningCard(card, echo):
        driver.write(longest[:-1])
        assert driver.read() == longest[:-1]
        with pytest.raises(LocalProtocolError, match="65535"):
            card.send(longest)


def test_a_second_answer_is_dropped_since_it_would_put_vpcd_out_of_step(card: SocketCard, driver: Driver) -> None:
    card.send(b"\x6f\x00")
    driver.write(SELECT)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.send(b"\x90\x00")
    card.send(b"\x6f\x00")
    driver.write(ATR, ON)
    assert card.receive(PATIENCE) == CardSelected(None)
    assert [driver.read(), driver.read()] == [b"\x90\x00", OUR_ATR]


def test_there_is_nothing_to_halt(card: SocketCard, driver: Driver) -> None:
    card.halt()
    driver.write(SELECT)
    assert card.receive(PATIENCE) == Frame(SELECT)


def test_to_look_takes_no_time_and_finds_what_is_there(card: SocketCard, driver: Driver) -> None:
    assert card.receive(0) is None
    assert card.receive(-1) is None
    driver.write(ON)
    assert card.receive(0) == CardSelected(None)


def test_a_short_look_does_not_shorten_the_time_that_an_answer_has(driver: Driver) -> None:
    sock = connect_to_port("127.0.0.1", driver.port)
    # Less than the answer, so that the card has to wait for the driver's reads.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    card = SocketCard(sock, lambda: pytest.fail("the connection broke"), VpcdTalk(b""), driver.name)
    driver.accept().sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    driver.write(SELECT)
    assert card.receive(0) == Frame(SELECT)
    thread = threading.Thread(target=card.send, args=(bytes(0xFFFF),), daemon=True)
    thread.start()
    assert driver.read() == bytes(0xFFFF)
    thread.join(PATIENCE)
    card.close()


def test_commands_in_two_writes_do_not_wait_for_delayed_acknowledgements(card: SocketCard, driver: Driver) -> None:
    driver.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    with RunningCard(card, echo):
        driver.write(SELECT)
        assert driver.read() == SELECT
        began = time.monotonic()
        for _ in range(100):
            driver.write(SELECT)
            assert driver.read() == SELECT
        # A delayed acknowledgement takes 40 ms, so 100 of them 4 s.
        assert time.monotonic() - began < 2


def test_our_writes_do_not_wait_for_acknowledgements_either(driver: Driver) -> None:
    with connect_to_port("127.0.0.1", driver.port) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_without_quickack_it_works_too(card: SocketCard, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_card, "_QUICKACK", None)
    driver.write(ON)
    assert card.receive(PATIENCE) == CardSelected(None)


def test_nobody_there_says_what_to_install() -> None:
    with Driver() as gone:
        pass
    with pytest.raises(LinkError, match=r"no vpcd at 127\.0\.0\.1:\d+ .*apt-get install pcscd vsmartcard-vpcd"):
        open_card(gone.name, IDENTITY)


def test_a_connection_that_met_itself_is_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect_to_itself(_address: tuple[str, int], _timeout: float) -> socket.socket:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        return sock

    monkeypatch.setattr(socket, "create_connection", connect_to_itself)
    with pytest.raises(LinkError, match="no vpcd"):
        open_card("vpcd", IDENTITY)


@pytest.mark.parametrize("address", ["vpcd", "vpcd:", "vpcd:127.0.0.1", "vpcd::35963"])
def test_what_is_left_out_takes_the_default(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(where: tuple[str, int], _timeout: float) -> socket.socket:
        asked.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(LinkError):
        open_card(address, IDENTITY)
    assert asked == [("127.0.0.1", 35963)]


@pytest.mark.parametrize("reset", [False, True])
def test_vpcd_that_leaves_takes_the_power_and_gives_it_back(
    card: SocketCard, driver: Driver, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    driver.write(ON)
    assert card.receive(PATIENCE) == CardSelected(None)
    if reset:
        driver.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    driver.sock.close()
    assert card.receive(PATIENCE) == FieldOff()
    assert card.receive(0.001) is None  # connects again
    driver.accept().write(ATR, ON)
    assert card.receive(PATIENCE) == CardSelected(None)
    assert driver.read() == OUR_ATR
    assert [record.getMessage().partition(" " + driver.name)[0] for record in caplog.records] == [
        "vpcd left",
        "vpcd is there again at",
    ]


def test_half_a_message_of_a_broken_connection_is_forgotten(card: SocketCard, driver: Driver) -> None:
    driver.sock.sendall(b"\x00\x0d\x00")
    driver.sock.close()
    assert card.receive(0.001) is None
    assert card.receive(0.001) is None
    driver.accept().write(ON)
    assert card.receive(PATIENCE) == CardSelected(None)


def test_what_vpcd_said_before_it_left_is_heard(card: SocketCard, driver: Driver) -> None:
    driver.write(ON, SELECT)
    driver.sock.close()
    assert [card.receive(PATIENCE) for _ in range(3)] == [CardSelected(None), Frame(SELECT), FieldOff()]
    card.send(b"\x90\x00")  # nobody is there


def test_an_answer_to_a_reader_that_left_goes_nowhere(card: SocketCard, driver: Driver) -> None:
    driver.write(ON, SELECT, SELECT)
    assert card.receive(PATIENCE) == CardSelected(None)
    driver.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert card.receive(PATIENCE) == Frame(SELECT)
    driver.sock.close()
    card.send(b"\x90\x00")
    assert card.receive(PATIENCE) == FieldOff()


def test_an_answer_that_meets_a_close_goes_nowhere(driver: Driver) -> None:
    class ClosingTalk(VpcdTalk):
        def answer(self, response: bytes) -> bytes:
            end.close()  # as another thread may
            return response

    sock = connect_to_port("127.0.0.1", driver.port)
    end = SocketCard(sock, lambda: pytest.fail("the connection broke"), ClosingTalk(b""), driver.name)
    driver.accept()
    end.send(b"\x90\x00")
    assert driver.sock.recv(1) == b""


def test_until_vpcd_is_back_the_card_looks_for_it_within_its_time(
    card: SocketCard, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.close()
    monkeypatch.setattr(socket_card, "RECONNECT_INTERVAL", 0.001)
    assert card.receive(0.01) is None
    with socket.create_server(("127.0.0.1", driver.port)) as server:
        assert card.receive(0.01) is None
        server.settimeout(PATIENCE)
        server.accept()[0].close()


def test_a_card_that_looks_for_vpcd_learns_that_it_was_closed(card: SocketCard, driver: Driver) -> None:
    driver.close()
    wait_for_close(lambda: card.receive(None), card.close)


def test_a_waiting_card_learns_that_it_was_closed(card: SocketCard, driver: Driver) -> None:
    driver.write(ON)
    assert card.receive(PATIENCE) == CardSelected(None)  # so vpcd is known to be there, and the wait is without end
    wait_for_close(lambda: card.receive(None), card.close)
    assert driver.sock.recv(1) == b""
    card.close()
    with pytest.raises(LinkClosedError):
        card.receive(0)
    with pytest.raises(LinkClosedError):
        card.send(b"\x90\x00")


def test_a_lifted_phone_is_a_card_that_left_and_came_back(card: SocketCard, driver: Driver) -> None:
    driver.write(ON, SELECT)
    assert card.receive(PATIENCE) == CardSelected(None)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.lose_field()
    card.send(b"\x90\x00")
    assert driver.sock.recv(1) == b""
    assert card.receive(0.001) is None
    driver.accept().write(ON)
    assert card.receive(PATIENCE) == CardSelected(None)


def test_an_answer_to_a_command_of_a_broken_connection_is_dropped(card: SocketCard, driver: Driver) -> None:
    driver.write(SELECT)
    assert card.receive(PATIENCE) == Frame(SELECT)
    card.lose_field()
    assert card.receive(0.001) is None
    driver.accept()
    card.send(b"\x90\x00")
    driver.write(ATR, ON)
    assert card.receive(PATIENCE) == CardSelected(None)
    assert driver.read() == OUR_ATR


@pytest.mark.usefixtures("card")
def test_a_slot_that_stays_silent_is_told_once(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another card has the slot: vpcd leaves the second connection in its queue."""
    monkeypatch.setattr(vpcd_module, "SILENCE_ALLOWED", 0.001)
    with ExitStack() as stack:
        second = open_card(driver.name, IDENTITY)
        stack.callback(second.close)
        assert second.receive(0.01) is None
        assert second.receive(0.01) is None
        assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
            (
                logging.WARNING,
                f"vpcd at {driver.name} is silent: another card has this slot; close it or take the next",
            )
        ]
        driver.accept().write(ON)
        assert second.receive(None) == CardSelected(None)


def test_a_slot_that_speaks_is_not_complained_about(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(vpcd_module, "SILENCE_ALLOWED", 0.0)
    with ExitStack() as stack:
        card = open_card(driver.name, IDENTITY)
        stack.callback(card.close)
        driver.accept().write(ON)
        assert card.receive(None) == CardSelected(None)
        assert card.receive(0.001) is None
    assert not caplog.records
