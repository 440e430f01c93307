"""What a vehicle takes, and what a transaction tells of it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger.point.effects import ContactorSwitched, StoreTransaction, TransactionEnded, TransactionStarted
from nfcbridge.charger.point.inputs import Charge, Plug, Stop, Swipe, Unplug
from nfcbridge.charger.point.meter import Meter, power_of
from nfcbridge.charger.point.settings import PointSettings
from tests.charger.point.made import JENNY, POOL, charging_point, new_point, of


@pytest.mark.parametrize(("current", "phases", "kilowatts"), [(16, 1, 3.68), (16, 3, 11.04), (32, 3, 22.08), (0, 3, 0)])
def test_power_is_current_times_230_v_on_each_phase(current: float, phases: int, kilowatts: float) -> None:
    assert power_of(current, phases) == pytest.approx(kilowatts)


def test_the_summary_of_the_reference_fits_16_a_on_one_phase() -> None:
    # 12 transactions, 2375 minutes, 148 kWh: a meter of whole kWh and minutes may be 2 % away from 3.68 kW.
    assert power_of(16, 1) * 2_375 / 60 == pytest.approx(148, rel=0.02)


def test_an_hour_at_16_a_on_three_phases_is_11_04_kwh() -> None:
    point = charging_point()
    effects = point.handle(Unplug(), 3_600.0)
    assert of(TransactionEnded, effects) == [
        TransactionEnded(3_600.0, transaction_id=1, duration=60, consumption=11.04)
    ]


def test_a_completed_transaction_is_handed_out_in_the_words_of_the_interface() -> None:
    point = charging_point()
    (stored,) = of(StoreTransaction, point.handle(Unplug(), 5_430.0))
    assert msgspec.to_builtins(stored.transaction) == {
        "transactionId": 1,
        "userId": "c9228f30-daa2-4a24-b9c0-e38aa2dc3fe5",
        "userName": "Jenny",
        "tagId": JENNY,
        "start": "@0",
        "end": "@5430",
        "duration": 90,
        "consumption": 16.652,
    }


def test_a_running_transaction_has_no_end_and_counts_until_now() -> None:
    point = charging_point()
    assert msgspec.to_builtins(point.transaction(1_800.0)) == {
        "transactionId": 1,
        "userId": "c9228f30-daa2-4a24-b9c0-e38aa2dc3fe5",
        "userName": "Jenny",
        "tagId": JENNY,
        "start": "@0",
        "duration": 30,
        "consumption": 5.52,
    }
    assert point.state(1_800.0).transaction == point.transaction(1_800.0)


def test_without_uid_a_transaction_has_neither_name_nor_tag() -> None:
    running = charging_point().transaction(1_800.0)
    assert running is not None
    assert msgspec.to_builtins(running.without_uid()) == {
        "transactionId": 1,
        "userId": "c9228f30-daa2-4a24-b9c0-e38aa2dc3fe5",
        "start": "@0",
        "duration": 30,
        "consumption": 5.52,
    }


def test_a_minute_counts_when_it_is_full() -> None:
    point = charging_point()
    durations = []
    for now in (59.999, 60.0, 119.999, 120.0):
        running = point.transaction(now)
        assert running is not None
        durations.append(running.duration)
    assert durations == [0, 1, 1, 2]


def test_only_the_time_with_a_closed_contactor_is_counted() -> None:
    point = charging_point()
    point.handle(Stop(), 1_800.0)
    point.handle(Charge(), 9_000.0)
    (ended,) = of(TransactionEnded, point.handle(Unplug(), 10_800.0))
    assert (ended.duration, ended.consumption) == (180, 11.04)


def test_the_contactor_opens_before_the_transaction_ends() -> None:
    effects = charging_point().handle(Unplug(), 60.0)
    assert [type(effect) for effect in effects[:2]] == [ContactorSwitched, TransactionEnded]


def test_a_vehicle_that_never_asked_took_nothing() -> None:
    point = new_point()
    point.handle(Swipe(POOL), 0.0)
    point.handle(Plug(), 1.0)
    (stored,) = of(StoreTransaction, point.handle(Unplug(), 601.0))
    assert (stored.transaction.consumption, stored.transaction.duration) == (0.0, 10)
    assert (stored.transaction.user_id, stored.transaction.user_name) == ("", "")


def test_transactions_are_numbered_from_the_number_given() -> None:
    point = new_point(next_transaction=41)
    numbers = []
    for begin in (0.0, 100.0):
        point.handle(Swipe(POOL), begin)
        numbers += of(TransactionStarted, point.handle(Plug(), begin))
        point.handle(Unplug(), begin + 50)
    assert [started.transaction_id for started in numbers] == [41, 42]


def test_the_meter_goes_on_from_what_it_had_counted() -> None:
    point = new_point(energy=1_000.5)
    for happened in (Plug(), Charge(), Swipe(JENNY)):
        point.handle(happened, 0.0)
    assert point.state(3_600.0).energy == 1_011.54
    (ended,) = of(TransactionEnded, point.handle(Unplug(), 3_600.0))
    assert ended.consumption == 11.04


def test_another_limit_changes_what_flows_from_then_on() -> None:
    point = charging_point()
    effects = point.configure(PointSettings(current_limit=8.0, phases=1), 1_800.0)
    assert effects == [ContactorSwitched(1_800.0, closed=True, power=1.84)]
    (ended,) = of(TransactionEnded, point.handle(Unplug(), 3_600.0))
    assert ended.consumption == pytest.approx(5.52 + 0.92)


def test_without_a_transaction_there_is_none() -> None:
    assert new_point().transaction(0.0) is None


@given(
    st.lists(
        st.tuples(st.floats(0, 55), st.floats(-100, 1e6)),
        max_size=20,
    )
)
def test_a_meter_never_runs_backwards_even_if_time_does(flows: list[tuple[float, float]]) -> None:
    meter, now, before = Meter(5.0, 0.0), 0.0, 5.0
    for power, step in flows:
        now += step
        meter.flow(power, now)
        assert meter.energy(now) >= before
        assert meter.energy(now + 10) >= meter.energy(now)
        before = meter.energy(now)
