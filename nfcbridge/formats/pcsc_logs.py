"""Logs of PC/SC: pcscd, and pyscard.

    00000012 APDU: 00 A4 00 0C 02 E1 03           pcscd --apdu --debug: microseconds since the line before, at most
    00000532 SW: 90 00                            99999999 (src/debuglog.c of pcsc-lite); in colour with a thread id
    Nov 22 15:04:05 host pcscd: SW: 90 00         the same in syslog, without them
    > 00 A4 00 0C 02 E1 03                        ConsoleCardConnectionObserver of pyscard: no times
    <  [] 90 00                                   no data; SW1 below 10 has a space for its first digit
    < 90 00 : Normal processing.                  scriptor of pcsc-tools, which folds after 16 octets

What pyscard and scriptor print is told by its first column alone, so these are asked for last.
"""

import re
from typing import BinaryIO, Final

from nfcbridge.formats.found import NO_CLOCK, Reading, make_reading
from nfcbridge.formats.stamps import WALL_CLOCK, find_time
from nfcbridge.formats.transcript import Field, Found, Mark, transcribe
from nfcbridge.trace import Dir

PCSCD_CLOCK: Final = "sum of the microseconds between lines; pcscd writes at most 99.999999 s"

_PCSCD: Final = re.compile(r"(?:^|[ :])(\d{8}) (?:\[\w{1,20}\] )?", re.ASCII)
_PCSCD_HEAD: Final = re.compile(r"\b\d{8} (?:\[\w{1,20}\] )?(?:APDU|SW): [0-9A-F]{2} ", re.ASCII)

_SYSLOG: Final = re.compile(r"(?:^|[ \]:])(APDU|SW): ((?:[0-9A-F]{2} ?)*)$", re.ASCII)
_SYSLOG_HEAD: Final = re.compile(r"(?:^|[ \]:])(?:APDU|SW): [0-9A-F]{2}(?: [0-9A-F]{2})+ ?$", re.ASCII | re.MULTILINE)

PREFIX: Final = 100
"""Characters within which pcscd's own time stands; before it there may be that of a journal."""

_PCSCD_MARKS: Final = (("APDU: ", Dir.READER), ("SW: ", Dir.CARD))

_PCSCD_FIELD: Final = {
    "Card inserted into": True,
    "SCardConnect() power up complete": True,
    "() Reset complete": True,
    "Card Removed From": False,
    "powerState: POWER_STATE_UNPOWERED": False,
}

MAX_EVENT: Final = 200
"""Characters of the longest line that tells of the field; those with octets are longer and are not searched."""

_PYSCARD: Final = re.compile(
    r"^(?P<mark>[<>]) (?P<hex>(?: ?\[\]| {0,2}[0-9A-F]{2})(?: {1,2}[0-9A-F]{1,2})*) ?(?: : .*)?$", re.ASCII
)
_PYSCARD_HEAD: Final = re.compile(r"^> (?:[0-9A-F]{2} ){3,}[0-9A-F]{0,2} ?$", re.ASCII | re.MULTILINE)
_PYSCARD_FIELD: Final = re.compile(r"^(?P<what>connecting to|reconnecting to|disconnecting from) ")
_SHORT_SW1: Final = re.compile(r" {2}([0-9A-F])(?= [0-9A-F]{2}$)")


def detect_pcscd(head: str) -> bool:
    """Whether a text has lines of pcscd with APDUs."""
    return _PCSCD_HEAD.search(head) is not None


def read_pcscd(stream: BinaryIO) -> Reading:
    """Read a log of pcscd."""
    clock = 0

    def recognise(line: str) -> Found | None:
        nonlocal clock
        if (found := _PCSCD.search(line, 0, PREFIX)) is None:
            return None
        clock += int(found[1])
        t, words = clock / 1e6, line[found.end() :]
        for mark, who in _PCSCD_MARKS:
            if words.startswith(mark):
                return Mark(who, t, words[len(mark) :])
        if len(words) <= MAX_EVENT:
            for event, on in _PCSCD_FIELD.items():
                if event in words:
                    return Field(on=on, t=t)
        return None

    return make_reading(transcribe(stream, recognise), source="pcscd", level="apdus", clock=PCSCD_CLOCK, pcsc=True)


def detect_syslog(head: str) -> bool:
    """Whether a text has lines of a pcscd that logs to syslog, which writes no times of its own."""
    return _SYSLOG_HEAD.search(head) is not None


def read_syslog(stream: BinaryIO) -> Reading:
    """Read what pcscd wrote to syslog."""

    def recognise(line: str) -> Found | None:
        if (found := _SYSLOG.search(line)) is None or found.start() > PREFIX:
            return None
        return Mark(Dir.READER if found[1] == "APDU" else Dir.CARD, find_time(line), found[2])

    return make_reading(
        transcribe(stream, recognise), source="pcscd, from syslog", level="apdus", clock=WALL_CLOCK, pcsc=True
    )


def detect_pyscard(head: str) -> bool:
    """Whether a text has lines of pyscard's observer."""
    return _PYSCARD_HEAD.search(head) is not None


def read_pyscard(stream: BinaryIO) -> Reading:
    """Read what pyscard's ConsoleCardConnectionObserver printed."""

    def recognise(line: str) -> Found | None:
        if found := _PYSCARD_FIELD.match(line):
            return Field(on=found["what"] != "disconnecting from", t=None)
        if found := _PYSCARD.match(line):
            octets = _SHORT_SW1.sub(r" 0\1", found["hex"])
            return Mark(Dir.READER if found["mark"] == ">" else Dir.CARD, None, octets, follows=line.endswith(" "))
        return None

    return make_reading(
        transcribe(stream, recognise), source="pyscard observer", level="apdus", clock=NO_CLOCK, pcsc=True
    )
