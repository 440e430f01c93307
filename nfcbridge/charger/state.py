"""The states of the charge point, as the interface tells them."""

from enum import StrEnum


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
