"""apdu4j and GlobalPlatformPro (`gp -d`), and apdu4j's dumps.

    A>> T=1 (4+0011) 00A40400 0B DA43B630ED93021DA22ACF     older ones name the protocol; `A#1>>`: a logical channel
    A<< (0018+2) (15ms) 6F10...01FF 9000                    lengths of the data, the time that it took
    >> 00A40400 00                                          LoggingBIBO: no lengths, the time at the end
    << 9000 (12ms)
    # Sent                                                  a dump: the octets stand alone
    00A4040000
    # Received in 40ms
    6A82

Times are sums of those that are told; what passed between the commands nobody knows. Source: LoggingCardTerminal,
LoggingBIBO and DumpFormat of apdu4j.
"""

import re
from typing import BinaryIO, Final

from nfcbridge.formats.found import Reading, make_reading
from nfcbridge.formats.transcript import Field, Foreign, Found, Mark, transcribe
from nfcbridge.trace import Dir

CLOCK: Final = "sum of the times of the commands; what passed between them is not in the log"

_DURATION: Final = r"(?:(\d{1,6})s)?(\d{1,6}(?:\.\d{1,3})?)ms"
_COMMAND: Final = re.compile(
    r"(?:[AB](?:#\d{1,2})?)?>> (?:T=\S{1,4} )?(?:\(4\+(?P<nc>\d{1,6})\) +)?(?P<hex>[0-9A-F]{8}(?: [0-9A-F]+)*)",
    re.ASCII,
)
_RESPONSE: Final = re.compile(
    r"(?:[AB](?:#\d{1,2})?)?<< (?:\((?P<nr>\d{1,6})\+2\) +)?(?:\([\ds.m]+\) )?"
    r"(?P<hex>[0-9A-F]{4,}(?: [0-9A-F]+)*)",
    re.ASCII,
)
_TIME: Final = re.compile(rf"\({_DURATION}\)", re.ASCII)
_FAILED: Final = re.compile(r"(?:^|[AB](?:#\d{1,2})?)<< (?:\[error\]|[A-Z]{2})")
_CONNECT: Final = re.compile(r"SCardConnect\(.{0,300}?\) -> (?:T=|\*)")
_DISCONNECT: Final = re.compile(r"SCardDisconnect\(.{0,300}, (?:true|SCARD_UNPOWER)")
_SENT: Final = re.compile(r"# Sent\s*")
_RECEIVED: Final = re.compile(rf"# Received in {_DURATION}\s*", re.ASCII)
_HEAD: Final = re.compile(
    r"[AB](?:#\d{1,2})?>> (?:T=\S{1,4} )?\(4\+\d{4,6}\) +[0-9A-F]{8}|"
    r">> [0-9A-F]{8} [0-9A-F]{2}|^# Sent\s*\n[0-9A-F]{8}",
    re.ASCII | re.MULTILINE,
)

PREFIX: Final = 200
"""Characters within which a frame begins: a logger may have put its own words before it."""


def detect(head: str) -> bool:
    """Whether a text has lines of apdu4j."""
    return _HEAD.search(head) is not None


def _seconds(found: re.Match[str] | None) -> float:
    return 0.0 if found is None else int(found[1] or 0) + float(found[2]) / 1000


def read(stream: BinaryIO) -> Reading:
    """Read a log of apdu4j."""
    clock = 0.0

    def recognise(line: str) -> Found | None:
        nonlocal clock
        head = line[:PREFIX]
        if ">>" in head and (found := _COMMAND.search(line)) and found.start() < PREFIX:
            # Behind the data Le may follow, and lengths may have three octets.
            data = int(found["nc"] or 0)
            return Mark(Dir.READER, clock, found["hex"], least=4 + data + (data > 0))
        if "<<" in head:
            if (found := _RESPONSE.search(line)) and found.start() < PREFIX:
                clock += _seconds(_TIME.search(line))
                octets = None if found["nr"] is None else int(found["nr"]) + 2
                return Mark(Dir.CARD, clock, found["hex"], octets=octets)
            return Foreign("no response came: an error of PC/SC") if _FAILED.search(head) else None
        if _SENT.fullmatch(head):
            return Mark(Dir.READER, clock, follows=True)
        if found := _RECEIVED.fullmatch(head):
            clock += _seconds(found)
            return Mark(Dir.CARD, clock, follows=True)
        if _CONNECT.search(head):
            return Field(on=True, t=clock)
        return Field(on=False, t=clock) if _DISCONNECT.search(head) else None

    return make_reading(transcribe(stream, recognise), source="apdu4j", level="apdus", clock=CLOCK, pcsc=True)
