"""A libusb without a bus: what nfcpy's own transport for USB opens, and cables that can be pulled.

It stands for the module usb1 in `nfc.clf.transport`, so that nfcpy's search, its opening of devices, its transfers and
its errors are the real ones. What it keeps of libusb and of readers:

* a device is claimed by one handle until that is closed, and closing is not done by anybody else;
* a frame is one bulk transfer, and stays in the device until it is read, by whoever opens it next too;
* a transfer that ends by time has moved nothing; one of a device that was pulled ends at once;
* a device that is plugged again has another address.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Self

import pytest
import usb1

from nfcbridge.links.nfc import opening

PATIENCE: Final = 5.0
IN, OUT, PACKET = 0x81, 0x02, 64


class Endpoint:
    """Of bulk transfers."""

    def __init__(self, address: int) -> None:
        self._address = address

    def getAddress(self) -> int:  # noqa: N802 - usb1's names, here and below
        return self._address

    def getAttributes(self) -> int:  # noqa: N802
        return int(usb1.TRANSFER_TYPE_BULK)

    def getMaxPacketSize(self) -> int:  # noqa: N802
        return PACKET


class FakeDevice:
    """A reader that is plugged in.

    Args:
        vendor, product: by which it is known.
        chip: takes frames by `receive`, and gives its own to `emit`.

    Attributes:
        refuses: what opening raises, if it does.
        held: somebody else has claimed it.
        fails: what the next transfers raise, one each; None: that one works.
        writes: transfers to the chip so far.
    """

    def __init__(self, vendor: int, product: int, chip: Any) -> None:
        self.vendor, self.product, self.chip = vendor, product, chip
        self.address = 0
        self.refuses: type[Exception] | None = None
        self.held = False
        self.fails: deque[type[Exception] | None] = deque()
        self.endpoints = [Endpoint(IN), Endpoint(OUT)]
        self.settings = [self]
        self.no_strings = False
        self.frames: deque[bytes] = deque()
        self.arrived = threading.Condition()
        self.plugged = False
        self.claimed: FakeHandle | None = None
        self.writes = 0
        self.pull_at: int | None = None  # before which of the writes from now on the cable is pulled
        self.on_pull: Callable[[], None] = lambda: None

    def emit(self, octets: bytes) -> None:
        with self.arrived:
            self.frames.append(octets)
            self.arrived.notify_all()

    def power(self) -> None:
        """As after it was plugged in."""
        kind = getattr(self.chip, "kind", None)
        self.chip.__init__(*(() if kind is None else (kind,)))
        self.chip.emit = self.emit
        self.frames.clear()

    # usb1.USBDevice and the setting of its interface

    def getVendorID(self) -> int:  # noqa: N802
        return self.vendor

    def getProductID(self) -> int:  # noqa: N802
        return self.product

    def getBusNumber(self) -> int:  # noqa: N802
        return 1

    def getDeviceAddress(self) -> int:  # noqa: N802
        return self.address

    def iterSettings(self) -> Iterator["FakeDevice"]:  # noqa: N802
        return iter(self.settings)

    def iterEndpoints(self) -> Iterator[Endpoint]:  # noqa: N802
        return iter(self.endpoints)

    def getManufacturer(self) -> str:  # noqa: N802
        if self.no_strings:
            raise usb1.USBErrorIO
        self.open().close()
        return "nfcbridge"

    def getProduct(self) -> str:  # noqa: N802
        return "fake"

    def open(self) -> "FakeHandle":
        if not self.plugged:
            raise usb1.USBErrorNoDevice
        if self.refuses is not None:
            raise self.refuses
        return FakeHandle(self)


class FakeHandle:
    """An open device."""

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        self._open = True

    def claimInterface(self, number: int) -> None:  # noqa: N802
        assert number == 0
        if self._device.held or self._device.claimed is not None:
            raise usb1.USBErrorBusy
        self._device.claimed = self

    def bulkWrite(self, endpoint: int, octets: bytes, timeout: int) -> int:  # noqa: N802
        device = self._device
        assert (endpoint, device.claimed, timeout) == (OUT, self, 0)
        device.writes += 1
        if device.pull_at is not None:
            device.pull_at -= 1
            if device.pull_at < 0:
                device.pull_at = None
                device.on_pull()
        self._check()
        if octets:
            device.chip.receive(octets)
        return len(octets)

    def bulkRead(self, endpoint: int, size: int, timeout: int) -> bytearray:  # noqa: N802
        device = self._device
        assert (endpoint, device.claimed) == (IN, self)
        assert timeout > 0  # a chip that has hung must not hang the host
        with device.arrived:
            self._check()
            seconds = min(timeout / 1000, PATIENCE)
            if not device.arrived.wait_for(lambda: device.frames or not device.plugged, seconds):
                raise usb1.USBErrorTimeout
            self._check()
            frame = device.frames.popleft()
            assert len(frame) <= size
            return bytearray(frame)

    def _check(self) -> None:
        assert self._open
        if not self._device.plugged:
            raise usb1.USBErrorNoDevice
        failure = self._device.fails.popleft() if self._device.fails else None
        if failure is not None:
            raise failure

    def close(self) -> None:
        self._open = False
        if self._device.claimed is self:
            self._device.claimed = None


class FakeLibusb:
    """The bus, and the module usb1 for who asks for something else."""

    def __init__(self) -> None:
        self.devices: list[FakeDevice] = []
        self.forbidden = False
        self._address = 0

    def plug(self, device: FakeDevice) -> FakeDevice:
        self._address += 1
        device.address = self._address
        device.plugged = True
        device.on_pull = lambda: self.pull(device)
        device.power()
        self.devices.append(device)
        return device

    def pull(self, device: FakeDevice) -> None:
        with device.arrived:
            device.plugged = False
            device.arrived.notify_all()
        if device in self.devices:
            self.devices.remove(device)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import nfc.clf.transport

        monkeypatch.setattr(nfc.clf.transport, "libusb", self)
        monkeypatch.setattr(opening, "may_be_used", lambda _bus, _number: not self.forbidden)

    def __getattr__(self, name: str) -> Any:
        return getattr(usb1, name)

    def USBContext(self) -> "Context":  # noqa: N802
        return Context(self)


class Context:
    """usb1.USBContext."""

    def __init__(self, bus: FakeLibusb) -> None:
        self._bus = bus

    def getDeviceList(self, *, skip_on_error: bool) -> list[FakeDevice]:  # noqa: N802
        assert skip_on_error
        return list(self._bus.devices)

    def exit(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
