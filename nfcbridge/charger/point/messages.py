"""The errors and warnings that a charge point can have, and what each does to it.

The texts are those of a predecessor's interface, where errors stop charging and warnings inform. The rest of the table
is inferred: which signal of the control pilot an error is seen by, and how the message ends.
"""

from enum import StrEnum
from typing import Final

import msgspec

from nfcbridge.charger.state import Type2State


class MessageType(StrEnum):
    """What a message means for charging: an error stops it, a warning informs."""

    ERROR = "error"
    WARNING = "warning"


class MessageName(StrEnum):
    """Every message, by its `id` in the interface, which is also what `nfcbridge sim error` takes."""

    RESIDUAL_CURRENT = "residual-current"
    VEHICLE_SIGNALS = "vehicle-signals"
    DIODE_CHECK = "diode-check"
    MCB_TYPE2 = "mcb-type2"
    MCB_DOMESTIC = "mcb-domestic"
    RCD = "rcd"
    CONTACTOR_WELDED = "contactor-welded"
    BACKEND_DISCONNECTED = "backend-disconnected"
    PLUG_LOCKING = "plug-locking"
    LOCKING_WITHOUT_PLUG = "locking-without-plug"
    ACTUATOR_STUCK = "actuator-stuck"
    ACTUATOR_DETECTION = "actuator-detection"
    FIRMWARE_UPDATE = "firmware-update"
    TILTED = "tilted"
    WIRING = "wiring"
    OVERLOAD = "overload"
    ACTUATOR_UNLOCKED = "actuator-unlocked"
    TILTED_UNTIL_REBOOT = "tilted-until-reboot"
    USB_STICK = "usb-stick"
    PHASE_ROTATION = "phase-rotation"
    NO_POWER = "no-power"
    PIC24 = "pic24"


class Ends(StrEnum):
    """What ends a message."""

    CLEARED = "cleared"
    """Its cause was removed: a restart finds it again."""
    CLEARED_OR_RESTART = "cleared or restart"
    """Its cause was removed, or the controller forgot that it was there."""
    RESTART = "restart"
    """The controller was started again, and nothing else."""


class Kind(msgspec.Struct, frozen=True):
    """A row of the table.

    Attributes:
        text: what the interface says.
        type: whether it stops charging.
        ends: what ends it.
        pilot: what the control pilot shows while an error is there (IEC 61851-1): E, the signal itself or the mains are
            broken; F, the charge point is not available.
        connector: the plug is stuck or loose, so that nobody can say what is connected.
    """

    text: str
    type: MessageType = MessageType.ERROR
    ends: Ends = Ends.CLEARED
    pilot: Type2State = Type2State.F
    connector: bool = False


KINDS: Final[dict[MessageName, Kind]] = {
    MessageName.RESIDUAL_CURRENT: Kind("Residual current detected via sensor", ends=Ends.CLEARED_OR_RESTART),
    MessageName.VEHICLE_SIGNALS: Kind("Vehicle signals error", MessageType.WARNING),
    MessageName.DIODE_CHECK: Kind("Vehicle diode check failed - tamper detection", pilot=Type2State.E),
    MessageName.MCB_TYPE2: Kind("MCB of type 2 socket triggered"),
    MessageName.MCB_DOMESTIC: Kind("MCB of domestic socket triggered"),
    MessageName.RCD: Kind("RCD triggered"),
    MessageName.CONTACTOR_WELDED: Kind("Contactor welded"),
    MessageName.BACKEND_DISCONNECTED: Kind("Backend disconnected", MessageType.WARNING),
    MessageName.PLUG_LOCKING: Kind("Plug locking failed", connector=True),
    MessageName.LOCKING_WITHOUT_PLUG: Kind("Locking without plug error", connector=True),
    MessageName.ACTUATOR_STUCK: Kind("Actuator stuck cannot unlock", connector=True),
    MessageName.ACTUATOR_DETECTION: Kind("Actuator detection failed", connector=True),
    # An update ends with a restart, whether it went well or not.
    MessageName.FIRMWARE_UPDATE: Kind("FW Update in progress", ends=Ends.CLEARED_OR_RESTART),
    MessageName.TILTED: Kind("The charge point is tilted"),
    MessageName.WIRING: Kind("CP/PR wiring issue", pilot=Type2State.E),
    MessageName.OVERLOAD: Kind("Car current overload, charging stopped", ends=Ends.CLEARED_OR_RESTART),
    MessageName.ACTUATOR_UNLOCKED: Kind(
        "Actuator unlocked while charging", ends=Ends.CLEARED_OR_RESTART, connector=True
    ),
    MessageName.TILTED_UNTIL_REBOOT: Kind("tilted until reboot", ends=Ends.RESTART),
    MessageName.USB_STICK: Kind("USB stick handling in progress", MessageType.WARNING, Ends.CLEARED_OR_RESTART),
    MessageName.PHASE_ROTATION: Kind("Incorrect phase rotation direction detected"),
    MessageName.NO_POWER: Kind("No power on mains detected", pilot=Type2State.E),
    MessageName.PIC24: Kind("PIC24 error"),
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An error or a warning that is there now, as the interface tells it.

    Attributes:
        id: its name: a message is there once.
        timestamp: UTC, when it came.
    """

    id: MessageName
    type: MessageType
    text: str
    timestamp: str


def message(name: MessageName, timestamp: str) -> Message:
    """The message of this name."""
    return Message(id=name, type=KINDS[name].type, text=KINDS[name].text, timestamp=timestamp)
