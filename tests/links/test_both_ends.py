"""What every link of blocks with two ends has to do."""

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from nfcbridge.errors import FieldLostError, LinkClosedError, LinkTimeoutError, LocalProtocolError
from nfcbridge.links import (
    CardEnd,
    CardIdentity,
    CardSelected,
    FieldOff,
    Frame,
    Level,
    ReaderEnd,
    open_card,
    open_reader,
)
from tests.links.running import ATS, IDENTITY, PATIENCE, RATS, UID4, UID7, RunningCard, activate, echo

_numbers = itertools.count()
OpenCard = Callable[[CardIdentity], CardEnd]


@pytest.fixture(params=["memory", "udp", "faulty:memory", "faulty:udp"])
def open_it(request: pytest.FixtureRequest) -> Iterator[OpenCard]:
    """Opens the card end of each kind of link; it is closed in the end."""
    kind: str = request.param
    address = "127.0.0.1:0" if kind.endswith("udp") else f"both{next(_numbers)}"
    opened = []

    def open_end(identity: CardIdentity) -> CardEnd:
        opened.append(open_card(f"{kind}:{address}", identity))
        return opened[-1]

    yield open_end
    for end in opened:
        end.close()


@pytest.fixture
def card(open_it: OpenCard) -> CardEnd:
    return open_it(IDENTITY)


@pytest.fixture
def reader(card: CardEnd) -> Iterator[ReaderEnd]:
    end = open_reader(card.name)
    yield end
    end.close()


def test_both_ends_say_what_they_are(card: CardEnd, reader: ReaderEnd) -> None:
    assert card.level is reader.level is Level.BLOCKS
    assert card.name == reader.name
    assert card.max_frame == reader.max_frame
    assert not card.link_sends_ats


@pytest.mark.parametrize("uid", [UID4, UID7], ids=bytes.hex)
def test_the_reader_finds_the_uid_and_sends_rats_itself(open_it: OpenCard, uid: bytes) -> None:
    card = open_it(CardIdentity(uid=uid, ats=ATS))
    with RunningCard(card, {RATS: ATS}.get) as running:
        reader = open_reader(card.name)
        found = reader.activate(PATIENCE)
        assert (found.uid, found.ats, found.atr) == (uid, None, None)
        assert reader.transceive(RATS, PATIENCE) == ATS
        assert [running.next_seen(), running.next_seen()] == [CardSelected(None), Frame(RATS)]
        reader.close()


def test_frames_cross_both_ways_unchanged(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, lambda frame: frame[::-1]):
        activate(reader)
        for frame in (b"\x02", bytes(range(254)), b"\x00" * card.max_frame)[: 3 if card.max_frame > 256 else 2]:
            assert reader.transceive(frame[: card.max_frame - 2], PATIENCE) == frame[: card.max_frame - 2][::-1]


def test_a_frame_longer_than_the_link_carries_is_refused(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, echo):
        activate(reader)
        fits = bytes(card.max_frame - 2)
        assert reader.transceive(fits, PATIENCE) == fits
        with pytest.raises(LocalProtocolError, match="CRC"):
            reader.transceive(fits + b"\x00", PATIENCE)
        with pytest.raises(LocalProtocolError, match="CRC"):
            card.send(fits + b"\x00")


def test_a_silent_card_is_silence(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, {RATS: ATS}.get):
        activate(reader)
        assert reader.transceive(b"\x02", 0.01) is None
        assert reader.transceive(b"\x02", 0) is None
        assert reader.transceive(b"\x02", -1) is None


def test_an_answer_after_its_time_is_not_taken_for_the_next_one(card: CardEnd, reader: ReaderEnd) -> None:
    release = threading.Event()

    def respond(frame: bytes) -> bytes:
        if frame == b"\x02":
            assert release.wait(PATIENCE)
        return frame

    with RunningCard(card, respond) as running:
        activate(reader)
        assert reader.transceive(b"\x02", 0.01) is None
        release.set()
        while running.next_seen() != Frame(b"\x02"):
            pass
        # The late answer is there by now.
        assert reader.transceive(b"\x03", PATIENCE) == b"\x03"
        assert reader.transceive(b"\x04", PATIENCE) == b"\x04"


def test_the_card_sees_the_field_go(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, echo) as running:
        activate(reader)
        reader.field_off()
        reader.field_off()
        activate(reader)
        reader.close()
        seen = [running.next_seen() for _ in range(6)]
        assert seen == [CardSelected(), Frame(RATS), FieldOff()] * 2


def test_without_a_field_there_is_no_exchange(card: CardEnd, reader: ReaderEnd) -> None:
    with pytest.raises(FieldLostError):
        reader.transceive(b"\x02", PATIENCE)
    with RunningCard(card, echo):
        activate(reader)
        reader.field_off()
        with pytest.raises(FieldLostError):
            reader.transceive(b"\x02", PATIENCE)


def test_a_halted_card_is_deaf_until_it_is_woken_up(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, echo, halt_after=b"\xc2") as running:
        activate(reader)
        assert reader.transceive(b"\xc2", PATIENCE) == b"\xc2"
        while running.next_seen() != Frame(b"\xc2"):
            pass
        assert reader.transceive(b"\x02", 0.01) is None
        activate(reader)
        assert reader.transceive(b"\x02", PATIENCE) == b"\x02"
        # Selected again in the same field: no FieldOff between.
        assert [running.next_seen() for _ in range(3)] == [CardSelected(), Frame(RATS), Frame(b"\x02")]


