"""Proxmark3: trace files (`trace save`), and the table that `hf 14a list` or `trace list` prints.

    time u32 | duration u16 | b16: from the card, 15 bits: n | n octets | ceil(n / 8) octets of parity bits
              little-endian; time in 1/13.56 MHz; a parity bit is the odd parity of its octet, the highest bit first

          Start |        End | Src | Data (! denotes parity error)                       | CRC | Annotation
    ------------+------------+-----+----------------------------------------------------+-----+------------
           2100 |       4468 | Tag |44  00                                              |     |
         419456 |     424224 | Rdr |e0  80  31  73                                      |  ok | RATS
                |            |     |00  00                                              |     |     (it goes on)

`52(7)` has seven bits, `0a!` a wrong parity, `[31  73]` is the CRC. With `-u` times are microseconds, with `-r` they
are the gap since the frame before and the duration. Source: client/src/cmdtrace.c and include/pm3_cmd.h.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from nfcbridge.formats.crc import drop_crc
from nfcbridge.formats.found import FormatProblem, Frame, Place, Reading, make_reading
from nfcbridge.formats.lines import read_lines
from nfcbridge.formats.type_a import TypeA
from nfcbridge.trace import Dir

CARRIER: Final = 13.56e6
"""Hertz: the unit of times is one period."""

CLOCK: Final = "periods of 13.56 MHz, from the Proxmark3"

HEAD: Final = 8
FROM_CARD: Final = 0x8000

MAX_FRAME: Final = 4098
"""Octets of the longest frame with CRC: nothing on the air is longer."""

MAX_CONTINUED: Final = 300
"""Lines of one frame: those of the longest, at 16 octets each, and some more."""

MIN_RECORDS: Final = 2
"""Records that a trace file must begin with to be known as one; it has no mark of its own."""

_WRAP: Final = 1 << 32
_PERIODS: Final = 1 << 31

_ODD: Final = tuple(1 - octet.bit_count() % 2 for octet in range(256))

_ROW: Final = re.compile(
    r"\s*(?:\[.\]\s*)?(?P<start>\d{1,12}(?:\.\d)?)\s*\|\s*(?P<end>\d{1,12}(?:\.\d)?)\s*\|\s*(?P<who>Rdr|Tag)\s*\|(?P<data>[^|]*)",
    re.ASCII,
)
_MORE: Final = re.compile(r"\s*\|\s*\|\s*\|(?P<data>[^|]*)\|", re.ASCII)
_OCTET: Final = re.compile(r"[0-9a-fA-F]{2}(?![0-9a-fA-F])", re.ASCII)
_HEADING: Final = re.compile(
    r"^\W*(?:\[.\] )?\s*(iso-?14443-?a|iso-?14443-?b|iso-?15693|iso-?7816|iso-?18092|felica|legic|iclass|hitag)",
    re.IGNORECASE | re.ASCII,
)
MAX_HEADING: Final = 80
"""Characters of a line that says what kind of card there is."""

_NO_WORD: Final = re.compile(r"\W")
_TABLE_HEAD: Final = re.compile(r"\|\s*(?:Rdr|Tag)\s*\| ?(?:[0-9a-f]{2}[ !(']|\s*<empty)", re.ASCII)
_SECONDS_A_TICK: Final = {False: 1 / CARRIER, True: 1e-6}


def detect_file(head: bytes) -> bool:
    """Whether octets are a trace file: records follow one another, and their parity bits or CRCs are right."""
    offset = records = right = wrong = checked = 0
    while offset + HEAD <= len(head):
        length = int.from_bytes(head[offset + 6 : offset + 8], "little") & ~FROM_CARD
        end = offset + HEAD + length + (length + 7) // 8
        if not 0 < length <= MAX_FRAME or end > len(head):
            break
        for place, octet in enumerate(head[offset + HEAD : offset + HEAD + length]):
            bit = head[offset + HEAD + length + place // 8] >> (7 - place % 8) & 1
            right, wrong = right + (bit == _ODD[octet]), wrong + (bit != _ODD[octet])
        checked += drop_crc(head[offset + HEAD : offset + HEAD + length]) is not None
        records += 1
        offset = end
    # Frames of seven bits and collisions have wrong parities, and so has what MIFARE encrypts.
    return records >= MIN_RECORDS and (right > 3 * wrong or checked >= MIN_RECORDS)


def read_file(stream: BinaryIO) -> Reading:
    """Read a trace file."""
    items = TypeA(has_crc=True).filter(_records(stream))
    return make_reading(items, source="Proxmark3 trace", level="blocks", clock=CLOCK)


def _records(stream: BinaryIO) -> Iterator[Frame | FormatProblem]:
    offset, wraps, last = 0, 0, 0
    while head := stream.read(HEAD):
        place = Place(offset, "octet")
        length = int.from_bytes(head[6:8], "little")
        count = length & ~FROM_CARD
        if len(head) < HEAD or count > MAX_FRAME:
            yield FormatProblem(place, "no record of a trace file begins here: the rest is left out")
            return
        body = stream.read(count + (count + 7) // 8)
        if len(body) < count + (count + 7) // 8:
            yield FormatProblem(place, "a record that was cut off")
            return
        time = int.from_bytes(head[:4], "little")
        wraps += last - time > _PERIODS
        last = time
        t = (wraps * _WRAP + time) / CARRIER
        yield Frame(place, t, Dir.CARD if length & FROM_CARD else Dir.READER, body[:count])
        offset += HEAD + len(body)


def detect_list(head: str) -> bool:
    """Whether a text has rows of Proxmark3's table."""
    return _TABLE_HEAD.search(head) is not None


