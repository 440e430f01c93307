"""What `nfcbridge demo` prints: each step as it is played, a table for each phone, and one line for all of it.

      at ms   air ms
        0.0      4.1   activation                  UID 08a1b2c3  ATS 0b7880800280546e666362  frames of 256 octets
        4.1      2.0   SELECT D2760000850101       > 00A4040007D276000085010100  < 9000

Both times are those of the air as computed by `nfcbridge.airtime`: what a phone would see over 106 kbit/s. Where there
are colours each layer has its own.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import click
import msgspec
from rich.cells import chop_cells
from rich.console import Console
from rich.text import Text

from nfcbridge import airtime
from nfcbridge.cli.console import ALERTS, describe_event
from nfcbridge.cli.errors import escape_controls
from nfcbridge.cli.terminal import GAP, NARROW_GAP, has_colour, open_table, print_table, print_whole
from nfcbridge.errors import ResponseError
from nfcbridge.framing import parse_answer, parse_request
from nfcbridge.phones import AnswerRead, Arrival, Played, PresenceCheck, Reactivate, RequestBegun
from nfcbridge.server.events import EmulatorEvent
from nfcbridge.trace.words import describe_command, shorten

RATS: Final = b"\xe0"

INDENT: Final = 19
"""Columns of the terminal before what happened; before it stand the times."""

WHAT: Final = 28
"""Columns for the name of a step; its octets follow, on the same line where there is room."""

LABEL: Final = 10
"""Columns for the word before a message."""

LEAST_ROOM: Final = 10
"""Columns that octets and messages are folded to on a terminal however narrow."""

WHOLE_TABLE: Final = 70
"""Columns of the terminal that the closing table takes with full gaps."""

NUMBERS: Final = ("STATUS", "REQUEST", "ANSWER", "APDUs", "BLOCKS", "AIR ms")


class Layer(StrEnum):
    """What a line is about, and its colour."""

    BLOCK = "magenta"
    APDU = "cyan"
    MESSAGE = "green"
    WARNING = "yellow"


LEGEND: Final = {"block": Layer.BLOCK, "APDU": Layer.APDU, "message": Layer.MESSAGE, "warning": Layer.WARNING}


class Count(msgspec.Struct):
    """What one exchange, or the way to it, took.

    Attributes:
        name: what it was.
        status: the status code of the answer, "null" when the app was given null, "" when it is no exchange.
        request: octets of the request message, as text.
        answer: octets of the answer message, as text.
        apdus: commands, each with its response.
        blocks: blocks in both directions.
        air: seconds.
    """

    name: str
    status: str = ""
    request: int = 0
    answer: int = 0
    apdus: int = 0
    blocks: int = 0
    air: float = 0.0

    def row(self) -> tuple[str, ...]:
        """Return the cells of the closing table."""
        sizes = (str(self.request or ""), str(self.answer or ""))
        return (self.name, self.status, *sizes, str(self.apdus), str(self.blocks), f"{self.air * 1000:.1f}")


class DemoReport:
    """Prints what is played, and counts it.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts: list[Count] = []
        self._all: list[Count] = []
        self._clock = 0.0

    def begin(self, title: str) -> None:
        """Begin with another phone."""
        self._counts = [Count("arrival and discovery")]
        self._clock = 0.0
        self._console.print(Text(f"== {title}\n", "bold"))
        heading = Text("  at ms   air ms")
        if has_colour(self._console):
            for word, layer in LEGEND.items():
                heading.append("   ").append(word, layer.value)
        self._console.print(heading)

    def show(self, played: Played) -> None:
        """Print a step that was played."""
        step = played.step
        if isinstance(step, RequestBegun):
            request = parse_request(step.text)
            name = f"{request.method} {request.path}"
            self._counts.append(Count(name, request=len(step.text.encode())))
            self._print_message("request", step.text, Layer.MESSAGE)
        elif isinstance(step, AnswerRead):
            self._show_answer(step.text)
        else:
            self._show_step(played)

    def _show_answer(self, text: str | None) -> None:
        count = self._counts[-1]
        if text is None:
            count.status = "null"
            self._print_message("answer", "null: what was read is not one whole message", Layer.WARNING)
            return
        count.answer = len(text.encode())
        count.status = status_of(text)
        self._print_message("answer", text, Layer.MESSAGE)

    def _show_step(self, played: Played) -> None:
        sizes = [(from_reader, len(frame)) for from_reader, frame in played.frames]
        air = airtime.frames_time(sizes)
        if isinstance(played.step, Arrival | Reactivate):
            air += airtime.SELECTION
        self._print_step(f"{self._clock * 1000:7.1f}  {air * 1000:7.1f}", played)
        self._clock += air
        count = self._counts[-1]
        count.air += air
        count.apdus += isinstance(played.step, bytes)
        count.blocks += count_blocks(played.frames)

    def _print_step(self, times: str, played: Played) -> None:
        layer = Layer.APDU if isinstance(played.step, bytes) else Layer.BLOCK
        room = max(self._console.width - INDENT, LEAST_ROOM)
        for line in fold_step(describe_step(played), room):
            print_whole(self._console, Text(times.ljust(INDENT)).append(line, layer.value))
            times = ""

    def _print_message(self, label: str, message: str, layer: Layer) -> None:
        room = max(self._console.width - INDENT - LABEL, LEAST_ROOM)
        for line in chop_cells(escape_controls(message), room):
            print_whole(self._console, Text(" " * INDENT).append(label.ljust(LABEL) + line, layer.value))
            label = ""

    def end(self, told: Sequence[EmulatorEvent], remark: str) -> None:
        """Print what the server had to say, and the table of this phone."""
        console = self._console
        console.print()
        for event in told:
            if isinstance(event, ALERTS):
                console.print(Text(f"server: {escape_controls(describe_event(event))}", Layer.WARNING.value))
        console.print(Text(f"{remark}\n"))
        table = open_table(gap=GAP if console.width >= WHOLE_TABLE else NARROW_GAP)
        table.add_column("EXCHANGE", overflow="fold")
        for heading in NUMBERS:
            table.add_column(heading, justify="right", no_wrap=True)
        for count in self._counts:
            table.add_row(*count.row())
        print_table(console, table)
        console.print()
        self._all += self._counts

    def sum_up(self) -> None:
        """Print the last line, which programs may read: it is plain, and folded by nobody."""
        exchanges = sum(bool(count.answer) for count in self._all)
        apdus = sum(count.apdus for count in self._all)
        blocks = sum(count.blocks for count in self._all)
        air = sum(count.air for count in self._all)
        click.echo(f"{exchanges} exchanges, {apdus} APDUs, {blocks} blocks, {air * 1000:.1f} ms air time")


