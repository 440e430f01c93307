"""How far a vehicle and its driver have come, and what the vehicle wants: the two tables of the charge point.

           plug                    accept                    end
IDLE -----------------> CONNECTED ----------> ACTIVE -----------------> FINISHED
  |   accept               ^ plug               ^  (a transaction runs)    | accept: first back to
  +------> AUTHORIZED -----+--------------------+                          v CONNECTED, as in OCPP
              | lapse: IDLE                       unplug: IDLE, from anywhere
"""

from enum import Enum
from typing import Final

from nfcbridge.charger.point.inputs import Charge, Input, Plug, Socket, Stop, Unplug
from nfcbridge.charger.state import ConnectionState, Type2State
from nfcbridge.errors import LocalProtocolError


class Phase(Enum):
    """How far a vehicle and its driver have come."""

    IDLE = "no vehicle, nobody authorized"
    AUTHORIZED = "authorized, no vehicle yet"
    CONNECTED = "a vehicle, not authorized"
    ACTIVE = "a transaction runs"
    FINISHED = "the transaction is over, the vehicle still there"


AUTHORIZED: Final = frozenset({Phase.AUTHORIZED, Phase.ACTIVE})
"""Where somebody may charge."""


class Turn(Enum):
    """What moves a phase."""

    PLUG = "plugged in"
    UNPLUG = "unplugged"
    ACCEPT = "authorized"
    LAPSE = "the authorization ended unused"
    END = "the transaction ended"
    AGAIN = "a new authorization after the end"
    POWER_LOST = "the mains failed"


# (phase, turn) -> phase. A pair not listed cannot happen.
PHASES: Final[dict[tuple[Phase, Turn], Phase]] = {
    (Phase.IDLE, Turn.PLUG): Phase.CONNECTED,
    (Phase.IDLE, Turn.ACCEPT): Phase.AUTHORIZED,
    (Phase.IDLE, Turn.POWER_LOST): Phase.IDLE,
    (Phase.AUTHORIZED, Turn.ACCEPT): Phase.AUTHORIZED,  # the last card counts, for as long as a first one
    (Phase.AUTHORIZED, Turn.PLUG): Phase.ACTIVE,
    (Phase.AUTHORIZED, Turn.LAPSE): Phase.IDLE,
    (Phase.AUTHORIZED, Turn.POWER_LOST): Phase.IDLE,
    (Phase.CONNECTED, Turn.ACCEPT): Phase.ACTIVE,
    (Phase.CONNECTED, Turn.UNPLUG): Phase.IDLE,
    (Phase.CONNECTED, Turn.POWER_LOST): Phase.CONNECTED,
    (Phase.ACTIVE, Turn.END): Phase.FINISHED,
    (Phase.ACTIVE, Turn.UNPLUG): Phase.IDLE,
    (Phase.ACTIVE, Turn.POWER_LOST): Phase.CONNECTED,
    # Finishing -> Preparing -> Charging: OCPP 1.6, section 4.9, has no way from Finishing to Charging.
    (Phase.FINISHED, Turn.AGAIN): Phase.CONNECTED,
    (Phase.FINISHED, Turn.UNPLUG): Phase.IDLE,
    (Phase.FINISHED, Turn.POWER_LOST): Phase.CONNECTED,
}


class Vehicle(Enum):
    """What is plugged in, and what it wants."""

    NONE = "none"
    WAITS = "plugged in"
    ASKS = "asks for energy"
    ASKS_VENTILATED = "asks for energy and ventilation"


ASKING: Final = frozenset({Vehicle.ASKS, Vehicle.ASKS_VENTILATED})

# (vehicle, input) -> vehicle. A pair not listed is refused with the sentence below.
VEHICLES: Final[dict[tuple[Vehicle, type[Input]], Vehicle]] = {
    (Vehicle.NONE, Plug): Vehicle.WAITS,
    (Vehicle.WAITS, Charge): Vehicle.ASKS,
    (Vehicle.ASKS, Charge): Vehicle.ASKS,
    (Vehicle.ASKS_VENTILATED, Charge): Vehicle.ASKS,
    (Vehicle.WAITS, Stop): Vehicle.WAITS,
    (Vehicle.ASKS, Stop): Vehicle.WAITS,
    (Vehicle.ASKS_VENTILATED, Stop): Vehicle.WAITS,
    (Vehicle.WAITS, Unplug): Vehicle.NONE,
    (Vehicle.ASKS, Unplug): Vehicle.NONE,
    (Vehicle.ASKS_VENTILATED, Unplug): Vehicle.NONE,
}

# IEC 61851-1: the vehicle's states of the control pilot.
TYPE2: Final = {
    Vehicle.NONE: Type2State.A,
    Vehicle.WAITS: Type2State.B,
    Vehicle.ASKS: Type2State.C,
    Vehicle.ASKS_VENTILATED: Type2State.D,
}

# (socket, contactor closed) -> what the interface calls it.
CONNECTIONS: Final = {
    (Socket.TYPE2, False): ConnectionState.CONNECTED_TYPE2,
    (Socket.TYPE2, True): ConnectionState.CHARGING_TYPE2,
    (Socket.SCHUKO, False): ConnectionState.CONNECTED_SCHUKO,
    (Socket.SCHUKO, True): ConnectionState.CHARGING_SCHUKO,
}


def next_vehicle(vehicle: Vehicle, happened: Plug | Unplug | Charge | Stop) -> Vehicle:
    """What the vehicle is after this.

    Raises:
        LocalProtocolError: it cannot happen; the message says what can.
    """
    after = VEHICLES.get((vehicle, type(happened)))
    if after is None:
        there = "no vehicle is plugged in; plug one in" if vehicle is Vehicle.NONE else "a vehicle is there; unplug it"
        raise LocalProtocolError(f"{there} first")
    ventilated = isinstance(happened, Charge) and happened.ventilation
    return Vehicle.ASKS_VENTILATED if ventilated else after


def next_phase(phase: Phase, turn: Turn) -> Phase:
    """The phase after this turn. Raises LocalProtocolError for a pair that cannot happen."""
    after = PHASES.get((phase, turn))
    if after is None:
        raise LocalProtocolError(f"{turn.value}: impossible with {phase.value}")
    return after
