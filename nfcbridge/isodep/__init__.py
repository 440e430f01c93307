"""ISO-DEP (ISO/IEC 14443-4): frames in, APDUs out, at either end. Sans I/O."""

from nfcbridge.isodep.ats import DEFAULT, OUR_HISTORICAL, Ats
from nfcbridge.isodep.card import CardLink
from nfcbridge.isodep.events import (
    Activated,
    BitRateChanged,
    CardEvent,
    CommandReceived,
    DeselectConfirmed,
    Deselected,
    PresenceChecked,
    PresenceConfirmed,
    ReaderEvent,
    ResponseReceived,
    Retransmitted,
    SendFrame,
    WaitExtended,
)
from nfcbridge.isodep.reader import ReaderLink

__all__ = [
    "DEFAULT",
    "OUR_HISTORICAL",
    "Activated",
    "Ats",
    "BitRateChanged",
    "CardEvent",
    "CardLink",
    "CommandReceived",
    "DeselectConfirmed",
    "Deselected",
    "PresenceChecked",
    "PresenceConfirmed",
    "ReaderEvent",
    "ReaderLink",
    "ResponseReceived",
    "Retransmitted",
    "SendFrame",
    "WaitExtended",
]