def status_of(answer: str) -> str:
    """Return the status code of an answer message, or what it is instead."""
    try:
        return str(parse_answer(answer).status)
    except ResponseError:
        return "broken"


def count_blocks(frames: Sequence[tuple[bool, bytes]]) -> int:
    """Return how many frames are I-, R- and S-blocks: RATS and the ATS that answers it are none."""
    count = 0
    after_rats = False
    for from_reader, frame in frames:
        is_rats = from_reader and frame.startswith(RATS)
        count += not (is_rats or (after_rats and not from_reader))
        after_rats = is_rats
    return count


def describe_step(played: Played) -> tuple[str, ...]:
    """Return what a step was in words, and what crossed: for a command and its response two parts, each in hex."""
    step = played.step
    if isinstance(step, Arrival):
        return ("activation", f"UID {step.uid.hex()}", f"ATS {step.ats.hex()}", f"frames of {step.fsd} octets")
    if isinstance(step, bytes):
        return (describe_command(step), f"> {shorten(step)}", f"< {shorten(played.outcome)}")
    if isinstance(step, PresenceCheck):
        return ("presence check", f"> {shorten(played.frames[0][1])}", f"< {shorten(played.frames[-1][1])}")
    return ("S(DESELECT), wake-up, RATS",)


def fold_step(parts: Sequence[str], room: int) -> list[str]:
    """Return a step as lines: one if there is room for it, else its octets below its name, else each part by itself."""
    what, *octets = parts
    together = "  ".join(octets)
    whole = f"{what:{WHAT}}{together}".rstrip()
    if len(whole) <= room:
        return [whole]
    lines = [what, together] if len(together) <= room else [what, *octets]
    return [piece for line in lines for piece in chop_cells(line, room)]
