"""A charge controller at a link in memory, so that a command under test meets it in this process."""

from collections.abc import Iterator

import pytest

from nfcbridge.cli.charger import open_charger
from nfcbridge.server.emulator import Emulator
from tests.cli.in_terminal import WISHES

LINK = "memory:cli"
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _no_wish_for_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WISHES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def charger(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Returns the name of the link; NFCBRIDGE_PASSWORD has the operator's password."""
    monkeypatch.setenv("NFCBRIDGE_PASSWORD", PASSWORD)
    with (
        open_charger(None, {"operator": PASSWORD, "user": "user's"}) as opened,
        Emulator(opened.app, [LINK], base_path=opened.base_path),
    ):
        yield LINK
