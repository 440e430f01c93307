"""What follows `nfc:` in the name of a link: nfcpy's path of a reader, and options after a question mark.

    nfc:usb                          the first reader on USB that can do it
    nfc:usb:054c  nfc:usb:054c:06c3  by vendor, by vendor and product (four hexadecimal digits each)
    nfc:usb:001  nfc:usb:001:023     by bus, by bus and device (three decimal digits each)
    nfc:tty  nfc:tty:USB0            the first reader on a serial port, on /dev/ttyUSB0
    nfc:tty:USB0:pn532               the same, and no driver is tried but this one
    nfc:tty:/dev/serial/by-id/...:pn532   a device file by its path: ours, nfcpy has no word for it
    nfc:com:COM3:pn532               a serial port of Windows
    nfc:udp:127.0.0.1:54321          nfcpy's own simulation of a reader
    ...?picc                         card end: the chip does ISO 14443-4 itself, and whole APDUs come up

The path is put into a command line by nfcpy, so that nothing but what is drawn here gets through.
"""

import re
from dataclasses import dataclass
from typing import Final

from nfcbridge.errors import ConfigError

TTY_DRIVERS: Final = ("arygon", "pn532")
"""nfcpy's drivers for serial ports, in the order in which it tries them."""

EXAMPLES: Final = "nfc:usb, nfc:usb:054c:06c3, nfc:tty:USB0:pn532, nfc:tty:USB0:pn532?picc"

_USB: Final = re.compile(r"usb(:([0-9a-fA-F]{4}(:[0-9a-fA-F]{4})?|[0-9]{1,3}(:[0-9]{1,3})?))?")
_DRIVER: Final = f"(:({'|'.join(TTY_DRIVERS)}))?"
_SERIAL: Final = re.compile(rf"(tty|com)(:[A-Za-z0-9-]+{_DRIVER})?")
_DEVICE_FILE: Final = re.compile(r"tty:(/[A-Za-z0-9/._:+-]*[A-Za-z0-9._+-])")
_UDP: Final = re.compile(r"udp(:[A-Za-z0-9.-]*(:[0-9]{1,5})?)?")


@dataclass(frozen=True, slots=True)
class ReaderName:
    """A reader, as it was named.

    Attributes:
        path: nfcpy's path; `tty:` and a device file where that was given.
        picc: the chip's own ISO 14443-4 is to be used.
        device_file: the device file if one was given, such as `/dev/pts/3`.
        driver: the driver if a device file and one were given.
    """

    path: str
    picc: bool = False
    device_file: str = ""
    driver: str = ""

    def __str__(self) -> str:
        """Return the whole name of the link."""
        return f"nfc:{self.path}{'?picc' if self.picc else ''}"


def parse_name(text: str) -> ReaderName:
    """Read what follows `nfc:`.

    Raises:
        ConfigError: it names no reader, or an option that does not exist.
    """
    path, mark, options = text.partition("?")
    if mark and options != "picc":
        raise ConfigError(f"the only option of nfc: is picc, not {options!r}; such as {EXAMPLES}")
    picc = bool(mark)
    if picc and not path.startswith(("tty", "com")):
        raise ConfigError(f"nfc:{text}: only a PN532 on a serial port does ISO 14443-4 itself: leave ?picc away")
    found = _DEVICE_FILE.fullmatch(path)
    if found is not None:
        head, _, tail = found[1].rpartition(":")  # of those in the name of the file, if there are any, the last
        if tail in TTY_DRIVERS:
            return ReaderName(path, picc, head, tail)
        return ReaderName(path, picc, found[1])
    if any(pattern.fullmatch(path) for pattern in (_USB, _SERIAL, _UDP)):
        return ReaderName(path, picc)
    raise ConfigError(f"nfc:{path} names no reader; what can be written: {EXAMPLES}")
