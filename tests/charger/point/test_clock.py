from datetime import UTC, datetime, timedelta, timezone

import pytest

from nfcbridge.charger.point.clock import MAX_AHEAD, MAX_SPEED, ChargerClock, format_utc
from nfcbridge.charger.point.duration import MAX_DURATION
from nfcbridge.errors import ConfigError

# The start of the reference's sample, 2019-11-23T19:35:43.511Z.
SAMPLE = 1_574_537_743.511


class Real:
    """The computer's clock; it does not begin at 0."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def real() -> Real:
    return Real()


def made(real: Real, *, speed: float = 1.0, driven: bool = False) -> ChargerClock:
    return ChargerClock(speed=speed, driven=driven, monotonic=real, wall=lambda: SAMPLE)


def test_a_new_clock_is_at_0(real: Real) -> None:
    clock = made(real)
    assert (clock.controller(), clock.simulated()) == (0.0, 0.0)


def test_real_time_passes_for_both(real: Real) -> None:
    clock = made(real)
    real.seconds += 61
    assert (clock.controller(), clock.simulated()) == (61.0, 61.0)


def test_accelerated_time_passes_for_the_charge_point_alone(real: Real) -> None:
    clock = made(real, speed=60)
    real.seconds += 61
    assert (clock.controller(), clock.simulated()) == (61.0, 3_660.0)


def test_driven_time_stands_still(real: Real) -> None:
    clock = made(real, driven=True)
    real.seconds += 61
    assert (clock.controller(), clock.simulated()) == (0.0, 0.0)


@pytest.mark.parametrize("driven", [False, True])
def test_advance_moves_both_by_the_same(real: Real, *, driven: bool) -> None:
    clock = made(real, speed=60, driven=driven)
    clock.advance(61)
    clock.advance(0.5)
    assert (clock.controller(), clock.simulated()) == (61.5, 61.5)


def test_the_wall_time_goes_with_the_charge_point(real: Real) -> None:
    clock = made(real, speed=60)
    assert clock.timestamp(clock.simulated()) == "2019-11-23T19:35:43.511Z"
    real.seconds += 60
    assert clock.timestamp(clock.simulated()) == "2019-11-23T20:35:43.511Z"
    clock.advance(86_400)
    assert clock.utc(clock.simulated()) == datetime(2019, 11, 24, 20, 35, 43, 511_000, UTC)


def test_a_timestamp_is_cut_to_the_millisecond_and_has_always_three_digits(real: Real) -> None:
    clock = made(real)
    assert clock.timestamp(0.4899) == "2019-11-23T19:35:44.000Z"
    assert clock.timestamp(0.4889) == "2019-11-23T19:35:43.999Z"


def test_another_time_zone_is_told_in_utc() -> None:
    moment = datetime(2019, 11, 23, 20, 35, 43, 511_000, timezone(timedelta(hours=1)))
    assert format_utc(moment) == "2019-11-23T19:35:43.511Z"


def test_a_delay_is_in_real_seconds(real: Real) -> None:
    assert made(real).real_delay(30.0) == 30.0
    assert made(real, speed=60).real_delay(30.0) == 0.5


def test_a_delay_that_is_over_is_0(real: Real) -> None:
    clock = made(real)
    clock.advance(31)
    assert clock.real_delay(31.0) == 0.0
    assert clock.real_delay(30.0) == 0.0


def test_a_driven_clock_waits_for_nothing_but_what_is_due(real: Real) -> None:
    clock = made(real, driven=True)
    assert clock.real_delay(0.001) is None
    clock.advance(1)
    assert clock.real_delay(0.001) == 0.0
    assert clock.real_delay(1.0) == 0.0


@pytest.mark.parametrize("speed", [0.0, -1.0, MAX_SPEED + 0.001, float("inf"), float("nan")])
def test_a_speed_out_of_bounds_is_refused(real: Real, speed: float) -> None:
    with pytest.raises(ConfigError, match="more than 0 and at most 3600"):
        made(real, speed=speed)


def test_the_bounds_of_the_speed_are_allowed(real: Real) -> None:
    fast, slow = made(real, speed=MAX_SPEED), made(real, speed=0.001)
    real.seconds += 1
    assert (fast.simulated(), slow.simulated()) == (3_600.0, 0.001)


@pytest.mark.parametrize("seconds", [-0.001, MAX_DURATION + 1, float("inf"), float("nan")])
def test_an_advance_out_of_bounds_changes_nothing(real: Real, seconds: float) -> None:
    clock = made(real)
    with pytest.raises(ConfigError, match="0 to 31622400 s"):
        clock.advance(seconds)
    assert clock.simulated() == 0.0


def test_the_bounds_of_an_advance_are_allowed(real: Real) -> None:
    clock = made(real)
    clock.advance(0)
    clock.advance(MAX_DURATION)
    assert clock.simulated() == MAX_DURATION


def test_all_advances_together_are_a_hundred_years_at_most(real: Real) -> None:
    clock = made(real)
    for _ in range(100):
        clock.advance(MAX_DURATION)
    with pytest.raises(ConfigError, match="in all at most"):
        clock.advance(1)
    assert clock.controller() == MAX_AHEAD
    assert clock.timestamp(clock.simulated()).startswith("2120-")


def test_a_year_at_full_speed_has_a_date(real: Real) -> None:
    clock = made(real, speed=MAX_SPEED)
    real.seconds += MAX_DURATION
    assert clock.timestamp(clock.simulated()).startswith("5627-")


def test_by_default_time_is_real(real: Real) -> None:
    clock = ChargerClock(monotonic=real, wall=lambda: SAMPLE)
    real.seconds += 61
    assert (clock.controller(), clock.simulated()) == (61.0, 61.0)


def test_by_default_the_computer_is_asked() -> None:
    clock = ChargerClock()
    assert 0 <= clock.controller() < 60
    assert abs(datetime.now(UTC) - clock.utc(clock.simulated())) < timedelta(minutes=1)
