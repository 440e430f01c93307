"""Whether a reader device may be plugged in, without a library and without touching it."""

from pathlib import Path
from typing import Final

USB_DEVICES: Final = Path("/sys/bus/usb/devices")
"""Where Linux lists what is on USB."""

DEVICES: Final = Path("/dev")

SERIAL_PORTS: Final = ("ttyUSB*", "ttyACM*", "ttyAMA*", "cu.usbserial*")
"""Serial ports at which a reader may be, as nfcpy searches them; not /dev/ttyS*, of which every machine has some."""

USB_READERS: Final = frozenset(
    {
        "054c:0193",
        "04cc:0531",
        "04cc:2533",
        "04e6:5591",
        "04e6:5593",
        "054c:02e1",
        "054c:06c1",
        "054c:06c3",
        "072f:2200",
    }
)
"""Vendor and product of the readers that nfcpy drives (its `usb_device_map`)."""

MISSING: Final = (
    "a reader on USB or a serial port: plug in a PN532, PN533, PN531, Arygon or RC-S380 (see hardware/README.md)"
)


def what_is_missing() -> str:
    """Return what a machine needs for `nfc:`, empty if there may be a reader, or nobody can tell."""
    if not DEVICES.is_dir() or any(any(DEVICES.glob(pattern)) for pattern in SERIAL_PORTS):
        return ""
    if not USB_DEVICES.is_dir():
        return MISSING
    found = {f"{_read(path)}:{_read(path.with_name('idProduct'))}" for path in USB_DEVICES.glob("*/idVendor")}
    return "" if found & USB_READERS else MISSING


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:  # unplugged meanwhile
        return ""
