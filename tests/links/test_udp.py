"""The UDP air, octet by octet: a plain socket is the other end."""

import errno
import socket
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nfcbridge.errors import ConfigError, FieldLostError, LinkError, LinkTimeoutError
from nfcbridge.links import CardIdentity, CardSelected, FieldOff, Frame, open_card, open_reader
from nfcbridge.links.udp import MAX_DATAGRAM, UdpCard, UdpReader, parse_datagram
from tests.links.running import ATS, IDENTITY, PATIENCE, UID4, RunningCard, activate

SELECT_UID4 = [b"106A 26", b"106A 9320", b"106A 937008A1B2C3D8"]


def make_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(PATIENCE)
    return sock


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with make_socket() as sock:
        yield sock


@pytest.fixture
def card() -> Iterator[UdpCard]:
    end = open_card("udp:127.0.0.1:0", CardIdentity(uid=UID4, ats=ATS))
    assert isinstance(end, UdpCard)
    yield end
    end.close()


def port_of(name: str) -> int:
    return int(name.rpartition(":")[2])


def tell(card: UdpCard, peer: socket.socket, *datagrams: bytes) -> None:
    for datagram in datagrams:
        peer.sendto(datagram, ("127.0.0.1", port_of(card.name)))


def select(card: UdpCard, peer: socket.socket) -> None:
    """Bring the card into its protocol; the peer has read all answers."""
    tell(card, peer, *SELECT_UID4, b"106A e080")
    assert card.receive(PATIENCE) == CardSelected()
    assert card.receive(PATIENCE) == Frame(b"\xe0\x80")
    assert [peer.recv(100) for _ in range(3)] == [b"106A 0400", b"106A 08a1b2c3d8", b"106A 20"]


def hears_nothing(peer: socket.socket) -> bool:
    """Whether nothing waits. The card's thread is ours, so whatever it sent is there."""
    peer.setblocking(False)
    try:
        peer.recv(100)
    except BlockingIOError:
        return True
    finally:
        peer.settimeout(PATIENCE)
    return False


def test_the_card_answers_in_the_letters_of_nfcpy(card: UdpCard, peer: socket.socket) -> None:
    select(card, peer)
    card.send(bytes.fromhex("0578804202"))
    assert peer.recv(100) == b"106A 0578804202"
    tell(card, peer, b"106A 02 ", b"106A 02", b"106A 0200A4")
    assert card.receive(PATIENCE) == Frame(b"\x02")
    assert card.receive(PATIENCE) == Frame(b"\x02\x00\xa4")


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"106A",
        b"106A ",
        b"106A 0",
        b"106A 0g",
        b"106A 02 03",
        b"106A\xff02",
        b"106B 050010",
        b"212F 0600ffff0100",
        b"212A 26",
        b"424A 26",
        b"26",
        b"106a 26",
        b"RFO",
        b"\xff" * 1024,
    ],
)
def test_what_is_no_frame_of_type_a_is_ignored(card: UdpCard, peer: socket.socket, datagram: bytes) -> None:
    tell(card, peer, datagram)
    assert card.receive(0.001) is None
    select(card, peer)
    tell(card, peer, datagram, b"106A 03")
    assert card.receive(PATIENCE) == Frame(b"\x03")
    assert hears_nothing(peer)


def test_a_datagram_is_read_up_to_what_nfcpy_reads(card: UdpCard, peer: socket.socket) -> None:
    select(card, peer)
    longest = b"106A " + b"ab" * 509
    tell(card, peer, longest + b"0", longest + b"ab", longest + b"ab" * 100, longest, b"106A 03")
    assert len(longest) == MAX_DATAGRAM - 1
    assert card.receive(PATIENCE) == Frame(b"\xab" * 509)
    assert card.receive(PATIENCE) == Frame(b"\x03")


@given(octets=st.binary(max_size=MAX_DATAGRAM) | st.binary(max_size=20).map(lambda octets: b"106A " + octets))
@example(b"106A ")
def test_every_datagram_is_a_frame_or_nothing(octets: bytes) -> None:
    frame = parse_datagram(octets)
    if frame is not None:
        assert octets.lower() == b"106a " + frame.hex().encode()


def test_rfoff_ends_the_field_once_and_only_for_its_reader(card: UdpCard, peer: socket.socket) -> None:
    tell(card, peer, b"RFOFF")
    assert card.receive(0.001) is None
    select(card, peer)
    with make_socket() as stranger:
        tell(card, stranger, b"RFOFF")
        assert card.receive(0.001) is None
    tell(card, peer, b"RFOFF", b"RFOFF")
    assert card.receive(PATIENCE) == FieldOff()
    assert card.receive(0.001) is None
    card.send(b"\x90\x00")
    assert hears_nothing(peer)


