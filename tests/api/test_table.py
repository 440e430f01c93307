"""The table of API tests through every door."""

from functools import cache

import pytest

from tests.api.doors import DOORS
from tests.api.running import run_group
from tests.api.table import read_table

TABLE = {group.name: group for group in read_table()}


@cache
def outcome(door: str, group: str) -> dict[str, list[str]]:
    """What is wrong with each line of a group; all of them run when the first is asked for."""
    return run_group(TABLE[group], DOORS[door])


@pytest.mark.parametrize(
    ("door", "group", "name"),
    [
        pytest.param(door, group.name, case.name, id=f"{door}: {group.name}: {case.name}")
        for door in DOORS
        for group in TABLE.values()
        for case in group.cases
    ],
)
def test_the_controller_answers_as_the_reference_says(door: str, group: str, name: str) -> None:
    problems = outcome(door, group)[name]
    assert not problems, "\n".join(problems)
