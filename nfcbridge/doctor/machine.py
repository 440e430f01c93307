"""What the system tells of itself, in files: on Linux. Elsewhere these files are not there, and nothing is found."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

MAX_DEVICES: Final = 1_000
"""Devices on USB that are looked at; a machine has 127 a bus."""


class UsbDevice(Struct, frozen=True):
    """A device on USB.

    Attributes:
        vendor, product: its numbers.
        name: what it calls itself.
        node: its file, through which libusb opens it.
        drivers: of the kernel that hold its interfaces.
        may_open: the user may read and write the node.
    """

    vendor: int
    product: int
    name: str
    node: Path
    drivers: tuple[str, ...]
    may_open: bool


class SerialPort(Struct, frozen=True):
    """A serial port on USB.

    Attributes:
        node: its file, such as /dev/ttyUSB0.
        driver: of the kernel, such as ftdi_sio.
        may_open: the user may read and write it.
        latency: milliseconds that an FTDI adapter waits before it sends few octets on; None of others.
    """

    node: Path
    driver: str
    may_open: bool
    latency: int | None


class Machine:
    """A machine.

    Args:
        root: below which its files are; tests have one of their own.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def text(self, path: Path) -> str:
        """What a file says, without white space around it; empty where it is not, or not for us."""
        try:
            return path.read_text("utf-8", errors="replace").strip()
        except OSError:
            return ""

    def modules(self) -> frozenset[str]:
        """The loaded modules of the kernel."""
        lines = self.text(self.root / "proc/modules").splitlines()
        return frozenset(line.split(" ", 1)[0] for line in lines)

    def usb_devices(self) -> Iterator[UsbDevice]:
        """What is on USB."""
        folder = self.root / "sys/bus/usb/devices"
        for _, device in zip(range(MAX_DEVICES), sorted(folder.glob("*")), strict=False):
            vendor, product = self.text(device / "idVendor"), self.text(device / "idProduct")
            bus, number = self.text(device / "busnum"), self.text(device / "devnum")
            try:
                ids = int(vendor, 16), int(product, 16)
                node = self.root / f"dev/bus/usb/{int(bus):03}/{int(number):03}"
            except ValueError:
                continue  # an interface of a device
            name = " ".join(filter(None, (self.text(device / "manufacturer"), self.text(device / "product"))))
            drivers = sorted(
                {link.resolve().name for link in device.glob(f"{device.name}:*/driver") if link.is_symlink()}
            )
            yield UsbDevice(*ids, name, node, tuple(drivers), os.access(node, os.R_OK | os.W_OK))

    def serial_ports(self) -> Iterator[SerialPort]:
        """The serial ports on USB: those of the board itself are there on every machine and say nothing."""
        from nfcbridge.links.nfc.times import latency_timer

        nodes = sorted((*(self.root / "dev").glob("ttyUSB*"), *(self.root / "dev").glob("ttyACM*")))
        for node in nodes:
            device = self.root / "sys/class/tty" / node.name / "device"
            driver = (device / "driver").resolve().name if (device / "driver").is_symlink() else ""
            latency = latency_timer(str(node), self.root / "sys/bus/usb-serial/devices")
            yield SerialPort(node, driver, os.access(node, os.R_OK | os.W_OK), latency)
