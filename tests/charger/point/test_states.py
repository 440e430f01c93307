"""The states of the interface: one line a situation."""

import msgspec
import pytest

from nfcbridge.charger.point.effects import ContactorSwitched, Effect, HmiChanged, StateChanged
from nfcbridge.charger.point.inputs import (
    AnyInput,
    Charge,
    Error,
    Plug,
    PowerCycle,
    Socket,
    Stop,
    Swipe,
    Unplug,
)
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.point.phases import PHASES, Phase, Turn, next_phase
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.errors import LocalProtocolError
from tests.charger.point.made import JENNY, POOL, charging_point, last_state, new_point, of

FREE = PointSettings(free_charging=True)
NO_CURRENT = PointSettings(current_limit=5.9)
SCHUKO = Plug(socket=Socket.SCHUKO)

# (inputs, settings) -> systemState, connectionState, authState, ocppState, type2State, LEDs
SITUATIONS: list[tuple[list[AnyInput], PointSettings, str]] = [
    ([], PointSettings(), "idle no_vehicle_connected not available a ready"),
    ([], FREE, "idle no_vehicle_connected authorized available a ready"),
    ([Plug()], PointSettings(), "idle vehicle_connected_type2 not preparing b connected"),
    ([Plug(), Charge()], PointSettings(), "idle vehicle_connected_type2 not preparing c connected"),
    ([Swipe(JENNY)], PointSettings(), "idle no_vehicle_connected authorized preparing a authorized"),
    ([Swipe(JENNY), Plug()], PointSettings(), "idle vehicle_connected_type2 authorized suspendedev b charging"),
    ([Plug(), Swipe(JENNY)], PointSettings(), "idle vehicle_connected_type2 authorized suspendedev b charging"),
    ([Plug(), Swipe(JENNY), Charge()], PointSettings(), "idle vehicle_charging_type2 authorized charging c charging"),
    (
        [Plug(), Swipe(JENNY), Charge(ventilation=True)],
        PointSettings(),
        "idle vehicle_charging_type2 authorized charging d charging",
    ),
    (
        [Plug(), Swipe(JENNY), Charge(ventilation=True), Charge()],
        PointSettings(),
        "idle vehicle_charging_type2 authorized charging c charging",
    ),
    (
        [Plug(), Swipe(JENNY), Charge(), Stop()],
        PointSettings(),
        "idle vehicle_connected_type2 authorized suspendedev b charging",
    ),
    (
        [Plug(), Swipe(JENNY), Charge()],
        NO_CURRENT,
        "idle vehicle_connected_type2 authorized suspendedevse c charging",
    ),
    ([Plug(), Swipe(JENNY)], NO_CURRENT, "idle vehicle_connected_type2 authorized suspendedevse b charging"),
    (
        [Plug(), Swipe(JENNY), Charge(), Swipe(JENNY)],
        PointSettings(),
        "idle vehicle_connected_type2 not finishing c connected",
    ),
    (
        [Plug(), Swipe(JENNY), Charge(), Swipe(JENNY), Swipe(POOL)],
        PointSettings(),
        "idle vehicle_charging_type2 authorized charging c charging",
    ),
    (
        [Plug(), Swipe(JENNY), Charge(), Unplug()],
        PointSettings(),
        "idle no_vehicle_connected not available a ready",
    ),
    ([Plug(), Charge()], FREE, "idle vehicle_charging_type2 authorized charging c charging"),
    ([SCHUKO], PointSettings(), "idle vehicle_connected_schuko not preparing a connected"),
    ([SCHUKO, Swipe(JENNY), Charge()], PointSettings(), "idle vehicle_charging_schuko authorized charging a charging"),
    ([SCHUKO, Unplug(), Plug()], PointSettings(), "idle vehicle_connected_type2 not preparing b connected"),
    ([Error(MessageName.RCD)], PointSettings(), "error no_vehicle_connected not faulted f unavailable"),
    (
        [Plug(), Swipe(JENNY), Charge(), Error(MessageName.RCD)],
        PointSettings(),
        "error vehicle_connected_type2 authorized faulted f unavailable",
    ),
    ([Error(MessageName.WIRING)], PointSettings(), "error no_vehicle_connected not faulted e unavailable"),
    (
        [Error(MessageName.RCD), Error(MessageName.WIRING)],
        PointSettings(),
        "error no_vehicle_connected not faulted e unavailable",
    ),
    (
        [Plug(), Error(MessageName.PLUG_LOCKING)],
        PointSettings(),
        "error vehicle_connector_error not faulted f unavailable",
    ),
    (
        [Error(MessageName.FIRMWARE_UPDATE), Error(MessageName.RCD)],
        PointSettings(),
        "updating no_vehicle_connected not faulted f updating",
    ),
    ([Error(MessageName.BACKEND_DISCONNECTED)], PointSettings(), "idle no_vehicle_connected not available a ready"),
    ([Plug(), PowerCycle()], FREE, "booting vehicle_connected_type2 not unavailable f unavailable"),
]


