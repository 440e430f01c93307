"""OpenSC: its debug log, and what `opensc-tool -s` prints.

    P:23786; T:0x140280332380224 15:06:18.576 [opensc-tool] reader-pcsc.c:242:pcsc_internal_transmit: ...
    Outgoing APDU (12 bytes):
    00 A4 04 00 07 62 76 01 FF 00 00 00 .....bv.....          16 octets a line, then their characters
    Outgoing APDU data [   12 bytes] ==========               old ones

    Sending: 00 B0 00 00 0F                                   opensc-tool: status words stand before the data
    Received (SW1=0x90, SW2=0x00):
    00 0F 20 00 FB 00 F8 04 06 E1 04 7F FF 00 00 .. ............

Where a log has both, the debug log counts, since what the tool sends is in it too. Source: log.c and opensc-tool.c.
"""

import re
from typing import BinaryIO, Final

from nfcbridge.formats.found import NO_CLOCK, Reading, make_reading
from nfcbridge.formats.stamps import WALL_CLOCK, find_time
from nfcbridge.formats.transcript import Found, Mark, transcribe
from nfcbridge.trace import Dir

_DEBUG: Final = re.compile(
    r"(?P<way>Outgoing|Incoming) (?:APDU|data)[^\n(]{0,30}[\[(] {0,8}(?P<count>\d{1,6}) bytes", re.ASCII
)
_DEBUG_HEAD: Final = re.compile(r"^.{0,200}Outgoing APDU[^\n(]{0,30}[\[(] {0,8}\d{1,6} bytes", re.ASCII | re.MULTILINE)
_LOG_LINE: Final = re.compile(r"(?:P:\d+; T:|0x[0-9a-f]+ \d\d:|\[[\w-]{1,40}\] )", re.ASCII)

_SENDING: Final = re.compile(r"Sending: ((?:[0-9A-F]{2} ){1,}[0-9A-F]{0,2}) ?$", re.ASCII)
_RECEIVED: Final = re.compile(r"Received \(SW1=0x([0-9A-F]{2}), SW2=0x([0-9A-F]{2})\)(:?)", re.ASCII)
_TOOL_HEAD: Final = re.compile(r"^Sending: (?:[0-9A-F]{2} ){4,}", re.ASCII | re.MULTILINE)


def detect_debug(head: str) -> bool:
    """Whether a text is a debug log of OpenSC."""
    return _DEBUG_HEAD.search(head) is not None


def read_debug(stream: BinaryIO) -> Reading:
    """Read a debug log of OpenSC."""
    clock: float | None = None

    def recognise(line: str) -> Found | None:
        nonlocal clock
        if _LOG_LINE.match(line) and (t := find_time(line)) is not None:
            clock = t
        if found := _DEBUG.search(line, 0, 300):
            way = Dir.READER if found["way"] == "Outgoing" else Dir.CARD
            return Mark(way, clock, octets=int(found["count"]), dump=True)
        return None

    return make_reading(
        transcribe(stream, recognise), source="OpenSC debug", level="apdus", clock=WALL_CLOCK, pcsc=True
    )


def detect_tool(head: str) -> bool:
    """Whether a text was printed by `opensc-tool -s`."""
    return _TOOL_HEAD.search(head) is not None


def read_tool(stream: BinaryIO) -> Reading:
    """Read what `opensc-tool -s` printed."""

    def recognise(line: str) -> Found | None:
        if found := _SENDING.match(line):
            return Mark(Dir.READER, None, found[1])
        if found := _RECEIVED.match(line):
            return Mark(Dir.CARD, None, tail=bytes.fromhex(found[1] + found[2]), dump=bool(found[3]))
        return None

    return make_reading(transcribe(stream, recognise), source="opensc-tool", level="apdus", clock=NO_CLOCK, pcsc=True)
