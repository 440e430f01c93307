"""What the logs of APDUs have in common: a line begins a frame, and lines of hex go on with it.

A terminal folds long lines, and a hexdump has 16 octets a line with their characters beside them. A frame ends where
something else begins. What is between, from other programs, is passed over without a word.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from msgspec import Struct

from nfcbridge.formats.found import MAX_OCTETS, FormatProblem, Frame, Place
from nfcbridge.formats.lines import read_lines
from nfcbridge.trace import Dir

FOLDED: Final = 60
"""Characters from which on a line may have been folded: no terminal is narrower."""

DUMP_WIDTH: Final = 16
"""Octets in a line of a hexdump."""

DUMP_COLUMNS: Final = (3, 48, 50)
"""Where characters stand beside the octets: 3 columns an octet, or those of 16 (OpenSC), or 50 (ykman)."""

MAX_DIGITS: Final = 2 * MAX_OCTETS + 2
"""Digits that are kept of a frame: one octet more than the longest, so that it is seen to be too long."""

_HEX_LINE: Final = re.compile(r"\s*[0-9A-Fa-f]+(?:[ \t]+[0-9A-Fa-f]+)*\s*", re.ASCII)
_END: Final = re.compile(
    r"(?: : .*|(?: |^)t[imeout]{0,6}(?:=\S{0,30})?|(?: |^)\d{1,6}\.\d{0,3}s?|(?: |^)SW=(?P<sw>[0-9a-fA-F]{4}))\s*$",
    re.ASCII,
)
"""What stands behind octets, or begins there: words of scriptor, times of nfcpy, status words of ykman."""

_PAIRS: Final = re.compile(r"(?:[0-9A-Fa-f]{2}(?: |$)){1,16}", re.ASCII)
_NO_DIGIT: Final = re.compile(r"[^0-9A-Fa-f]+")


class Mark(Struct, frozen=True):
    """A line with which a frame begins.

    Attributes:
        dir: whose.
        t: seconds of any origin; None if the line has no time.
        text: its hex digits so far, with spaces.
        octets: how many there are, where the line tells; None otherwise.
        tail: what follows the octets: a status word that stands elsewhere in the line.
        dump: the octets follow as a hexdump.
        least: octets that there are at least, where the line tells that.
        unended: the line lacks the words that come after the octets: they were folded with it, or it was cut off.
        otherwise: what the line is if they do not come, and so is the command before it; empty: it was cut off.
        follows: more octets follow, in a line of their own; one that ends with a space is not the last of them.
    """

    dir: Dir
    t: float | None
    text: str = ""
    octets: int | None = None
    tail: bytes = b""
    dump: bool = False
    follows: bool = False
    least: int = 0
    unended: bool = False
    otherwise: str = ""


class Field(Struct, frozen=True):
    """A line that says what the field did."""

    on: bool
    t: float | None


class Foreign(Struct, frozen=True):
    """A line with octets that are not ours: why."""

    words: str


Found = Mark | Field | Foreign


class _Pending:
    """A frame that is being read."""

    def __init__(self, number: int, mark: Mark, *, folded: bool) -> None:
        self.mark = mark
        self.position = Place(number)
        self._folded = folded or mark.follows or mark.unended
        self._unended = mark.unended
        self._ended = False
        self._tail = mark.tail
        self._digits = _NO_DIGIT.sub("", mark.text)[:MAX_DIGITS]

    def take(self, line: str) -> bool:
        """Whether the line goes on with this frame."""
        wanted = None if self.mark.octets is None else 2 * self.mark.octets - len(self._digits)
        if self._ended or (wanted is not None and wanted <= 0):
            return False
        if self.mark.dump:
            digits = dump_digits(line, DUMP_WIDTH if wanted is None else min(DUMP_WIDTH, (wanted + 1) // 2))
            self._folded = len(digits) == 2 * DUMP_WIDTH
        elif self._folded or wanted is not None or len(self._digits) < 2 * self.mark.least:
            end = _END.search(line)
            words = line if end is None else line[: end.start()]
            if words and _HEX_LINE.fullmatch(words) is None:
                return False
            digits = _NO_DIGIT.sub("", words)
            if end is not None:
                self._ended, self._unended = True, False
                self._tail = bytes.fromhex(end["sw"] or "") or self._tail
                self._digits = (self._digits + digits)[:MAX_DIGITS]
                return True
            self._folded = len(line) >= FOLDED or self._unended or (self.mark.follows and line.endswith(" "))
        else:
            return False
        self._digits = (self._digits + digits)[:MAX_DIGITS]
        return bool(digits)

    def close(self) -> Frame | FormatProblem:
        """The frame, or what is wrong with it."""
        mark, digits = self.mark, self._digits
        if self._unended:
            words = mark.otherwise or "the line was cut off"
            return FormatProblem(self.position, words, foreign=bool(mark.otherwise))
        if len(digits) % 2:
            return FormatProblem(self.position, "an odd number of hex digits: it was cut off")
        if (mark.octets is not None and len(digits) != 2 * mark.octets) or len(digits) < 2 * mark.least:
            return FormatProblem(self.position, "not as many octets as the line says: it was cut off")
        octets = bytes.fromhex(digits) + self._tail
        if mark.dir is Dir.CARD and len(octets) == 0:
            return FormatProblem(self.position, "no response came")
        return Frame(self.position, mark.t, mark.dir, octets)


def dump_digits(line: str, most: int) -> str:
    """The hex digits of a hexdump's line, of at most `most` octets; empty if it is none."""
    found = _PAIRS.match(line)
    if found is None:
        return ""
    count = min(most, (found.end() + 1) // 3)
    if most == DUMP_WIDTH:  # nobody told how many: one character stands beside each
        for octets in range(count, 0, -1):
            beside = (octets * column if column == DUMP_COLUMNS[0] else column for column in DUMP_COLUMNS)
            if any(len(line) == start + octets for start in beside):
                count = octets
                break
    return line[: 3 * count].replace(" ", "")


def transcribe(
    stream: BinaryIO, recognise: Callable[[str], Found | None], *, pairs: bool = True
) -> Iterator[Frame | FormatProblem]:
    """The frames of a log.

    Args:
        stream: the file.
        recognise: what a line is; None: it is not of this format, or goes on with the one before.
        pairs: a response has its command before it, as APDUs have.
    """
    pending: _Pending | None = None
    held: Frame | None = None  # a command, until it is known whose it is
    for number, line in read_lines(stream):
        found = recognise(line)
        if found is None:
            if pending is not None and not pending.take(line):
                held, items = _settle(pending.close(), held, pairs=pairs)
                yield from items
                pending = None
            continue
        if pending is not None:
            held, items = _settle(pending.close(), held, pairs=pairs)
            yield from items
            pending = None
        if isinstance(found, Mark):
            pending = _Pending(number, found, folded=len(line) >= FOLDED)
            continue
        if held is not None:
            yield held
        held = None
        if isinstance(found, Field):
            yield Frame(Place(number), found.t, Dir.FIELD, on=found.on)
        else:
            yield FormatProblem(Place(number), found.words, foreign=True)
    if pending is not None:
        held, items = _settle(pending.close(), held, pairs=pairs)
        yield from items
    if held is not None:
        yield held


def _settle(
    item: Frame | FormatProblem, held: Frame | None, *, pairs: bool
) -> tuple[Frame | None, list[Frame | FormatProblem]]:
    """What is to be held now, and what is to be given: a command waits for what comes next."""
    if isinstance(item, FormatProblem) and item.foreign:
        return None, [item]  # and its command with it
    before: list[Frame | FormatProblem] = [] if held is None else [held]
    if isinstance(item, Frame) and item.dir is Dir.READER:
        return item, before
    if pairs and isinstance(item, Frame) and held is None:
        return None, [FormatProblem(item.position, "a response without its command")]
    return None, [*before, item]
