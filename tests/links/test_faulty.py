"""Seeded faults around another link."""

from collections import deque
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import ConfigError, FieldLostError, LinkClosedError
from nfcbridge.links import CardFound, CardSelected, FieldOff, Frame, Incoming, Level, open_card, open_reader
from nfcbridge.links.faulty import Faults, FaultyCard, FaultyReader, parse_faults
from tests.links.running import ATS, IDENTITY, PATIENCE, RATS, RunningCard, echo
from tests.links.test_both_ends import wait_for_close


class QuietCard:
    """A card end that receives from a list and keeps what happens to it."""

    name = "quiet:card"
    max_frame = 256
    link_sends_ats = False

    def __init__(self, incoming: Iterable[Incoming] = (), level: Level = Level.BLOCKS) -> None:
        self.level = level
        self.incoming = deque(incoming)
        self.timeouts: list[float | None] = []
        self.happened: list[str | bytes] = []

    def receive(self, timeout: float | None) -> Incoming | None:
        self.timeouts.append(timeout)
        return self.incoming.popleft() if self.incoming else None

    def send(self, octets: bytes) -> None:
        self.happened.append(octets)

    def halt(self) -> None:
        self.happened.append("halt")

    def lose_field(self) -> None:
        self.happened.append("lose field")

    def close(self) -> None:
        self.happened.append("close")


class QuietReader:
    """A reader end whose card sends everything back."""

    name = "quiet:reader"
    max_frame = 256

    def __init__(self, level: Level = Level.BLOCKS) -> None:
        self.level = level
        self.happened: list[str | bytes] = []

    def activate(self, timeout: float) -> CardFound:
        self.happened.append("activate")
        return CardFound(uid=b"")

    def transceive(self, octets: bytes, timeout: float) -> bytes | None:
        self.happened.append(octets)
        return octets or None

    def field_off(self) -> None:
        self.happened.append("field off")

    def close(self) -> None:
        self.happened.append("close")


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


