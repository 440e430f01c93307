"""What the operator's settings mean to the charge point."""

import pytest

from nfcbridge.charger.catalogue import load_catalogue
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.errors import ConfigError


def test_the_defaults_are_those_of_the_shipped_catalogue() -> None:
    parameters = load_catalogue().parameters
    told = {
        "RfidMode_rfid": {True: "RFID/NFC hybrid", False: "RFID only"}[PointSettings().hybrid],
        "FreeCharging_vehicleif": {True: "on", False: "off"}[PointSettings().free_charging],
        "FreeChargingId_vehicleif": PointSettings().free_charging_tag,
        "OperatorCurrentLimit_vehicleif": PointSettings().current_limit,
        "SchukoCurrentLimit_vehicleif": PointSettings().schuko_limit,
        "Phases_vehicleif": PointSettings().phases,
        "AuthorizationTimeout_rfid": PointSettings().authorization_timeout,
    }
    # New data starts as hybrid: `initial` comes before `default`.
    shipped = {
        key: parameters[key].initial if parameters[key].initial is not None else parameters[key].default for key in told
    }
    assert told == shipped


@pytest.mark.parametrize(
    "wrong",
    [
        {"current_limit": -0.001},
        {"current_limit": float("nan")},
        {"current_limit": float("inf")},
        {"schuko_limit": -1.0},
        {"phases": 0},
        {"phases": 4},
        {"authorization_timeout": 0.0},
        {"authorization_timeout": float("inf")},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PointSettings(**wrong)  # type: ignore[arg-type]


def test_the_bounds_of_settings_are_allowed() -> None:
    for phases in (1, 2, 3):
        assert PointSettings(current_limit=0.0, phases=phases, authorization_timeout=0.001).phases == phases
