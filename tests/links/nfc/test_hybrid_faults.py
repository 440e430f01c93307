"""Cards, phones and faults in any order, by seeds: in the end a card is read, a phone finds the tag, no thread died.

By hand, with other seeds: `python -m tests.links.nfc.test_hybrid_faults FIRST LAST`.
"""

import contextlib
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from nfcbridge.client.phone import Phone
from nfcbridge.errors import NfcBridgeError
from nfcbridge.server import card_looks, door
from nfcbridge.server import events as told
from tests.links.nfc.air import AirReader
from tests.links.nfc.fake_libusb import FakeLibusb
from tests.links.nfc.test_hybrid import Post, until
from tests.links.nfc.test_usb import KINDS
from tests.links.nfc.test_usb_faults import FAULTS, be_quick, plug_again, strike

READERS: Final = ("rcs380", "pn533")
MOST_STEPS: Final = 7
CARD: Final = bytes.fromhex("ABCDEF12")


def touch(post: Post, _chance: random.Random) -> None:
    phone = Phone(AirReader(post.chip))
    with contextlib.suppress(NfcBridgeError):
        phone.exchange("GET", "/login", connect_timeout=0.1, read_timeout=0.2)
    phone.disconnect()
    post.chip.lose_field()


def hold(post: Post, chance: random.Random) -> None:
    post.hold(bytes([0xA0, chance.randrange(256), 1, 2]))
    time.sleep(0.05)
    post.take_away()


def pass_time(post: Post, _chance: random.Random) -> None:
    post.charger.advance(61)


def cut_power(post: Post, _chance: random.Random) -> None:
    post.charger.power_cycle()
    post.charger.advance(10)


STEPS: Final[tuple[Callable[[Post, random.Random], None], ...]] = (touch, touch, hold, hold, pass_time, cut_power)


def endure(kind: str, seed: int, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it happen; raises AssertionError if the reader does not do both afterwards."""
    chance = random.Random(f"{kind} {seed}")
    libusb = FakeLibusb()
    libusb.install(monkeypatch)
    stick = libusb.plug(KINDS[kind]())
    post = Post(stick, trace)
    with post.charger.emulator, post.charger.api:
        for _ in range(chance.randrange(1, MOST_STEPS + 1)):
            strike(chance.choice(FAULTS), chance, stick)
            chance.choice(STEPS)(post, chance)
            plug_again(libusb, stick)
        stick.fails.clear()
        stick.pull_at = None
        stick.chip.lose_field()
        time.sleep(0.1)  # what a phone sent last is told
        post.charger.advance(61)
        read = len(post.read())
        post.hold(CARD)
        until(lambda: len(post.read()) > read)
        post.take_away()
        until(post.finds_tag)
        failures = [event.reason for event in post.charger.events if isinstance(event, told.LinkFailed)]
    assert not [reason for reason in failures if "fault of nfcbridge" in reason]


def be_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    be_quick(monkeypatch)
    monkeypatch.setattr(card_looks, "LISTEN", 0.03)
    monkeypatch.setattr(card_looks, "HELD", 0.2)
    monkeypatch.setattr(door, "LOOK", 0.01)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", READERS)
def test_whatever_happens_cards_are_read_and_phones_find_the_tag_in_the_end(
    kind: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_quicker(monkeypatch)
    endure(kind, seed, tmp_path / "trace.jsonl", monkeypatch)


def main() -> None:
    first, last = (int(word) for word in sys.argv[1:3])
    failed = 0
    for seed in range(first, last):
        for kind in READERS:
            with pytest.MonkeyPatch.context() as monkeypatch, TemporaryDirectory() as folder:
                be_quicker(monkeypatch)
                try:
                    endure(kind, seed, Path(folder, "trace.jsonl"), monkeypatch)
                except AssertionError as error:
                    failed += 1
                    print(f"{kind} {seed}: {error}")  # noqa: T201 - a program for people
    print(f"{(last - first) * len(READERS)} runs, {failed} failed")  # noqa: T201


if __name__ == "__main__":
    main()
