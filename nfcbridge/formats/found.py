"""What a reader of a foreign format gives: frames, field events and problems, each with its place in the file.

A reader is a function `read(stream) -> Reading`; what it yields becomes the entries of a trace here, in one place:
times count from the first entry, are never smaller than the one before, and are zero where the format has none.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from nfcbridge.isodep.blocks import MAX_COMMAND
from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.trace.entries import MAX_TIME

NO_CLOCK: Final = "none: the log has no times"
"""The clock of a trace whose `t` is 0 everywhere."""

MAX_OCTETS: Final = MAX_COMMAND
"""Octets of the longest frame: no APDU is longer, and no block comes near."""

MAX_LEAD: Final = 1000
"""Problems that may come before the first frame, which tells whether there are times; nobody waits longer for it."""

DAY: Final = 86_400.0
"""Seconds. A log that writes the time of day alone starts again at midnight."""

MAX_DISORDER: Final = 1.0
"""Seconds that a line may be older than the one before it: threads write late, and the clock was not set for that."""

READER_CLASS: Final = 0xFF
"""CLA of what PC/SC programs send to the reader device itself (PC/SC part 3, 3.2.2): the card never sees it."""


class Place(Struct, frozen=True, gc=False):
    """Where in the file: a line or an octet, or a packet of a capture, counted from 1 but for octets."""

    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.unit} {self.number}"


class FormatProblem(Struct, frozen=True, gc=False):
    """What was left out, and why.

    Attributes:
        position: where it stands.
        words: what is wrong with it; the same words for the same reason, so that they can be counted.
        foreign: nothing is wrong: it belongs to another card, or to no card, such as the frames of anticollision.
    """

    position: Place
    words: str
    foreign: bool = False


class Frame(Struct, frozen=True, gc=False):
    """A frame or field event as a format has it.

    Attributes:
        position: where it stands.
        t: seconds from any origin; None if the format does not say.
        dir: who did it.
        octets: the frame without CRC; empty for the field.
        on: of the field.
    """

    position: Place
    t: float | None
    dir: Dir
    octets: bytes = b""
    on: bool = False


class Reading(Struct):
    """What a file turned out to be.

    Attributes:
        header: the first line of the trace that it becomes.
        items: the entries, and what was left out, in the order of the file.
    """

    header: Header
    items: Iterator[Entry | FormatProblem]


def make_reading(
    items: Iterable[Frame | FormatProblem], *, source: str, level: str, clock: str, pcsc: bool = False
) -> Reading:
    """Make a reading of what a format's reader found.

    Args:
        items: in the order of the file.
        source: the tool or format, such as `pcscd`.
        level: `blocks` or `apdus`.
        clock: what the times were counted by, where there are any.
        pcsc: commands of class FF were for the reader device.
    """
    source_items = iter(items)
    lead: list[Frame | FormatProblem] = []
    for item in source_items:
        lead.append(item)
        if isinstance(item, Frame) or len(lead) == MAX_LEAD:
            break
    if lead and isinstance(first := lead[-1], Frame) and first.t is None:
        clock = NO_CLOCK
    whole = itertools.chain(lead, source_items)
    header = Header(level=level, source=f"imported: {source}", clock=clock)
    return Reading(header, _number(_drop_reader_class(whole) if pcsc else whole))


def _drop_reader_class(items: Iterable[Frame | FormatProblem]) -> Iterator[Frame | FormatProblem]:
    dropping = False
    for item in items:
        if isinstance(item, Frame) and item.dir is not Dir.FIELD:
            if item.dir is Dir.READER:
                dropping = item.octets[:1] == bytes((READER_CLASS,))
            if dropping:
                yield FormatProblem(item.position, "a command for the reader device itself (class FF)", foreign=True)
                continue
        yield item


def _number(items: Iterable[Frame | FormatProblem]) -> Iterator[Entry | FormatProblem]:
    number, last, origin = 0, 0.0, None
    for item in items:
        if not isinstance(item, Frame):
            yield item
            continue
        if item.dir is not Dir.FIELD and not 0 < len(item.octets) <= MAX_OCTETS:
            words = f"a frame of more than {MAX_OCTETS} octets" if item.octets else "a frame without octets"
            yield FormatProblem(item.position, words)
            continue
        if item.t is not None and origin is not None and item.t - origin > MAX_TIME:
            # A log of 300 years: a digit of the time is damaged. What is sound of the line is its octets.
            yield FormatProblem(item.position, "the time is later than any that a trace has: it was left out")
        elif item.t is not None:
            if origin is None:
                origin = item.t
            elif (back := last - (item.t - origin)) > MAX_DISORDER:
                midnight = DAY / 2 < back <= DAY
                origin -= DAY if midnight else back
                if not midnight:
                    yield FormatProblem(item.position, "the clock was set back: what follows is later by as much")
            last = max(last, item.t - origin)
        number += 1
        yield Entry(last, item.dir, item.octets, item.on, number)
