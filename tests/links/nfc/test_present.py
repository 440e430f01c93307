"""Whether a reader may be there, without touching it."""

from pathlib import Path

import pytest

from nfcbridge.links.nfc import present
from nfcbridge.links.nfc.present import MISSING, what_is_missing


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a USB and nothing on it."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "usb").mkdir()
    monkeypatch.setattr(present, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(present, "USB_DEVICES", tmp_path / "usb")
    return tmp_path


def put_on_usb(machine: Path, vendor: str, product: str | None) -> None:
    device = machine / "usb" / f"1-{vendor}"
    device.mkdir()
    (device / "idVendor").write_text(f"{vendor}\n")
    if product is not None:
        (device / "idProduct").write_text(f"{product}\n")


def test_with_nothing_there_a_reader_is_missing(machine: Path) -> None:
    assert what_is_missing() == MISSING
    put_on_usb(machine, "1d6b", "0002")
    put_on_usb(machine, "054c", None)  # unplugged while we look
    assert what_is_missing() == MISSING


def test_a_reader_on_usb_is_enough(machine: Path) -> None:
    put_on_usb(machine, "054c", "06c3")
    assert what_is_missing() == ""


@pytest.mark.parametrize("port", ["ttyUSB0", "ttyACM3", "ttyAMA0", "cu.usbserial-1410"])
def test_a_serial_port_may_have_a_reader(machine: Path, port: str) -> None:
    (machine / "dev" / port).touch()
    assert what_is_missing() == ""


def test_without_a_list_of_usb_only_ports_can_be_seen(machine: Path) -> None:
    (machine / "usb").rmdir()
    assert what_is_missing() == MISSING
    (machine / "dev").rmdir()
    assert what_is_missing() == ""  # nobody can tell
