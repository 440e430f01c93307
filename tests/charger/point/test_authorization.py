"""Who may charge: the whitelist, free charging, and how long it holds."""

import pytest

from nfcbridge.charger.point.effects import (
    HmiChanged,
    StateChanged,
    StoreTransaction,
    TagRead,
    TransactionEnded,
    TransactionStarted,
)
from nfcbridge.charger.point.hmi import HmiState
from nfcbridge.charger.point.inputs import Charge, Clear, Error, Plug, Stop, Swipe, TagType, Unplug
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.reader_states import Outcome
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.transaction import Owner
from tests.charger.point.made import JENNY, POOL, STRANGER, charging_point, last_state, new_point, of, stamp

FREE = PointSettings(free_charging=True)


def swipe(point: ChargePoint, tag: str, now: float = 0.0, kind: TagType = TagType.RFID) -> Outcome:
    (read,) = of(TagRead, point.handle(Swipe(tag, kind), now))
    assert read.type is kind
    return read.outcome


@pytest.mark.parametrize("kind", list(TagType))
def test_a_listed_tag_of_any_type_authorizes(kind: TagType) -> None:
    point = new_point()
    assert swipe(point, JENNY, kind=kind) is Outcome.ACCEPTED
    assert point.state(0.0).auth_state == "authorized_for_charging"


def test_a_tag_that_is_not_listed_is_rejected_and_seen_to_be_for_3_s() -> None:
    point = new_point()
    effects = point.handle(Swipe(STRANGER), 10.0)
    assert of(TagRead, effects) == [TagRead(10.0, TagType.RFID, Outcome.REJECTED)]
    assert [change.state for change in of(HmiChanged, effects)] == [HmiState.AUTHORIZATION_FAILED]
    assert point.next_deadline() == 13.0
    assert [change.state for change in of(HmiChanged, point.handle_timer(13.0))] == [HmiState.READY]
    assert point.state(13.0).auth_state == "not_authorized_for_charging"


def test_an_id_is_compared_as_it_is() -> None:
    assert swipe(new_point(), JENNY.upper()) is Outcome.REJECTED


def test_who_is_accepted_after_a_rejection_sees_that_at_once() -> None:
    point = new_point()
    swipe(point, STRANGER)
    swipe(point, JENNY, 1.0)
    assert point.state(1.0).hmi is HmiState.AUTHORIZED
    assert of(HmiChanged, point.handle_timer(10.0)) == []


def test_the_card_is_told_before_what_follows_from_it() -> None:
    point = new_point()
    point.handle(Plug(), 0.0)
    effects = point.handle(Swipe(JENNY), 0.0)
    assert [type(effect) for effect in effects[:2]] == [TagRead, TransactionStarted]


def test_an_authorization_lapses_after_45_s_without_a_vehicle() -> None:
    point = new_point()
    swipe(point, JENNY, 10.0)
    assert point.next_deadline() == 55.0
    assert point.handle_timer(54.999) == []
    effects = point.handle_timer(60.0)
    assert last_state(effects).t == 55.0
    assert last_state(effects).ocpp_state == "available"
    point.handle(Plug(), 61.0)
    assert point.transaction(61.0) is None


def test_other_settings_come_after_what_was_due() -> None:
    point = new_point()
    swipe(point, JENNY, 10.0)
    effects = point.configure(FREE, 60.0)
    assert [state.t for state in of(StateChanged, effects)] == [55.0, 60.0]


def test_an_input_comes_after_what_was_due() -> None:
    point = new_point()
    swipe(point, JENNY, 10.0)
    effects = point.handle(Plug(), 60.0)
    assert [state.t for state in of(StateChanged, effects)] == [55.0, 60.0]
    assert point.transaction(60.0) is None


def test_the_timeout_is_a_setting() -> None:
    point = new_point(PointSettings(authorization_timeout=5.0))
    swipe(point, JENNY, 10.0)
    assert point.next_deadline() == 15.0


def test_the_last_card_before_the_vehicle_counts_and_begins_the_time_anew() -> None:
    point = new_point()
    swipe(point, JENNY, 0.0)
    assert swipe(point, POOL, 40.0) is Outcome.ACCEPTED
    assert point.next_deadline() == 85.0
    point.handle(Plug(), 84.0)
    running = point.transaction(84.0)
    assert running is not None
    assert running.tag_id == POOL
    assert point.next_deadline() is None


def test_the_tag_that_began_a_transaction_ends_it() -> None:
    point = charging_point()
    effects = point.handle(Swipe(JENNY), 60.0)
    assert of(TagRead, effects)[0].outcome is Outcome.STOPPED
    assert len(of(TransactionEnded, effects)) == 1
    assert last_state(effects).ocpp_state == "finishing"


@pytest.mark.parametrize("tag", [POOL, STRANGER])
def test_no_other_tag_ends_it(tag: str) -> None:
    point = charging_point()
    assert swipe(point, tag, 60.0) is Outcome.REJECTED
    assert point.state(60.0).contactor
    assert point.state(60.0).hmi is HmiState.AUTHORIZATION_FAILED
    assert of(HmiChanged, point.handle_timer(63.0))[-1].state is HmiState.CHARGING