def test_the_field_of_a_reader_that_only_asked_ends_in_silence(card: UdpCard, peer: socket.socket) -> None:
    tell(card, peer, b"106A 26", b"RFOFF")
    assert card.receive(0.001) is None
    select_again = SELECT_UID4
    assert peer.recv(100) == b"106A 0400"
    tell(card, peer, *select_again)
    assert card.receive(PATIENCE) == CardSelected()


def test_frames_of_a_second_reader_are_ignored(card: UdpCard, peer: socket.socket) -> None:
    select(card, peer)
    with make_socket() as stranger:
        tell(card, stranger, b"106A 02", b"106A 9320", b"106A 5000", b"106A e080")
        assert card.receive(0.001) is None
        card.send(b"\x90\x00")
        assert hears_nothing(stranger)
    assert peer.recv(100) == b"106A 9000"


@pytest.mark.parametrize("request_", [b"106A 26", b"106A 52"])
def test_a_request_of_a_second_reader_takes_the_card_over(card: UdpCard, peer: socket.socket, request_: bytes) -> None:
    select(card, peer)
    with make_socket() as second:
        tell(card, second, request_)
        assert card.receive(PATIENCE) == FieldOff()
        assert second.recv(100) == b"106A 0400"
        tell(card, peer, b"106A 02")
        tell(card, second, *SELECT_UID4[1:], b"106A e080")
        assert card.receive(PATIENCE) == CardSelected()
        assert card.receive(PATIENCE) == Frame(b"\xe0\x80")
        card.send(ATS)
        assert [second.recv(100) for _ in range(3)][-1] == b"106A 0578804202"
    assert hears_nothing(peer)


def test_the_field_of_a_reader_that_selected_nothing_passes_to_a_second_without_a_word(
    card: UdpCard, peer: socket.socket
) -> None:
    tell(card, peer, b"106A 26")
    assert card.receive(0.001) is None
    with make_socket() as second:
        tell(card, second, *SELECT_UID4)
        assert card.receive(PATIENCE) == CardSelected()


def test_a_reader_that_asks_again_in_the_same_field_is_not_heard(card: UdpCard, peer: socket.socket) -> None:
    select(card, peer)
    tell(card, peer, b"106A 26")
    assert card.receive(PATIENCE) == Frame(b"\x26")  # for ISO 14443-4 it is an invalid block
    assert hears_nothing(peer)


def test_ignored_datagrams_do_not_prolong_a_wait(card: UdpCard, peer: socket.socket) -> None:
    select(card, peer)
    tell(card, peer, b"noise", b"noise", b"106A 02")
    assert [card.receive(0) for _ in range(3)] == [None, None, Frame(b"\x02")]


def test_a_taken_port_says_what_to_do(card: UdpCard) -> None:
    with pytest.raises(LinkError, match=rf"{card.name} .*: stop what uses it, or take another port"):
        open_card(card.name, IDENTITY)


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    with pytest.raises(LinkError, match=r"cannot listen at udp:192\.0\.2\.1:54321 .*: name an address of this machine"):
        open_card("udp:192.0.2.1", IDENTITY)


