"""What the tests of the REST core share."""

from pathlib import Path

import pytest

from tests.charger.core import Core
from tests.charger.gate import GateRunner


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GateRunner:
    return GateRunner(tmp_path, monkeypatch)
