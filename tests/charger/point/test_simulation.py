"""A scenario and faults on demand, beside what is done by hand."""

import pytest

from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.effects import (
    FaultOrdered,
    FaultStrikes,
    MessageEnded,
    MessageRaised,
    PairingChanged,
    ScenarioEnded,
    Started,
    StateChanged,
    StepRefused,
    TransactionStarted,
)
from nfcbridge.charger.point.faults import Cut, ExpireSessions, Late, LoseField, Next
from nfcbridge.charger.point.inputs import Pair, Plug, PowerCycle, Swipe, Unplug
from nfcbridge.charger.point.scenario import parse_scenario
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.simulation import Simulation
from nfcbridge.errors import LocalProtocolError
from tests.charger.point.made import JENNY, last_state, new_point, of

FLAPPING = """
title = "Flapping"
repeat = 3
every = 10
[[step]]
at = 2
do = "error"
name = "backend-disconnected"
[[step]]
at = 5
do = "clear"
"""


def simulated(text: str | None = None, now: float = 0.0) -> Simulation:
    scenario = parse_scenario(DataFile("a.toml", text.encode())) if text else None
    return Simulation(new_point(now=now), scenario, now)


def test_without_a_scenario_only_the_charge_point_waits_for_something() -> None:
    simulation = simulated()
    assert simulation.next_deadline() is None
    simulation.handle(Pair(), 5.0)
    assert simulation.next_deadline() == 65.0
    assert simulation.handle_timer(65.0) == [PairingChanged(65.0, enabled=False)]


def test_steps_happen_at_their_times_in_every_round() -> None:
    simulation = simulated(FLAPPING, now=100.0)
    happened: list[tuple[str, float]] = []
    while (due := simulation.next_deadline()) is not None:
        assert simulation.handle_timer(due - 0.001) == []
        happened += [(type(effect).__name__, effect.t) for effect in simulation.handle_timer(due)]
    raised, ended = MessageRaised.__name__, MessageEnded.__name__
    assert happened == [
        (raised, 102.0),
        (ended, 105.0),
        (raised, 112.0),
        (ended, 115.0),
        (raised, 122.0),
        (ended, 125.0),
        (ScenarioEnded.__name__, 125.0),
    ]


def test_a_leap_over_many_steps_takes_each_at_its_time() -> None:
    simulation = simulated(FLAPPING)
    effects = simulation.handle_timer(1_000.0)
    assert [effect.t for effect in effects] == [2.0, 5.0, 12.0, 15.0, 22.0, 25.0, 25.0]
    assert simulation.next_deadline() is None
    assert simulation.handle_timer(2_000.0) == []


def test_what_time_brings_about_happens_between_the_steps() -> None:
    simulation = simulated('title = "x"\n[[step]]\nat = 0\ndo = "power-cycle"\n[[step]]\nat = 60\ndo = "pair"\n')
    effects = simulation.handle_timer(500.0)
    assert of(Started, effects)[0].t == 5.0
    assert of(PairingChanged, effects) == [PairingChanged(60.0, enabled=True), PairingChanged(120.0, enabled=False)]


def test_effects_are_told_in_the_order_of_their_times_also_around_a_fault() -> None:
    simulation = simulated(
        'title = "x"\n[[step]]\nat = 0\ndo = "power-cycle"\n[[step]]\nat = 60\ndo = "fault"\nfault = "next=500"\n'
    )
    times = [effect.t for effect in simulation.handle_timer(500.0)]
    assert times == sorted(times)
    assert {0.0, 5.0, 60.0} == set(times)


def test_what_is_due_at_the_time_of_a_step_comes_first() -> None:
    simulation = simulated(
        'title = "x"\n[[step]]\nat = 0\ndo = "pair"\n[[step]]\nat = 60\ndo = "swipe"\nid = "04a1b2c3d4e580"\n'
    )
    simulation.handle_timer(60.0)
    assert simulation.point.paired is None
    assert simulation.point.state(60.0).auth_state == "authorized_for_charging"


def test_a_step_that_cannot_happen_is_told_and_the_next_one_happens() -> None:
    simulation = simulated('title = "x"\n[[step]]\nat = 1\ndo = "unplug"\n[[step]]\nat = 2\ndo = "plug"\n')
    effects = simulation.handle_timer(2.0)
    assert of(StepRefused, effects) == [StepRefused(1.0, step=1, reason="no vehicle is plugged in; plug one in first")]
    assert last_state(effects).connection_state == "vehicle_connected_type2"


def test_hands_and_scenario_go_together() -> None:
    simulation = simulated('title = "x"\n[[step]]\nat = 10\ndo = "plug"\n')
    simulation.handle(Swipe(JENNY), 5.0)
    effects = simulation.handle(Unplug(), 20.0)
    assert of(TransactionStarted, effects)[0].t == 10.0
    assert simulation.point.transaction(20.0) is None


def test_a_refusal_does_not_lose_what_was_due() -> None:
    simulation = simulated('title = "x"\n[[step]]\nat = 10\ndo = "plug"\n')
    with pytest.raises(LocalProtocolError, match="a vehicle is there"):
        simulation.handle(Plug(), 20.0)
    effects = simulation.handle_timer(20.0)
    assert of(StateChanged, effects)[0].t == 10.0
    assert simulation.handle_timer(20.0) == []


def test_settings_change_after_what_was_due() -> None:
    simulation = simulated('title = "x"\n[[step]]\nat = 10\ndo = "plug"\n')
    effects = simulation.configure(PointSettings(free_charging=True), 20.0)
    assert {effect.t for effect in of(StateChanged, effects)} == {10.0, 20.0}
    assert of(TransactionStarted, effects)[0].t == 20.0


@pytest.mark.parametrize("fault", [LoseField(), ExpireSessions()])
def test_a_fault_of_now_strikes_now(fault: LoseField | ExpireSessions) -> None:
    simulation = simulated()
    assert simulation.handle(fault, 1.0) == [FaultStrikes(1.0, fault)]
    assert simulation.faults.waiting() == []


@pytest.mark.parametrize("fault", [Next(500), Late(2.0), Cut(12)])
def test_any_other_waits_for_its_occasion(fault: Next | Late | Cut) -> None:
    simulation = simulated()
    assert simulation.handle(fault, 1.0) == [FaultOrdered(1.0, fault)]
    assert simulation.faults.waiting() == [fault]


def test_a_scenario_orders_faults_too() -> None:
    simulation = simulated('title = "x"\n[[step]]\nat = 1\ndo = "fault"\nfault = "next=503"\n')
    assert simulation.handle_timer(1.0) == [FaultOrdered(1.0, Next(503)), ScenarioEnded(1.0)]
    assert simulation.faults.take_status() == 503


def test_a_driven_clock_and_a_simulation_go_through_a_power_failure_by_advance_alone() -> None:
    clock = ChargerClock(driven=True, monotonic=lambda: 5.0, wall=lambda: 0.0)
    simulation = simulated()
    simulation.handle(PowerCycle(), clock.simulated())
    deadline = simulation.next_deadline()
    assert deadline is not None
    assert clock.real_delay(deadline) is None
    clock.advance(61)
    assert of(Started, simulation.handle_timer(clock.simulated())) == [Started(5.0)]
    assert clock.timestamp(clock.simulated()) == "1970-01-01T00:01:01.000Z"