def test_a_halted_card_sees_the_field_go(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, echo, halt_after=b"\xc2") as running:
        activate(reader)
        reader.transceive(b"\xc2", PATIENCE)
        while running.next_seen() != Frame(b"\xc2"):
            pass
        reader.field_off()
        assert running.next_seen() == FieldOff()


def test_a_card_that_was_not_deselected_can_be_selected_again(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, echo):
        activate(reader)
        activate(reader)
        assert reader.transceive(b"\x02", PATIENCE) == b"\x02"


def test_a_lifted_phone_is_deaf_until_the_card_is_selected_again(card: CardEnd, reader: ReaderEnd) -> None:
    seen: list[object] = []

    def respond(frame: bytes) -> bytes | None:
        seen.append(frame)
        if frame == b"\x02":
            card.lose_field()
        return frame

    with RunningCard(card, respond):
        activate(reader)
        assert reader.transceive(b"\x02", 0.01) is None
        assert reader.transceive(b"\x03", 0.01) is None
        activate(reader)
        assert reader.transceive(b"\x04", PATIENCE) == b"\x04"
    assert seen == [RATS, b"\x02", RATS, b"\x04"]


def test_after_a_lifted_phone_no_second_end_of_the_field_is_told(card: CardEnd, reader: ReaderEnd) -> None:
    def respond(frame: bytes) -> bytes | None:
        if frame == b"\x02":
            card.lose_field()
        return frame

    with RunningCard(card, respond) as running:
        activate(reader)
        reader.transceive(b"\x02", 0.01)
        reader.field_off()
        activate(reader)
        seen = [running.next_seen() for _ in range(5)]
        assert seen == [CardSelected(), Frame(RATS), Frame(b"\x02"), CardSelected(), Frame(RATS)]


def test_to_look_takes_no_time_and_to_wait_is_bounded(card: CardEnd) -> None:
    assert card.receive(0) is None
    assert card.receive(-1) is None
    assert card.receive(0.01) is None


def test_nothing_is_sent_while_no_reader_has_selected_the_card(card: CardEnd, reader: ReaderEnd) -> None:
    card.send(b"\x90\x00")
    card.halt()
    card.lose_field()
    with RunningCard(card, echo):
        activate(reader)
        assert reader.transceive(b"\x02", PATIENCE) == b"\x02"


def wait_for_close(wait: Callable[[], object], close: Callable[[], None]) -> None:
    """Close an end while another thread waits at it."""
    begun = threading.Event()
    outcome: SimpleQueue[object] = SimpleQueue()

    def run() -> None:
        begun.set()
        try:
            outcome.put(wait())
        except LinkClosedError as error:
            outcome.put(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert begun.wait(PATIENCE)
    close()
    assert isinstance(outcome.get(timeout=PATIENCE), LinkClosedError)
    thread.join(PATIENCE)


@pytest.mark.parametrize("timeout", [None, 100.0])
def test_a_waiting_card_learns_that_it_was_closed(card: CardEnd, timeout: float | None) -> None:
    wait_for_close(lambda: card.receive(timeout), card.close)


def test_a_reader_that_waits_for_a_card_learns_that_it_was_closed(card: CardEnd, reader: ReaderEnd) -> None:
    name = card.name
    card.close()
    assert name == reader.name
    wait_for_close(lambda: reader.activate(100), reader.close)


def test_a_reader_that_waits_for_an_answer_learns_that_it_was_closed(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, {RATS: ATS}.get):
        activate(reader)
        wait_for_close(lambda: reader.transceive(b"\x02", 100), reader.close)


def test_a_signal_handler_may_close_the_end_at_which_its_own_thread_waits(card: CardEnd) -> None:
    before = signal.signal(signal.SIGALRM, lambda _signal, _frame: card.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(LinkClosedError):
            card.receive(PATIENCE)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_may_close_the_reader_at_which_its_own_thread_waits(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, {RATS: ATS}.get):
        activate(reader)
        before = signal.signal(signal.SIGALRM, lambda _signal, _frame: reader.close())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with pytest.raises(LinkClosedError):
                reader.transceive(b"\x02", PATIENCE)
        finally:
            signal.signal(signal.SIGALRM, before)


def test_a_closed_end_stays_closed(card: CardEnd, reader: ReaderEnd) -> None:
    for _ in range(2):
        card.close()
        reader.close()
    with pytest.raises(LinkClosedError):
        card.receive(0)
    with pytest.raises(LinkClosedError):
        card.send(b"\x90\x00")
    with pytest.raises(LinkClosedError):
        reader.activate(PATIENCE)
    with pytest.raises(LinkClosedError):
        reader.transceive(b"\x02", PATIENCE)
    reader.field_off()


def test_a_card_that_leaves_is_a_field_lost(card: CardEnd, reader: ReaderEnd) -> None:
    with RunningCard(card, echo):
        activate(reader)
    with pytest.raises(FieldLostError, match=r"card"):
        reader.transceive(b"\x02", PATIENCE)


def test_no_card_is_a_timeout_that_says_what_to_do(card: CardEnd, reader: ReaderEnd) -> None:
    card.close()
    with pytest.raises(LinkTimeoutError, match=r"no(body| card).*: (open|start)"):
        reader.activate(0.01)
