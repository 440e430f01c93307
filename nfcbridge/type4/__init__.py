"""The Type 4 Tag: APDUs, the capability container, the NDEF file, the card and the reader's procedures, without I/O."""

from nfcbridge.type4.apdu import SW, CommandAPDU, Ins, ResponseAPDU, describe_sw
from nfcbridge.type4.card import Reaction, ReadUpTo, Report, RolledBack, Type4Card, WriteRefused
from nfcbridge.type4.cc import NDEF_AID, NDEF_AID_1, CapabilityContainer, CardConfig, FileId
from nfcbridge.type4.ndef_file import EMPTY_MESSAGE, Committed, NdefFile, WriteBegun, WriteContinued
from nfcbridge.type4.reader import (
    FIRST_READ,
    Procedure,
    TagInfo,
    WriteOrder,
    begin_write,
    detect,
    read,
    run_procedure,
    select,
    write,
)

__all__ = [
    "EMPTY_MESSAGE",
    "FIRST_READ",
    "NDEF_AID",
    "NDEF_AID_1",
    "SW",
    "CapabilityContainer",
    "CardConfig",
    "CommandAPDU",
    "Committed",
    "FileId",
    "Ins",
    "NdefFile",
    "Procedure",
    "Reaction",
    "ReadUpTo",
    "Report",
    "ResponseAPDU",
    "RolledBack",
    "TagInfo",
    "Type4Card",
    "WriteBegun",
    "WriteContinued",
    "WriteOrder",
    "WriteRefused",
    "begin_write",
    "describe_sw",
    "detect",
    "read",
    "run_procedure",
    "select",
    "write",
]
