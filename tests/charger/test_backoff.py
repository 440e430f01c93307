"""Back-off after failed logins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger.backoff import (
    FORGET_AFTER,
    FREE_FAILURES,
    LONGEST_WAIT,
    MAX_CLIENTS,
    MAX_NAME,
    MAX_NAMES,
    BackOff,
)


def fail(back_off: BackOff, times: int, *, client: str = "a", user: str = "u", now: float = 0.0) -> None:
    for _ in range(times):
        back_off.failed(client, user, now)


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (12, 60), (2000, 60)],
)
def test_the_wait_doubles_from_the_fifth_failure_to_a_minute(failures: int, wait: float) -> None:
    back_off = BackOff()
    fail(back_off, failures)
    assert back_off.wait("a", "u", 0.0) == wait


def test_a_wait_gets_shorter_and_ends() -> None:
    back_off = BackOff()
    fail(back_off, 7)
    assert back_off.wait("a", "u", 1.5) == 2.5
    assert back_off.wait("a", "u", 3.999) == pytest.approx(0.001)
    assert back_off.wait("a", "u", 4.0) == 0.0


def test_a_success_forgets_the_failures_of_that_user_only() -> None:
    back_off = BackOff()
    fail(back_off, 5)
    fail(back_off, 5, user="v")
    back_off.succeeded("a", "u")
    assert back_off.wait("a", "u", 0.0) == 0.0
    assert back_off.wait("a", "v", 0.0) == 1.0
    back_off.succeeded("a", "v")
    back_off.succeeded("a", "v")
    assert back_off.wait("a", "v", 0.0) == 0.0


def test_failures_are_forgotten_after_a_quarter_of_an_hour() -> None:
    back_off = BackOff()
    fail(back_off, 10)
    fail(back_off, 1, now=FORGET_AFTER - 0.001)
    assert back_off.wait("a", "u", FORGET_AFTER) == pytest.approx(59.999)
    later = 2 * FORGET_AFTER
    fail(back_off, 4, now=later)
    assert back_off.wait("a", "u", later) == 0.0


def test_a_long_wait_that_was_forgotten_is_none() -> None:
    back_off = BackOff()
    fail(back_off, 5)
    assert back_off.wait("a", "u", FORGET_AFTER) == 0.0


def test_nobody_waits_for_what_another_client_did() -> None:
    back_off = BackOff()
    fail(back_off, 1000, client="attacker")
    assert back_off.wait("a", "u", 0.0) == 0.0


def test_names_that_are_counted_apart_are_bounded_and_the_rest_counts_as_one() -> None:
    back_off = BackOff()
    names = [f"n{number}" for number in range(MAX_NAMES - 1)]
    for name in names:
        fail(back_off, FREE_FAILURES - 1, user=name)
    assert all(back_off.wait("a", name, 0.0) == 0.0 for name in names)
    for number in range(FREE_FAILURES):
        fail(back_off, 1, user=f"one more {number}")
    assert back_off.wait("a", "yet another", 0.0) == 1.0
    assert all(back_off.wait("a", name, 0.0) == 0.0 for name in names)


def test_a_success_does_not_forget_the_failures_of_the_names_that_count_as_one() -> None:
    back_off = BackOff()
    for number in range(MAX_NAMES - 1):
        fail(back_off, 1, user=str(number))
    fail(back_off, 5, user="operator")
    back_off.succeeded("a", "user")
    assert back_off.wait("a", "operator", 0.0) == 1.0


def test_no_number_of_other_names_makes_a_client_s_failures_forgotten() -> None:
    back_off = BackOff()
    fail(back_off, 10)
    for number in range(1000):
        fail(back_off, 1, user=str(number))
    assert back_off.wait("a", "u", 0.0) == 32.0


def test_a_name_of_the_largest_size_is_counted_apart_and_a_longer_one_is_not() -> None:
    back_off = BackOff()
    fail(back_off, 5, user="\u00fc" * (MAX_NAME // 2))
    assert back_off.wait("a", "x" * (MAX_NAME + 1), 0.0) == 0.0
    fail(back_off, 5, user="\u00fc" * (MAX_NAME // 2) + "y")
    assert back_off.wait("a", "x" * (MAX_NAME + 1), 0.0) == 1.0


def test_clients_are_bounded_and_the_one_whose_failure_is_oldest_goes_first() -> None:
    back_off = BackOff()
    fail(back_off, 5, client="oldest")
    fail(back_off, 4, client="next")
    for number in range(MAX_CLIENTS - 2):
        fail(back_off, 1, client=str(number))
    fail(back_off, 1, client="next")
    assert back_off.wait("oldest", "u", 0.0) == 1.0
    fail(back_off, 1, client="one more")
    assert back_off.wait("oldest", "u", 0.0) == 0.0
    assert back_off.wait("next", "u", 0.0) == 1.0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("uvw"), st.floats(0.0, 100.0))))
def test_no_wait_is_longer_than_a_minute_and_each_is_that_of_its_own_failures(
    failures: list[tuple[str, str, float]],
) -> None:
    back_off, now, counted = BackOff(), 0.0, dict[tuple[str, str], tuple[int, float]]()
    for client, user, pause in failures:
        now += pause
        back_off.failed(client, user, now)
        counted[client, user] = counted.get((client, user), (0, 0.0))[0] + 1, now
    for client in "ab":
        for user in "uvw":
            count, last = counted.get((client, user), (0, 0.0))
            longest = min(LONGEST_WAIT, 2.0 ** (count - FREE_FAILURES)) if count >= FREE_FAILURES else 0.0
            wait = back_off.wait(client, user, now)
            if now - last < FORGET_AFTER / 2:  # else an earlier failure may have been forgotten in between
                assert wait <= max(0.0, longest - (now - last)) + 1e-9
            assert 0.0 <= wait <= LONGEST_WAIT
