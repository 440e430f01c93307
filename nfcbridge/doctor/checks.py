"""What is looked at. Each function finds what there is to say of one area, and touches no reader."""

import platform
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Final

from nfcbridge.doctor.finding import Area, Finding, Verdict
from nfcbridge.doctor.machine import Machine, UsbDevice
from nfcbridge.errors import LinkError
from nfcbridge.links import LINKS

OLDEST_PYTHON: Final = (3, 11)

LIBRARIES: Final = {
    "nfcpy": ("nfc:", ""),
    "ndeflib": ("every link", ""),
    "pyserial": ("nfc:tty:", ""),
    "libusb1": ("nfc:usb", ""),
    "cryptography": ("passwords and HTTPS", ""),
    "pyscard": ("pcsc:", "pip install 'nfcbridge[pcsc]' (builds it: gcc, swig and libpcsclite-dev are needed)"),
}
"""Packages of Python, what needs them, and how the optional ones are had."""

KERNEL_HOLDERS: Final = {
    "pn533_usb": "PN531 and PN533 on USB",
    "pn533_uart": "PN532 on serial ports",
    "port100": "RC-S380",
}
"""Modules of the kernel's own NFC stack that take readers for themselves, and which."""

LONG_LATENCY: Final = 2
"""Milliseconds of an FTDI adapter's latency timer that a touch bears: RATS to ATS is to take less than 5."""

SERIAL_CHIPS: Final = frozenset({"ftdi_sio", "cp210x", "ch341", "ch341-uart", "pl2303", "cdc_acm"})
"""Drivers of adapters behind which a PN532 may be."""

PCSCD: Final = ("usr/sbin/pcscd", "sbin/pcscd", "usr/local/sbin/pcscd")
"""Where the daemon of PC/SC is."""

VPCD: Final = (
    "etc/reader.conf.d/vpcd",
    "usr/lib/pcsc/drivers/serial/libifdvpcd.so",
    "usr/local/etc/reader.conf.d/vpcd",
)
"""What of vsmartcard's virtual reader is there where it is installed."""


def check_program(_machine: Machine) -> Iterator[Finding]:
    """Python, nfcbridge, and links that need no device."""
    version = platform.python_version()
    good = sys.version_info >= OLDEST_PYTHON
    wanted = ".".join(map(str, OLDEST_PYTHON))
    yield Finding(
        Area.PROGRAM,
        "Python",
        Verdict.OK if good else Verdict.WRONG,
        f"{version} on {platform.system()} {platform.machine()}",
        "" if good else f"install Python {wanted} or later",
    )
    yield Finding(Area.PROGRAM, "nfcbridge", Verdict.OK, metadata.version("nfcbridge"))
    for name, kind in LINKS.items():
        missing = kind.missing()
        if missing:
            yield Finding(Area.LINK, name, Verdict.MISSING, kind.description, f"it needs {missing}")
        else:
            yield Finding(Area.LINK, name, Verdict.OK, kind.description)


def check_libraries(_machine: Machine) -> Iterator[Finding]:
    """The libraries, and whether libusb itself can be loaded, which pip does not bring everywhere."""
    for name, (needed_for, extra) in LIBRARIES.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            verdict = Verdict.MISSING if extra else Verdict.WRONG
            words = f"not installed; {needed_for} needs it"
            yield Finding(Area.LIBRARY, name, verdict, words, extra or "pip install nfcbridge")
        else:
            yield Finding(Area.LIBRARY, name, Verdict.OK, version)
    fault = libusb_fault()
    if fault:
        remedy = "Debian: sudo apt-get install libusb-1.0-0; macOS: brew install libusb"
        yield Finding(Area.LIBRARY, "libusb", Verdict.MISSING, f"cannot be loaded ({fault}); nfc:usb needs it", remedy)
    else:
        yield Finding(Area.LIBRARY, "libusb", Verdict.OK, "can be loaded")


