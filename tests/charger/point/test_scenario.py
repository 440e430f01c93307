"""Scenario files: what they can say, and where a fault is told to be."""

from pathlib import Path

import pytest

from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.point.faults import Cut, Late
from nfcbridge.charger.point.inputs import Charge, Clear, Error, Nfc, Plug, PowerCycle, Socket, Swipe, TagType
from nfcbridge.charger.point.messages import MessageName
from nfcbridge.charger.point.scenario import (
    MAX_STEPS,
    MAX_STEPS_IN_ALL,
    MAX_TAGS,
    Scenario,
    ScenarioStep,
    ScenarioTag,
    load_scenario,
    parse_scenario,
)
from nfcbridge.errors import ConfigError

STEP = '[[step]]\nat = 0\ndo = "plug"\n'


def parsed(text: str) -> Scenario:
    return parse_scenario(DataFile("a.toml", text.encode()))


def fault_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return str(caught.value)


def test_a_scenario_says_what_happens_and_when() -> None:
    scenario = parsed(
        """
        title = "All of it"
        repeat = 2
        every = "10m"
        [[whitelist]]
        id = "abcdef12"
        [[whitelist]]
        id = "00b052c0ffee"
        type = "EVCCID"
        name = "Van"
        user = "Alex"
        [[step]]
        at = 0
        do = "plug"
        socket = "schuko"
        [[step]]
        at = 1.5
        do = "swipe"
        id = "00b052c0ffee"
        type = "EVCCID"
        [[step]]
        at = "1m30s"
        do = "charge"
        ventilation = true
        [[step]]
        at = "1m30s"
        do = "error"
        name = "rcd"
        [[step]]
        at = "2m"
        do = "clear"
        [[step]]
        at = "3m"
        do = "power-cycle"
        [[step]]
        at = "4m"
        do = "nfc"
        octets = 20
        [[step]]
        at = "5m"
        do = "fault"
        fault = "late=2s"
        [[step]]
        at = "6m"
        do = "fault"
        fault = "cut=12"
        """
    )
    assert scenario == Scenario(
        title="All of it",
        rounds=2,
        every=600.0,
        whitelist=(
            ScenarioTag(id="abcdef12"),
            ScenarioTag(id="00b052c0ffee", type=TagType.EVCCID, name="Van", user="Alex"),
        ),
        steps=(
            ScenarioStep(1, 0.0, Plug(socket=Socket.SCHUKO)),
            ScenarioStep(2, 1.5, Swipe("00b052c0ffee", TagType.EVCCID)),
            ScenarioStep(3, 90.0, Charge(ventilation=True)),
            ScenarioStep(4, 90.0, Error(MessageName.RCD)),
            ScenarioStep(5, 120.0, Clear()),
            ScenarioStep(6, 180.0, PowerCycle()),
            ScenarioStep(7, 240.0, Nfc(20)),
            ScenarioStep(8, 300.0, Late(2.0)),
            ScenarioStep(9, 360.0, Cut(12)),
        ),
    )


def test_a_scenario_of_one_round_needs_no_every() -> None:
    scenario = parsed('title = "Short"\n[[step]]\nat = 5\ndo = "plug"\n')
    assert (scenario.rounds, scenario.every, scenario.whitelist) == (1, 5.0, ())


def test_a_tag_is_an_rfid_card_of_nobody_unless_the_file_says_more() -> None:
    (tag,) = parsed('title = "x"\n[[whitelist]]\nid = "a"\n' + STEP).whitelist
    assert (tag.type, tag.name, tag.user) == ("RFID", "", "")


@pytest.mark.parametrize(
    ("limit", "head"), [(80, 'title = "{}"\n'), (255, 'title = "x"\n[[whitelist]]\nid = "a"\nuser = "{}"\n')]
)
def test_texts_have_a_bound(limit: int, head: str) -> None:
    parsed(head.format("x" * limit) + STEP)
    assert f"of length <= {limit}" in fault_of(head.format("x" * (limit + 1)) + STEP)