@pytest.mark.parametrize(("inputs", "settings", "expected"), SITUATIONS)
def test_each_situation_is_told_as_it_is(inputs: list[AnyInput], settings: PointSettings, expected: str) -> None:
    point = new_point(settings)
    effects: list[Effect] = []
    for happened in inputs:
        effects += point.handle(happened, 10.0)
    state = point.state(10.0)
    system, connection, auth, ocpp, type2, hmi = expected.split()
    auth = {"not": "not_authorized_for_charging", "authorized": "authorized_for_charging"}[auth]
    told = (state.system_state, state.connection_state, state.auth_state, state.ocpp_state, state.type2_state)
    assert (*told, state.hmi) == (system, connection, auth, ocpp, type2, hmi)
    # What was streamed last is what is the case; nothing was streamed where nothing changed.
    for change in of(StateChanged, effects)[-1:]:
        assert told == (
            change.system_state,
            change.connection_state,
            change.auth_state,
            change.ocpp_state,
            change.type2_state,
        )
    for leds in of(HmiChanged, effects)[-1:]:
        assert (leds.state, leds.leds) == (state.hmi, state.leds)
    for switched in of(ContactorSwitched, effects)[-1:]:
        assert (switched.closed, switched.power) == (state.contactor, state.power)


def test_the_sample_of_the_reference_is_reached() -> None:
    # GET /system_state in the API reference: a car that charges.
    sample = {
        "systemState": "idle",
        "connectionState": "vehicle_charging_type2",
        "authState": "authorized_for_charging",
        "ocppState": "charging",
        "type2State": "c",
        "ambientTemp": 23.4,
    }
    told = msgspec.to_builtins(charging_point().state(0.0))
    assert {key: told[key] for key in sample} == sample
    assert told["transaction"]["userName"] == "Jenny"


# State before -> what plug, charge, charge with ventilation, stop and unplug make of it; "-": refused.
VEHICLE_STATES = {"a": "b----", "b": "-cdba", "c": "-cdba", "d": "-cdba"}
WAYS: dict[str, list[AnyInput]] = {
    "a": [],
    "b": [Plug()],
    "c": [Plug(), Charge()],
    "d": [Plug(), Charge(ventilation=True)],
}
STEPS: list[AnyInput] = [Plug(), Charge(), Charge(ventilation=True), Stop(), Unplug()]


@pytest.mark.parametrize("before", "abcd")
@pytest.mark.parametrize("place", range(5))
def test_a_vehicle_goes_from_state_to_state_or_is_refused_without_a_change(before: str, place: int) -> None:
    point = new_point()
    for happened in WAYS[before]:
        point.handle(happened, 0.0)
    told = point.state(0.0)
    after = VEHICLE_STATES[before][place]
    if after == "-":
        with pytest.raises(LocalProtocolError, match=r"first$"):
            point.handle(STEPS[place], 0.0)
        assert point.state(0.0) == told
        assert point.handle_timer(0.0) == []
    else:
        point.handle(STEPS[place], 0.0)
        assert point.state(0.0).type2_state == after


def test_who_is_refused_reads_what_can_be_done() -> None:
    point = new_point()
    with pytest.raises(LocalProtocolError, match=r"^no vehicle is plugged in; plug one in first$"):
        point.handle(Charge(), 0.0)
    point.handle(Plug(), 0.0)
    with pytest.raises(LocalProtocolError, match=r"^a vehicle is there; unplug it first$"):
        point.handle(Plug(), 0.0)


def test_a_turn_that_cannot_follow_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="unplugged: impossible with no vehicle"):
        next_phase(Phase.IDLE, Turn.UNPLUG)
    assert (Phase.ACTIVE, Turn.ACCEPT) not in PHASES


def test_asking_twice_changes_nothing() -> None:
    point = charging_point()
    assert point.handle(Charge(), 1.0) == []
    point.handle(Stop(), 2.0)
    assert point.handle(Stop(), 3.0) == []


def test_less_than_6_a_is_an_offer_of_nothing() -> None:
    point = charging_point()
    assert of(ContactorSwitched, point.configure(PointSettings(current_limit=6.0), 1.0))[-1].closed
    effects = point.configure(NO_CURRENT, 2.0)
    assert of(ContactorSwitched, effects) == [ContactorSwitched(2.0, closed=False, power=0.0)]
    assert last_state(effects).ocpp_state == "suspendedevse"
    assert last_state(point.configure(PointSettings(), 3.0)).ocpp_state == "charging"


def test_the_domestic_socket_has_one_phase_and_a_limit_of_its_own() -> None:
    point = new_point(PointSettings(free_charging=True, schuko_limit=10.0))
    point.handle(SCHUKO, 0.0)
    point.handle(Charge(), 0.0)
    assert point.state(0.0).power == pytest.approx(2.3)


def test_the_ambient_temperature_is_that_of_the_sample() -> None:
    assert new_point().state(0.0).ambient_temp == 23.4
