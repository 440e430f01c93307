"""The exceptions of nfcpy and of what it stands on, as ours, with what to do.

nfcpy raises OSError with errno where it noticed, lets through what libusb raised where it did not,
serial.SerialException (an OSError without errno) and termios.error where the port did, errors of its own for the air,
and IndexError, TypeError, AttributeError or AssertionError where a chip answered something short or nothing.
"""

import errno
import os
import re
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from nfcbridge.errors import LinkError, NfcBridgeError

MODULES: Final = Path("/proc/modules")
"""The loaded modules of the Linux kernel, the name first in each line."""

HOLDERS: Final = ("pn533_usb", "pn533_uart", "pn533", "port100", "nfc")
"""Modules of Linux' own NFC stack, in the order in which they let go of one another."""

GONE: Final = frozenset({errno.ENODEV, errno.ENOENT, errno.ENXIO})
"""There is no such device, or not any more."""

_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})

_LIBUSB: Final = {-3: errno.EACCES, -4: errno.ENODEV, -5: errno.ENODEV, -6: errno.EBUSY, -7: errno.ETIMEDOUT}
"""Errors of libusb that nfcpy lets through while it opens a device: access, no device, not found, busy, time-out."""

_LIBUSB_NOT_SUPPORTED: Final = -12
_USB_NUMBERS: Final = re.compile(r"usb:([0-9a-fA-F]{4})(?::([0-9a-fA-F]{4}))?")
_USB_ADDRESS: Final = re.compile(r"nfc:usb:[0-9]{1,3}:[0-9]{1,3}")


@cache
def driver_faults() -> tuple[type[BaseException], ...]:
    """What nfcpy's drivers raise. It imports them, so that only who has opened one calls it."""
    import nfc.clf
    import nfc.clf.pn53x
    import nfc.clf.rcs380
    import usb1

    kinds: list[type[BaseException]] = [
        OSError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        AssertionError,
        struct.error,
        usb1.USBError,
        nfc.clf.Error,
        nfc.clf.pn53x.Chipset.Error,
        nfc.clf.rcs380.CommunicationError,
        nfc.clf.rcs380.StatusError,
    ]
    if sys.platform != "win32":
        import termios

        kinds.append(termios.error)
    return tuple(kinds)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what drivers raise into LinkError.

    Args:
        name: of the link.

    Raises:
        LinkError: the driver raised.
    """
    try:
        yield
    except NfcBridgeError:
        raise
    except driver_faults() as error:
        raise LinkError(describe(name, error)) from error


def describe(name: str, error: BaseException) -> str:
    """Say what is wrong at a link and what to do.

    Args:
        name: of the link, such as `nfc:tty:USB0:pn532`.
        error: what nfcpy raised.
    """
    libusb: int = getattr(error, "value", 0)
    if libusb == _LIBUSB_NOT_SUPPORTED:
        return f"Windows has no driver for {name} that programs can use: install WinUSB for it with Zadig"
    number = error.errno if isinstance(error, OSError) else _LIBUSB.get(libusb)
    if number in _DENIED:
        return f"no permission for {name}: {_permit(name, getattr(error, 'filename', None))}"
    if number == errno.EBUSY:
        return f"{name} is in use: {_release()}"
    if number in GONE:
        return f"no reader at {name}: {_look(name)}"
    if number == errno.ETIMEDOUT:
        return f"the reader at {name} does not answer: pull it and plug it in again"
    what = str(error) or type(error).__name__
    return f"the reader at {name} failed ({what}): see that it is plugged in, or pull it and plug it in again"


def loaded_modules() -> list[str]:
    """Return which of HOLDERS the kernel has loaded, in their order; none where there is no such list."""
    try:
        lines = MODULES.read_text("ascii").splitlines()
    except OSError:
        return []
    loaded = {line.split(" ", 1)[0] for line in lines}
    return [module for module in HOLDERS if module in loaded]


def _release() -> str:
    modules = loaded_modules()
    if modules:
        words = " ".join(modules)
        return (
            f"the kernel's own driver holds it: sudo modprobe -r {words} "
            f"(for good: echo 'blacklist {modules[0]}' | sudo tee /etc/modprobe.d/nfcbridge.conf)"
        )
    return "end the program that has it open; if it is pcscd: sudo systemctl stop pcscd.socket pcscd.service"


def _look(name: str) -> str:
    modules = loaded_modules()
    held = f"; the kernel's driver may hold it: sudo modprobe -r {' '.join(modules)}" if modules else ""
    if _USB_ADDRESS.fullmatch(name):
        return (
            "plug it in, and name it by vendor and product, such as nfc:usb:054c:06c3, since its number is another one "
            f"each time; lsusb shows what is there{held}"
        )
    if name.startswith("nfc:usb"):
        return f"plug it in; lsusb shows what is there{held}"
    return (
        "plug it in; `ls /dev/ttyUSB* /dev/ttyACM*` shows the ports; of a PN532 module, the switches or jumpers must "
        f"choose HSU (UART), RX and TX must be crossed, and it needs its power{held}"
    )


def _permit(name: str, port: str | bytes | None) -> str:
    if name.startswith("nfc:usb"):
        found = _USB_NUMBERS.match(name.removeprefix("nfc:"))
        vendor, product = (found[1], found[2]) if found else (None, None)
        return (
            f"put the line {udev_rule(vendor or '054c', product)} into /etc/udev/rules.d/70-nfcbridge.rules, then sudo "
            "udevadm control --reload, and plug it in again"
        )
    return join_group(port)


def udev_rule(vendor: str, product: str | None) -> str:
    """Return the line for udev that lets whoever sits at the machine use a reader on USB.

    Args:
        vendor: four hexadecimal digits.
        product: the same; None for all of the vendor's.
    """
    rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor.lower()}"'
    if product:
        rule += f', ATTR{{idProduct}}=="{product.lower()}"'
    return rule + ', TAG+="uaccess", GROUP="plugdev", MODE="0660"'


def join_group(port: str | bytes | None) -> str:
    """Return what lets a user open a serial port."""
    return f"sudo usermod -aG {_group(port)} $USER, then log in again"


def _group(port: str | bytes | None) -> str:
    try:
        import grp

        return grp.getgrgid(os.stat(port or "").st_gid).gr_name  # noqa: PTH116 - bytes may come
    except (OSError, KeyError, ImportError):  # no such port any more, a group without name, no POSIX
        return "dialout"
