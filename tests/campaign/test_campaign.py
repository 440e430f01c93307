"""The fault campaign in CI: every frame once, some hundred seeds, and every plan that is kept."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from nfcbridge.client.delivery import Delivery
from tests.campaign.__main__ import main
from tests.campaign.kept import keep, kept_plans
from tests.campaign.plan import MOST_FAULTS, Fault, Kind, Plan, draw_plan
from tests.campaign.run import run_plan

SEEDS = 300

SCENES = {
    "ours": Plan(seed=-1),
    "ours, slow": Plan(seed=-2, delays=(0.6, 2.0, 0.6, 2.0, 0.6, 2.0)),
    "ours, small frames": Plan(seed=-3, fsci=2),
    "nlen first": Plan(seed=-4, order="NLEN_FIRST", delays=(0.6,) * 6),
    "first chunk": Plan(seed=-5, order="FIRST_CHUNK"),
    "foreign": Plan(seed=-6, ours=False, delays=(0.0, 0.6, 0.0, 0.6)),
}

FAULTS = {
    "loss": Fault(0, Kind.LOSS),
    "damage": Fault(0, Kind.DAMAGE),
    "delay": Fault(0, Kind.DELAY, 0.05),
    "too late": Fault(0, Kind.DELAY, 0.5),
    "field": Fault(0, Kind.FIELD),
    "field for a while": Fault(0, Kind.FIELD, 2.0),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("scene", SCENES)
def test_one_fault_at_any_frame_costs_no_answer_and_executes_nothing_twice(scene: str, fault: str) -> None:
    plan = SCENES[scene]
    frames = run_plan(plan).frames
    assert frames > 30
    for frame in range(1, frames + 1):
        faulty = msgspec.structs.replace(plan, faults=(msgspec.structs.replace(FAULTS[fault], frame=frame),))
        outcome = run_plan(faulty)
        assert (outcome.wrong, outcome.faults) == ([], 1), (frame, outcome)
        # Only the answer of a card that is not ours can get lost for good: what is not safe is not asked twice.
        assert not outcome.errors or not plan.ours, (frame, outcome)
        assert outcome.delivered == outcome.torn - len(outcome.errors)


def test_seeded_faults_end_with_the_right_answer_or_the_right_error() -> None:
    torn = delivered = 0
    for seed in range(SEEDS):
        outcome = run_plan(draw_plan(seed))
        assert outcome.wrong == [], seed
        torn += outcome.torn
        delivered += outcome.delivered
    assert torn > SEEDS / 3  # faults do strike
    assert delivered / torn > 0.9


@pytest.mark.parametrize(("name", "plan"), [pytest.param(name, plan, id=name) for name, plan in kept_plans()])
def test_what_once_failed_does_so_no_more(name: str, plan: Plan) -> None:
    assert plan.why, name
    outcome = run_plan(plan)
    assert outcome.wrong == []
    assert outcome.faults


def test_a_plan_is_the_same_run_each_time_and_outlives_its_file(tmp_path: Path) -> None:
    plan = draw_plan(7)
    assert 1 <= len(plan.faults) <= MOST_FAULTS
    assert run_plan(plan) == run_plan(plan)
    path = keep(plan, "a reason", tmp_path)
    assert [*kept_plans(tmp_path)] == [(path.stem, msgspec.structs.replace(plan, why="a reason"))]


# A campaign that finds nothing proves nothing unless it finds what is there to be found.


def careless(delivery: Delivery) -> None:
    """Asks again whatever has been torn."""
    delivery._write_again(surely_not_executed=True)  # noqa: SLF001 - the fault that is put in


def hasty(delivery: Delivery) -> object:
    """Asks again when the file has no answer yet, without asking the card whether it works on the request."""
    answer = delivery._look()  # noqa: SLF001 - the fault that is put in
    if answer is None:
        delivery._write_again(surely_not_executed=True)  # noqa: SLF001
    return answer


@pytest.fixture(params=[careless, hasty])
def sabotaged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Delivery, "_find_answer", request.param)


@pytest.mark.usefixtures("sabotaged")
def test_a_client_that_asks_twice_is_found_out() -> None:
    assert any(run_plan(draw_plan(seed)).wrong for seed in range(SEEDS))


@pytest.mark.usefixtures("sabotaged")
def test_the_runner_keeps_what_fails_and_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.campaign.__main__.keep", lambda plan, why: keep(plan, why, tmp_path))
    done = CliRunner().invoke(main, ["--seeds", "200"])
    assert done.exit_code == 1
    kept = [*kept_plans(tmp_path)]
    assert kept
    assert f"{len(kept)} runs ended as none may" in done.output
    assert f"kept as {tmp_path / kept[0][0]}.json" in done.output


def test_the_runner_prints_the_share_of_torn_touches_with_an_answer() -> None:
    done = CliRunner().invoke(main, ["--seeds", "20", "--first", "100"])
    assert done.exit_code == 0
    assert "20 seeds in" in done.output
    assert "of them ended with the answer delivered (" in done.output
