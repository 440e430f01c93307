"""From a name to an open reader: speeds, readers that cannot do it, and reasons."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from nfcbridge.errors import LinkError
from nfcbridge.links.nfc import opening
from nfcbridge.links.nfc.names import ReaderName, parse_name
from nfcbridge.links.nfc.opening import open_device
from tests.links.nfc.fake_chip import FakeChip
from tests.links.nfc.fake_pn532 import FakePn532
from tests.links.nfc.fake_usb import FakeUsb


def name_of(board: FakePn532) -> ReaderName:
    return parse_name(board.name.removeprefix("nfc:"))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FIRST_ACK", 0.1)


def test_the_speed_is_raised_as_far_as_the_chip_goes_and_set_back_in_the_end(board: FakePn532) -> None:
    opened = open_device(name_of(board), as_card=True)
    assert board.chip.baud == 921_600
    assert opened.transport is not None
    assert opened.transport.baudrate == 921_600
    opened.close()
    assert board.chip.baud == 115_200


@pytest.mark.parametrize("left_at", [921_600, 460_800, 230_400])
def test_a_chip_that_a_killed_program_left_at_another_speed_is_found(board: FakePn532, left_at: int) -> None:
    board.chip.baud = left_at
    board.chip.waiting = 0x8C
    opened = open_device(name_of(board), as_card=True)
    assert board.chip.baud == 115_200
    assert opened.device.chipset_name == "PN532v1.6"
    opened.close()
    assert open_device(name_of(board), as_card=True).close() is None  # and the next time nfcpy's own way does


def test_a_line_that_has_errors_at_the_raised_speed_stays_at_the_first(board: FakePn532) -> None:
    board.chip.line_errors_above = 115_200
    opened = open_device(name_of(board), as_card=True)
    assert board.chip.baud == 115_200
    opened.close()


def test_a_port_without_a_chip_says_what_to_look_at(board: FakePn532, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board.chip, "receive", lambda _octets: None)
    with pytest.raises(LinkError, match="RX and TX must be crossed"):
        open_device(name_of(board), as_card=True)


def test_a_chip_that_answers_nonsense_is_no_reader(board: FakePn532, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board.chip, "receive", lambda _octets: board.chip.emit(b"\x00\x00\xff"))
    with pytest.raises(LinkError, match=r"no reader at|failed"):
        open_device(name_of(board), as_card=True)


def test_without_a_driver_in_the_name_each_is_tried(board: FakePn532) -> None:
    opened = open_device(parse_name(f"tty:{board.path}"), as_card=True)
    assert opened.driver.chip == "PN532"
    opened.close()


def test_a_port_that_may_not_be_opened_is_told_with_its_group(
    board: FakePn532, monkeypatch: pytest.MonkeyPatch
) -> None:
    import serial

    def refuse(*_arguments: Any, **_settings: Any) -> None:
        raise serial.SerialException(errno.EACCES, f"could not open port {board.path}: Permission denied")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(LinkError, match=r"no permission .*usermod -aG"):
        open_device(name_of(board), as_card=True)


@pytest.mark.parametrize(("exists", "reason"), [(True, "no permission"), (False, "no reader at")])
def test_an_error_without_a_number_is_understood_by_what_the_port_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool, reason: str
) -> None:
    import serial

    def refuse(*_arguments: Any, **_settings: Any) -> None:
        raise serial.SerialException("could not open port")

    monkeypatch.setattr(serial, "Serial", refuse)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    port = tmp_path / "port"
    if exists:
        port.touch()
    with pytest.raises(LinkError, match=reason):
        open_device(parse_name(f"tty:{port}:pn532"), as_card=True)


def test_ports_are_found_as_nfcpy_finds_them(monkeypatch: pytest.MonkeyPatch, board: FakePn532) -> None:
    import nfc.clf.transport

    monkeypatch.setattr(nfc.clf.transport.TTY, "find", lambda _path: ([str(board.path)], "pn532", False))
    opened = open_device(parse_name("tty:USB0:pn532"), as_card=True)
    opened.close()
    monkeypatch.setattr(nfc.clf.transport.TTY, "find", lambda _path: None)
    with pytest.raises(LinkError, match="no reader at nfc:tty:USB0:pn532"):
        open_device(parse_name("tty:USB0:pn532"), as_card=True)


def test_of_several_readers_on_usb_the_first_that_can_be_a_card_is_taken(usb: FakeUsb) -> None:
    usb.plug(0x072F, 0x2200, OSError(errno.EIO, "not to be opened"))
    usb.plug(0x1D6B, 0x0002, OSError(errno.EIO, "a hub"))
    usb.plug(0x04E6, 0x5591, FakeChip("pn533"))
    opened = open_device(parse_name("usb"), as_card=True)
    assert opened.driver.chip == "PN533"
    opened.close()
    assert usb.transports[-1].closed


@pytest.mark.parametrize(("vendor", "product", "chip"), [(0x072F, 0x2200, "ACR122U"), (0x054C, 0x02E1, "RC-S956")])
def test_a_reader_that_cannot_be_a_card_is_not_touched_and_told_with_one_that_can(
    usb: FakeUsb, vendor: int, product: int, chip: str
) -> None:
    usb.plug(vendor, product, OSError(errno.EIO, "not to be opened"))
    with pytest.raises(LinkError, match=rf"{chip}.*cannot make a tag.*take a PN532"):
        open_device(parse_name(f"usb:{vendor:04x}:{product:04x}"), as_card=True)
    with pytest.raises(LinkError, match="failed"):  # as a reader it is
        open_device(parse_name("usb"), as_card=False)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EBUSY, "is in use"), (errno.EACCES, "70-nfcbridge.rules"), (errno.EIO, "failed")]
)
def test_a_reader_on_usb_that_cannot_be_opened_says_why(usb: FakeUsb, number: int, words: str) -> None:
    usb.plug(0x054C, 0x06C3, OSError(number, os.strerror(number)))
    with pytest.raises(LinkError, match=words):
        open_device(parse_name("usb"), as_card=True)


def test_a_reader_on_usb_without_permission_names_the_rule(usb: FakeUsb) -> None:
    usb.plug(0x04E6, 0x5591, FakeChip("pn533"))
    usb.forbidden = True
    with pytest.raises(LinkError, match=r'ATTR{idVendor}=="04e6", ATTR{idProduct}=="5591"'):
        open_device(parse_name("usb:04e6"), as_card=True)


def test_no_reader_on_usb_is_told(usb: FakeUsb) -> None:
    with pytest.raises(LinkError, match="no reader at nfc:usb: plug it in; lsusb"):
        open_device(parse_name("usb"), as_card=True)
    assert not usb.transports


def test_a_reader_that_nfcpy_finds_and_then_does_not_is_told(usb: FakeUsb, monkeypatch: pytest.MonkeyPatch) -> None:
    usb.plug(0x054C, 0x06C3, FakeChip("pn533"))
    monkeypatch.setattr(usb, "open", lambda _bus, _number: (_ for _ in ()).throw(OSError(errno.ENODEV, "gone")))
    with pytest.raises(LinkError, match="no reader at"):
        open_device(parse_name("usb"), as_card=True)


def test_a_driver_that_says_late_that_it_is_no_card_is_closed_again(
    usb: FakeUsb, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from nfcbridge.links.nfc.drivers import DRIVERS

    usb.plug(0x04E6, 0x5591, FakeChip("pn533"))
    monkeypatch.setattr(
        opening, "driver_of", lambda _device: replace(DRIVERS["nfc.clf.pn533.Device"], as_card="no tag of it")
    )
    with pytest.raises(LinkError, match="no tag of it"):
        open_device(parse_name("usb"), as_card=True)
    assert usb.transports[-1].closed


def test_a_device_that_is_gone_is_closed_without_a_word(usb: FakeUsb) -> None:
    usb.plug(0x04E6, 0x5591, FakeChip("pn533"))
    opened = open_device(parse_name("usb"), as_card=True)
    usb.transports[-1].unplug()
    usb.transports[-1].close = lambda: (_ for _ in ()).throw(OSError(errno.ENODEV, "gone"))  # type: ignore[method-assign]
    opened.close()


def test_the_simulation_of_nfcpy_can_be_opened_too() -> None:
    opened = open_device(parse_name("udp:127.0.0.1:54399"), as_card=True)
    assert opened.transport is None
    assert opened.driver.chip == "simulation of nfcpy"
    opened.close()
