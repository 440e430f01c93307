"""Traces for tests, written as lines: `> octets` of the reader, `< octets` of the card, `+` selected, `-` gone."""

from collections.abc import Sequence
from typing import TypeVar

from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.trace.decoder import Decoder
from nfcbridge.trace.seen import Seen

Kind = TypeVar("Kind", bound=Seen)

STEP = 0.01
"""Seconds between two lines."""


def entries(*lines: str) -> list[Entry]:
    """The entries of these lines, the first at 0 s."""
    made = []
    for number, line in enumerate(lines, 1):
        sign, rest = line[0], line[1:]
        t = (number - 1) * STEP
        if sign in "+-":
            made.append(Entry(t, Dir.FIELD, on=sign == "+", number=number))
        else:
            made.append(Entry(t, Dir.READER if sign == ">" else Dir.CARD, bytes.fromhex(rest), number=number))
    return made


def decode(trace: Sequence[Entry], level: str = "blocks", header: Header | None = None) -> list[Seen]:
    """All that these entries show, to the end of the trace."""
    decoder = Decoder(level, header=header)
    return [seen for entry in trace for seen in decoder.receive(entry)] + decoder.close()


def blocks(*lines: str) -> list[Seen]:
    """What these lines of blocks show."""
    return decode(entries(*lines))


def apdus(*lines: str) -> list[Seen]:
    """What these lines of APDUs show."""
    return decode(entries(*lines), "apdus")


def only(kind: type[Kind], seen: Sequence[Seen]) -> list[Kind]:
    """Those of one kind."""
    return [each for each in seen if isinstance(each, kind)]
