"""Debug logs of nfcpy: the frames of `nfc.clf`, or the APDUs of `nfc.tag.tt4` where those are not logged.

    DEBUG:nfc.clf:>>> e080 timeout=0.03                       frames, CRC taken off by the driver
    DEBUG:nfc.clf:<<< 0b7880800280546e666362 0.000s
    DEBUG:nfc.tag.tt4:>> 00a4040007d276000085010100           APDUs
    DEBUG:nfc.tag.tt4:<< 9000                                 `None`: there was none

Where nfcpy itself is the card, `>>>` is what the card sends. What stands before the logger's name is up to the program.
"""

import re
from collections.abc import Callable
from typing import BinaryIO, Final

from nfcbridge.formats.found import Reading, make_reading
from nfcbridge.formats.lines import read_lines
from nfcbridge.formats.stamps import WALL_CLOCK, find_time
from nfcbridge.formats.transcript import Foreign, Found, Mark, transcribe
from nfcbridge.formats.type_a import TypeA
from nfcbridge.trace import Dir

PREFIX: Final = 200
"""Characters within which a frame begins: before it stand time and logger."""

_BLOCK: Final = re.compile(
    r"(?<![<>])(?P<way>>>>|<<<) (?P<hex>(?:[0-9a-f]{2})+[0-9a-f]?|None)"
    r"(?P<end> t[imeout]{0,6}(?:=\S{0,30})?| \d{1,6}\.\d{0,3}s?)?\s*$",
    re.ASCII,
)
_APDU: Final = re.compile(r"(?<![<>])(?P<way>>>|<<) (?P<hex>(?:[0-9a-f]{2})+[0-9a-f]?|None)\s*$", re.ASCII)
_HEAD: Final = re.compile(
    r"(?<![<>])(?:>> (?:[0-9a-f]{2}){4,}|<< (?:[0-9a-f]{2}){2,}|>>> (?:(?:[0-9a-f]{2})+|None) timeout=\S|"
    r"<<< (?:[0-9a-f]{2})+ \d{1,6}\.\d{3}s)\s*$",
    re.ASCII | re.MULTILINE,
)
_AS_CARD: Final = re.compile(r"\bactivated as |>>> None timeout=")


def detect(head: str) -> bool:
    """Whether a text has lines of nfcpy with frames or APDUs."""
    return _HEAD.search(head) is not None


def read(stream: BinaryIO) -> Reading:
    """Read a log of nfcpy. The file is read twice: once for what it holds."""
    blocks = as_card = False
    begin = stream.tell()
    for _, line in read_lines(stream):
        head = line[:PREFIX]
        if (">>>" in head or "<<<" in head) and (found := _BLOCK.search(line)) and found["end"]:
            blocks = True
            as_card = as_card or _AS_CARD.search(head) is not None
    stream.seek(begin)
    ways = {">>>": Dir.READER, ">>": Dir.READER, "<<<": Dir.CARD, "<<": Dir.CARD}
    if as_card:
        ways |= {">>>": Dir.CARD, "<<<": Dir.READER}
    recognise = _recogniser(_BLOCK if blocks else _APDU, ways)
    if not blocks:
        return make_reading(transcribe(stream, recognise), source="nfcpy", level="apdus", clock=WALL_CLOCK)
    items = TypeA(has_crc=False).filter(transcribe(stream, recognise, pairs=False))
    return make_reading(items, source="nfcpy", level="blocks", clock=WALL_CLOCK)


def _recogniser(frame: re.Pattern[str], ways: dict[str, Dir]) -> Callable[[str], Found | None]:
    def recognise(line: str) -> Found | None:
        head = line[:PREFIX]
        if ">>" not in head and "<<" not in head:
            return None
        if (found := frame.search(line)) is None:
            return None
        if found["hex"] == "None":
            return None if ways[found["way"]] is Dir.READER else Foreign("no answer came")
        unended = frame is _BLOCK and not found["end"]
        return Mark(ways[found["way"]], find_time(line), found["hex"], unended=unended)

    return recognise