def test_a_port_that_one_may_not_have_says_to_take_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(_sock: socket.socket, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(
        LinkError, match=r"cannot listen at udp:127\.0\.0\.1:53 \(Permission denied\): take another port"
    ):
        open_card("udp::53", IDENTITY)


def test_a_host_that_nobody_knows_is_refused() -> None:
    with pytest.raises(LinkError, match=r"cannot listen at udp:nowhere\.invalid:54321 .*: the host .* cannot be found"):
        open_card("udp:nowhere.invalid", IDENTITY)
    with pytest.raises(LinkError, match=r"cannot reach udp:nowhere\.invalid:54321"):
        open_reader("udp:nowhere.invalid")


def test_port_0_is_for_the_card_alone(card: UdpCard) -> None:
    assert port_of(card.name) > 0
    with pytest.raises(ConfigError, match="1 to 65535"):
        open_reader("udp:127.0.0.1:0")


def test_a_card_on_all_addresses_can_be_closed() -> None:
    open_card("udp:0.0.0.0:0", IDENTITY).close()


@pytest.fixture
def reader(peer: socket.socket) -> Iterator[UdpReader]:
    """A reader end; `peer` is where it looks for its card."""
    end = open_reader(f"udp:127.0.0.1:{peer.getsockname()[1]}")
    assert isinstance(end, UdpReader)
    yield end
    end.close()


class ScriptedCard:
    """A thread that answers datagrams from a list, and keeps what it heard."""

    def __init__(self, sock: socket.socket, answers: list[tuple[bytes, list[bytes]]]) -> None:
        self.heard: list[bytes] = []
        self._sock = sock
        self._answers = answers
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        for expected, answers in self._answers:
            datagram, address = self._sock.recvfrom(MAX_DATAGRAM)
            self.heard.append(datagram)
            while datagram != expected:
                datagram, address = self._sock.recvfrom(MAX_DATAGRAM)
                self.heard.append(datagram)
            for answer in answers:
                self._sock.sendto(answer, address)

    def __enter__(self) -> list[bytes]:
        self._thread.start()
        return self.heard

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


SELECTION = [
    (b"106A 26", [b"106A 0400"]),
    (b"106A 9320", [b"106A 08a1b2c3d8"]),
    (b"106A 937008a1b2c3d8", [b"106A 20"]),
]


def test_the_reader_speaks_in_the_letters_of_nfcpy(reader: UdpReader, peer: socket.socket) -> None:
    script = [*SELECTION, (b"106A e080", [b"106A 0578804202"]), (b"RFOFF", [])]
    with ScriptedCard(peer, script) as heard:
        assert reader.activate(PATIENCE).uid == UID4
        assert reader.transceive(b"\xe0\x80", PATIENCE) == ATS
        reader.field_off()
    assert heard == [expected for expected, _ in script]


def test_the_reader_ignores_what_is_no_frame(reader: UdpReader, peer: socket.socket) -> None:
    noise = [b"", b"RFOFF", b"212A 00", b"106A zz", b"106A " + b"00" * 510]
    with ScriptedCard(peer, [*SELECTION, (b"106A e080", [*noise, b"106A 0578804202"])]):
        reader.activate(PATIENCE)
        assert reader.transceive(b"\xe0\x80", PATIENCE) == ATS


def test_the_reader_asks_again_until_a_card_answers(reader: UdpReader, peer: socket.socket) -> None:
    with ScriptedCard(peer, [(b"106A 26", []), *SELECTION]) as heard:
        assert reader.activate(PATIENCE).uid == UID4
    assert heard == [b"106A 26", *[expected for expected, _ in SELECTION]]


def test_the_reader_wakes_its_card_up_and_takes_its_power_when_that_fails(
    reader: UdpReader, peer: socket.socket
) -> None:
    woken = [(b"106A 52", [b"106A 0400"]), *SELECTION[1:]]
    with ScriptedCard(peer, [*SELECTION, *woken, (b"106A 52", []), (b"RFOFF", []), *SELECTION]) as heard:
        for _ in range(3):
            assert reader.activate(PATIENCE).uid == UID4
    assert heard.count(b"RFOFF") == 1


def test_a_card_that_never_answers_is_a_timeout_and_the_field_goes_off(reader: UdpReader, peer: socket.socket) -> None:
    with pytest.raises(LinkTimeoutError, match=r"no card answered .*nfcbridge serve --link udp:127\.0\.0\.1:"):
        reader.activate(0.001)
    assert peer.recv(100) == b"106A 26"
    assert peer.recv(100) == b"RFOFF"


def test_a_port_without_listener_is_a_timeout_that_says_so(reader: UdpReader, peer: socket.socket) -> None:
    peer.close()
    with pytest.raises(LinkTimeoutError, match="nobody listens"):
        reader.activate(0.001)


def test_a_card_may_come_after_its_reader(reader: UdpReader, peer: socket.socket) -> None:
    address = peer.getsockname()
    peer.close()
    with pytest.raises(LinkTimeoutError):
        reader.activate(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind(address)
        late.settimeout(PATIENCE)
        with ScriptedCard(late, SELECTION):
            assert reader.activate(PATIENCE).uid == UID4


def test_a_port_that_closes_during_an_exchange_is_a_field_lost(reader: UdpReader, peer: socket.socket) -> None:
    with ScriptedCard(peer, SELECTION):
        reader.activate(PATIENCE)
    peer.close()
    with pytest.raises(FieldLostError, match="is gone"):
        reader.transceive(b"\x02", PATIENCE)


def test_an_answer_that_came_too_late_does_not_answer_the_next_request(reader: UdpReader, peer: socket.socket) -> None:
    with ScriptedCard(peer, SELECTION):
        reader.activate(PATIENCE)
    reader.transceive(b"\x02", 0)
    _, address = peer.recvfrom(100)
    peer.sendto(b"106A 9000", address)  # as long as an ATQA
    woken = [(b"106A 52", [b"106A 0400"]), *SELECTION[1:]]
    with ScriptedCard(peer, woken) as heard:
        reader.activate(PATIENCE)
    assert heard == [expected for expected, _ in woken]


def test_a_second_answer_does_not_answer_the_next_request(reader: UdpReader, peer: socket.socket) -> None:
    with ScriptedCard(peer, [*SELECTION, (b"106A e080", [b"106A 0578804202", b"106A 9000"])]):
        reader.activate(PATIENCE)
        assert reader.transceive(b"\xe0\x80", PATIENCE) == ATS
    woken = [(b"106A 52", [b"106A 0400"]), *SELECTION[1:]]
    with ScriptedCard(peer, woken) as heard:
        reader.activate(PATIENCE)
    assert heard == [expected for expected, _ in woken]


class CountingSocket:
    """A socket that counts how often somebody only looks."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.looks = 0

    def settimeout(self, timeout: float | None) -> None:
        self.looks += timeout == 0
        self._sock.settimeout(timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_the_reader_looks_for_late_answers_only_after_a_silence(card: UdpCard) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port_of(card.name)))
    counting = CountingSocket(sock)
    reader = UdpReader(cast("socket.socket", counting))
    with RunningCard(card, lambda frame: frame if frame != b"\x03" else None):
        activate(reader)
        looks = counting.looks
        for _ in range(3):
            assert reader.transceive(b"\x02", PATIENCE) == b"\x02"
        assert counting.looks == looks
        assert reader.transceive(b"\x03", 0.001) is None
        for _ in range(3):
            assert reader.transceive(b"\x02", PATIENCE) == b"\x02"
        assert counting.looks == looks + 3
    reader.close()


def test_a_card_that_was_gone_is_asked_as_a_new_one(reader: UdpReader, peer: socket.socket) -> None:
    with ScriptedCard(peer, SELECTION):
        reader.activate(PATIENCE)
    address = peer.getsockname()
    peer.close()
    with pytest.raises(FieldLostError):
        reader.transceive(b"\x02", PATIENCE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as new:
        new.bind(address)
        new.settimeout(PATIENCE)
        with ScriptedCard(new, SELECTION) as heard:
            reader.activate(PATIENCE)
    assert heard == [expected for expected, _ in SELECTION]


def test_a_reader_does_not_hammer_at_a_port_without_listener() -> None:
    class RefusingSocket(BrokenSocket):
        knocks = 0

        def send(self, octets: bytes) -> int:
            self.knocks += 1
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

        def recv(self, size: int) -> bytes:
            raise BlockingIOError

    refusing = RefusingSocket()
    reader = UdpReader(cast("socket.socket", refusing))
    with pytest.raises(LinkTimeoutError, match="nobody listens"):
        reader.activate(0.1)
    reader.close()
    assert refusing.knocks <= 3  # at 0, 50 and 100 ms


def test_a_flood_of_late_answers_is_thrown_away_within_bounds(reader: UdpReader, peer: socket.socket) -> None:
    with ScriptedCard(peer, SELECTION):
        reader.activate(PATIENCE)
    reader.transceive(b"\x02", 0)
    _, address = peer.recvfrom(100)
    for number in range(65):
        peer.sendto(b"106A %02x" % number, address)
    assert reader.transceive(b"\x03", PATIENCE) == bytes([64])


class BrokenSocket:
    """A socket below which the network has failed."""

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 1)

    getpeername = getsockname

    def gettimeout(self) -> None:
        return None

    def settimeout(self, timeout: float | None) -> None:
        pass

    def __init__(self, *datagrams: bytes) -> None:
        self._datagrams = [*datagrams]

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if self._datagrams:
            return self._datagrams.pop(0), ("127.0.0.1", 2)
        raise OSError(errno.ENETDOWN, "Network is down")

    def recv(self, size: int) -> bytes:
        raise OSError(errno.ENETDOWN, "Network is down")

    def send(self, octets: bytes) -> int:
        return len(octets)

    def sendto(self, octets: bytes, address: tuple[str, int]) -> int:
        if octets:
            raise OSError(errno.ENETDOWN, "Network is down")
        return 0

    def close(self) -> None:
        pass


def test_a_failing_network_is_a_link_error_and_no_closed_link() -> None:
    broken = cast("socket.socket", BrokenSocket())
    card = UdpCard(broken, IDENTITY)
    with pytest.raises(LinkError, match=r"below udp:127\.0\.0\.1:1: Network is down"):
        card.receive(None)
    card.close()
    answering = UdpCard(cast("socket.socket", BrokenSocket(b"106A 26")), IDENTITY)
    with pytest.raises(LinkError, match=r"below udp:127\.0\.0\.1:1: Network is down"):
        answering.receive(None)
    answering.close()
    reader = UdpReader(broken)
    with pytest.raises(LinkError, match=r"below udp:127\.0\.0\.1:1: Network is down"):
        reader.activate(PATIENCE)
    reader.close()
