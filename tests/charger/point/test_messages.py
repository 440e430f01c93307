"""Errors stop charging, warnings inform; what ends which."""

import re

import msgspec
import pytest

from nfcbridge.charger.point.effects import ContactorSwitched, MessageEnded, MessageRaised, TransactionEnded
from nfcbridge.charger.point.inputs import Clear, Error, Plug, PowerCycle
from nfcbridge.charger.point.messages import KINDS, Ends, MessageName, MessageType
from nfcbridge.errors import LocalProtocolError
from tests.charger.point.made import charging_point, last_state, new_point, of

ERRORS = [name for name, kind in KINDS.items() if kind.type is MessageType.ERROR]
WARNINGS = [name for name, kind in KINDS.items() if kind.type is MessageType.WARNING]
AFTER_RESTART = [name for name, kind in KINDS.items() if kind.ends is Ends.CLEARED]

# The list of the predecessor's interface, in its order; W: a warning.
LISTED = """
Residual current detected via sensor
W Vehicle signals error
Vehicle diode check failed - tamper detection
MCB of type 2 socket triggered
MCB of domestic socket triggered
RCD triggered
Contactor welded
W Backend disconnected
Plug locking failed
Locking without plug error
Actuator stuck cannot unlock
Actuator detection failed
FW Update in progress
The charge point is tilted
CP/PR wiring issue
Car current overload, charging stopped
Actuator unlocked while charging
tilted until reboot
W USB stick handling in progress
Incorrect phase rotation direction detected
No power on mains detected
PIC24 error
"""


def test_the_table_has_the_listed_messages_and_no_others() -> None:
    assert [
        ("W " if kind.type is MessageType.WARNING else "") + kind.text for kind in KINDS.values()
    ] == LISTED.strip().splitlines()
    assert set(KINDS) == set(MessageName)


def test_a_name_can_be_typed_and_put_into_a_path() -> None:
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{2,24}", name) for name in MessageName)


def test_a_message_is_told_in_the_words_of_the_interface() -> None:
    point = new_point()
    point.handle(Error(MessageName.CONTACTOR_WELDED), 5.0)
    assert msgspec.to_builtins(point.messages) == (
        {"id": "contactor-welded", "type": "error", "text": "Contactor welded", "timestamp": "@5"},
    )
    assert point.state(5.0).messages == point.messages


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_stops_charging_and_leaves_the_transaction(name: MessageName) -> None:
    point = charging_point()
    effects = point.handle(Error(name), 60.0)
    assert of(ContactorSwitched, effects) == [ContactorSwitched(60.0, closed=False, power=0.0)]
    assert of(TransactionEnded, effects) == []
    assert last_state(effects).ocpp_state == "faulted"
    assert last_state(effects).type2_state in "ef"
    assert point.transaction(60.0) is not None


@pytest.mark.parametrize("name", WARNINGS)
def test_no_warning_does(name: MessageName) -> None:
    point = charging_point()
    (raised,) = point.handle(Error(name), 60.0)
    assert isinstance(raised, MessageRaised)
    assert raised.message.type is MessageType.WARNING
    assert point.state(60.0).contactor


@pytest.mark.parametrize("name", [name for name in ERRORS if KINDS[name].ends is not Ends.RESTART])
def test_charging_goes_on_when_the_error_is_cleared(name: MessageName) -> None:
    point = charging_point()
    point.handle(Error(name), 60.0)
    effects = point.handle(Clear(name), 120.0)
    assert effects[0] == MessageEnded(120.0, name)
    assert last_state(effects).ocpp_state == "charging"
    running = point.transaction(180.0)
    assert running is not None
    assert (running.transaction_id, running.consumption) == (1, round(11.04 * 120 / 3_600, 3))


def test_charging_goes_on_when_the_last_error_is_cleared() -> None:
    point = charging_point()
    point.handle(Error(MessageName.RCD), 1.0)
    point.handle(Error(MessageName.WIRING), 2.0)
    assert last_state(point.handle(Clear(MessageName.WIRING), 3.0)).type2_state == "f"
    assert last_state(point.handle(Clear(MessageName.RCD), 4.0)).type2_state == "c"


def test_a_message_is_there_once() -> None:
    point = new_point()
    point.handle(Error(MessageName.RCD), 1.0)
    assert point.handle(Error(MessageName.RCD), 2.0) == []
    assert [told.timestamp for told in point.messages] == ["@1"]


def test_messages_are_told_the_oldest_first() -> None:
    point = new_point()
    for now, name in enumerate((MessageName.TILTED, MessageName.BACKEND_DISCONNECTED, MessageName.RCD)):
        point.handle(Error(name), now)
    assert [told.id for told in point.messages] == ["tilted", "backend-disconnected", "rcd"]


def test_clear_without_a_name_ends_all_but_what_needs_a_restart() -> None:
    point = new_point()
    for name in MessageName:
        point.handle(Error(name), 0.0)
    ended = of(MessageEnded, point.handle(Clear(), 1.0))
    assert {each.id for each in ended} == set(MessageName) - {MessageName.TILTED_UNTIL_REBOOT}
    assert [told.id for told in point.messages] == [MessageName.TILTED_UNTIL_REBOOT]


def test_clearing_what_is_not_there_does_nothing() -> None:
    point = new_point()
    point.handle(Error(MessageName.RCD), 0.0)
    assert point.handle(Clear(MessageName.WIRING), 1.0) == []
    assert new_point().handle(Clear(), 1.0) == []
    assert len(point.messages) == 1


def test_tilted_until_reboot_is_not_cleared_by_name() -> None:
    point = new_point()
    point.handle(Error(MessageName.TILTED_UNTIL_REBOOT), 0.0)
    with pytest.raises(LocalProtocolError, match="only a power-cycle ends tilted-until-reboot"):
        point.handle(Clear(MessageName.TILTED_UNTIL_REBOOT), 1.0)
    assert len(point.messages) == 1


def test_a_restart_ends_what_the_controller_only_remembers() -> None:
    point = new_point()
    for name in MessageName:
        point.handle(Error(name), 0.0)
    effects = point.handle(PowerCycle(), 1.0)
    assert [told.id for told in point.messages] == AFTER_RESTART
    assert {each.id for each in of(MessageEnded, effects)} == set(MessageName) - set(AFTER_RESTART)
    assert MessageName.TILTED in AFTER_RESTART
    assert MessageName.TILTED_UNTIL_REBOOT not in AFTER_RESTART


def test_the_plug_can_be_pulled_whatever_is_wrong() -> None:
    point = new_point()
    point.handle(Error(MessageName.ACTUATOR_STUCK), 0.0)
    assert last_state(point.handle(Plug(), 1.0) + point.handle(Clear(), 2.0)).connection_state == (
        "vehicle_connected_type2"
    )
