"""What the tests of the interface share."""

from collections.abc import Iterator

import pytest

from tests.api.doors import DOORS, Door
from tests.api.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, world: World) -> Iterator[Door]:
    with DOORS[request.param](world) as opened:
        yield opened
