"""The table of drivers against nfcpy's own modules, and what is refused by it."""

import importlib
import pkgutil
from types import SimpleNamespace
from typing import Any

import nfc.clf
import nfc.clf.device
import pytest

from nfcbridge.errors import ConfigError
from nfcbridge.isodep.ats import FRAME_SIZES
from nfcbridge.links import CardIdentity
from nfcbridge.links.nfc.drivers import BY_MODULE, DRIVERS, Family, check_card, driver_of
from nfcbridge.links.nfc.names import TTY_DRIVERS
from nfcbridge.links.nfc.present import USB_READERS

CARD = CardIdentity(uid=bytes.fromhex("08A1B2C3"), ats=bytes.fromhex("0578804202"))
SEVEN = CardIdentity(uid=bytes.fromhex("04497622D93881"), ats=bytes.fromhex("0578804202"))


def test_every_driver_of_nfcpy_has_a_line() -> None:
    modules = {module.name for module in pkgutil.iter_modules(nfc.clf.__path__)}
    assert modules - set(BY_MODULE) == {"device", "transport", "pn53x"}
    assert set(nfc.clf.device.usb_device_map.values()) <= set(BY_MODULE)
    assert set(nfc.clf.device.tty_driver_list) == set(TTY_DRIVERS) <= set(BY_MODULE)
    assert {f"{vendor:04x}:{product:04x}" for vendor, product in nfc.clf.device.usb_device_map} == USB_READERS


def test_the_frame_sizes_are_those_that_fit_the_chips_frames_to_the_host() -> None:
    for path, driver in DRIVERS.items():
        assert driver.max_frame in FRAME_SIZES
        assert driver.max_frame - 2 <= driver.host_frame
        larger = FRAME_SIZES[FRAME_SIZES.index(driver.max_frame) + 1]
        assert larger - 2 > driver.host_frame
        module, _, name = path.rpartition(".")
        kind = getattr(importlib.import_module(module), name)
        chipset = getattr(importlib.import_module(module), name.replace("Device", "Chipset"), None)
        size = getattr(chipset, "host_command_frame_max_size", None)
        if size is not None:  # as nfcpy's get_max_recv_data_size has it: D5, code, status
            assert driver.host_frame == size - 3
        assert kind


def test_a_device_is_known_by_its_class_and_by_those_it_is_made_from() -> None:
    import nfc.clf.pn532

    class Special(nfc.clf.pn532.Device):  # type: ignore[misc]  # nfcpy has no types
        def __init__(self) -> None:
            pass

    assert driver_of(Special()) is DRIVERS["nfc.clf.pn532.Device"]


def test_a_driver_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not know the driver"):
        driver_of(SimpleNamespace())


@pytest.mark.parametrize("path", [path for path, driver in DRIVERS.items() if driver.fixed_uid])
def test_chips_have_uids_of_4_octets_that_begin_with_08(path: str) -> None:
    check_card(DRIVERS[path], CARD, "nfc:usb", picc=False)
    with pytest.raises(
        ConfigError, match=r"nfc:usb is a .*, whose UID is 4 octets, 08 and three of your choice, not 04"
    ):
        check_card(DRIVERS[path], SEVEN, "nfc:usb", picc=False)


def test_the_simulation_has_any_uid() -> None:
    driver = DRIVERS["nfc.clf.udp.Device"]
    check_card(driver, SEVEN, "nfc:udp", picc=False)
    assert driver.uid == "4, 7 or 10 octets"


def test_only_a_pn532_does_the_blocks_itself() -> None:
    for driver in DRIVERS.values():
        if driver.picc:
            check_card(driver, CARD, "nfc:tty", picc=True)
        else:
            with pytest.raises(ConfigError, match=r"leave \?picc away"):
                check_card(driver, CARD, "nfc:tty", picc=True)


def test_what_cannot_be_a_card_says_what_can() -> None:
    refused: list[Any] = [driver for driver in DRIVERS.values() if driver.as_card]
    assert {driver.chip.split()[0] for driver in refused} == {"RC-S956", "ACR122U"}
    for driver in refused:
        assert driver.family is None
        assert "take a PN532" in driver.as_card
    assert {driver.family for driver in DRIVERS.values()} == {None, *Family}
