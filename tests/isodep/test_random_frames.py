"""Whatever octets reach the card: it never raises, and what it does not answer it forgets."""

from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.isodep import Ats, CardLink, CommandReceived
from nfcbridge.isodep.card import State
from tests.isodep.octets import h, memory, sent

PCBS = [h(f"{octet:02X}") for octet in (0x02, 0x03, 0x12, 0x13, 0xA2, 0xA3, 0xB2, 0xB3, 0xC2, 0xE0, 0xD0)]
WITH_CID = [h(octets) for octets in ("0A05", "0B05", "1A05", "1B05", "BA05", "BB05", "CA05", "E085", "D501", "0A00")]
USUAL = [h(octets) for octets in ("0200A4", "0300A4", "1200D6", "B2", "B3", "F201", "F208", "E080", "D01100")]
frames = (
    st.sampled_from(USUAL)
    | st.binary(max_size=40)
    | st.builds(lambda pcb, rest: pcb + rest, st.sampled_from(PCBS + WITH_CID), st.binary(max_size=30))
)
cards = st.builds(
    CardLink,
    st.builds(Ats, fsci=st.integers(0, 3), fwi=st.integers(0, 14), cid=st.booleans()),
    fsd=st.none() | st.sampled_from([16, 32]),
)
# A frame, the octets of a response (if one is due), or seconds that pass.
steps = st.lists(frames | st.integers(1, 60) | st.floats(0, 6), max_size=40)


def play(card: CardLink, script: list[bytes | int | float]) -> None:
    now = 0.0
    for step in script:
        if isinstance(step, bytes):
            for event in card.receive_frame(step, now):
                assert not isinstance(event, CommandReceived) or event.apdu
        elif isinstance(step, float):
            now += step
            card.extend_until(now + step)
            card.handle_timer(now)
        elif card.awaiting_response:
            card.respond(bytes(step), now)


@given(cards, steps)
def test_no_frames_make_the_card_raise(card: CardLink, script: list[bytes | int | float]) -> None:
    play(card, script)


@given(cards, steps, frames)
def test_frame_without_an_answer_leaves_no_trace(
    card: CardLink, script: list[bytes | int | float], frame: bytes
) -> None:
    play(card, script)
    before = memory(card)
    if not card.receive_frame(frame, 0.0):
        after = memory(card)
        states = (before.pop("_state"), after.pop("_state"))
        # S(WTX) may have been answered, and the first frame after the ATS ends the time for PPS.
        assert after == before or states == (State.EXTENDING, State.PROCESSING)
        assert states[0] == states[1] or states in {
            (State.EXTENDING, State.PROCESSING),
            (State.ACTIVATED, State.IDLE),
        }


def honest_session(card: CardLink) -> list[str]:
    """What a card sends to a reader that activates it, sends commands, loses frames and checks the presence."""
    said = []
    for frame in ("E080", "B2", "0200A4040000", "B2", "B3", "12AABB", "B3", "03CC", "A2", "02", "C2"):
        events = card.receive_frame(h(frame), 0.0)
        said.append(sent(events))
        if any(isinstance(event, CommandReceived) for event in events):
            said.append(sent(card.respond(bytes(30), 0.0)))
    return said


@given(cards, steps)
def test_honest_reader_after_a_reset_sees_nothing_of_what_was_before(
    card: CardLink, script: list[bytes | int | float]
) -> None:
    play(card, script)
    card.reset()
    assert honest_session(card) == honest_session(CardLink(card.ats))


@given(cards, st.lists(frames.filter(lambda frame: frame[:1] != b"\xe0"), max_size=20))
def test_frames_before_rats_leave_no_trace(card: CardLink, garbage: list[bytes]) -> None:
    card.reset()
    for frame in garbage:
        assert card.receive_frame(frame, 0.0) == []
    assert honest_session(card) == honest_session(CardLink(card.ats))
