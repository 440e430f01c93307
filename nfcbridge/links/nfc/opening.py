"""Opening a reader by its name, through nfcpy's drivers, and the table's line for it.

On USB the readers that are there are looked at one by one, so that the first which can do what is wanted is taken and a
refusal has its reason; nfcpy's own search keeps both to itself. What a program that was killed left in a reader is
thrown away before the driver begins, which would take it for its own answers; and a reader whose driver fails is let go
at once, since it is in use, for us too, for as long as nobody closes it.
"""

import errno
import importlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from nfcbridge.errors import LinkError
from nfcbridge.links.nfc.drivers import BY_MODULE, Driver, driver_of
from nfcbridge.links.nfc.faults import describe, driver_faults, translated
from nfcbridge.links.nfc.names import TTY_DRIVERS, ReaderName
from nfcbridge.links.nfc.transport import ACK, PatientTransport, patient

FIRST_SPEED: Final = 115_200
"""Bit/s of a PN532 after power up (HSU)."""

RAISED_SPEEDS: Final = (921_600, 460_800, 230_400)
"""Those to which nfcpy raises it, and at which it is found when a program ended without taking leave."""

FIRST_ACK: Final = 1.5
"""Seconds for the first acknowledgement: USB adapters of a Raspberry Pi need so long after they were opened (nfcpy)."""

LEFT_OVER: Final = 0.01
"""Seconds in which a reader on USB has given what it had for an earlier program (nfcpy, for the RC-S380)."""

_SET_SPEED: Final = 0x10
_CODES: Final = (9600, 19_200, 38_400, 57_600, FIRST_SPEED, 230_400, 460_800, 921_600)
_GET_VERSION: Final = bytes.fromhex("0000FF02FED4022A00")
_WAKE_UP: Final = bytes(10)  # the chip sleeps until it sees octets, and loses some of them

_SILENT: Final = logging.NullHandler()
"""Without a handler Python prints what nfcpy calls errors, such as a chip that is not at one of the speeds tried."""

_log: Final = logging.getLogger(__name__)


class Opened(NamedTuple):
    """An open reader.

    Attributes:
        device: nfcpy's.
        transport: what it speaks through; None for the simulation, which has none.
        driver: the line of the table.
    """

    device: Any
    transport: PatientTransport | None
    driver: Driver

    def close(self) -> None:
        """Take leave of the chip and close the port, whatever state they are in."""
        try:
            self.device.close()  # sets a serial line back to its first speed, so that it is found there
        except driver_faults() as error:
            _log.debug("closing: %s", error)
        if self.transport is not None:
            try:
                self.transport.close()
            except driver_faults() as error:
                _log.debug("closing the port: %s", error)


def open_device(name: ReaderName, *, as_card: bool) -> Opened:
    """Open a reader.

    Args:
        name: where it is.
        as_card: it is to be a card.

    Raises:
        LinkError: it is not there, cannot be used, or cannot be a card; the message says what to do.
    """
    logging.getLogger("nfc").addHandler(_SILENT)
    with translated(str(name)):
        device = _open(name, as_card=as_card)
        driver = driver_of(device)
        chipset = getattr(device, "chipset", None)
        transport = None
        if chipset is not None:
            transport = chipset.transport = patient(chipset.transport)
    opened = Opened(device, transport, driver)
    if as_card and driver.as_card:
        opened.close()
        raise LinkError(f"{name} is a {driver.chip}: {driver.as_card}")
    return opened


def _open(name: ReaderName, *, as_card: bool) -> Any:  # noqa: ANN401 - nfcpy has no types
    if name.path.startswith("usb"):
        return _open_usb(name, as_card=as_card)
    if name.path.startswith("udp"):
        import nfc.clf.device

        return nfc.clf.device.connect(name.path)
    return _open_tty(name)


def _open_usb(name: ReaderName, *, as_card: bool) -> Any:  # noqa: ANN401
    import nfc.clf.device
    import nfc.clf.transport

    found = [
        (module, vendor, product, bus, number)
        for vendor, product, bus, number in nfc.clf.transport.USB.find(name.path)
        if (module := nfc.clf.device.usb_device_map.get((vendor, product))) in BY_MODULE
    ]
    failure: LinkError | None = None
    for module, vendor, product, bus, number in found:
        where, driver = f"nfc:usb:{vendor:04x}:{product:04x}", BY_MODULE[module]
        if as_card and driver.as_card:
            failure = failure or LinkError(f"{where} is a {driver.chip}: {driver.as_card}")
            continue
        try:
            return _init_usb(module, bus, number)
        except driver_faults() as error:
            failure = LinkError(describe(where, error))
            failure.__cause__ = error
    raise failure or LinkError(describe(str(name), OSError(errno.ENODEV, os.strerror(errno.ENODEV))))


