"""The scenarios in fixtures/scenarios: each shows what its name says."""

from pathlib import Path

import pytest

from nfcbridge.charger.point.clock import ChargerClock
from nfcbridge.charger.point.effects import (
    Buzzed,
    Effect,
    FaultOrdered,
    HmiChanged,
    PowerLost,
    ScenarioEnded,
    StateChanged,
    StepRefused,
    StoreTransaction,
    TagRead,
)
from nfcbridge.charger.point.point import ChargePoint
from nfcbridge.charger.point.scenario import load_scenario
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.simulation import Simulation
from nfcbridge.charger.point.transaction import Owner
from nfcbridge.errors import ConfigError
from tests.charger.point.made import of

SCENARIOS = Path(__file__).parents[3] / "fixtures" / "scenarios"


def played(name: str, settings: PointSettings | None = None) -> list[Effect]:
    scenario = load_scenario(SCENARIOS / name)
    whitelist = {tag.id: Owner(user_name=tag.user) for tag in scenario.whitelist}
    # 23 November 2019, 07:00.
    clock = ChargerClock(driven=True, monotonic=lambda: 0.0, wall=lambda: 1_574_492_400.0)
    point = ChargePoint(whitelist.get, clock.timestamp, settings or PointSettings(), clock.simulated())
    simulation = Simulation(point, scenario, clock.simulated())
    clock.advance(86_400)
    effects = simulation.handle_timer(clock.simulated())
    assert len(of(ScenarioEnded, effects)) == 1
    return effects


def test_every_shipped_scenario_is_known_to_a_test() -> None:
    assert {path.name for path in SCENARIOS.iterdir()} == {"day.toml", "fault.toml", "pairing.toml", "backend.toml"}


def test_a_day_of_charging_has_three_transactions_and_two_who_get_nothing() -> None:
    effects = played("day.toml")
    transactions = [effect.transaction for effect in of(StoreTransaction, effects)]
    assert [(t.user_name, t.start[11:16], t.end[11:16] if t.end else "", t.duration) for t in transactions] == [
        ("Jenny", "07:00", "11:45", 284),
        ("", "12:30", "14:15", 104),
        ("Alex", "16:00", "19:00", 179),
    ]
    assert [t.consumption for t in transactions] == [27.523, 19.259, 33.089]
    outcomes = [read.outcome for read in of(TagRead, effects)]
    assert outcomes.count(outcomes[0]) == 4
    assert len(outcomes) == 6
    assert {state.type2_state for state in of(StateChanged, effects)} == set("abcd")
    assert of(StepRefused, effects) == []


def test_a_fault_while_charging_interrupts_a_transaction_and_a_restart_ends_it() -> None:
    effects = played("fault.toml")
    states = [state.ocpp_state.value for state in of(StateChanged, effects)]
    assert states == [
        "preparing",
        "suspendedev",
        "charging",
        "faulted",
        "charging",
        "faulted",
        "unavailable",
        "preparing",
        "available",
    ]
    (stored,) = of(StoreTransaction, effects)
    # From 8 s to 2 min and from 4 min to 6 min.
    assert stored.transaction.consumption == round(11.04 * (112 + 120) / 3_600, 3)
    assert len(of(PowerLost, effects)) == 1
    assert of(StepRefused, effects) == []


def test_pairing_a_card_beeps_and_ends_with_a_refusal() -> None:
    effects = played("pairing.toml")
    assert [buzzed.beeps for buzzed in of(Buzzed, effects)] == [1, 2, 1, 1]
    assert [refused.step for refused in of(StepRefused, effects)] == [14]
    assert "reading_card" in [change.state for change in of(HmiChanged, effects)]
    assert of(StoreTransaction, effects) == []


def test_a_flapping_backend_does_not_keep_a_car_from_charging() -> None:
    effects = played("backend.toml")
    assert [round(effect.transaction.consumption, 2) for effect in of(StoreTransaction, effects)] == [0.49] * 10
    assert len(of(FaultOrdered, effects)) == 20
    assert of(StepRefused, effects) == []


@pytest.mark.parametrize("name", ["day.toml", "fault.toml", "pairing.toml", "backend.toml"])
def test_each_plays_with_free_charging_and_without_phones_as_well(name: str) -> None:
    settings = PointSettings(free_charging=True, hybrid=False)
    effects = played(name, settings)
    assert len(of(StepRefused, effects)) == (name == "pairing.toml")


def test_the_line_of_a_broken_step_in_a_shipped_file_is_the_one_an_editor_shows(tmp_path: Path) -> None:
    text = (SCENARIOS / "day.toml").read_text()
    broken = tmp_path / "day.toml"
    broken.write_text(text.replace('do = "stop"', 'do = "halt"'))
    line = text[: text.index('do = "stop"')].count("\n") + 1
    with pytest.raises(ConfigError, match=f"line {line}: step.3.do: what happens is one of"):
        load_scenario(broken)
