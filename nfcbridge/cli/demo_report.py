"""What `nfcbridge demo` prints: each step as it is played, a table for each phone, and one line for all of it.

    at ms    air ms  what                       octets
      0.0       4.9  activation                 UID 08a1b2c3, frames of 256 octets, ATS 0b788080020180546e666362
      4.9       3.7  SELECT D2760000850101      > 00A4040007D276000085010100  < 9000

Both times are those of the air as computed by `nfcbridge.airtime`: what a phone would see over 106 kbit/s.
"""

from collections.abc import Sequence
from typing import Final

import click
import msgspec

from nfcbridge import airtime
from nfcbridge.cli.console import ALERTS, describe_event, escape_controls
from nfcbridge.cli.tables import format_table
from nfcbridge.errors import ResponseError
from nfcbridge.framing import parse_answer, parse_request
from nfcbridge.phones import AnswerRead, Arrival, Played, PresenceCheck, Reactivate, RequestBegun
from nfcbridge.server.events import EmulatorEvent
from nfcbridge.type4 import CommandAPDU, Ins

SHOWN_OCTETS: Final = 20
"""Octets of an APDU that are shown; of longer ones the beginning, and how many more there are."""

RATS: Final = b"\xe0"

INDENT: Final = " " * 20

HEADING: Final = ("EXCHANGE", "STATUS", "REQUEST", "ANSWER", "APDUs", "BLOCKS", "AIR ms")
NUMBERS: Final = (1, 2, 3, 4, 5, 6)


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
    """Prints what is played, and counts it."""

    def __init__(self) -> None:
        self._counts: list[Count] = []
        self._all: list[Count] = []
        self._clock = 0.0

    def begin(self, title: str) -> None:
        """Begin with another phone."""
        self._counts = [Count("arrival and discovery")]
        self._clock = 0.0
        click.secho(f"== {title}\n", bold=True)
        click.echo("  at ms   air ms")

    def show(self, played: Played) -> None:
        """Print a step that was played."""
        step = played.step
        if isinstance(step, RequestBegun):
            request = parse_request(step.text)
            name = f"{request.method} {request.path}"
            self._counts.append(Count(name, request=len(step.text.encode())))
            click.secho(f"{INDENT}request   {escape_controls(step.text)}", fg="cyan")
        elif isinstance(step, AnswerRead):
            self._show_answer(step.text)
        else:
            self._show_step(played)

    def _show_answer(self, text: str | None) -> None:
        count = self._counts[-1]
        if text is None:
            count.status = "null"
            click.secho(f"{INDENT}answer    null: what was read is not one whole message", fg="red")
            return
        count.answer = len(text.encode())
        count.status = status_of(text)
        click.secho(f"{INDENT}answer    {escape_controls(text)}", fg="green")

    def _show_step(self, played: Played) -> None:
        sizes = [(from_reader, len(frame)) for from_reader, frame in played.frames]
        air = airtime.frames_time(sizes)
        if isinstance(played.step, Arrival | Reactivate):
            air += airtime.SELECTION
        click.echo(f"{self._clock * 1000:7.1f}  {air * 1000:7.1f}   {describe_step(played)}")
        self._clock += air
        count = self._counts[-1]
        count.air += air
        count.apdus += isinstance(played.step, bytes)
        count.blocks += count_blocks(played.frames)

    def end(self, told: Sequence[EmulatorEvent], remark: str) -> None:
        """Print what the server had to say, and the table of this phone."""
        click.echo()
        for event in told:
            if isinstance(event, ALERTS):
                click.secho(f"server: {escape_controls(describe_event(event))}", fg="yellow")
        click.echo(f"{remark}\n")
        click.echo(format_table([HEADING, *(count.row() for count in self._counts)], right=NUMBERS))
        click.echo()
        self._all += self._counts

    def sum_up(self) -> None:
        """Print the last line."""
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


def describe_step(played: Played) -> str:
    """Return a step in words and octets."""
    step = played.step
    if isinstance(step, Arrival):
        return f"{'activation':28}UID {step.uid.hex()}, ATS {step.ats.hex()}, frames of {step.fsd} octets"
    if isinstance(step, bytes):
        return f"{describe_command(step):28}> {shorten(step)}  < {shorten(played.outcome)}"
    if isinstance(step, PresenceCheck):
        return f"{'presence check':28}> {shorten(played.frames[0][1])}  < {shorten(played.frames[-1][1])}"
    return "S(DESELECT), wake-up, RATS"


def describe_command(command: bytes) -> str:
    """Return a command of the Type 4 Tag in words."""
    apdu = CommandAPDU.parse(command)
    offset = apdu.p1 << 8 | apdu.p2
    if apdu.ins == Ins.SELECT:
        return f"SELECT {apdu.data.hex().upper()}"
    if apdu.ins == Ins.READ_BINARY:
        return f"READ {apdu.ne} octets at {offset}"
    return f"UPDATE {len(apdu.data)} octets at {offset}"


def shorten(octets: bytes) -> str:
    """Return octets in hex; of many the first ones and the last two (of a response: its status word)."""
    if len(octets) <= SHOWN_OCTETS:
        return octets.hex().upper()
    head, tail = octets[: SHOWN_OCTETS - 4], octets[-2:]
    return f"{head.hex().upper()}...{tail.hex().upper()} ({len(octets)} octets)"
