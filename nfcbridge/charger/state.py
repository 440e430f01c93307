"""The state of the charge point as the interface tells it, and where it comes from."""

from enum import StrEnum
from typing import Protocol

import msgspec


class ControllerState(StrEnum):
    """What the controller itself does. Only `idle` is documented, also for a charging car; the rest is inferred."""

    IDLE = "idle"
    BOOTING = "booting"
    UPDATING = "updating"
    ERROR = "error"


class ConnectionState(StrEnum):
    """What is plugged in where."""

    NO_VEHICLE = "no_vehicle_connected"
    CONNECTED_TYPE2 = "vehicle_connected_type2"
    CHARGING_TYPE2 = "vehicle_charging_type2"
    CONNECTED_SCHUKO = "vehicle_connected_schuko"
    CHARGING_SCHUKO = "vehicle_charging_schuko"
    CONNECTOR_ERROR = "vehicle_connector_error"


class AuthState(StrEnum):
    """Whether charging is allowed."""

    NOT_AUTHORIZED = "not_authorized_for_charging"
    AUTHORIZED = "authorized_for_charging"


class OcppState(StrEnum):
    """The state told to the backend: OCPP 1.6 in lower case, and `occupied` of the versions around it."""

    AVAILABLE = "available"
    PREPARING = "preparing"
    CHARGING = "charging"
    SUSPENDED_EV = "suspendedev"
    SUSPENDED_EVSE = "suspendedevse"
    FINISHING = "finishing"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"
    OCCUPIED = "occupied"


class Type2State(StrEnum):
    """The vehicle state of the type 2 socket (IEC 61851-1)."""

    A = "a"
    B = "b"
    C = "c"
    D = "d"
    E = "e"
    F = "f"


class SystemState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /system_state while no transaction runs.

    Attributes:
        ambient_temp: degrees Celsius.
    """

    system_state: ControllerState
    connection_state: ConnectionState
    auth_state: AuthState
    ocpp_state: OcppState
    type2_state: Type2State
    ambient_temp: float


class Charger(Protocol):
    """The charge point that the controller controls."""

    def system_state(self) -> SystemState:
        """The state now."""
        ...


class IdleCharger:
    """A charge point where nothing ever happens: no vehicle, no fault, 23.4 degrees."""

    def system_state(self) -> SystemState:
        """The state, always the same."""
        return SystemState(
            system_state=ControllerState.IDLE,
            connection_state=ConnectionState.NO_VEHICLE,
            auth_state=AuthState.NOT_AUTHORIZED,
            ocpp_state=OcppState.AVAILABLE,
            type2_state=Type2State.A,
            ambient_temp=23.4,
        )