# Line of the fault -> what is told there.
FAULTS = [
    # The head.
    ('titel = "x"\n' + STEP, "line 1: titel: unknown; allowed: title, repeat"),
    (STEP, "line 1: : Object missing required field `title`"),
    ('title = ""\n' + STEP, "line 1: title: Expected `str` of length >= 1"),
    ('title = "x"\nrepeat = 0\n' + STEP, "line 2: repeat: Expected `int` >= 1"),
    ('title = "x"\nrepeat = 2\n' + STEP, 'line 1: every: needs a time, such as "1m30s"'),
    ('title = "x"\nrepeat = 2\nevery = "soon"\n' + STEP, "line 3: every: 'soon' is no time"),
    ('title = "x"\nrepeat = 2\nevery = 4\n[[step]]\nat = 5\ndo = "plug"\n', "line 3: every: the next round begins"),
    ('title = "x"\nsteps = 5\n' + STEP, "line 2: steps: unknown"),
    # Tables.
    ('title = "x"\n', "line 1: : has no [[step]]; at least one is needed"),
    ('title = "x"\nstep = []\n', "line 1: : has no [[step]]"),
    ('title = "x"\nstep = 5\n', "line 2: step: has to be tables: [[step]]"),
    ('title = "x"\nstep = [1]\n', "line 2: step: has to be tables"),
    ('title = "x"\n[step]\nat = 0\ndo = "plug"\n', "line 2: step: has to be tables"),
    ('title = "x"\n[whitelist]\nid = "a"\n' + STEP, "line 2: whitelist: has to be tables"),
    # Tags.
    ('title = "x"\n[[whitelist]]\nname = "a"\n' + STEP, "line 2: whitelist.0: Object missing required field `id`"),
    ('title = "x"\n[[whitelist]]\nid = "a b"\n' + STEP, "line 3: whitelist.0.id: Expected `str` matching regex"),
    (
        'title = "x"\n[[whitelist]]\nid = "a"\ntype = "rfid"\n' + STEP,
        "line 4: whitelist.0.type: Invalid enum value 'rfid'; allowed: RFID, EVCCID, NFC",
    ),
    ('title = "x"\n[[whitelist]]\nid = "a"\ntagType = "RFID"\n' + STEP, "line 4: whitelist.0.tagType: unknown"),
    # Steps.
    ('title = "x"\n' + STEP + '[[step]]\ndo = "unplug"\n', "line 5: step.1.at: needs a time"),
    ('title = "x"\n[[step]]\nat = "later"\ndo = "plug"\n', "line 3: step.0.at: 'later' is no time"),
    ('title = "x"\n[[step]]\nat = -1\ndo = "plug"\n', "line 3: step.0.at: needs a time"),
    ('title = "x"\n[[step]]\nat = true\ndo = "plug"\n', "line 3: step.0.at: needs a time"),
    ('title = "x"\n[[step]]\nat = inf\ndo = "plug"\n', "line 3: step.0.at: needs a time"),
    ('title = "x"\n[[step]]\nat = 31622401\ndo = "plug"\n', "line 3: step.0.at: needs a time"),
    ('title = "x"\n[[step]]\nat = 5\ndo = "plug"\n[[step]]\nat = 4.9\ndo = "unplug"\n', "line 6: step.1.at: is before"),
    ('title = "x"\n[[step]]\nat = 0\n', "line 2: step.0.do: what happens is one of plug, unplug, swipe"),
    ('title = "x"\n[[step]]\nat = 0\ndo = "fly"\n', "line 4: step.0.do: what happens is one of plug"),
    ('title = "x"\n[[step]]\nat = 0\ndo = 5\n', "line 4: step.0.do: what happens is one of plug"),
    ('title = "x"\n[[step]]\nat = 0\ndo = "plug"\nid = "a"\n', "line 5: step.0.id: unknown; allowed: socket"),
    ('title = "x"\n[[step]]\nat = 0\ndo = "swipe"\n', "line 2: step.0: Object missing required field `id`"),
    (
        'title = "x"\n[[step]]\nat = 0\ndo = "error"\nname = "tea"\n',
        "line 5: step.0.name: Invalid enum value 'tea'; allowed: residual-current, vehicle-signals",
    ),
    (
        'title = "x"\n[[step]]\nat = 0\ndo = "clear"\nname = "tea"\n',
        "line 5: step.0.name: Invalid enum value 'tea'; allowed: residual-current",
    ),
    ('title = "x"\n[[step]]\nat = 0\ndo = "fault"\n', "line 2: step.0: Object missing required field `fault`"),
    (
        'title = "x"\n[[step]]\nat = 0\ndo = "fault"\nfault = "next=7"\n',
        "line 5: step.0.fault: 'next=7' is no fault that can be had; there are next=STATUS",
    ),
    ('title = "x"\n[[step]]\nat = 0\ndo = "fault"\nfault = "late=x"\n', "line 5: step.0.fault: 'x' is no time"),
    # No TOML at all.
    ('title = "x\n', "line 1: "),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_a_fault_is_told_with_file_and_line_and_what_is_allowed(text: str, expected: str) -> None:
    assert fault_of(text).startswith(f"a.toml, {expected}")


def steps(count: int, head: str = "") -> str:
    return f'title = "x"\n{head}\n' + STEP * count


def test_a_scenario_has_at_most_1000_steps() -> None:
    assert len(parsed(steps(MAX_STEPS)).steps) == 1_000
    assert fault_of(steps(MAX_STEPS + 1)).startswith("a.toml, line 3003: step.1000: more than 1000 of them")


def test_all_rounds_have_at_most_20160_steps() -> None:
    assert parsed(steps(2, f"every = 0\nrepeat = {MAX_STEPS_IN_ALL // 2}")).rounds == 10_080
    told = fault_of(steps(2, f"every = 0\nrepeat = {MAX_STEPS_IN_ALL // 2 + 1}"))
    assert told == "a.toml, line 3: repeat: more than 20160 steps in all rounds together"


def test_a_scenario_brings_at_most_100_tags() -> None:
    tags = "".join(f'[[whitelist]]\nid = "{number}"\n' for number in range(MAX_TAGS + 1))
    assert "line 202: whitelist.100: more than 100 of them" in fault_of(f'title = "x"\n{tags}{STEP}')
    tags = "".join(f'[[whitelist]]\nid = "{number}"\n' for number in range(MAX_TAGS))
    assert len(parsed(f'title = "x"\n{tags}{STEP}').whitelist) == 100


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_scenario(tmp_path / "none.toml")
