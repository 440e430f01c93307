"""A trace in words for the report of a failed test: what `nfcbridge trace show` tells, without its table.

    0.001629 s  card selected
    0.002391 s  > SELECT NDEF application                       00A4040007D276000085010100
              < 9000
    0.004410 s  request GET /login, messageID 1
                  {"path":"/login","method":"GET","messageID":1}

`>` comes from the reader, `<` from the card. Of blocks only those are shown that tell of trouble.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nfcbridge.errors import TraceError
from nfcbridge.trace import TraceFile
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import ActivationSeen, ApduSeen, BlockKind, BlockSeen, FieldSeen, MessageSeen, Seen
from nfcbridge.trace.words import (
    describe_activation,
    describe_block,
    describe_content,
    describe_field,
    describe_pair,
    shorten,
)
from nfcbridge.type4.apdu import SW, Ins

MAX_LINES: Final = 120
"""Of a report, the last ones: where a test fails is where its trace ends. All of it is in the file."""

MAX_TEXT: Final = 300
"""Characters of a message that are shown."""

TROUBLE: Final = frozenset({BlockKind.NAK, BlockKind.WTX, BlockKind.DESELECT, BlockKind.INVALID})
"""Blocks that say more than the command they belong to."""

PARTS: Final = frozenset({Ins.READ_BINARY, Ins.UPDATE_BINARY})
FOLD_FROM: Final = 3
"""So many commands alike are shown; of more the first, and the last in words."""

_INDENT: Final = " " * 14


def read_words(path: Path) -> list[str]:
    """The lines of a trace, and where to find the rest; none if nothing has crossed."""
    lines: deque[list[str]] = deque(maxlen=MAX_LINES)
    fold = Fold()
    count = 0
    problem = []
    try:
        for seen in _all_of(path):
            told = list(describe(seen))
            folded = fold.receive(seen)
            if folded and lines:
                lines[-1] = [folded]
            elif told:
                lines.append(told)
                count += 1
    except (TraceError, OSError) as error:
        problem = [f"the trace cannot be read any further: {error}"]
    shown = [line for told in lines for line in told][-MAX_LINES:]
    if not shown and not problem:
        return []
    whole = count <= MAX_LINES and sum(map(len, lines)) <= MAX_LINES
    left_out = [] if whole else ["... what was before is left out"]
    return [*left_out, *shown, *problem, f"all of it: nfcbridge trace show {path}"]


def _all_of(path: Path) -> Iterator[Seen]:
    with TraceFile(path) as trace:
        decoder = Decoder(trace.header.level, header=trace.header)
        for entry in trace:
            yield from decoder.receive(entry)
        yield from decoder.close()


class Fold:
    """Makes one line of the parts of a long message: READ after READ, UPDATE after UPDATE."""

    def __init__(self) -> None:
        self._like = b""
        self._count = 0

    def receive(self, seen: Seen) -> str:
        """The line that takes the place of the last one told; empty if this is told by itself."""
        if isinstance(seen, BlockSeen) and not (seen.repeated or seen.kind in TROUBLE):
            return ""
        like = seen.command[:2] if isinstance(seen, ApduSeen) and seen.sw == SW.OK else b""
        self._count = self._count + 1 if like and like == self._like else 0
        self._like = like if len(like) > 1 and like[1] in PARTS else b""
        if self._count < FOLD_FROM or not isinstance(seen, ApduSeen):
            return ""
        return f"{_INDENT}  ... and {self._count - FOLD_FROM + 1} more like it, the last: {describe_pair(seen)}"


def describe(seen: Seen) -> Iterator[str]:
    """The lines of what was seen; none of what is told by a layer above."""
    match seen:
        case FieldSeen():
            yield _line(seen.t, describe_field(seen))
        case ActivationSeen():
            yield _line(seen.t, describe_activation(seen), seen.octets)
        case BlockSeen():
            if seen.repeated or seen.kind in TROUBLE:
                yield _line(seen.t, f"{'>' if seen.from_reader else '<'} {describe_block(seen)}", seen.octets)
        case ApduSeen():
            yield _line(seen.t, f"> {describe_pair(seen)}", seen.command)
            response = "nothing" if seen.response is None else shorten(seen.response)
            yield f"{_INDENT}< {response}"
        case MessageSeen():
            yield _line(seen.t_end, f"{'written' if seen.written else 'read'}: {describe_content(seen)}")
            if seen.text:
                yield f"{_INDENT}  {shorten_text(seen.text)}"


def _line(t: float, words: str, octets: bytes = b"") -> str:
    line = f"{t:10.6f} s  {words:<56}"
    return f"{line} {shorten(octets)}" if octets else line.rstrip()


def shorten_text(text: str) -> str:
    """A text on one line, its control characters escaped, and the end of a long one left out."""
    shown = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text[:MAX_TEXT])
    return shown if len(text) <= MAX_TEXT else f"{shown}... ({len(text)} characters)"
