"""Logs of ykman and python-fido2 at their level TRAFFIC, and what `ykman apdu` prints.

    TRAFFIC 15:06:23.267 [ykman.pcsc.send_and_receive:97] SEND: 00a4040007d2760000850101
    TRAFFIC 15:06:23.268 [ykman.pcsc.send_and_receive:99] RECV:  SW=9000
    SEND: 00 B0 00 00 0F                                     ykman apdu: data follow as a hexdump
    RECV (SW=9000):
    00 0F 20 00 FB 00 F8 04 06 E1 04 7F FF 00 00      ...

ykman writes milliseconds without leading zeros. What is received without SW= came over USB HID: a packet of CTAP or
OTP, and no APDU. Source: ykman/pcsc, ykman/logging.py, ykman/_cli/apdu.py, fido2/pcsc.py and fido2/hid.
"""

import re
from typing import BinaryIO, Final

from nfcbridge.formats.found import Reading, make_reading
from nfcbridge.formats.stamps import WALL_CLOCK, find_time
from nfcbridge.formats.transcript import Found, Mark, transcribe
from nfcbridge.trace import Dir

PREFIX: Final = 200
"""Characters within which a frame begins: before it stand time and logger."""

_SEND: Final = re.compile(r"\bSEND: ((?:[0-9a-fA-F]{2} ?)+[0-9a-fA-F]?)$", re.ASCII)
_RECV: Final = re.compile(r"\bRECV: ((?:[0-9a-fA-F]{2})*) SW=([0-9a-fA-F]{4})\s*$", re.ASCII)
_SHORT: Final = re.compile(r"\bRECV: ((?:[0-9a-fA-F]{2})*[0-9a-fA-F]?)\s*$", re.ASCII)
_PRINTED: Final = re.compile(r"RECV \(SW=([0-9A-F]{4})\)(:?)\s*$", re.ASCII)
_HEAD: Final = re.compile(r"\b(?:RECV: (?:[0-9a-fA-F]{2})* SW=[0-9a-fA-F]{4}\b|RECV \(SW=[0-9A-F]{4}\))", re.ASCII)


def detect(head: str) -> bool:
    """Whether a text has lines of ykman or fido2 with status words."""
    return "SEND: " in head and _HEAD.search(head) is not None


def read(stream: BinaryIO) -> Reading:
    """Read a log of ykman or python-fido2."""

    def recognise(line: str) -> Found | None:
        head = line[:PREFIX]
        if "SEND:" in head and (found := _SEND.search(line)):
            return Mark(Dir.READER, find_time(line, plain_milliseconds=True), found[1])
        if "RECV" not in head:
            return None
        if found := _RECV.search(line):
            return Mark(Dir.CARD, find_time(line, plain_milliseconds=True), found[1], tail=bytes.fromhex(found[2]))
        if found := _PRINTED.match(line):
            return Mark(Dir.CARD, None, tail=bytes.fromhex(found[1]), dump=bool(found[2]))
        if found := _SHORT.search(line):
            t = find_time(line, plain_milliseconds=True)
            return Mark(Dir.CARD, t, found[1], unended=True, otherwise="a packet of USB HID, not of a card")
        return None

    return make_reading(
        transcribe(stream, recognise), source="ykman or fido2", level="apdus", clock=WALL_CLOCK, pcsc=True
    )