def libusb_fault() -> str:
    """Why libusb cannot be loaded; empty if it can."""
    try:
        import usb1

        with usb1.USBContext():
            return ""
    except (ImportError, OSError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - usb1.USBError, whose module may be what fails
        return f"{type(error).__name__}: {error}"


def check_kernel(machine: Machine) -> Iterator[Finding]:
    """Modules of the kernel that take readers for themselves."""
    loaded = machine.modules()
    for module, readers in KERNEL_HOLDERS.items():
        if module in loaded:
            yield Finding(
                Area.KERNEL,
                module,
                Verdict.WRONG,
                f"loaded: the kernel takes {readers} for itself, and nfcpy cannot open them",
                f"sudo modprobe -r {module}; for good: "
                f"echo 'blacklist {module}' | sudo tee -a /etc/modprobe.d/nfcbridge.conf",
            )
    if not loaded & KERNEL_HOLDERS.keys():
        yield Finding(Area.KERNEL, ", ".join(KERNEL_HOLDERS), Verdict.OK, "not loaded")


def check_usb(machine: Machine) -> Iterator[Finding]:
    """Readers on USB that nfcpy knows, and whether they can be used."""
    from nfc.clf.device import usb_device_map  # nfcpy's own table

    found = False
    for device in machine.usb_devices():
        module = usb_device_map.get((device.vendor, device.product))
        if module is not None:
            found = True
            yield _reader(device, module)
    if not found:
        yield Finding(
            Area.USB,
            "none",
            Verdict.MISSING,
            "no reader that nfcpy knows is plugged in",
            "nothing, if you use udp:, vpcd: or casimir:; else hardware/README.md says which to buy",
        )


def _reader(device: UsbDevice, module: str) -> Finding:
    from nfcbridge.links.nfc.drivers import BY_MODULE
    from nfcbridge.links.nfc.faults import udev_rule

    driver = BY_MODULE.get(module)
    chip = driver.chip if driver else module
    link = f"nfc:usb:{device.vendor:04x}:{device.product:04x}"
    what = f"{chip} ({link})"
    held = [name for name in device.drivers if name not in {"usb", "usbfs"}]
    if not device.may_open:
        rule = udev_rule(f"{device.vendor:04x}", f"{device.product:04x}")
        return Finding(
            Area.USB,
            what,
            Verdict.WRONG,
            f"you may not open {device.node}",
            "install hardware/70-nfcbridge.rules as /etc/udev/rules.d/70-nfcbridge.rules "
            f"(its line for this reader: {rule}), run sudo udevadm control --reload, and plug it in again",
        )
    if held:
        return Finding(
            Area.USB,
            what,
            Verdict.WRONG,
            f"the kernel's driver {', '.join(held)} holds it",
            f"sudo modprobe -r {' '.join(held)}",
        )
    if driver is None or driver.as_card:
        why = driver.as_card if driver else "nfcbridge does not know it as a tag"
        return Finding(Area.USB, what, Verdict.NOTE, f"as a reader only: {why}")
    return Finding(Area.USB, what, Verdict.OK, f"as tag and as reader; UID {driver.uid}", link=link)


def check_serial(machine: Machine) -> Iterator[Finding]:
    """Serial ports behind which a reader may be."""
    from nfcbridge.links.nfc.faults import join_group

    ports = list(machine.serial_ports())
    for port in ports:
        link = f"nfc:tty:{port.node.name.removeprefix('tty')}:pn532"
        if not port.may_open:
            yield Finding(Area.SERIAL, str(port.node), Verdict.WRONG, "you may not open it", join_group(str(port.node)))
        elif port.latency is not None and port.latency > LONG_LATENCY:
            yield Finding(
                Area.SERIAL,
                str(port.node),
                Verdict.WRONG,
                f"its FTDI adapter keeps octets back for {port.latency} ms, and a phone gives the ATS 5",
                f"echo 1 | sudo tee /sys/bus/usb-serial/devices/{port.node.name}/latency_timer; "
                "hardware/70-nfcbridge.rules does it for good",
            )
        else:
            adapter = port.driver if port.driver in SERIAL_CHIPS else port.driver or "an adapter"
            yield Finding(Area.SERIAL, str(port.node), Verdict.OK, f"{adapter}; a PN532 there is {link}")
    if not ports:
        yield Finding(
            Area.SERIAL, "none", Verdict.MISSING, "no serial port on USB", "nothing, unless your reader has one"
        )


def check_pcsc(machine: Machine) -> Iterator[Finding]:
    """PC/SC: the daemon, its readers, and whether it holds a reader that nfcpy is to have."""
    sockets = [machine.root / "run/pcscd/pcscd.comm", machine.root / "var/run/pcscd/pcscd.comm"]
    running = any(socket.exists() for socket in sockets)
    installed = any((machine.root / place).exists() for place in PCSCD)
    if running:
        yield Finding(Area.PCSC, "pcscd", Verdict.OK, "runs")
    else:
        yield Finding(
            Area.PCSC,
            "pcscd",
            Verdict.MISSING,
            "installed, and does not run; pcsc: and vpcd: need it"
            if installed
            else "not installed; pcsc: and vpcd: need it",
            f"{'' if installed else 'sudo apt-get install pcscd, then '}sudo systemctl start pcscd.socket",
        )
    names, fault = pcsc_readers() if running else ([], "")
    if fault:
        yield Finding(Area.PCSC, "readers", Verdict.WRONG, fault, "sudo systemctl restart pcscd")
    elif running:
        words = ", ".join(names) or "none is plugged in"
        yield Finding(Area.PCSC, "readers", Verdict.OK if names else Verdict.MISSING, words)
    if any("ACR122" in name for name in names):
        yield Finding(
            Area.PCSC,
            "ACR122U",
            Verdict.NOTE,
            "pcscd has it: it is a reader by pcsc:ACR122, and no tag can be made of it",
        )


def check_vpcd(machine: Machine) -> Iterator[Finding]:
    """The driver of the virtual reader, which pcscd loads."""
    if any((machine.root / place).exists() for place in VPCD):
        yield Finding(Area.PCSC, "vpcd", Verdict.OK, "its driver is installed")
    else:
        yield Finding(
            Area.PCSC,
            "vpcd",
            Verdict.MISSING,
            "its driver is not installed; vpcd: needs it",
            "sudo apt-get install vsmartcard-vpcd, then sudo systemctl restart pcscd",
        )


def pcsc_readers() -> tuple[list[str], str]:
    """The readers of PC/SC, and why they cannot be listed."""
    try:
        from smartcard.System import readers
    except ImportError:
        return [], ""  # told with the libraries
    try:
        return [str(reader) for reader in readers()], ""
    except Exception as error:  # noqa: BLE001 - pyscard has no common root
        return [], f"pcscd does not list its readers: {error}"


CHECKS: Final[tuple[Callable[[Machine], Iterator[Finding]], ...]] = (
    check_program,
    check_libraries,
    check_kernel,
    check_usb,
    check_serial,
    check_pcsc,
    check_vpcd,
)


def examine(machine: Machine) -> Iterator[Finding]:
    """Everything that is found without touching a reader."""
    for check in CHECKS:
        try:
            yield from check(machine)
        except LinkError as error:
            yield Finding(Area.PROGRAM, check.__name__, Verdict.WRONG, str(error))
