"""Between settings and charge point: which settings it obeys, and what of it is told as live settings.

A catalogue may leave any of them out, or have others of these names; what does not fit is as if it were not there.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from nfcbridge.charger.catalogue import FreeCharging, RfidMode, Value
from nfcbridge.charger.point.messages import MessageType
from nfcbridge.charger.point.meter import power_of
from nfcbridge.charger.point.settings import PointSettings
from nfcbridge.charger.point.snapshot import PointState
from nfcbridge.charger.settings import clock_values
from nfcbridge.charger.state import AuthState, ConnectionState

_MAX_PHASES: Final = 3
# Decimals of amperes.
_TENTHS: Final = 1

DEFAULT: Final = PointSettings()


def point_settings(value_of: Callable[[str], Value | None]) -> PointSettings:
    """What the settings mean to the charge point.

    Args:
        value_of: the value of a key, None if there is no such setting.
    """

    def number(key: str, default: float) -> float:
        value = value_of(key)
        return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else default

    tag = value_of("FreeChargingId_vehicleif")
    phases = int(number("Phases_vehicleif", DEFAULT.phases))
    operator = number("OperatorCurrentLimit_vehicleif", DEFAULT.current_limit)
    return PointSettings(
        hybrid=value_of("RfidMode_rfid") != RfidMode.RFID_ONLY,
        free_charging=value_of("FreeCharging_vehicleif") == FreeCharging.ON,
        free_charging_tag=tag if isinstance(tag, str) and tag else DEFAULT.free_charging_tag,
        current_limit=min(operator, number("InstallationCurrentLimit_vehicleif", operator)),
        schuko_limit=number("SchukoCurrentLimit_vehicleif", DEFAULT.schuko_limit),
        phases=phases if 1 <= phases <= _MAX_PHASES else DEFAULT.phases,
        authorization_timeout=number("AuthorizationTimeout_rfid", 0) or DEFAULT.authorization_timeout,
    )


def live_values(state: PointState, settings: PointSettings, now: datetime) -> Mapping[str, Value]:
    """What the charge point measures and counts, by key.

    Args:
        state: of the charge point.
        settings: that it obeys.
        now: aware, in the time zone of the people there.
    """
    # The domestic socket has one phase, and what flows there is what one phase can carry.
    phases = 1 if state.power <= power_of(settings.schuko_limit, 1) else settings.phases
    currents = [round(state.power / power_of(1, phases), _TENTHS)] * phases + [0.0] * (_MAX_PHASES - phases)
    offered = state.auth_state is AuthState.AUTHORIZED and state.connection_state is not ConnectionState.NO_VEHICLE
    running = state.transaction
    errors = sum(message.type is MessageType.ERROR for message in state.messages)
    return {
        **clock_values(now),
        "Uptime_mon": int(state.uptime),
        "ConnectionState_mon": state.connection_state.value,
        "AuthState_mon": state.auth_state.value,
        "OcppState_mon": state.ocpp_state.value,
        "Type2State_mon": state.type2_state.value,
        "HmiState_mon": state.hmi.value,
        "Power_mon": round(state.power, 3),
        "Energy_mon": state.energy,
        "SessionEnergy_mon": running.consumption if running else 0.0,
        "SessionTime_mon": running.duration if running else 0,
        "CurrentL1_mon": currents[0],
        "CurrentL2_mon": currents[1],
        "CurrentL3_mon": currents[2],
        "SignalledCurrent_mon": int(settings.current_limit) if offered else 0,
        "Temperature_mon": state.ambient_temp,
        "Errors_mon": errors,
        "Warnings_mon": len(state.messages) - errors,
    }
