"""What an export says to the import that gets it back, in comments that programs of others show to people.

    nfcbridge header: {"nfcbridge_trace":1,...}           once, in the section header: the first line of the trace
    nfcbridge pair: 5 octets, answered after 0.000123 s   at a packet of a command and its response
    nfcbridge field: on, 0.001000 s before                at such a packet: the field, before the command

A capture file has no place for these: link and configuration of the card, without which nothing is replayed; where a
response begins; that the card was selected again.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from nfcbridge.errors import TraceError
from nfcbridge.trace.entries import Header, parse_header

HEADER_PREFIX: Final = "nfcbridge header: "

MAX_NOTE: Final = 0xFFFF
"""Octets of the longest comment: pcapng counts them in 16 bits."""

MICROSECONDS: Final = 1_000_000
"""Of a second. Times in a trace have six digits after the point."""

MAX_SECONDS: Final = 9e9
"""The latest time that is exported, and the earliest with a minus: 285 years, as far as a float tells microseconds."""

_PAIR: Final = re.compile(r"nfcbridge pair: (\d{1,6}) octets, answered after (-?\d{1,13}\.\d{6}) s", re.ASCII)
_FIELD: Final = re.compile(r"nfcbridge field: (on|off), (-?\d{1,13}\.\d{6}) s before", re.ASCII)


class PairNote(Struct, frozen=True):
    """Where in a packet the response begins, and when it came.

    Attributes:
        command: octets of the command.
        delay: seconds from the packet's time to the response.
    """

    command: int
    delay: float


class FieldNote(Struct, frozen=True):
    """That the card was selected (`on`) or that the field was lost, `before` seconds before the packet's time."""

    on: bool
    before: float


def header_note(header: Header) -> str | None:
    """The first line as a comment; None if it is too long for one."""
    note = HEADER_PREFIX + msgspec.json.encode(header).decode()
    return note if len(note.encode()) <= MAX_NOTE else None


def parse_header_note(comment: str) -> Header | None:
    """The first line that a comment holds; None if it holds none that this program reads."""
    if not comment.startswith(HEADER_PREFIX):
        return None
    try:
        return parse_header(comment[len(HEADER_PREFIX) :].encode(errors="replace"))
    except TraceError:
        return None


def pair_note(note: PairNote) -> str:
    """The note as a comment."""
    return f"nfcbridge pair: {note.command} octets, answered after {note.delay:.6f} s"


def parse_pair_note(comment: str) -> PairNote | None:
    """The note that a comment is; None if it is none."""
    found = _PAIR.fullmatch(comment)
    return found and PairNote(int(found[1]), float(found[2]))


def field_note(note: FieldNote) -> str:
    """The note as a comment."""
    return f"nfcbridge field: {'on' if note.on else 'off'}, {note.before:.6f} s before"


def parse_field_note(comment: str) -> FieldNote | None:
    """The note that a comment is; None if it is none."""
    found = _FIELD.fullmatch(comment)
    return found and FieldNote(found[1] == "on", float(found[2]))


def to_microseconds(seconds: float) -> int:
    """A time of a trace as a whole number, to the resolution that traces have.

    Raises:
        TraceError: it is no time that anything was recorded at.
    """
    if not -MAX_SECONDS < seconds < MAX_SECONDS:
        raise TraceError(f"an entry has the time {seconds:g} s, which no file of another tool holds: mend the trace")
    return round(seconds * MICROSECONDS)


def origin(header: Header) -> int:
    """Microseconds from 1970-01-01 UTC to the first line of a trace; 0 where nobody knows them."""
    wall: Any = header.clock.get("wall") if isinstance(header.clock, dict) else None
    if not isinstance(wall, int | float) or isinstance(wall, bool) or not 0 <= wall < MAX_SECONDS:
        return 0
    return to_microseconds(wall)
