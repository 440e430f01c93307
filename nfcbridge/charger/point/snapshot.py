"""All of a charge point at one moment."""

import msgspec

from nfcbridge.charger.point.hmi import HmiState, Pattern
from nfcbridge.charger.point.messages import Message
from nfcbridge.charger.point.reader_states import PairedTag, ReaderState
from nfcbridge.charger.point.transaction import Transaction
from nfcbridge.charger.state import AuthState, ConnectionState, ControllerState, OcppState, Type2State


class PointState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a charge point is and does now; the first six and the transaction are what GET /system_state tells.

    Attributes:
        ambient_temp: degrees Celsius.
        transaction: the one that runs.
        messages: the oldest first.
        contactor: it is closed.
        power: kilowatts that flow.
        energy: kWh that the meter has counted.
        tag_present: a phone finds a tag.
        pairing: pairing mode is on.
        paired: the tag it read last.
        uptime: seconds since the controller started; 0 until it has.
    """

    system_state: ControllerState
    connection_state: ConnectionState
    auth_state: AuthState
    ocpp_state: OcppState
    type2_state: Type2State
    ambient_temp: float
    transaction: Transaction | None
    messages: tuple[Message, ...]
    contactor: bool
    power: float
    energy: float
    hmi: HmiState
    leds: Pattern
    reader: ReaderState
    tag_present: bool
    pairing: bool
    paired: PairedTag | None
    uptime: float
