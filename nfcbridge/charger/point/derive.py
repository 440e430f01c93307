"""From what is the case to what is told of it: contactor, control pilot, the four states of the interface, the LEDs.

Nothing here remembers anything, so that no input can leave two of them in disagreement.
"""

from typing import Final

import msgspec

from nfcbridge.charger.point.effects import StateChanged
from nfcbridge.charger.point.hmi import HmiState
from nfcbridge.charger.point.inputs import Socket
from nfcbridge.charger.point.messages import KINDS, MessageName, MessageType
from nfcbridge.charger.point.phases import ASKING, AUTHORIZED, CONNECTIONS, TYPE2, Phase, Vehicle
from nfcbridge.charger.point.reader_states import ReaderState
from nfcbridge.charger.state import AuthState, ConnectionState, ControllerState, OcppState, Type2State

# OCPP 1.6, section 4.9, without errors and outside of a transaction.
_OCPP: Final = {
    Phase.IDLE: OcppState.AVAILABLE,
    Phase.AUTHORIZED: OcppState.PREPARING,
    Phase.CONNECTED: OcppState.PREPARING,
    Phase.FINISHED: OcppState.FINISHING,
}
# The same in a transaction: (energy is offered, the vehicle asks for it).
_OCPP_ACTIVE: Final = {
    (True, True): OcppState.CHARGING,
    (True, False): OcppState.SUSPENDED_EV,
    (False, True): OcppState.SUSPENDED_EVSE,
    (False, False): OcppState.SUSPENDED_EVSE,
}
# What the LEDs show when nothing else comes before it. All of a transaction is "authorized, charging" to them.
_HMI: Final = {
    Phase.IDLE: HmiState.READY,
    Phase.AUTHORIZED: HmiState.AUTHORIZED,
    Phase.CONNECTED: HmiState.CONNECTED,
    Phase.ACTIVE: HmiState.CHARGING,
    Phase.FINISHED: HmiState.CONNECTED,
}


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is the case.

    Attributes:
        up: the controller has started.
        present: the messages that are there.
        offered: kilowatts that a vehicle may take at this socket by the settings; 0: none.
        free: charging is free.
        rejecting: a tag was rejected a moment ago.
    """

    up: bool
    present: frozenset[MessageName]
    phase: Phase
    vehicle: Vehicle
    socket: Socket
    offered: float
    free: bool
    reader: ReaderState
    rejecting: bool

    def errors(self) -> frozenset[MessageName]:
        """The messages that prevent charging."""
        return frozenset(name for name in self.present if KINDS[name].type is MessageType.ERROR)

    def in_order(self) -> bool:
        """Whether anybody can be authorized, and charging can go on."""
        return self.up and not self.errors()

    def closed(self) -> bool:
        """Whether the contactor is closed."""
        return self.in_order() and self.phase is Phase.ACTIVE and self.offered > 0 and self.vehicle in ASKING

    def power(self) -> float:
        """The kilowatts that flow."""
        return self.offered if self.closed() else 0.0

    def system_state(self) -> ControllerState:
        """What the controller does. `idle` is documented also while a vehicle charges."""
        if not self.up:
            return ControllerState.BOOTING
        if MessageName.FIRMWARE_UPDATE in self.present:
            return ControllerState.UPDATING
        return ControllerState.ERROR if self.errors() else ControllerState.IDLE

    def connection_state(self) -> ConnectionState:
        """What is plugged in where."""
        if any(KINDS[name].connector for name in self.present):
            return ConnectionState.CONNECTOR_ERROR
        if self.vehicle is Vehicle.NONE:
            return ConnectionState.NO_VEHICLE
        return CONNECTIONS[self.socket, self.closed()]

    def auth_state(self) -> AuthState:
        """Whether a vehicle may charge, as far as it is a matter of who asks."""
        authorized = self.up and (self.free or self.phase in AUTHORIZED)
        return AuthState.AUTHORIZED if authorized else AuthState.NOT_AUTHORIZED

    def ocpp_state(self) -> OcppState:
        """What a backend would be told."""
        if not self.up:
            return OcppState.UNAVAILABLE
        if self.errors():
            return OcppState.FAULTED
        if self.phase is Phase.ACTIVE:
            return _OCPP_ACTIVE[self.offered > 0, self.vehicle in ASKING]
        return _OCPP[self.phase]

    def type2_state(self) -> Type2State:
        """What the control pilot of the type 2 socket shows; the domestic socket has none."""
        if not self.up:
            return Type2State.F
        pilots = {KINDS[name].pilot for name in self.errors()}
        if pilots:
            return Type2State.E if Type2State.E in pilots else Type2State.F
        return TYPE2[self.vehicle] if self.socket is Socket.TYPE2 else Type2State.A

    def hmi_state(self) -> HmiState:
        """What the LEDs show: the first that holds."""
        rows = (
            (not self.up, HmiState.UNAVAILABLE),
            # Documented without an exception ("Activation"): nothing but a controller that is off comes before it.
            (self.reader is ReaderState.SERVING, HmiState.READING_CARD),
            (self.rejecting, HmiState.AUTHORIZATION_FAILED),
            (MessageName.FIRMWARE_UPDATE in self.present, HmiState.UPDATING),
            (bool(self.errors()), HmiState.UNAVAILABLE),
            (True, _HMI[self.phase]),
        )
        return next(state for holds, state in rows if holds)

    def state(self, now: float) -> StateChanged:
        """The five states together."""
        return StateChanged(
            now,
            self.system_state(),
            self.connection_state(),
            self.auth_state(),
            self.ocpp_state(),
            self.type2_state(),
        )

    def idle(self) -> bool:
        """Whether nobody uses the charge point and anybody could: what pairing mode needs."""
        return self.ocpp_state() is OcppState.AVAILABLE
