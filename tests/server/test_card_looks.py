"""When cards are looked for, and which are new: driven times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.server.card_looks import HELD, LISTEN, LOOK, REST, CardLooks, ignored

CARD, OTHER = bytes.fromhex("ABCDEF12"), bytes.fromhex("04497622D93881")


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("08ABCDEF", "the UID is random"),
        ("08EBEE08", "peer-to-peer"),
        ("08EBEE09", "the UID is random"),
    ],
)
def test_a_uid_that_is_nobodys_is_ignored_and_why_is_told(uid: str, words: str) -> None:
    assert words in ignored(bytes.fromhex(uid))


@pytest.mark.parametrize("uid", ["09ABCDEF", "08497622D93881", "ABCDEF08", "88042233445566778899"])
def test_a_uid_of_a_card_is_not_ignored(uid: str) -> None:
    assert not ignored(bytes.fromhex(uid))


def test_the_first_look_is_due_at_once_and_the_next_after_the_tag_was_offered() -> None:
    looks = CardLooks()
    assert looks.due_in(5.0) <= 0
    looks.looked(None, 5.0, offered=True)
    assert looks.due_in(5.0) == pytest.approx(LISTEN)
    assert looks.due_in(5.0 + LISTEN) <= 0


def test_where_no_tag_is_offered_the_next_look_comes_sooner() -> None:
    looks = CardLooks()
    looks.looked(None, 5.0, offered=False)
    assert looks.due_in(5.0) == pytest.approx(REST)


def test_a_round_of_a_phone_fits_between_two_looks_and_a_card_that_is_held_for_a_second_is_seen() -> None:
    assert LISTEN > 0.5
    assert LISTEN + LOOK < 1
    assert HELD > 2 * (LISTEN + LOOK)  # a card that one look missed, or that another one hid


def test_a_card_that_stays_is_new_once() -> None:
    looks = CardLooks()
    assert looks.looked(CARD, 0.0, offered=True) == CARD
    for nth in range(1, 100):
        assert looks.looked(CARD, 0.9 * nth, offered=True) is None


def test_a_card_that_was_missed_for_less_than_held_is_not_new_and_at_held_it_is() -> None:
    looks = CardLooks()
    assert looks.looked(CARD, 0.0, offered=True) == CARD
    assert looks.looked(None, 1.0, offered=True) is None
    assert looks.looked(CARD, HELD - 0.001, offered=True) is None
    assert looks.looked(CARD, 2 * HELD, offered=True) == CARD


def test_two_cards_in_turn_are_new_once_each() -> None:
    looks = CardLooks()
    assert looks.looked(CARD, 0.0, offered=True) == CARD
    assert looks.looked(OTHER, 0.9, offered=True) == OTHER
    for nth in range(1, 20):
        assert looks.looked((OTHER, CARD)[nth % 2], 0.9 + 0.9 * nth, offered=True) is None


def test_random_uids_of_a_phone_that_stays_are_one() -> None:
    looks = CardLooks()
    assert looks.looked(b"\x08\1\2\3", 0.0, offered=True) == b"\x08\1\2\3"
    for nth in range(1, 20):
        assert looks.looked(bytes([0x08, 1, 2, nth + 3]), 0.9 * nth, offered=True) is None
    assert looks.looked(CARD, 20.0, offered=True) == CARD


@given(st.lists(st.tuples(st.floats(0, 5), st.none() | st.binary(min_size=4, max_size=10)), max_size=60))
def test_whatever_is_seen_no_card_is_new_twice_within_held(steps: list[tuple[float, bytes | None]]) -> None:
    looks, now, new_at = CardLooks(), 0.0, dict[bytes, float]()
    for step, uid in steps:
        now += step
        new = looks.looked(uid, now, offered=True)
        if new is not None:
            assert new == uid
            assert now - new_at.get(new, -HELD) >= HELD
            new_at[new] = now
