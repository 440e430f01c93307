"""What libpcscspy of pcsc-lite writes, and how its program `pcsc-spy` shows it.

7F72A3B85840@>|1795360753|207809|SCardTransmit      thread, `>` and time of the call; then a line an argument:
7F72A3B85840@0x44A972E1                             handle, protocol, its structure's size, octets, the octets
7F72A3B85840@...                                    protocol, size, octets and octets of the response
7F72A3B85840@<|1795360753|208393|SCardTransmit|0x00000000          (with a text before the code up to 1.9.9)

SCardTransmit                                       shown: a line an argument, a hexdump with octets in 16 columns
 i bSendLength: 0x0000000C
 i bSendBuffer
 i  0000 00 A4 04 00 07 62 76 01 FF 00 00 00             .....bv.....
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from nfcbridge.formats.found import NO_CLOCK, FormatProblem, Frame, Place, Reading, make_reading
from nfcbridge.formats.lines import read_lines
from nfcbridge.formats.stamps import WALL_CLOCK
from nfcbridge.formats.transcript import DUMP_WIDTH, dump_digits
from nfcbridge.trace import Dir

MAX_THREADS: Final = 64
"""Threads whose calls are followed at the same time; a call of one more is left out."""

MAX_ARGUMENTS: Final = 16
"""Lines of a call that are kept; those that matter have 9 at most."""

_LINE: Final = re.compile(r"([0-9A-Fa-f]{1,16})@(.*)", re.ASCII)
_CALL: Final = re.compile(r"([<>])\|(\d{1,12})\|(\d{1,6})\|(\w{1,40})(?:\|.*?(0x[0-9A-Fa-f]{8,16}))?", re.ASCII)
_RAW_HEAD: Final = re.compile(r"^[0-9A-Fa-f]{1,16}@>\|\d{1,12}\|\d{1,6}\|SCard\w", re.ASCII | re.MULTILINE)

_SHOWN_HEAD: Final = re.compile(r"^[ \t]*SCardTransmit[ \t]*\n[ \t]*i hCard: 0x", re.ASCII | re.MULTILINE)
_LENGTH: Final = re.compile(r"\s*([io]) b(?:Send|Recv)Length:? 0x([0-9A-F]{1,16})(?: \(\d+\))?\s*", re.ASCII)
_SHOWN_LINE: Final = re.compile(r"\s*[io]\s+[0-9A-F]{4,8} ((?:[0-9A-F]{2} ).*)", re.ASCII)

_LEAVE: Final = "0x00000000"
_UNPOWER: Final = "0x00000002"
_DIRECT: Final = "0x00000003"


def detect_spy(head: str) -> bool:
    """Whether a text was written by libpcscspy."""
    return _RAW_HEAD.search(head) is not None


def detect_shown_spy(head: str) -> bool:
    """Whether a text was shown by pcsc-spy."""
    return _SHOWN_HEAD.search(head) is not None


def read_spy(stream: BinaryIO) -> Reading:
    """Read what libpcscspy wrote."""
    return make_reading(_spied(stream), source="pcsc-spy", level="apdus", clock=WALL_CLOCK, pcsc=True)


class _Call:
    """A call that has not returned."""

    def __init__(self, number: int, name: str, began: float) -> None:
        self.number, self.name, self.began = number, name, began
        self.arguments: list[str] = []


def _spied(stream: BinaryIO) -> Iterator[Frame | FormatProblem]:
    calls: dict[str, _Call] = {}
    for number, line in read_lines(stream):
        if (found := _LINE.match(line)) is None:
            continue
        thread, words = found[1], found[2]
        call = calls.get(thread)
        if (edge := _CALL.fullmatch(words)) is None:
            if call is not None and len(call.arguments) < MAX_ARGUMENTS:
                call.arguments.append(words)
            continue
        at = int(edge[2]) + int(edge[3]) / 1e6
        if call is not None:
            del calls[thread]
            if edge[1] == "<" and edge[4] == call.name:
                yield from _returned(call, number, at, edge[5])
            else:
                yield from _returned(call, number, at, None)
        if edge[1] == ">":
            if len(calls) == MAX_THREADS:
                yield FormatProblem(Place(number), f"a call of more than {MAX_THREADS} threads at a time")
            else:
                calls[thread] = _Call(number, edge[4], at)
    for call in calls.values():
        yield from _returned(call, call.number, call.began, None)


def _returned(call: _Call, number: int, at: float, code: str | None) -> Iterator[Frame | FormatProblem]:
    """What comes of a call: `code` is its result, None if the log has no end of it."""
    ok = code is not None and int(code, 16) == 0
    arguments = call.arguments
    if call.name in {"SCardConnect", "SCardReconnect"}:
        # Connecting to the reader alone (SCARD_SHARE_DIRECT) or again without a reset does nothing to the card.
        untouched = [_DIRECT] if call.name == "SCardConnect" else [_LEAVE]
        place = 2 if call.name == "SCardConnect" else 3
        if ok and arguments[place : place + 1] != untouched:
            yield Frame(Place(call.number), at, Dir.FIELD, on=True)
    elif call.name == "SCardDisconnect":
        if ok and arguments[1:2] == [_UNPOWER]:
            yield Frame(Place(call.number), at, Dir.FIELD, on=False)
    elif call.name == "SCardTransmit":
        if (command := _buffer(arguments[3:5])) is None:
            yield FormatProblem(Place(call.number), "a call of SCardTransmit without its octets: it was cut off")
            return
        yield Frame(Place(call.number), call.began, Dir.READER, command)
        response = _buffer(arguments[7:9]) if ok else None
        if response:
            yield Frame(Place(number), at, Dir.CARD, response)
        else:
            yield FormatProblem(Place(number), "no response came")


def _buffer(arguments: list[str]) -> bytes | None:
    """The octets of a buffer: their number, then they; None if they are not there."""
    if len(arguments) < len(("number", "octets")):
        return None
    try:
        octets = bytes.fromhex(arguments[1])
        return octets if int(arguments[0], 16) == len(octets) else None
    except ValueError:  # such as NULL
        return None


def read_shown_spy(stream: BinaryIO) -> Reading:
    """Read what pcsc-spy showed."""
    return make_reading(_shown(stream), source="pcsc-spy, as it is shown", level="apdus", clock=NO_CLOCK, pcsc=True)


def _shown(stream: BinaryIO) -> Iterator[Frame | FormatProblem]:
    transmit, who, begin, octets, wanted = False, Dir.READER, 0, bytearray(), None
    for number, line in read_lines(stream):
        if wanted is not None and (shown := _SHOWN_LINE.match(line)):
            if len(octets) < wanted:
                octets += bytes.fromhex(dump_digits(shown[1], min(DUMP_WIDTH, wanted - len(octets))))
            continue
        name = line.strip()
        length = _LENGTH.fullmatch(line) if transmit else None
        if wanted is not None and (length is not None or name.startswith(("SCard", "=>"))):
            yield _dumped(begin, who, bytes(octets), wanted)
            wanted = None
        if length is not None:
            who, begin = Dir.READER if length[1] == "i" else Dir.CARD, number
            octets, wanted = bytearray(), int(length[2], 16)
        elif name.startswith("SCard"):
            transmit = name == "SCardTransmit"
    if wanted is not None:
        yield _dumped(begin, who, bytes(octets), wanted)


def _dumped(begin: int, who: Dir, octets: bytes, wanted: int) -> Frame | FormatProblem:
    if len(octets) != wanted:
        return FormatProblem(Place(begin), "not as many octets as the line says: it was cut off")
    return Frame(Place(begin), None, who, octets)
