"""Which settings the charge point obeys, whatever a catalogue makes of them."""

import pytest

from nfcbridge.charger.catalogue import Value
from nfcbridge.charger.controller import shipped_catalogue
from nfcbridge.charger.obeyed import point_settings
from nfcbridge.charger.point.settings import PointSettings


def test_the_defaults_of_the_shipped_catalogue_are_those_of_the_charge_point() -> None:
    defaults = {key: parameter.default for key, parameter in shipped_catalogue().parameters.items()}
    assert point_settings(defaults.get) == PointSettings(hybrid=False)
    initial = defaults | shipped_catalogue().initial_values()
    assert point_settings(initial.get) == PointSettings()


def test_a_catalogue_without_them_leaves_all_at_its_default() -> None:
    assert point_settings(lambda _key: None) == PointSettings()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("RfidMode_rfid", "RFID only", PointSettings(hybrid=False)),
        ("FreeCharging_vehicleif", "on", PointSettings(free_charging=True)),
        ("FreeChargingId_vehicleif", "x", PointSettings(free_charging_tag="x")),
        ("FreeChargingId_vehicleif", "", PointSettings()),
        ("FreeChargingId_vehicleif", 1, PointSettings()),
        ("OperatorCurrentLimit_vehicleif", 10, PointSettings(current_limit=10)),
        ("OperatorCurrentLimit_vehicleif", 0, PointSettings(current_limit=0)),
        ("OperatorCurrentLimit_vehicleif", -1, PointSettings()),
        ("OperatorCurrentLimit_vehicleif", True, PointSettings()),
        ("OperatorCurrentLimit_vehicleif", "10", PointSettings()),
        ("InstallationCurrentLimit_vehicleif", 13, PointSettings(current_limit=13)),
        ("InstallationCurrentLimit_vehicleif", 32, PointSettings()),
        ("SchukoCurrentLimit_vehicleif", 10.5, PointSettings(schuko_limit=10.5)),
        ("Phases_vehicleif", 1, PointSettings(phases=1)),
        ("Phases_vehicleif", 0, PointSettings()),
        ("Phases_vehicleif", 4, PointSettings()),
        ("Phases_vehicleif", "1", PointSettings()),
        ("Phases_vehicleif", True, PointSettings()),
        ("AuthorizationTimeout_rfid", 5, PointSettings(authorization_timeout=5)),
        ("AuthorizationTimeout_rfid", 0, PointSettings()),
    ],
)
def test_a_setting_means_something_if_it_fits(key: str, value: Value, expected: PointSettings) -> None:
    assert point_settings({key: value}.get) == expected
