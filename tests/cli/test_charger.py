"""What the charge controller of `serve` is made of: its files, its durability, and a password that is made up."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from nfcbridge import Emulator, NfcTransport, Session
from nfcbridge.charger import Durability, FixedPasswords, Role, Store
from nfcbridge.charger import open_store as charger_open_store
from nfcbridge.cli import charger as charger_module
from nfcbridge.cli.charger import DeviceSettings, MadePassword, open_charger
from nfcbridge.errors import ConfigError

LINK = "memory:device"

CATALOGUE = """
[ChargePointInfo]
vendor = "Only"
model = "Only"
serialNumber = "Only"
firmwareVersion = "Only"
chargePointId = "Only"

[only]
title = "All that there is"
read = "user"
write = "operator"

[only.Only]
type = "string"
default = "value"
short = "Only"
long = "Only"
"""

LAYOUT = """
[settings.mine]
title = "Mine"
params = ["Only"]
"""


@pytest.fixture
def device(tmp_path: Path) -> DeviceSettings:
    """A device with one parameter, and an app that shows it."""
    catalogue, layout = tmp_path / "catalogue.toml", tmp_path / "layout.toml"
    catalogue.write_text(CATALOGUE)
    layout.write_text(LAYOUT)
    return DeviceSettings("full", catalogue, layout)


def answer(device: DeviceSettings, path: str) -> Any:
    with ExitStack() as stack:
        opened = stack.enter_context(open_charger(None, {"operator": "x"}, device=device))
        stack.enter_context(Emulator(opened.app, [LINK], base_path=opened.base_path))
        session = stack.enter_context(Session(NfcTransport(LINK), "operator", "x"))
        return session.request("GET", path).json()


def test_the_parameters_are_those_of_the_catalogue_that_is_given(device: DeviceSettings) -> None:
    assert list(answer(device, "/settings")["result"]) == ["Only"]


def test_an_app_shows_what_the_layout_that_is_given_says(device: DeviceSettings) -> None:
    assert [group["title"] for group in answer(device, "/app_settings")["groups"]] == ["Mine"]


def test_a_fault_in_a_file_is_told_with_its_line_before_data_are_touched(
    device: DeviceSettings, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    assert device.app_layout is not None
    device.app_layout.write_text(LAYOUT.replace("Only", "None"))
    with pytest.raises(ConfigError, match=r"layout.toml, line 4: .*no parameter 'None' in the catalogue"):
        open_charger(data, {}, device=device).__enter__()
    assert device.catalogue is not None
    device.catalogue.write_text(CATALOGUE.replace("string", "text"))
    with pytest.raises(ConfigError, match=r"catalogue.toml, line 15: .*allowed: bool, int, float, string"):
        open_charger(data, {}, device=device).__enter__()
    assert not data.exists()


@pytest.mark.parametrize("durability", Durability)
def test_the_store_waits_for_what_is_asked_for(
    durability: Durability, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Durability] = []

    def open_store(data: Path | None, durability: Durability) -> Store:
        asked.append(durability)
        return charger_open_store(data, durability)

    monkeypatch.setattr(charger_module, "open_store", open_store)
    with open_charger(tmp_path, {}, device=DeviceSettings(durability.value)):
        assert asked == [durability]


def test_a_made_password_is_the_operator_s_alone() -> None:
    passwords = MadePassword(FixedPasswords({Role.USER: "the user's"}), "made")
    assert passwords.password(Role.OPERATOR) == "made"
    assert passwords.password(Role.USER) == "the user's"
    assert passwords.password(Role.INSTALLER) is None


def test_a_password_that_was_set_since_goes_before_the_made_one() -> None:
    assert MadePassword(FixedPasswords({Role.OPERATOR: "set"}), "made").password(Role.OPERATOR) == "set"
