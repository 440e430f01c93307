"""What drivers raise, said with what to do."""

import errno
import os
import struct
import termios
from pathlib import Path

import nfc.clf
import nfc.clf.pn53x
import nfc.clf.rcs380
import pytest
import usb1
from serial import SerialException

from nfcbridge.errors import ConfigError, LinkError
from nfcbridge.links.nfc import faults
from nfcbridge.links.nfc.faults import describe, loaded_modules, translated

TTY = "nfc:tty:USB0:pn532"
RCS380 = "nfc:usb:054C:06c3"


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The list of the kernel's modules, which has none of NFC."""
    path = tmp_path / "modules"
    path.write_text("usbserial 69632 1 ftdi_sio, Live 0x0\nnfcsim 1 0 - Live 0x0\n")
    monkeypatch.setattr(faults, "MODULES", path)
    return path


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        (TTY, errno.EACCES, ["no permission for nfc:tty:USB0:pn532", "sudo usermod -aG dialout $USER", "log in again"]),
        (TTY, errno.EPERM, ["no permission"]),
        (RCS380, errno.EACCES, ['ATTR{idVendor}=="054c", ATTR{idProduct}=="06c3"', "70-nfcbridge.rules", "udevadm"]),
        ("nfc:usb:054c", errno.EACCES, ['ATTR{idVendor}=="054c", TAG+="uaccess"']),
        ("nfc:usb", errno.EACCES, ['ATTR{idVendor}=="054c"']),
        (RCS380, errno.EBUSY, ["in use", "sudo systemctl stop pcscd.socket pcscd.service"]),
        (RCS380, errno.ENODEV, ["no reader at nfc:usb:054C:06c3", "plug it in", "lsusb"]),
        (TTY, errno.ENOENT, ["no reader at", "/dev/ttyUSB*", "HSU (UART)", "RX and TX"]),
        (TTY, errno.ETIMEDOUT, ["does not answer"]),
        (TTY, errno.EIO, ["failed (", "pull it and plug it in again"]),
    ],
)
def test_an_error_of_the_system_is_told_with_what_to_do(name: str, number: int, words: list[str]) -> None:
    told = describe(name, OSError(number, os.strerror(number)))
    for word in words:
        assert word in told


def test_the_group_of_the_port_is_the_one_to_join(tmp_path: Path) -> None:
    error = OSError(errno.EACCES, "Permission denied", str(tmp_path))
    import grp

    group = grp.getgrgid(tmp_path.stat().st_gid).gr_name
    assert f"usermod -aG {group} " in describe(TTY, error)


@pytest.mark.parametrize(
    ("loaded", "command"),
    [
        ("nfc 1\npn533 1\npn533_usb 1\n", "sudo modprobe -r pn533_usb pn533 nfc"),
        ("port100 1\nnfc 1\n", "sudo modprobe -r port100 nfc"),
    ],
)
def test_modules_of_the_kernel_that_hold_a_reader_are_named(modules: Path, loaded: str, command: str) -> None:
    assert loaded_modules() == []
    modules.write_text(loaded)
    busy = describe(RCS380, OSError(errno.EBUSY, "busy"))
    assert command in busy
    assert f"blacklist {loaded_modules()[0]}" in busy
    assert command in describe(RCS380, OSError(errno.ENODEV, "none"))
    assert command in describe(TTY, OSError(errno.ENODEV, "none"))


def test_where_there_is_no_list_of_modules_none_is_named(modules: Path) -> None:
    modules.unlink()
    assert loaded_modules() == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "I/O error"),
        SerialException("device reports readiness to read but returned no data"),
        termios.error(5, "Input/output error"),
        usb1.USBErrorPipe(),
        nfc.clf.TimeoutError("late"),
        nfc.clf.UnsupportedTargetError("no"),
        nfc.clf.pn53x.Chipset.Error(0x7F, "syntax"),
        nfc.clf.rcs380.CommunicationError(bytes(4)),
        nfc.clf.rcs380.StatusError(99),
        IndexError("list index out of range"),
        TypeError("object of type 'NoneType' has no len()"),
        AttributeError("startswith"),
        AssertionError(),
        ValueError("not in list"),
        struct.error("unpack requires 4 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_driver_raises_is_a_link_error(error: Exception) -> None:
    with pytest.raises(LinkError, match="the reader at nfc:tty:USB0:pn532 failed") as raised, translated(TTY):
        raise error
    assert raised.value.__cause__ is error


def test_errors_of_our_own_and_of_others_pass() -> None:
    with pytest.raises(ConfigError, match="ours"), translated(TTY):
        raise ConfigError("ours")
    with pytest.raises(KeyError), translated(TTY):
        raise KeyError