def test_a_tag_that_left_the_whitelist_still_ends_its_transaction() -> None:
    listed = {JENNY: Owner()}
    point = ChargePoint(listed.get, stamp, PointSettings(), 0.0)
    point.handle(Plug(), 0.0)
    swipe(point, JENNY)
    listed.clear()
    assert swipe(point, JENNY, 1.0) is Outcome.STOPPED
    assert swipe(point, JENNY, 2.0) is Outcome.REJECTED


def test_after_the_end_another_transaction_may_begin_with_the_same_vehicle() -> None:
    point = charging_point()
    swipe(point, JENNY, 60.0)
    effects = point.handle(Swipe(POOL), 61.0)
    assert of(TransactionStarted, effects)[0].transaction_id == 2
    # OCPP 1.6, section 4.9: nothing but Preparing leads from Finishing to Charging.
    assert [state.ocpp_state.value for state in of(StateChanged, effects)] == ["preparing", "charging"]


def test_an_error_takes_a_pending_authorization_back() -> None:
    point = new_point()
    swipe(point, JENNY)
    assert last_state(point.handle(Error(MessageName.RCD), 1.0)).auth_state == "not_authorized_for_charging"
    point.handle(Clear(), 2.0)
    point.handle(Plug(), 3.0)
    assert point.transaction(3.0) is None
    assert point.next_deadline() is None


def test_a_warning_does_not() -> None:
    point = new_point()
    swipe(point, JENNY)
    point.handle(Error(MessageName.BACKEND_DISCONNECTED), 1.0)
    assert point.state(1.0).auth_state == "authorized_for_charging"


def test_with_an_error_nobody_is_authorized_but_who_charges_can_leave() -> None:
    point = new_point()
    point.handle(Error(MessageName.RCD), 0.0)
    assert swipe(point, JENNY) is Outcome.OUT_OF_ORDER
    assert swipe(point, STRANGER) is Outcome.OUT_OF_ORDER
    assert point.state(0.0).hmi is HmiState.UNAVAILABLE
    point = charging_point()
    point.handle(Error(MessageName.RCD), 1.0)
    assert swipe(point, POOL, 2.0) is Outcome.OUT_OF_ORDER
    assert swipe(point, JENNY, 2.0) is Outcome.STOPPED


def test_free_charging_needs_nobody() -> None:
    point = new_point(FREE)
    effects = point.handle(Plug(), 0.0)
    assert len(of(TransactionStarted, effects)) == 1
    assert last_state(point.handle(Charge(), 1.0)).ocpp_state == "charging"
    (stored,) = of(StoreTransaction, point.handle(Unplug(), 61.0))
    told = stored.transaction
    assert (told.tag_id, told.user_id, told.user_name) == ("freecharging", "", "")


def test_the_tag_of_free_charging_is_a_setting_and_no_card() -> None:
    point = new_point(PointSettings(free_charging=True, free_charging_tag=JENNY))
    point.handle(Plug(), 0.0)
    assert swipe(point, JENNY) is Outcome.NOT_NEEDED
    running = point.transaction(0.0)
    assert running is not None
    assert running.tag_id == JENNY


@pytest.mark.parametrize("tag", [JENNY, STRANGER])
def test_with_free_charging_a_card_is_not_needed(tag: str) -> None:
    point = new_point(FREE)
    assert swipe(point, tag) is Outcome.NOT_NEEDED
    assert point.state(0.0).hmi is HmiState.READY
    point.handle(Plug(), 0.0)
    assert swipe(point, tag) is Outcome.NOT_NEEDED
    assert point.transaction(0.0) is not None


def test_free_charging_begins_with_a_vehicle_that_waits() -> None:
    point = new_point()
    point.handle(Plug(), 0.0)
    assert len(of(TransactionStarted, point.configure(FREE, 1.0))) == 1


def test_free_charging_does_not_begin_anew_after_a_card_ended_a_transaction() -> None:
    point = charging_point()
    point.configure(FREE, 1.0)
    assert swipe(point, JENNY, 2.0) is Outcome.STOPPED
    assert point.transaction(2.0) is None
    assert point.state(2.0).ocpp_state == "finishing"


def test_the_end_of_free_charging_leaves_a_transaction_that_runs() -> None:
    point = new_point(FREE)
    point.handle(Plug(), 0.0)
    point.configure(PointSettings(), 1.0)
    assert point.transaction(1.0) is not None
    assert swipe(point, JENNY, 2.0) is Outcome.REJECTED
    point.handle(Unplug(), 3.0)
    assert point.state(3.0).auth_state == "not_authorized_for_charging"


def test_free_charging_waits_for_the_end_of_an_error() -> None:
    point = new_point(FREE)
    point.handle(Error(MessageName.RCD), 0.0)
    assert of(TransactionStarted, point.handle(Plug(), 1.0)) == []
    assert len(of(TransactionStarted, point.handle(Clear(), 2.0))) == 1


def test_a_vehicle_that_stops_stays_authorized() -> None:
    point = charging_point()
    point.handle(Stop(), 1.0)
    assert point.state(1.0).auth_state == "authorized_for_charging"
    assert last_state(point.handle(Charge(), 2.0)).ocpp_state == "charging"
