"""RFID only or hybrid, and "Reading card" while a phone is served."""

import pytest

from nfcbridge.charger.point.effects import HmiChanged, ReaderChanged, TagRead
from nfcbridge.charger.point.hmi import HmiState
from nfcbridge.charger.point.inputs import Nfc, PowerCycle, Swipe, TagType
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.reader_states import READER, TAG_PRESENT, Outcome, ReaderInput, ReaderState
from nfcbridge.charger.point.settings import PointSettings
from tests.charger.point.made import JENNY, charging_point, new_point, of

RFID_ONLY = PointSettings(hybrid=False)
APDU = Nfc(octets=13)
PRESENCE_CHECK = Nfc(octets=0)


def swipe(point: ChargePoint, now: float, kind: TagType = TagType.RFID) -> Outcome:
    return of(TagRead, point.handle(Swipe(JENNY, kind), now))[0].outcome


def test_in_hybrid_mode_a_phone_finds_a_tag() -> None:
    state = new_point().state(0.0)
    assert (state.reader, state.tag_present) == (ReaderState.LOOKING, True)


def test_in_rfid_only_it_finds_none() -> None:
    state = new_point(RFID_ONLY).state(0.0)
    assert (state.reader, state.tag_present) == (ReaderState.RFID_ONLY, False)


def test_the_first_apdu_shows_reading_card() -> None:
    effects = new_point().handle(APDU, 1.0)
    assert of(ReaderChanged, effects) == [ReaderChanged(1.0, ReaderState.SERVING, tag_present=True)]
    assert [change.state for change in of(HmiChanged, effects)] == [HmiState.READING_CARD]


def test_a_minute_without_an_apdu_ends_it() -> None:
    point = new_point()
    point.handle(APDU, 1.0)
    assert point.handle(APDU, 20.0) == []
    assert point.next_deadline() == 80.0
    assert point.handle_timer(79.999) == []
    effects = point.handle_timer(80.0)
    assert of(ReaderChanged, effects) == [ReaderChanged(80.0, ReaderState.LOOKING, tag_present=True)]
    assert [change.state for change in of(HmiChanged, effects)] == [HmiState.READY]
    assert point.next_deadline() is None


def test_presence_checks_neither_begin_nor_prolong_it() -> None:
    point = new_point()
    assert point.handle(PRESENCE_CHECK, 0.0) == []
    assert point.state(0.0).reader is ReaderState.LOOKING
    point.handle(APDU, 1.0)
    for eighth in range(1, 472):  # Android sends one every 125 ms
        assert point.handle(PRESENCE_CHECK, 1.0 + eighth / 8) == []
    assert point.next_deadline() == 61.0


def test_afterwards_the_leds_show_the_charger_s_own_state() -> None:
    point = charging_point()
    point.handle(APDU, 1.0)
    assert point.state(1.0).hmi is HmiState.READING_CARD
    assert [change.state for change in of(HmiChanged, point.handle_timer(61.0))] == [HmiState.CHARGING]


@pytest.mark.parametrize("kind", [TagType.RFID, TagType.NFC])
def test_no_card_is_read_while_a_phone_is_served(kind: TagType) -> None:
    point = new_point()
    point.handle(APDU, 1.0)
    assert swipe(point, 2.0, kind) is Outcome.UNREAD_SERVING
    assert swipe(point, 61.0, kind) is Outcome.ACCEPTED


def test_an_evccid_comes_over_the_cable_all_the_same() -> None:
    point = new_point()
    point.handle(APDU, 1.0)
    assert swipe(point, 2.0, TagType.EVCCID) is Outcome.ACCEPTED


def test_rfid_only_takes_the_tag_away_also_from_a_phone_that_is_served() -> None:
    point = new_point()
    point.handle(APDU, 1.0)
    effects = point.configure(RFID_ONLY, 2.0)
    assert of(ReaderChanged, effects) == [ReaderChanged(2.0, ReaderState.RFID_ONLY, tag_present=False)]
    assert [change.state for change in of(HmiChanged, effects)] == [HmiState.READY]
    assert point.next_deadline() is None
    assert swipe(point, 3.0) is Outcome.ACCEPTED


def test_rfid_only_takes_the_tag_away_while_nobody_is_served() -> None:
    effects = new_point().configure(RFID_ONLY, 2.0)
    assert effects == [ReaderChanged(2.0, ReaderState.RFID_ONLY, tag_present=False)]


def test_hybrid_brings_it_back() -> None:
    point = new_point(RFID_ONLY)
    effects = point.configure(PointSettings(), 1.0)
    assert of(ReaderChanged, effects) == [ReaderChanged(1.0, ReaderState.LOOKING, tag_present=True)]


def test_the_same_mode_again_changes_nothing() -> None:
    point = new_point()
    point.handle(APDU, 1.0)
    assert point.configure(PointSettings(), 2.0) == []
    assert point.next_deadline() == 61.0
    assert new_point(RFID_ONLY).configure(RFID_ONLY, 1.0) == []


def test_a_late_apdu_of_a_tag_that_is_gone_serves_nobody() -> None:
    point = new_point(RFID_ONLY)
    assert point.handle(APDU, 1.0) == []
    assert point.next_deadline() is None


@pytest.mark.parametrize("settings", [PointSettings(), RFID_ONLY])
def test_after_a_power_failure_the_reader_does_what_the_setting_says(settings: PointSettings) -> None:
    point = new_point(settings)
    effects = point.handle(PowerCycle(), 1.0)
    if settings.hybrid:
        point.configure(RFID_ONLY, 1.5)
        assert point.handle(APDU, 1.6) == []
        point.configure(settings, 1.7)
    assert point.state(2.0).reader is ReaderState.OFF
    assert swipe(point, 2.0) is Outcome.UNREAD_OFF
    assert swipe(point, 2.0, TagType.EVCCID) is Outcome.UNREAD_OFF
    assert of(ReaderChanged, effects) == [ReaderChanged(1.0, ReaderState.OFF, tag_present=False)]
    after = ReaderState.LOOKING if settings.hybrid else ReaderState.RFID_ONLY
    assert of(ReaderChanged, point.handle_timer(6.0)) == [ReaderChanged(6.0, after, tag_present=settings.hybrid)]


def test_a_power_failure_ends_the_minute_of_a_phone() -> None:
    point = new_point()
    point.handle(APDU, 1.0)
    point.handle(PowerCycle(), 2.0)
    point.handle_timer(7.0)
    assert point.next_deadline() is None


def test_the_table_ends_in_off_with_every_power_failure_and_serves_only_after_an_apdu() -> None:
    for (state, happened), after in READER.items():
        assert (after is ReaderState.OFF) == (
            happened is ReaderInput.POWER_LOST
            or (state is ReaderState.OFF and happened.name not in ("START_RFID_ONLY", "START_HYBRID"))
        )
        if after is ReaderState.SERVING:
            assert state is ReaderState.SERVING or happened is ReaderInput.APDU
    assert frozenset({ReaderState.LOOKING, ReaderState.SERVING}) == TAG_PRESENT
