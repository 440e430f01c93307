"""A board that is plugged in, and readers on a USB that is none."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nfcbridge.isodep import DEFAULT
from nfcbridge.links import CardEnd, CardIdentity
from nfcbridge.links.nfc.card import NfcCard
from nfcbridge.links.nfc.names import parse_name
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.fake_usb import FakeUsb

UID = bytes.fromhex("08A1B2C3")
IDENTITY = CardIdentity(uid=UID, ats=DEFAULT.to_bytes())

OpenCard = Callable[..., NfcCard]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[FakePn532]:
    with FakePn532(tmp_path / "reader") as plugged:
        yield plugged


@pytest.fixture
def usb(monkeypatch: pytest.MonkeyPatch) -> FakeUsb:
    bus = FakeUsb()
    bus.install(monkeypatch)
    return bus


@pytest.fixture
def open_end() -> Iterator[OpenCard]:
    """Opens card ends, which are closed in the end."""
    ends: list[CardEnd] = []

    def open_it(name: str, identity: CardIdentity = IDENTITY) -> NfcCard:
        end = NfcCard(parse_name(name.removeprefix("nfc:")), identity)
        ends.append(end)
        return end

    yield open_it
    for end in ends:
        end.close()
