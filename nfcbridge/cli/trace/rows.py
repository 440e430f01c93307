"""What `nfcbridge trace show` shows of a trace: a row for each thing seen, and how a row becomes lines.

        ENTRY      TIME s  DIR    OCTETS   AIR ms  WHAT
           12    0.010412  >          60      5.4  I(0)  0200D60000350033D1012F5402656E7B...7D (60 octets)
        12-13    0.011875  ><      59+2       5.7    UPDATE NLEN 51 and 51 octets
        12-13    0.011875  >         51             NDEF message written: request GET /login, messageID 1
                                                      {"path":"/login","method":"GET","messageID":1}

A row of a higher layer stands below the frame that completed it and has that frame's time.
"""

import enum
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click
from msgspec import Struct

from nfcbridge.cli.errors import escape_controls
from nfcbridge.trace.entries import Header
from nfcbridge.trace.seen import (
    ActivationSeen,
    ApduSeen,
    BlockKind,
    BlockSeen,
    ExchangeSeen,
    FieldSeen,
    MessageSeen,
    Seen,
)
from nfcbridge.trace.words import (
    count,
    describe_activation,
    describe_block,
    describe_content,
    describe_field,
    describe_pair,
    shorten,
)
from nfcbridge.type4 import SW


class Layer(enum.Enum):
    """What can be shown by itself."""

    BLOCK = "block"
    APDU = "apdu"
    MESSAGE = "message"


COLOURS: Final = {Layer.BLOCK: "magenta", Layer.APDU: "cyan", Layer.MESSAGE: "green"}
WARNING: Final = "yellow"
"""Of what is no block, of what a card refused or did not answer, of a message that is none."""

INDENTS: Final = {Layer.BLOCK: 0, Layer.APDU: 2, Layer.MESSAGE: 4}
TEXT_INDENT: Final = 2
"""Columns by which the text of a message stands further in."""

NUMBERS: Final = "{:>11}  {:>10}  {:<3}  {:>9}  {:>7}  "
HEADING: Final = NUMBERS.format("ENTRY", "TIME s", "DIR", "OCTETS", "AIR ms") + "WHAT"
INDENT: Final = len(NUMBERS.format("", "", "", "", ""))
NARROW_INDENT: Final = 4
LEAST_ROOM: Final = 30
"""Columns of words beside the numbers; where a terminal has fewer, the words stand below them."""

FOLD_ROOM: Final = 10
"""Columns that words are folded to on a terminal however narrow."""


Numbers = tuple[str, str, str, str, str]
"""Entries, time, direction, octets, air time."""


class Row(Struct, frozen=True):
    """One thing seen.

    Attributes:
        layer: whose it is.
        t: when it was complete.
        numbers: the cells before the words.
        words: what it is.
        detail: the text of a message; empty for all else.
        octets: what it was made of, in hex, to be searched.
        remarkable: worth a warning's colour.
    """

    layer: Layer
    t: float
    numbers: Numbers
    words: str
    detail: str = ""
    octets: str = ""
    remarkable: bool = False

    def holds(self, text: str) -> bool:
        """Whether the row has this text, which is given with small letters, in what it shows or in its octets."""
        return any(text in part.casefold() for part in (*self.numbers, self.words, self.detail, self.octets))


def row_of(seen: Seen) -> Row:
    """The row of something seen."""
    return _ROWS[type(seen)](seen)


def _numbers(first: int, last: int, t: float, way: str, octets: str = "", air: float = 0.0) -> Numbers:
    entry = str(first) if first == last else f"{first}-{last}"
    return entry, f"{t:.6f}", way, octets, f"{air * 1000:.2f}" if air else ""


def _block_row(block: BlockSeen) -> Row:
    way = ">" if block.from_reader else "<"
    numbers = _numbers(block.entry, block.entry, block.t, way, str(len(block.octets)), block.air)
    remarkable = block.repeated or block.kind in {BlockKind.INVALID, BlockKind.NAK}
    words = f"{describe_block(block):<8}  {shorten(block.octets)}"
    return Row(Layer.BLOCK, block.t, numbers, words, octets=block.octets.hex(), remarkable=remarkable)


def _apdu_row(apdu: ApduSeen) -> Row:
    response = apdu.response
    sizes = f"{len(apdu.command)}+{len(response or b'')}"
    numbers = _numbers(apdu.first, apdu.last, apdu.t_end, ">" if response is None else "><", sizes, apdu.air)
    octets = f"{apdu.command.hex()} {(response or b'').hex()}"
    return Row(Layer.APDU, apdu.t_end, numbers, describe_pair(apdu), octets=octets, remarkable=apdu.sw != SW.OK)


def _message_row(message: MessageSeen) -> Row:
    size = str(len(message.octets))
    numbers = _numbers(message.first, message.last, message.t_end, ">" if message.written else "<", size)
    words = f"message {'written' if message.written else 'read'}: {describe_content(message)}"
    return Row(
        Layer.MESSAGE,
        message.t_end,
        numbers,
        escape_controls(words),
        escape_controls(shorten(message.octets) if message.text is None else message.text),
        message.octets.hex(),
        remarkable=bool(message.problem),
    )


