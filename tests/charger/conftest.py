"""What the tests of the REST core share."""

import pytest

from tests.charger.core import Core


@pytest.fixture
def core() -> Core:
    return Core()