@pytest.mark.parametrize(
    ("text", "inner", "faults"),
    [
        ("udp:127.0.0.1:1", "udp:127.0.0.1:1", Faults()),
        ("udp:?", "udp:", Faults()),
        ("memory:a?seed=7", "memory:a", Faults(seed=7)),
        (
            "memory:a?seed=-1&loss=0.01&corrupt=0.02&delay=0.005&field=0.001",
            "memory:a",
            Faults(seed=-1, loss=0.01, corrupt=0.02, delay=0.005, field=0.001),
        ),
        ("faulty:memory:a?loss=1?field=1", "faulty:memory:a?loss=1", Faults(field=1.0)),
    ],
)
def test_faults_are_read_from_the_name(text: str, inner: str, faults: Faults) -> None:
    assert parse_faults(text) == (inner, faults)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("los=0.1", "no fault is called los; what exists: seed, loss, corrupt, delay, field"),
        ("=1", "no fault is called ;"),
        ("loss", "loss needs a number, not ''"),
        ("loss=much", "loss needs a number"),
        ("seed=0.5", "seed needs a number"),
        ("loss=1.01", "probability from 0 to 1, not 1.01"),
        ("corrupt=-0.1", "probability from 0 to 1"),
        ("field=nan", "probability from 0 to 1"),
        ("delay=10.1", "time from 0 to 10 seconds"),
        ("delay=-1", "time from 0 to 10 seconds"),
    ],
)
def test_faults_that_are_none_are_refused(settings: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_reader(f"faulty:memory:a?{settings}")
    assert complaint in str(refused.value)


def test_faults_at_their_limits_are_accepted() -> None:
    assert Faults(loss=1, corrupt=1, field=1, delay=10) == Faults(loss=1.0, corrupt=1.0, field=1.0, delay=10.0)


@given(
    faults=st.builds(
        Faults,
        seed=st.integers(),
        loss=st.floats(0, 1),
        corrupt=st.floats(0, 1),
        delay=st.floats(0, 10),
        field=st.floats(0, 1),
    )
)
def test_the_name_says_all_of_the_faults(faults: Faults) -> None:
    assert parse_faults(f"memory:a?{faults}") == ("memory:a", faults)


@given(text=st.text())
def test_every_name_gives_faults_or_a_complaint(text: str) -> None:
    try:
        inner, _ = parse_faults(text)
    except ConfigError:
        return
    assert text.startswith(inner)


def test_the_canonical_name_opens_the_same_link_again() -> None:
    card = open_card("faulty:udp:127.0.0.1:0?loss=0.25", IDENTITY)
    reader = open_reader(card.name)
    assert card.name == reader.name
    assert card.name.startswith("faulty:udp:127.0.0.1:")
    assert card.name.endswith("?seed=0&loss=0.25")
    card.close()
    reader.close()


def test_without_faults_nothing_changes() -> None:
    frames: list[Incoming] = [CardSelected(None), Frame(b"\x02"), FieldOff()]
    inner = QuietCard(frames)
    card = FaultyCard(inner, Faults())
    assert [card.receive(None) for _ in range(4)] == [*frames, None]
    card.send(b"\x90")
    card.halt()
    card.lose_field()
    card.close()
    assert inner.happened == [b"\x90", "halt", "lose field", "close"]
    reader = FaultyReader(QuietReader(), Faults())
    assert reader.transceive(b"\x02", 1) == b"\x02"
    assert reader.transceive(b"", 1) is None


def test_lost_frames_never_arrive_and_take_the_time_of_the_wait() -> None:
    inner = QuietCard([Frame(b"\x02"), Frame(b"\x03"), CardSelected(None)])
    card = FaultyCard(inner, Faults(loss=1))
    assert card.receive(PATIENCE) == CardSelected(None)  # only frames are lost
    first, *others = inner.timeouts
    assert first == PATIENCE
    assert all(timeout is not None and 0 <= timeout < PATIENCE for timeout in others)
    card.send(b"\x90")
    assert inner.happened == []


def test_a_lost_frame_does_not_end_a_wait_without_end() -> None:
    inner = QuietCard([Frame(b"\x02"), FieldOff()])
    assert FaultyCard(inner, Faults(loss=1)).receive(None) == FieldOff()
    assert inner.timeouts == [None, None]


def test_a_reader_waits_as_long_for_a_lost_frame_as_for_a_silent_card() -> None:
    waits: list[float] = []
    inner = QuietReader()
    reader = FaultyReader(inner, Faults(loss=1), wait=waits.append)
    assert reader.transceive(b"\x02", 0.5) is None
    assert inner.happened == []
    assert len(waits) == 1
    assert 0.4 < waits[0] <= 0.5


def test_both_directions_of_a_reader_lose_frames() -> None:
    inner = QuietReader()
    waits: list[float] = []
    reader = FaultyReader(inner, Faults(seed=1, loss=0.3), wait=waits.append)
    answers = [reader.transceive(octets, 0) for octets in numbered(1000)]
    assert len(waits) == answers.count(None)
    reached, answered = len(inner.happened), 1000 - answers.count(None)
    assert 640 < reached < 760
    assert 420 < answered < 560


def test_a_corrupt_frame_differs_in_one_bit() -> None:
    inner = QuietCard([Frame(octets) for octets in numbered(100)])
    card = FaultyCard(inner, Faults(corrupt=1))
    flipped = set()
    for octets in numbered(100):
        frame = card.receive(None)
        assert isinstance(frame, Frame)
        assert len(frame.octets) == 4
        flipped.add(int.from_bytes(frame.octets, "big") ^ int.from_bytes(octets, "big"))
    assert all(difference.bit_count() == 1 for difference in flipped)
    assert len(flipped) > 16  # of 32 bits
    card.send(b"\x90\x00")
    (sent,) = inner.happened
    assert isinstance(sent, bytes)
    assert (int.from_bytes(sent, "big") ^ 0x9000).bit_count() == 1


def test_a_delay_is_between_nothing_and_what_was_asked_for() -> None:
    waits: list[float] = []
    card = FaultyCard(QuietCard([Frame(b"\x02")] * 100), Faults(delay=0.005), wait=waits.append)
    for _ in range(100):
        assert card.receive(None) == Frame(b"\x02")
    assert len(waits) == 100
    assert all(0 <= seconds <= 0.005 for seconds in waits)
    assert max(waits) - min(waits) > 0.003


def test_a_card_that_loses_the_field_is_told_so_once() -> None:
    inner = QuietCard([CardSelected(None), Frame(b"\x02"), CardSelected(None)])
    card = FaultyCard(inner, Faults(field=1))
    assert card.receive(None) == CardSelected(None)
    assert card.receive(None) == FieldOff()
    assert card.receive(None) == CardSelected(None)
    assert inner.happened == ["lose field"]


def test_a_card_may_lose_the_field_at_its_own_frame() -> None:
    inner = QuietCard([CardSelected(None)])
    card = FaultyCard(inner, Faults(field=1))
    card.send(b"\x90\x00")
    card.send(b"\x90\x00")
    assert inner.happened == ["lose field"]
    assert card.receive(None) == FieldOff()
    assert card.receive(None) == CardSelected(None)


def test_a_field_that_was_taken_away_is_not_lost_once_more() -> None:
    card = FaultyCard(QuietCard(), Faults(field=1))
    card.send(b"\x90\x00")
    card.lose_field()
    assert card.receive(0) is None


def test_a_reader_loses_the_field_before_or_after_its_card_has_seen_the_frame() -> None:
    inner = QuietReader()
    reader = FaultyReader(inner, Faults(seed=3, field=0.5))
    seen_by_card = 0
    for octets in numbered(100):
        before = len(inner.happened)
        try:
            assert reader.transceive(octets, 0) == octets
        except FieldLostError:
            assert inner.happened[-1] == "field off"
            seen_by_card += len(inner.happened) - before - 1
    assert 10 < seen_by_card < 40


def test_the_same_seed_gives_the_same_faults() -> None:
    def run(seed: int) -> list[Incoming | None]:
        card = FaultyCard(QuietCard(map(Frame, numbered(200))), Faults(seed=seed, loss=0.2, corrupt=0.2, field=0.1))
        return [card.receive(None) for _ in range(100)]

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize("faults", [Faults(loss=0.01)])
def test_apdus_cannot_be_lost_since_nobody_would_send_them_again(faults: Faults) -> None:
    with pytest.raises(ConfigError, match="loss needs a link of blocks"):
        FaultyCard(QuietCard(level=Level.APDUS), faults)
    with pytest.raises(ConfigError, match="loss needs a link of blocks"):
        FaultyReader(QuietReader(level=Level.APDUS), faults)


def test_the_other_faults_suit_apdus_too() -> None:
    faults = Faults(corrupt=0.5, delay=0.5, field=0.5)
    assert FaultyCard(QuietCard(level=Level.APDUS), faults).level is Level.APDUS
    assert FaultyReader(QuietReader(level=Level.APDUS), faults).level is Level.APDUS


def test_a_link_that_does_not_suit_its_faults_is_not_left_open() -> None:
    from nfcbridge.links.faulty import open_card as surround_card
    from nfcbridge.links.faulty import open_reader as surround_reader

    card, reader = QuietCard(level=Level.APDUS), QuietReader(level=Level.APDUS)
    with pytest.raises(ConfigError):
        surround_card(card, Faults(loss=1))
    with pytest.raises(ConfigError):
        surround_reader(reader, Faults(loss=1))
    assert card.happened == reader.happened == ["close"]


@pytest.mark.parametrize("fault", ["delay=10", "loss=1"])
def test_who_waits_for_a_fault_learns_that_the_reader_was_closed(fault: str) -> None:
    card = open_card("memory:waits", IDENTITY)
    reader = open_reader(f"faulty:memory:waits?{fault}")
    with RunningCard(card, echo):
        reader.activate(PATIENCE)
        wait_for_close(lambda: reader.transceive(b"\x02", 100), reader.close)


def test_a_closed_card_does_not_wait_for_a_delay() -> None:
    card = FaultyCard(QuietCard([Frame(b"\x02")]), Faults(seed=2, delay=10))
    card.close()
    assert card.receive(None) == Frame(b"\x02")  # at once; the end inside says that it is closed


def test_the_card_of_a_reader_that_lost_the_field_sees_it_go() -> None:
    card = open_card("memory:sees", IDENTITY)
    reader = open_reader("faulty:memory:sees?field=1")
    with RunningCard(card, {RATS: ATS}.get) as running:
        reader.activate(PATIENCE)
        with pytest.raises(FieldLostError, match="as it was asked to be"):
            reader.transceive(RATS, PATIENCE)
        assert [running.next_seen(), running.next_seen()] == [CardSelected(None), FieldOff()]
        with pytest.raises(FieldLostError):
            reader.transceive(RATS, PATIENCE)
    reader.close()
    with pytest.raises(LinkClosedError):
        reader.activate(PATIENCE)


def test_a_phone_that_was_lifted_comes_back() -> None:
    card = open_card("faulty:udp:127.0.0.1:0?seed=5&field=0.1", IDENTITY)
    reader = open_reader(card.name.removeprefix("faulty:").partition("?")[0])
    lost = 0
    with RunningCard(card, echo):
        reader.activate(PATIENCE)
        frame = RATS
        for octets in numbered(100):
            if reader.transceive(frame, 0.02) is None:
                lost += 1
                reader.activate(PATIENCE)
                frame = RATS
            else:
                frame = b"\x02" + octets
    reader.close()
    assert lost > 5
