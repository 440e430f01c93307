"""Whatever goes wrong with a reader on USB, by seeds: in the end a phone is served, and no thread has died.

By hand, with other seeds: `python -m tests.links.nfc.test_usb_faults FIRST LAST`.
"""

import contextlib
import random
import sys
import time
from typing import Final

import pytest
import usb1

from nfcbridge.client.phone import Phone
from nfcbridge.errors import NfcBridgeError
from nfcbridge.framing import ExchangeConfig
from nfcbridge.links.nfc import dialogue, outage
from nfcbridge.links.nfc import transport as transport_module
from nfcbridge.server import events as told
from tests.links.nfc.air import AirReader
from tests.links.nfc.fake_libusb import FakeDevice, FakeLibusb
from tests.links.nfc.serving import Served
from tests.links.nfc.test_usb import KINDS, name_of

FAULTS: Final = ("error", "error", "garbage", "silence", "field", "pull", "late")
GARBAGE: Final = (b"\x00", b"\x00\x00\xff", b"\x55" * 70, bytes.fromhex("0000FF00FF00"), bytes.fromhex("0000FFFFFF"))
ERRORS: Final = (usb1.USBErrorIO, usb1.USBErrorPipe, usb1.USBErrorOverflow, usb1.USBErrorTimeout)
MOST_FAULTS: Final = 5
RECOVERY: Final = 10.0
"""Seconds after the last fault by which a phone is served: one that asks in vain tries again."""


def strike(fault: str, chance: random.Random, stick: FakeDevice) -> None:
    """Let something go wrong at one of the next transfers."""
    at = chance.randrange(12)
    if fault == "error":
        stick.fails.extend([None] * at + [chance.choice(ERRORS)])
    elif fault == "garbage":
        stick.emit(chance.choice(GARBAGE))
    elif fault == "silence":
        with stick.arrived:
            stick.frames.clear()  # what the chip has sent is lost
    elif fault == "field":
        stick.chip.lose_field()
    elif fault == "pull":
        stick.pull_at = at
    else:
        time.sleep(0.02)


def plug_again(libusb: FakeLibusb, stick: FakeDevice) -> None:
    if not stick.plugged:
        libusb.plug(stick)


def endure(kind: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> list[told.LinkFailed]:
    """Serve a phone while things go wrong; raises AssertionError if it is not served after them."""
    chance = random.Random(f"{kind} {seed}")
    libusb = FakeLibusb()
    libusb.install(monkeypatch)
    stick = libusb.plug(KINDS[kind]())
    failures: list[told.LinkFailed] = []
    with Served(name_of(stick), exchange=ExchangeConfig(replace=True)) as served:
        for _ in range(chance.randrange(1, MOST_FAULTS + 1)):
            strike(chance.choice(FAULTS), chance, stick)
            exchange(stick, seed, connect=0.1, read=0.2)
            plug_again(libusb, stick)
        stick.fails.clear()
        stick.pull_at = None
        give_up = time.monotonic() + RECOVERY
        while not exchange(stick, seed, connect=1.0, read=1.0):
            assert time.monotonic() < give_up, f"{kind}, seed {seed}: no phone is served any more"
        failures += [event for event in served.drain(told.LinkFailed) if isinstance(event, told.LinkFailed)]
    assert stick.claimed is None
    assert all("fault of nfcbridge" not in failure.reason for failure in failures), failures
    return failures


def exchange(stick: FakeDevice, number: int, *, connect: float, read: float) -> bool:
    """Whether a phone that comes now, and goes afterwards, has its answer."""
    phone = Phone(AirReader(stick.chip))
    with contextlib.suppress(NfcBridgeError):
        answer = phone.exchange("POST", "/echo", content=b"%d" % number, connect_timeout=connect, read_timeout=read)
        assert answer.content == b'{"got":%d}' % number
        phone.close()
        return True
    phone.disconnect()
    stick.chip.lose_field()
    return False


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    be_quick(monkeypatch)


def be_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "REOPEN", 0.02)
    monkeypatch.setattr(dialogue, "LOOK_AT_FIELD", 0.05)
    monkeypatch.setattr(transport_module, "LONGEST_WAIT", 0.2)
    monkeypatch.setattr("nfcbridge.links.nfc.chips.port100.ACKNOWLEDGED", 100)
    monkeypatch.setattr("nfcbridge.server.door.RETRY", 0.02)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_goes_wrong_a_phone_is_served_in_the_end(
    kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    endure(kind, seed, monkeypatch)


def main() -> None:
    first, last = (int(word) for word in sys.argv[1:3])
    failed = 0
    for seed in range(first, last):
        for kind in KINDS:
            with pytest.MonkeyPatch.context() as monkeypatch:
                be_quick(monkeypatch)
                try:
                    endure(kind, seed, monkeypatch)
                except AssertionError as error:
                    failed += 1
                    print(f"{kind} {seed}: {error}")  # noqa: T201 - a program for people
    print(f"{(last - first) * len(KINDS)} runs, {failed} failed")  # noqa: T201


if __name__ == "__main__":
    main()
