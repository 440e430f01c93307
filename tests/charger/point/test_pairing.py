"""Whitelist pairing mode."""

import msgspec
import pytest

from nfcbridge.charger.point.effects import Buzzed, PairingChanged, TagRead, TransactionStarted
from nfcbridge.charger.point.inputs import (
    AnyInput,
    Charge,
    Error,
    Nfc,
    Pair,
    Plug,
    PowerCycle,
    Swipe,
    TagType,
    Unplug,
)
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.reader_states import Outcome, PairedTag
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.errors import LocalProtocolError
from tests.charger.point.made import JENNY, STRANGER, new_point, of


def pairing_point() -> ChargePoint:
    point = new_point()
    assert point.handle(Pair(), 0.0) == [PairingChanged(0.0, enabled=True)]
    return point


@pytest.mark.parametrize("kind", list(TagType))
def test_an_unknown_tag_beeps_once_and_can_be_read(kind: TagType) -> None:
    point = pairing_point()
    assert point.handle(Swipe(STRANGER, kind), 5.0) == [
        TagRead(5.0, kind, Outcome.PAIRED_UNKNOWN),
        Buzzed(5.0, beeps=1),
        PairingChanged(5.0, enabled=False),
    ]
    assert msgspec.to_builtins(point.paired) == {"id": STRANGER, "tagType": kind.value}
    assert point.state(5.0).paired == point.paired


def test_a_known_tag_beeps_twice_and_can_be_read() -> None:
    point = pairing_point()
    assert point.handle(Swipe(JENNY), 5.0) == [
        TagRead(5.0, TagType.RFID, Outcome.PAIRED_KNOWN),
        Buzzed(5.0, beeps=2),
        PairingChanged(5.0, enabled=False),
    ]
    assert point.paired == PairedTag(id=JENNY, tag_type=TagType.RFID)


def test_a_tag_that_is_paired_does_not_authorize() -> None:
    point = pairing_point()
    point.handle(Swipe(JENNY), 5.0)
    assert point.state(5.0).auth_state == "not_authorized_for_charging"
    assert of(TransactionStarted, point.handle(Plug(), 6.0)) == []


def test_one_tag_is_read_and_the_next_is_for_charging_again() -> None:
    point = pairing_point()
    point.handle(Swipe(STRANGER), 5.0)
    assert of(TagRead, point.handle(Swipe(JENNY), 6.0))[0].outcome is Outcome.ACCEPTED
    assert point.paired == PairedTag(id=STRANGER, tag_type=TagType.RFID)


def test_pairing_mode_lasts_60_s() -> None:
    point = pairing_point()
    assert point.next_deadline() == 60.0
    assert point.handle_timer(59.999) == []
    assert point.state(59.999).pairing
    assert point.handle_timer(61.0) == [PairingChanged(60.0, enabled=False)]
    assert not point.state(61.0).pairing
    assert of(TagRead, point.handle(Swipe(STRANGER), 61.0))[0].outcome is Outcome.REJECTED
    assert point.paired is None


def test_a_tag_at_the_last_moment_is_read_and_one_at_60_s_is_not() -> None:
    point = pairing_point()
    assert of(Buzzed, point.handle(Swipe(STRANGER), 59.999)) != []
    point = pairing_point()
    assert of(Buzzed, point.handle(Swipe(STRANGER), 60.0)) == []


def test_the_tag_stays_until_pairing_is_enabled_again() -> None:
    point = pairing_point()
    point.handle(Swipe(STRANGER), 5.0)
    point.handle_timer(100_000.0)
    assert point.paired is not None
    point.handle(Pair(), 100_001.0)
    assert point.paired is None


def test_enabled_twice_it_lasts_from_the_second_time() -> None:
    point = pairing_point()
    assert point.handle(Pair(), 50.0) == [PairingChanged(50.0, enabled=True)]
    assert point.next_deadline() == 110.0


def test_a_power_failure_ends_pairing_and_forgets_the_tag() -> None:
    point = pairing_point()
    assert PairingChanged(5.0, enabled=False) in point.handle(PowerCycle(), 5.0)
    assert not point.state(10.0).pairing
    point.handle_timer(10.0)
    point.handle(Pair(), 11.0)
    point.handle(Swipe(STRANGER), 12.0)
    assert of(PairingChanged, point.handle(PowerCycle(), 13.0)) == []
    assert point.paired is None


@pytest.mark.parametrize(
    "busy",
    [
        [Plug()],
        [Swipe(JENNY)],
        [Plug(), Charge(), Swipe(JENNY)],
        [Plug(), Swipe(JENNY), Swipe(JENNY)],
        [Error(MessageName.RCD)],
        [PowerCycle()],
    ],
)
def test_only_an_idle_controller_pairs_and_a_refusal_keeps_the_last_tag(busy: list[AnyInput]) -> None:
    point = pairing_point()
    point.handle(Swipe(STRANGER), 1.0)
    for happened in busy:
        point.handle(happened, 2.0)
    paired = point.paired
    with pytest.raises(LocalProtocolError, match="pairing needs an idle controller"):
        point.handle(Pair(), 3.0)
    assert not point.state(3.0).pairing
    assert point.paired == paired


@pytest.mark.parametrize("idle", [[], [Plug(), Unplug()], [Error(MessageName.BACKEND_DISCONNECTED)], [Nfc()]])
def test_warnings_phones_and_what_is_over_do_not_keep_it_from_pairing(idle: list[AnyInput]) -> None:
    point = new_point()
    for happened in idle:
        point.handle(happened, 0.0)
    assert of(PairingChanged, point.handle(Pair(), 1.0)) != []


def test_free_charging_does_not_either() -> None:
    point = new_point(PointSettings(free_charging=True))
    point.handle(Pair(), 0.0)
    assert of(Buzzed, point.handle(Swipe(STRANGER), 1.0)) == [Buzzed(1.0, beeps=1)]


def test_who_asked_for_pairing_over_nfc_can_pair_within_its_minute() -> None:
    point = new_point()
    point.handle(Nfc(), 0.0)
    point.handle(Pair(), 0.1)
    point.handle(Nfc(), 0.2)
    assert of(Buzzed, point.handle(Swipe(STRANGER), 10.0)) == [Buzzed(10.0, beeps=1)]
    assert of(TagRead, point.handle(Swipe(STRANGER), 11.0))[0].outcome is Outcome.UNREAD_SERVING


def test_a_vehicle_that_comes_in_pairing_mode_tells_its_evccid_and_charges_only_by_a_card() -> None:
    point = pairing_point()
    point.handle(Plug(), 1.0)
    effects = point.handle(Swipe(JENNY, TagType.EVCCID), 2.0)
    assert of(Buzzed, effects) == [Buzzed(2.0, beeps=2)]
    assert point.transaction(2.0) is None
    assert point.paired == PairedTag(id=JENNY, tag_type=TagType.EVCCID)