def read_list(stream: BinaryIO) -> Reading:
    """Read what `hf 14a list` printed."""
    items = TypeA(has_crc=True).filter(_rows(stream))
    return make_reading(items, source="Proxmark3 list", level="blocks", clock=CLOCK)


class _Row:
    """A row of the table, and its lines that follow."""

    def __init__(self, number: int, t: float, who: Dir, data: str) -> None:
        self.number, self.t, self.who = number, t, who
        self.data = [data]

    def frame(self) -> Frame | FormatProblem:
        octets = bytes.fromhex("".join(_OCTET.findall(" ".join(self.data))))
        if not octets:
            return FormatProblem(Place(self.number), "a frame without octets")
        return Frame(Place(self.number), self.t, self.who, octets)


def _rows(stream: BinaryIO) -> Iterator[Frame | FormatProblem]:
    row: _Row | None = None
    foreign = relative = named = False
    clock = last = 0.0
    for number, line in read_lines(stream):
        if row is not None and (more := _MORE.match(line)) and len(row.data) < MAX_CONTINUED:
            row.data.append(more["data"])
            continue
        if row is not None:
            yield row.frame()
            row = None
        if found := _ROW.match(line):
            if foreign:
                yield FormatProblem(Place(number), "a frame of another kind of card", foreign=True)
                continue
            unit = _SECONDS_A_TICK["." in found["start"]]
            start, end = float(found["start"]) * unit, float(found["end"]) * unit
            if relative:
                start, clock = clock + start, clock + start + end
            else:
                clock += _WRAP / CARRIER if last - start > _PERIODS / CARRIER else 0.0
                last, start = start, start + clock
            row = _Row(number, start, Dir.CARD if found["who"] == "Tag" else Dir.READER, found["data"])
        elif "Duration |" in line or "Start |" in line:
            relative, clock, last, named = "Gap |" in line, 0.0, 0.0, False
        elif heading := _HEADING.match(line[:MAX_HEADING]):
            # Old ones name iCLASS in a second line, whatever the frames are.
            type_a = _NO_WORD.sub("", heading[1]).lower() == "iso14443a"
            foreign = not type_a and not named
            named = type_a or named
    if row is not None:
        yield row.frame()