def _init_usb(module: str, bus: int, number: int) -> Any:  # noqa: ANN401
    import nfc.clf.transport

    if not may_be_used(bus, number):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    port = nfc.clf.transport.USB(bus, number)
    try:
        transport = patient(port)
        transport.write(ACK)  # ends what an earlier program may have begun
        transport.drop(LEFT_OVER)
        device = importlib.import_module(f"nfc.clf.{module}").init(transport)
    except BaseException:
        port.close()
        raise
    device._path = f"usb:{bus:03}:{number:03}"  # noqa: SLF001 - as nfcpy's own search does
    return device


def may_be_used(bus: int, number: int) -> bool:
    """Return whether this user may use a device on USB; on systems that tell it only when it is opened: yes."""
    return not sys.platform.startswith("linux") or os.access(f"/dev/bus/usb/{bus:03}/{number:03}", os.R_OK | os.W_OK)


def _open_tty(name: ReaderName) -> Any:  # noqa: ANN401
    import nfc.clf.transport

    failure: OSError | None = None
    for port, kind in _ports(name, nfc.clf.transport.TTY):
        module = importlib.import_module(f"nfc.clf.{kind}")
        tty = None
        try:
            tty = nfc.clf.transport.TTY(port)
            device = _init_pn532(module, tty) if kind == "pn532" else module.init(tty)
            device._path = port  # noqa: SLF001 - as nfcpy's own search does
            return device
        except OSError as error:
            _log.debug("%s at %s: %s", kind, port, error)
            failure = failure or _telling(error, port)
            if tty is not None:
                tty.close()
    raise failure or OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def _telling(error: OSError, port: str) -> OSError:
    """The errors of pyserial with errno and the port, by which the reason is told; no answer is no reader."""
    if error.errno == errno.ETIMEDOUT:
        return OSError(errno.ENODEV, os.strerror(errno.ENODEV), port)
    if error.errno is None and not os.access(port, os.R_OK | os.W_OK):
        number = errno.EACCES if os.path.exists(port) else errno.ENODEV  # noqa: PTH110 - the name of a port
        return OSError(number, os.strerror(number), port)
    if error.errno is not None and error.filename is None:
        return OSError(error.errno, error.strerror or os.strerror(error.errno), port)
    return error


def _ports(name: ReaderName, tty: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """The ports and drivers to try, in nfcpy's order."""
    if name.device_file:
        ports, driver = [name.device_file], name.driver
    else:
        found = tty.find(name.path)
        if found is None:
            return
        ports, driver, _ = found
    for kind in [driver] if driver else TTY_DRIVERS:
        for port in ports:
            yield port, kind


def _init_pn532(module: Any, tty: Any) -> Any:  # noqa: ANN401
    """The way of nfcpy, which raises the speed as far as the port goes; and where that fails, what it does not try.

    A chip whose program was killed still has the raised speed: it is called back from there. A line that cannot carry
    the raised speed without errors stays at the first one.
    """
    port = tty.port
    try:
        return module.init(tty)
    except OSError as error:
        _log.debug("%s: %s; looking for the chip at other speeds", port, error)
        first = error
    for speed in RAISED_SPEEDS:
        if _call_back(module, tty, port, speed):
            break
    else:
        tty.open(port, FIRST_SPEED)
    try:
        return _init_slowly(module, tty)
    except OSError as error:
        _log.debug("%s: %s, at the first speed too", port, error)
        raise first from error


def _call_back(module: Any, tty: Any, port: str, speed: int) -> bool:  # noqa: ANN401
    """Whether the chip was at this speed; then it is at the first one now."""
    found = True
    try:
        tty.open(port, speed)
        chipset = module.Chipset(tty, module.log)
        chipset.send_ack()  # ends what an earlier program may have begun
        tty.write(_WAKE_UP)
        try:
            chipset.command(_SET_SPEED, bytes([_CODES.index(FIRST_SPEED)]), timeout=0.1)
        finally:
            chipset.send_ack()  # the chip changes its speed by it, which it may do although its answer was damaged
        tty.open(port, FIRST_SPEED)
    except (OSError, ValueError, IndexError, module.Chipset.Error) as error:
        _log.debug("not at %d bit/s: %s", speed, error)
        found = False
    return found


def _init_slowly(module: Any, tty: Any) -> Any:  # noqa: ANN401
    """As nfcpy's `init`, at the first speed, and with more patience for the first answer."""
    chipset = module.Chipset(tty, module.log)
    try:
        tty.write(_WAKE_UP)
        chipset.write_frame(_GET_VERSION)
        tty.read(int(1000 * FIRST_ACK))
        tty.read(100)
        chipset.sam_configuration("normal")
        return module.Device(chipset, logger=module.log)
    except (IndexError, module.Chipset.Error) as error:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from error
