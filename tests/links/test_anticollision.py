"""ISO 14443-3, both sides. The frames are those that nfcpy's udp driver sends and expects."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.errors import LinkError
from nfcbridge.links.anticollision import (
    FALLBACK,
    HLTA,
    REQA,
    TRANSITIONS,
    WUPA,
    CardSelection,
    Input,
    Outcome,
    State,
    select_card,
)
from nfcbridge.links.link import CardIdentity

ATS = bytes.fromhex("0578804202")
UID4 = bytes.fromhex("08A1B2C3")  # BCC D8
UID7 = bytes.fromhex("04497622D93881")
UID10 = bytes.fromhex("04010203040506070809")

SELECT_UID4 = [("26", "0400"), ("9320", "08A1B2C3D8"), ("937008A1B2C3D8", "20")]
SELECT_UID7 = [
    ("26", "4400"),
    ("9320", "88044976B3"),
    ("937088044976B3", "24"),
    ("9520", "22D9388142"),
    ("957022D9388142", "20"),
]
SELECT_UID10 = [
    ("26", "8400"),
    ("9320", "880401028F"),
    ("9370880401028F", "24"),
    ("9520", "880304058A"),
    ("9570880304058A", "24"),
    ("9720", "0607080900"),
    ("97700607080900", "20"),
]
DIALOGUES = [(UID4, SELECT_UID4), (UID7, SELECT_UID7), (UID10, SELECT_UID10)]


def make_card(uid: bytes = UID7) -> CardSelection:
    return CardSelection(CardIdentity(uid=uid, ats=ATS))


def answer(card: CardSelection, frame: str) -> str | None:
    octets, _ = card.receive_frame(bytes.fromhex(frame))
    return None if octets is None else octets.hex().upper()


def bring_to(state: State) -> CardSelection:
    """A card in the state, by frames alone."""
    card = make_card(UID4)
    selected = ["26", "9320", "937008A1B2C3D8"]
    halted = [*selected, "5000"]
    frames = {
        State.IDLE: [],
        State.READY: ["26"],
        State.ACTIVE: selected,
        State.HALT: halted,
        State.READY_STAR: [*halted, "52"],
        State.ACTIVE_STAR: [*halted, "52", *selected[1:]],
        State.PROTOCOL: [*selected, "E080"],
    }[state]
    for frame in frames:
        card.receive_frame(bytes.fromhex(frame))
    assert card.state is state
    return card


@pytest.mark.parametrize(("uid", "dialogue"), DIALOGUES)
def test_a_card_answers_each_step_of_its_selection(uid: bytes, dialogue: list[tuple[str, str]]) -> None:
    card = make_card(uid)
    assert [answer(card, frame) for frame, _ in dialogue] == [expected for _, expected in dialogue]
    assert card.state is State.ACTIVE


@pytest.mark.parametrize(("uid", "dialogue"), DIALOGUES)
def test_only_the_last_step_means_that_the_card_is_selected(uid: bytes, dialogue: list[tuple[str, str]]) -> None:
    card = make_card(uid)
    outcomes = [card.receive_frame(bytes.fromhex(frame))[1] for frame, _ in dialogue]
    assert outcomes == [Outcome.NOTHING] * (len(dialogue) - 1) + [Outcome.SELECTED]


def test_rats_and_all_that_follows_is_passed_on() -> None:
    card = bring_to(State.ACTIVE)
    for frame in ("E080", "0200A4040000", "26", "52", "5000", "E080"):
        assert card.receive_frame(bytes.fromhex(frame)) == (None, Outcome.PASSED)


@pytest.mark.parametrize(
    ("frame", "rest"),
    [
        ("9320", "88044976B3"),
        ("933088", "044976B3"),
        ("93408804", "4976B3"),
        ("9350880449", "76B3"),
        ("936088044976", "B3"),
    ],
)
def test_a_card_completes_the_uid_octets_that_the_reader_knows(frame: str, rest: str) -> None:
    card = make_card()
    answer(card, "26")
    assert answer(card, frame) == rest
    assert card.state is State.READY


@pytest.mark.parametrize(
    "frame",
    [
        "26",  # a second request
        "52",
        "5000",
        "9520",  # of the next level
        "9920",
        "93",
        "",
        "9310",
        "9330",  # announces an octet that is not there
        "932088",  # has an octet that it does not announce
        "933089",  # of another card
        "9324",  # single bits
        "937088044976",  # without BCC
        "937088044976B300",
        "937088044976B2",  # wrong BCC
        "937008A1B2C3D8",  # another card
        "936F88044976B3",
        "9380",
        "E080",  # RATS before SELECT
        "0200A4040000",
    ],
)
def test_what_does_not_belong_to_the_selection_ends_it_silently(frame: str) -> None:
    card = make_card()
    answer(card, "26")
    assert card.receive_frame(bytes.fromhex(frame)) == (None, Outcome.NOTHING)
    assert card.state is State.IDLE
    assert answer(card, "26") == "4400"


@pytest.mark.parametrize("frame", ["E0", "E08000", "26", "52", "9320", "02", "0200A4040000", "D011"])
def test_a_selected_card_that_hears_no_rats_falls_back(frame: str) -> None:
    card = bring_to(State.ACTIVE)
    assert card.receive_frame(bytes.fromhex(frame)) == (None, Outcome.NOTHING)
    assert card.state is State.IDLE


def test_a_halted_card_hears_the_wake_up_and_nothing_else() -> None:
    for way in ("HLTA", "S(DESELECT)"):
        card = bring_to(State.ACTIVE if way == "HLTA" else State.PROTOCOL)
        if way == "HLTA":
            assert card.receive_frame(HLTA) == (None, Outcome.NOTHING)
        else:
            card.halt()
        for frame in (REQA, HLTA, b"\x93\x20", b"\xe0\x80"):
            assert card.receive_frame(frame) == (None, Outcome.NOTHING)
            assert card.state is State.HALT
        assert card.receive_frame(WUPA) == (b"\x04\x00", Outcome.NOTHING)


@pytest.mark.parametrize("state", [State.READY_STAR, State.ACTIVE_STAR])
def test_a_woken_card_falls_back_to_halt(state: State) -> None:
    card = bring_to(state)
    assert card.receive_frame(REQA) == (None, Outcome.NOTHING)
    assert card.state is State.HALT


def test_a_woken_card_goes_all_the_way() -> None:
    assert bring_to(State.ACTIVE_STAR).receive_frame(b"\xe0\x80") == (None, Outcome.PASSED)


def test_a_second_cascade_level_begins_anew_with_a_new_request() -> None:
    card = make_card()
    for frame in ("26", "937088044976B3"):
        answer(card, frame)
    assert answer(card, "9320") is None  # the first level is over
    assert answer(card, "26") == "4400"
    assert answer(card, "9320") == "88044976B3"


@pytest.mark.parametrize("state", State)
def test_without_power_every_state_is_forgotten(state: State) -> None:
    card = bring_to(state)
    card.field_off()
    assert card.receive_frame(REQA) == (b"\x04\x00", Outcome.NOTHING)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PROTOCOL])
def test_only_a_card_in_its_protocol_can_be_deselected(state: State) -> None:
    card = bring_to(state)
    card.halt()
    assert card.state is state


def test_every_state_and_input_is_decided() -> None:
    assert set(FALLBACK) == set(State) - {State.PROTOCOL}
    decided = set(TRANSITIONS)
    assert {seen for _, seen in decided} == set(Input) - {Input.OTHER}
    assert all(state is not State.PROTOCOL for state, _ in decided)


@given(frames=st.lists(st.binary(max_size=9) | st.sampled_from([REQA, WUPA, HLTA, b"\x93\x20", b"\xe0\x80"])))
def test_after_any_frames_the_next_field_finds_the_card_as_new(frames: list[bytes]) -> None:
    card = make_card()
    for frame in frames:
        card.receive_frame(frame)
    card.field_off()
    assert [answer(card, frame) for frame, _ in SELECT_UID7] == [expected for _, expected in SELECT_UID7]


# The reader's side


def run_reader(dialogue: list[tuple[str, str | None]], request: bytes = REQA) -> bytes | None:
    """Play the card from a list; every frame of the reader must be the one in the list."""
    reader = select_card(request)
    frame = next(reader)
    for expected, reply in dialogue:
        assert frame.hex().upper() == expected
        try:
            frame = reader.send(None if reply is None else bytes.fromhex(reply))
        except StopIteration as result:
            uid: bytes | None = result.value
            return uid
    pytest.fail("the reader goes on")


@pytest.mark.parametrize(("uid", "dialogue"), DIALOGUES)
def test_a_reader_selects_uids_of_every_size(uid: bytes, dialogue: list[tuple[str, str | None]]) -> None:
    assert run_reader(dialogue) == uid


def test_a_reader_wakes_a_halted_card_up() -> None:
    assert run_reader([("52", "0400"), *SELECT_UID4[1:]], WUPA) == UID4


@pytest.mark.parametrize("step", range(5))
def test_a_reader_gives_up_when_the_card_is_silent(step: int) -> None:
    assert run_reader([*SELECT_UID7[:step], (SELECT_UID7[step][0], None)]) is None


@pytest.mark.parametrize(
    "dialogue",
    [
        [("26", "04")],
        [("26", "040000")],
        [("26", "0400"), ("9320", "08A1B2C3D9")],  # wrong BCC
        [("26", "0400"), ("9320", "08A1B2C3")],
        [("26", "0400"), ("9320", "08A1B2C3D800")],
        [*SELECT_UID4[:2], ("937008A1B2C3D8", "")],
        [*SELECT_UID4[:2], ("937008A1B2C3D8", "2020")],
        [*SELECT_UID4[:2], ("937008A1B2C3D8", "24")],  # goes on, but had no cascade tag
        [*SELECT_UID10[:6], ("97700607080900", "24")],  # a fourth level
    ],
)
def test_a_reader_gives_up_on_nonsense(dialogue: list[tuple[str, str | None]]) -> None:
    assert run_reader(dialogue) is None


def test_a_reader_gives_up_on_a_fourth_cascade_level() -> None:
    level = "880304058A"
    steps = [[(f"{sel}20", level), (f"{sel}70{level}", "24")] for sel in ("93", "95", "97")]
    assert run_reader([("26", "8400"), *itertools.chain(*steps)]) is None


def test_a_reader_refuses_a_card_that_is_no_type_4_tag() -> None:
    with pytest.raises(LinkError, match="no Type 4 Tag"):
        run_reader([*SELECT_UID4[:2], ("937008A1B2C3D8", "08")])


@given(answers=st.lists(st.none() | st.binary(max_size=6), min_size=7, max_size=7))
def test_a_reader_ends_whatever_it_hears(answers: list[bytes | None]) -> None:
    reader = select_card(REQA)
    next(reader)
    try:
        for octets in answers:
            reader.send(octets)
    except (StopIteration, LinkError):
        return
    pytest.fail("the reader goes on")


@pytest.mark.parametrize("uid", [UID4, UID7, UID10])
def test_our_reader_selects_our_card(uid: bytes) -> None:
    card = make_card(uid)
    reader = select_card(REQA)
    frame = next(reader)
    found = None
    while found is None:
        try:
            frame = reader.send(card.receive_frame(frame)[0])
        except StopIteration as result:
            found = result.value
    assert found == uid