def _exchange_row(exchange: ExchangeSeen) -> Row:
    request, answer = exchange.request.request, exchange.answer
    asked = "a message that is no request" if request is None else f"{request.method} {request.path}"
    status = "no answer was read" if answer is None or answer.answer is None else str(answer.answer.status)
    parts = [count(exchange.apdus, "APDU"), count(exchange.blocks, "frame")]
    parts += [count(exchange.activations, "re-activation")] if exchange.activations else []
    parts += [f"{exchange.wtx} S(WTX)"] if exchange.wtx else []
    parts += [f"{exchange.retransmissions} sent again"] if exchange.retransmissions else []
    seconds = f"{(exchange.t_end - exchange.t) * 1000:.1f} ms"
    words = f"exchange {exchange.index}: {asked}: {status}; {seconds}, {', '.join(parts)}"
    numbers = _numbers(exchange.first, exchange.last, exchange.t_end, "><", air=exchange.air)
    return Row(Layer.MESSAGE, exchange.t_end, numbers, escape_controls(words), remarkable=answer is None)


def _activation_row(activation: ActivationSeen) -> Row:
    numbers = _numbers(activation.first, activation.last, activation.t_end, "")
    words = describe_activation(activation)
    return Row(Layer.BLOCK, activation.t_end, numbers, words, remarkable=activation.ats is None)


def _field_row(field: FieldSeen) -> Row:
    return Row(Layer.BLOCK, field.t, _numbers(field.entry, field.entry, field.t, ""), describe_field(field))


_ROWS: Final[dict[type[Seen], Callable[..., Row]]] = {
    FieldSeen: _field_row,
    BlockSeen: _block_row,
    ActivationSeen: _activation_row,
    ApduSeen: _apdu_row,
    MessageSeen: _message_row,
    ExchangeSeen: _exchange_row,
}


def describe_header(header: Header, name: str) -> Iterator[str]:
    """The lines before the table: what the first line of the trace tells."""
    told = {
        "trace": f"{name}, {header.level}",
        "source": header.source,
        "recorded": _recorded(header.clock),
        "link": header.link,
        "card": _members(header.card),
        "app": _members(header.app),
    }
    for what, words in told.items():
        if words:
            yield f"{what:<10}{escape_controls(words)}"


def _recorded(clock: Any) -> str:  # noqa: ANN401 - JSON
    """When the trace was begun; empty where nobody knows."""
    wall = clock.get("wall") if isinstance(clock, dict) else None
    if not isinstance(wall, int | float):
        return ""
    try:
        return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return ""


def _members(words: dict[str, Any]) -> str:
    """What an object of JSON has, without what is in its objects: that may be whole files."""
    return ", ".join(f"{name} {_value(value)}" for name, value in words.items() if value is not None)


def _value(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return str(value.get("name", "..."))
    if isinstance(value, list):
        return " ".join(map(_value, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


class Printed:
    """Makes lines of rows.

    Args:
        width: columns of the terminal; None: lines are whole, for a pipe.
        coloured: with colours.
    """

    def __init__(self, width: int | None, *, coloured: bool) -> None:
        self._width = width
        self._coloured = coloured

    def heading(self, told: Iterable[str]) -> Iterator[str]:
        """The lines before the first row: what is told of the trace, and the names of the columns."""
        for line in told:
            yield from [line] if self._width is None else self._fold(line, 0)
        yield ""
        bold = click.style(HEADING, bold=True) if self._coloured else HEADING
        if self._width is None or self._width - INDENT >= LEAST_ROOM:
            yield bold

    def lines(self, row: Row) -> Iterator[str]:
        """The lines of a row, without their ends; one for a pipe."""
        colour = WARNING if row.remarkable else COLOURS[row.layer]
        numbers = NUMBERS.format(*row.numbers)
        if self._width is None:
            detail = f"  {row.detail}" if row.detail else ""
            yield f"{numbers}{' ' * INDENTS[row.layer]}{row.words}{detail}".rstrip()
            return
        beside = self._width - INDENT >= LEAST_ROOM
        margin = (INDENT if beside else NARROW_INDENT) + INDENTS[row.layer]
        pieces = [*self._fold(row.words, margin), *self._fold(row.detail, margin, TEXT_INDENT)]
        if not beside:
            yield numbers.strip()[: self._width]
            numbers = ""
        for number, piece in enumerate(pieces):
            head = numbers.ljust(margin) if number == 0 else " " * margin
            yield head + self._style(piece, colour)

    def _fold(self, text: str, margin: int, more: int = 0) -> list[str]:
        """A text in pieces that fit beside a margin."""
        from rich.cells import chop_cells

        room = max((self._width or 0) - margin - more, FOLD_ROOM)
        return [" " * more + piece for piece in chop_cells(text, room)]

    def _style(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self._coloured else text
