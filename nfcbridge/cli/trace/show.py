"""`nfcbridge trace show`: a trace as a table, from frames up to messages."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import click

from nfcbridge.cli.parameters import Duration
from nfcbridge.cli.trace import TRACE_COMMANDS

if TYPE_CHECKING:
    from nfcbridge.cli.trace.rows import Printed, Row
    from nfcbridge.trace import Entry, Header
    from nfcbridge.trace.seen import Seen

    Shown = Callable[[Row], bool]

LAYERS: Final = ("block", "apdu", "message")
STDIN: Final = "-"
MAX_TIME: Final = 1e9
"""Seconds that `--from` takes at most, about 32 years."""

POLLING: Final = 0.1
"""Seconds between two looks at a file that is followed."""


class Moment(Duration):
    """A time within a trace: seconds as the table shows them, or with a unit."""

    name = "seconds"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See the class."""
        try:
            seconds = float(value)
        except ValueError:
            return super().convert(value, param, ctx)
        return seconds if 0 <= seconds <= MAX_TIME else super().convert(str(value), param, ctx)


@click.command(short_help=TRACE_COMMANDS["show"].sentence)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--from",
    "since",
    type=Moment(0, MAX_TIME),
    default=0.0,
    help="Show what is from this time on, such as 2.5 or 400ms.",
)
@click.option(
    "--layer",
    "layers",
    type=click.Choice(LAYERS),
    multiple=True,
    help="Show this layer alone; several may be given. By default all are shown.",
)
@click.option(
    "--grep",
    "text",
    default="",
    help="Show the rows that have this text, in words or in hex; case makes no difference.",
)
@click.option("-f", "--follow", is_flag=True, help="Wait for more at the end of the file, until Ctrl-C.")
@click.option("--no-pager", is_flag=True, help="Print to the terminal itself, however long the table is.")
def command(file: str, since: float, layers: tuple[str, ...], text: str, *, follow: bool, no_pager: bool) -> None:
    """Show a trace as a table: frames, the APDUs that they carry, the NDEF messages in these, and exchanges.

    FILE is a trace of nfcbridge; - reads it from stdin. Each row has the numbers of the entries that it was made of and
    the time of the last of them; air times are computed. In a pipe each row is one line.
    """
    from nfcbridge.cli.errors import drop_output
    from nfcbridge.cli.trace.rows import Layer, Printed

    terminal = sys.stdout.isatty()
    printed = Printed(shutil.get_terminal_size().columns if terminal else None, coloured=terminal and wants_colours())
    wanted = {Layer(name) for name in layers} or set(Layer)
    needle = text.casefold()

    def shown(row: "Row") -> bool:
        return row.layer in wanted and row.t >= since and (not needle or row.holds(needle))

    try:
        if follow:
            show_growing(file, shown, printed)
        else:
            show_whole(file, shown, printed, paged=terminal and not no_pager)
    except BrokenPipeError:  # `| head` has seen enough
        drop_output()


def wants_colours() -> bool:
    """Return whether the environment lets a terminal have colours."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show_whole(file: str, shown: "Shown", printed: "Printed", *, paged: bool) -> None:
    """Show a file up to its end; what is longer than the terminal through a pager."""
    from nfcbridge.cli.errors import print_warning
    from nfcbridge.cli.trace.progress import Reading
    from nfcbridge.trace import TraceFile

    with TraceFile(path_of(file)) as trace, Reading(trace, wanted=paged or not sys.stdout.isatty()) as entries:
        lines: Iterator[str] = chain(
            heading(trace.header, file, printed), lines_of(decoded(trace.header, entries), shown, printed)
        )
        if paged:
            lines = through_pager(lines, entries.stop)
        for line in lines:
            click.echo(line)
        if trace.problem:
            print_warning(trace.problem)


def through_pager(lines: Iterator[str], before: Callable[[], None]) -> Iterator[str]:
    """Give the lines to a pager if they are more than the terminal has; return those that are still to be printed.

    Args:
        lines: of the table.
        before: is called before anything is printed.
    """
    height = shutil.get_terminal_size().lines
    screen = list(islice(lines, height))
    before()
    if len(screen) < height:
        return iter(screen)
    click.echo_via_pager((f"{line}\n" for line in chain(screen, lines)), color=True)
    return iter(())


def show_growing(file: str, shown: "Shown", printed: "Printed") -> None:
    """Show a file and what is added to it, until Ctrl-C."""
    import time

    from nfcbridge.trace.decoder import Decoder
    from nfcbridge.trace.follow import GrowingTrace

    decoder: Decoder | None = None
    with GrowingTrace(path_of(file)) as trace:
        while True:
            entry = trace.read()
            if decoder is None and trace.header is not None:
                decoder = Decoder(trace.header.level, header=trace.header)
                for line in heading(trace.header, file, printed):
                    click.echo(line)
            if entry is None or decoder is None:
                time.sleep(POLLING)
                continue
            for line in lines_of(decoder.receive(entry), shown, printed):
                click.echo(line)


def heading(header: "Header", file: str, printed: "Printed") -> Iterator[str]:
    """The lines before the first row."""
    from nfcbridge.cli.trace.rows import describe_header

    yield from printed.heading(describe_header(header, "standard input" if file == STDIN else file))


def decoded(header: "Header", entries: "Iterable[Entry]") -> "Iterator[Seen]":
    """What entries show, to the end."""
    from nfcbridge.trace.decoder import Decoder

    decoder = Decoder(header.level, header=header)
    for entry in entries:
        yield from decoder.receive(entry)
    yield from decoder.close()


def lines_of(seen: "Iterable[Seen]", shown: "Shown", printed: "Printed") -> Iterator[str]:
    """The lines of what is to be shown."""
    from nfcbridge.cli.trace.rows import row_of

    for each in seen:
        row = row_of(each)
        if shown(row):
            yield from printed.lines(row)


def path_of(file: str) -> str:
    """The file, for stdin its name in the system."""
    return "/dev/stdin" if file == STDIN else file
