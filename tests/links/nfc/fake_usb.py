"""A USB on which fake chips are, in the place of nfcpy's transport: whole frames in, whole frames out."""

import errno
import os
import threading
from collections import deque
from typing import Protocol

import pytest

from nfcbridge.links.nfc import opening

PATIENCE = 5.0


class Chip(Protocol):
    """What can be on the bus: it takes frames, and gives its own to `emit`."""

    def receive(self, octets: bytes) -> None: ...


class FakeTransport:
    """Stands for nfc.clf.transport.USB, opened."""

    TYPE = "USB"
    manufacturer_name = "nfcbridge"
    product_name = "fake"

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._frames: deque[bytes] = deque()
        self._arrived = threading.Condition()
        self.closed = False
        self.unplugged = False
        chip.emit = self._emit  # type: ignore[attr-defined]  # an attribute, since a protocol's would be a method

    def _emit(self, octets: bytes) -> None:
        with self._arrived:
            self._frames.append(octets)
            self._arrived.notify_all()

    def read(self, timeout: int = 0) -> bytearray:
        with self._arrived:
            if not self._arrived.wait_for(
                lambda: self._frames or self.unplugged, timeout / 1000 if timeout else PATIENCE
            ):
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            self._check()
            return bytearray(self._frames.popleft())

    def write(self, frame: bytes, timeout: int = 0) -> None:
        self._check()
        self._chip.receive(bytes(frame))

    def _check(self) -> None:
        if self.unplugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def unplug(self) -> None:
        with self._arrived:
            self.unplugged = True
            self._arrived.notify_all()

    def close(self) -> None:
        self.closed = True


class FakeUsb:
    """The bus: devices by vendor, product, bus and number."""

    def __init__(self) -> None:
        self.devices: dict[tuple[int, int, int, int], Chip | OSError] = {}
        self.transports: list[FakeTransport] = []
        self.forbidden = False

    def plug(self, vendor: int, product: int, chip: Chip | OSError) -> None:
        self.devices[vendor, product, 1, len(self.devices) + 1] = chip

    def find(self, path: str) -> list[tuple[int, int, int, int]] | None:
        parts = path.split(":")
        if parts[0] != "usb":
            return None
        if len(parts) == 3 and len(parts[1]) == 3:
            return [key for key in self.devices if key[2:] == (int(parts[1]), int(parts[2]))]
        numbers = tuple(int(part, 16) for part in parts[1:])
        return [key for key in self.devices if key[: len(numbers)] == numbers]

    def open(self, bus: int, number: int) -> FakeTransport:
        (chip,) = [chip for key, chip in self.devices.items() if key[2:] == (bus, number)]
        if isinstance(chip, OSError):
            raise chip
        self.transports.append(FakeTransport(chip))
        return self.transports[-1]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import nfc.clf.transport

        class Opener:
            find = staticmethod(self.find)

            def __new__(cls, bus: int, number: int) -> FakeTransport:  # type: ignore[misc]
                return self.open(bus, number)

        monkeypatch.setattr(nfc.clf.transport, "USB", Opener)
        monkeypatch.setattr(opening, "may_be_used", lambda _bus, _number: not self.forbidden)
