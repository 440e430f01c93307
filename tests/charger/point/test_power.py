"""A power failure: what survives it, and what does not."""

import pytest

from nfcbridge.charger.point.effects import (
    HmiChanged,
    PowerLost,
    Started,
    StoreTransaction,
    TagRead,
    TransactionEnded,
    TransactionStarted,
)
from nfcbridge.charger.point.hmi import HmiState
from nfcbridge.charger.point.inputs import AnyInput, Charge, Error, Plug, PowerCycle, Swipe, Unplug
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.point.reader_states import Outcome
from nfcbridge.charger.point.settings import PointSettings
from tests.charger.point.made import JENNY, STRANGER, charging_point, last_state, new_point, of


def test_the_controller_takes_5_s_to_start() -> None:
    point = new_point()
    effects = point.handle(PowerCycle(), 10.0)
    assert effects[0] == PowerLost(10.0)
    assert last_state(effects).system_state == "booting"
    assert of(HmiChanged, effects)[-1].state is HmiState.UNAVAILABLE
    assert point.next_deadline() == 15.0
    assert point.handle_timer(14.999) == []
    effects = point.handle_timer(20.0)
    assert effects[0] == Started(15.0)
    assert last_state(effects).system_state == "idle"
    assert of(HmiChanged, effects)[-1].state is HmiState.READY


def test_a_controller_that_takes_no_time_is_up_at_once() -> None:
    effects = new_point(boot_time=0.0).handle(PowerCycle(), 10.0)
    assert of(PowerLost, effects) == [PowerLost(10.0)]
    assert of(Started, effects) == [Started(10.0)]
    assert last_state(effects).system_state == "idle"


def test_a_second_failure_while_it_starts_begins_the_start_anew() -> None:
    point = new_point()
    point.handle(PowerCycle(), 10.0)
    assert of(PowerLost, point.handle(PowerCycle(), 13.0)) == [PowerLost(13.0)]
    assert point.next_deadline() == 18.0


def test_a_transaction_that_ran_is_completed_with_what_it_had_come_to() -> None:
    point = charging_point()
    effects = point.handle(PowerCycle(), 1_800.0)
    (stored,) = of(StoreTransaction, effects)
    assert (stored.transaction.end, stored.transaction.consumption) == ("@1800", 5.52)
    assert point.transaction(1_800.0) is None


def test_the_vehicle_is_still_there_and_has_to_be_authorized_again() -> None:
    point = charging_point()
    point.handle(PowerCycle(), 100.0)
    state = last_state(point.handle_timer(105.0))
    assert (state.connection_state, state.type2_state) == ("vehicle_connected_type2", "c")
    assert (state.auth_state, state.ocpp_state) == ("not_authorized_for_charging", "preparing")
    effects = point.handle(Swipe(JENNY), 106.0)
    assert of(TransactionStarted, effects)[0].transaction_id == 2
    assert point.state(106.0).contactor


def test_with_free_charging_it_charges_as_soon_as_the_controller_is_up() -> None:
    point = new_point(PointSettings(free_charging=True))
    point.handle(Plug(), 0.0)
    point.handle(Charge(), 0.0)
    effects = point.handle(PowerCycle(), 100.0)
    assert len(of(TransactionEnded, effects)) == 1
    assert of(TransactionStarted, effects) == []
    assert of(TransactionStarted, point.handle_timer(105.0))[0].t == 105.0
    assert point.state(105.0).contactor


def test_an_authorization_without_vehicle_is_forgotten() -> None:
    point = new_point()
    point.handle(Swipe(JENNY), 0.0)
    point.handle(PowerCycle(), 1.0)
    point.handle_timer(6.0)
    assert point.next_deadline() is None
    point.handle(Plug(), 7.0)
    assert point.transaction(7.0) is None


def test_the_end_of_a_transaction_is_forgotten_too() -> None:
    point = charging_point()
    point.handle(Swipe(JENNY), 10.0)
    assert point.state(10.0).ocpp_state == "finishing"
    point.handle(PowerCycle(), 11.0)
    assert last_state(point.handle_timer(16.0)).ocpp_state == "preparing"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([], "available a ready"),
        ([Swipe(JENNY)], "available a ready"),
        ([Plug()], "preparing b connected"),
        ([Plug(), Swipe(JENNY)], "preparing b connected"),
        ([Plug(), Swipe(JENNY), Swipe(JENNY)], "preparing b connected"),
    ],
)
def test_afterwards_nobody_is_authorized_and_the_vehicle_is_where_it_was(inputs: list[AnyInput], expected: str) -> None:
    point = new_point()
    for happened in [*inputs, PowerCycle()]:
        point.handle(happened, 0.0)
    point.handle_timer(10.0)
    state = point.state(10.0)
    assert f"{state.ocpp_state} {state.type2_state} {state.hmi}" == expected
    assert state.auth_state == "not_authorized_for_charging"


def test_a_rejection_is_not_shown_after_it() -> None:
    point = new_point()
    point.handle(Swipe(STRANGER), 0.0)
    point.handle(PowerCycle(), 1.0)
    assert point.next_deadline() == 6.0


@pytest.mark.parametrize("boot_time", [5.0, 0.0])
def test_the_meter_keeps_what_it_counted(boot_time: float) -> None:
    point = new_point(energy=10.0, boot_time=boot_time)
    for happened in (Plug(), Charge(), Swipe(JENNY)):
        point.handle(happened, 0.0)
    point.handle(PowerCycle(), 3_600.0)
    assert point.state(7_200.0).energy == 21.04


def test_vehicles_come_and_go_while_the_controller_starts() -> None:
    point = charging_point()
    point.handle(PowerCycle(), 10.0)
    assert last_state(point.handle(Unplug(), 11.0)).connection_state == "no_vehicle_connected"
    point.handle(Plug(), 12.0)
    assert last_state(point.handle_timer(15.0)).type2_state == "b"


def test_no_card_is_read_while_the_controller_starts() -> None:
    point = new_point()
    point.handle(PowerCycle(), 0.0)
    assert of(TagRead, point.handle(Swipe(JENNY), 1.0))[0].outcome is Outcome.UNREAD_OFF


def test_an_error_that_is_still_there_is_there_after_the_start() -> None:
    point = new_point()
    point.handle(Error(MessageName.MCB_TYPE2), 0.0)
    assert point.handle(PowerCycle(), 1.0)
    assert last_state(point.handle_timer(6.0)).ocpp_state == "faulted"


def test_the_time_since_the_start_is_told() -> None:
    point = new_point(now=100.0)
    assert point.state(161.0).uptime == 61.0
    point.handle(PowerCycle(), 200.0)
    assert point.state(204.0).uptime == 0.0
    point.handle_timer(206.0)
    assert point.state(206.0).uptime == 1.0
