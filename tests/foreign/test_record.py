"""The recorded fixtures can be recorded again, and other people's readers still say the same."""

import json
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import Peers
from tests.foreign import record
from tests.foreign.test_tshark import instructions

pytestmark = pytest.mark.foreign

NAMES: Final = [each.__name__.replace("_", "-") for each in record.TRACES]

POLLING: Final = "nfcpy-held"
"""How often it reads until the answer is there depends on the machine."""


@pytest.fixture(scope="module")
def folder(peers: Peers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with all traces recorded anew."""
    peers.module("smartcard", extra="pcsc")
    peers.program("opensc-tool", package="opensc")
    made = tmp_path_factory.mktemp("traces") / "recorded"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["record", str(made)])
        record.main()
    return made


def test_all_fixtures_are_recorded_and_no_others() -> None:
    assert sorted(path.stem for path in record.FOLDER.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_fixture_can_be_recorded_again(folder: Path, name: str) -> None:
    then, now = record.FOLDER / f"{name}.jsonl", folder / f"{name}.jsonl"
    first, again = (json.loads(path.read_text().splitlines()[0]) for path in (then, now))
    assert (again["level"], again["app"]["kind"]) == (first["level"], first["app"]["kind"])
    assert again["source"].split()[::2] == first["source"].split()[::2] == ["nfcbridge", "card"]  # any version
    if name == POLLING:
        assert set(instructions(now)) == set(instructions(then))
    else:
        assert instructions(now) == instructions(then)
