"""`nfcbridge trace stats`: how much crossed, and where the time went, as tables and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from nfcbridge.cli.errors import ExitCode, print_error, print_warning
from nfcbridge.cli.trace import TRACE_COMMANDS
from nfcbridge.errors import TraceError

if TYPE_CHECKING:
    from rich.console import Console

    from nfcbridge.trace import Header
    from nfcbridge.trace.stats import Stats
    from nfcbridge.trace.timeline import Timeline

COUNTS: Final = {
    "exchanges": "EXCHANGES",
    "apdus": "APDUS",
    "blocks": "BLOCKS",
    "retransmissions": "RETRANSMISSIONS",
    "wtx": "WTX",
    "selections": "SELECTIONS",
    "octets": "OCTETS",
    "octets_reader": "FROM READER",
    "octets_card": "FROM CARD",
}
"""Columns of the first table."""

TIMES: Final = {
    "payload": "PAYLOAD",
    "overhead": "OVERHEAD",
    "re_selects": "RE-SELECTS",
    "polling": "POLLING",
    "waiting_for_us": "WAIT FOR US",
    "waiting_for_reader": "WAIT FOR READER",
    "away": "AWAY",
}
"""Columns of the second one, computed air first, then what was measured."""

STYLES: Final = {
    "payload": "blue",
    "overhead": "cyan",
    "re_selects": "yellow",
    "polling": "magenta",
    "waiting_for_us": "green",
    "waiting_for_reader": "bright_black",
}
WHOLE_TABLE: Final = 125
"""Columns of the terminal that the tables take; where there are fewer each trace has lines of its own."""

STDIN: Final = "-"

BAR: Final = 40
"""Columns of the bar."""

TOTAL: Final = "total"
NOTE: Final = "Air is computed, waits are measured: {}."
REAL: Final = "the link has air, so that RECORDED is all of the waits and the air that fits between them"
AIRLESS: Final = "the link has no air, so that TOTAL is what the same would take with it, and RECORDED the waits alone"
UNKNOWN: Final = "nobody knows the link, so that TOTAL has the air beside all that was recorded"
MIXED: Final = "of links without air TOTAL is what the same would take with it, and RECORDED the waits alone"


class Counted(NamedTuple):
    """What a file amounts to.

    Attributes:
        name: the file as it was given.
        header: its first line.
        stats: the sums.
        timeline: the exchange to draw, if there is one.
        problem: what was tolerated.
    """

    name: str
    header: "Header"
    stats: "Stats"
    timeline: "Timeline | None"
    problem: str


@click.command(short_help=TRACE_COMMANDS["stats"].sentence)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print it as a JSON object; times are seconds.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw it into a file that ends with .svg or .png: the timeline of one exchange, or how long many took.",
)
@click.option(
    "--exchange",
    type=click.IntRange(1),
    metavar="N",
    help="The exchange to draw, from 1; without it that of a trace that has one alone.",
)
def command(files: tuple[Path, ...], picture: Path | None, exchange: int | None, *, as_json: bool) -> int:
    """Count exchanges, retransmissions, S(WTX) and octets of traces, and tell where the time went.

    \b
    payload      computed air of the JSON in requests, and in answers read for the first time
    overhead     all other air: framing, first selection and detection, delays, retransmissions
    re-selects   air of selecting and detecting again
    polling      air of reads that gave nothing new, and of presence checks
    wait         measured waits, for us (the card) and for the reader, less what air is in them
    away         nobody had the card in the field

    An exchange is counted with all that came since the one before it: its detection and its polling.

    FILE may be - for stdin. A file that cannot be read is told, and the others are counted; the exit code is 2 then.
    """  # noqa: D301 - for click a line with the control character makes the next ones stay as they are
    check_options(files, picture, exchange)
    counted, broken = count_files(files, exchange or 1)
    if counted:
        total = total_of(counted)
        if as_json:
            print_json(counted, total)
        else:
            print_tables(counted, total)
        if picture is not None:
            draw(counted, total, picture, exchange)
    return ExitCode.USAGE if broken else ExitCode.DONE


def check_options(files: Sequence[Path], picture: Path | None, exchange: int | None) -> None:
    """Refuse what cannot be drawn, before anything is read.

    Raises:
        click.UsageError: `--exchange` without a picture, or of several files.
        ConfigError: the picture's file cannot be one.
    """
    if exchange is not None and picture is None:
        raise click.UsageError("--exchange chooses what --picture draws: give that, too")
    if exchange is not None and len(files) > 1:
        raise click.UsageError("--exchange counts within one FILE: give one")
    if picture is not None:
        from nfcbridge.cli.trace.pictures import check_picture

        check_picture(picture)


def count_files(files: Sequence[Path], wanted: int) -> tuple[list[Counted], int]:
    """Count the files one after the other, and tell which cannot be read.

    Args:
        files: the traces.
        wanted: the exchange that may be drawn.

    Returns:
        What was counted, and how many could not be.
    """
    counted, broken = [], 0
    for file in files:
        try:
            counted.append(count_file(file, wanted))
        except TraceError as exc:
            print_error(f"{exc}; it is left out")
            broken += 1
        except OSError as exc:
            print_error(f"{file}: {exc.strerror}; check the path and who may use it")
            broken += 1
    for each in counted:
        if each.problem:
            print_warning(each.problem)
    return counted, broken


def count_file(file: Path, wanted: int) -> Counted:
    """Count one file.

    Raises:
        TraceError: it is no trace, or one of its lines is broken.
        OSError: it cannot be read.
    """
    from nfcbridge.cli.trace.progress import Reading
    from nfcbridge.trace import TraceFile
    from nfcbridge.trace.stats import StatsCounter
    from nfcbridge.trace.timeline import TimelineKeeper

    path = Path("/dev/stdin") if str(file) == STDIN else file
    with TraceFile(path) as trace, Reading(trace, words=f"counting {file.name}") as entries:
        counter = StatsCounter(trace.header)
        keeper = TimelineKeeper(wanted, counter)
        for entry in entries:
            keeper.receive(entry, counter.receive(entry))
        keeper.close(counter.close())
        return Counted(str(file), trace.header, counter.stats, keeper.timeline, trace.problem)


def total_of(counted: Sequence[Counted]) -> "Stats":
    """Return all of them together."""
    from nfcbridge.trace.stats import Stats

    total = Stats()
    for each in counted:
        total.add(each.stats)
    return total


def print_json(counted: Sequence[Counted], total: "Stats") -> None:
    """Print all numbers as JSON."""
    import msgspec

    document = {
        "files": [
            {"file": each.name, "link": each.header.link} | as_builtins(each.stats) | {"problem": each.problem}
            for each in counted
        ],
        TOTAL: as_builtins(total),
    }
    click.echo(msgspec.json.encode(document))


def as_builtins(stats: "Stats") -> dict[str, Any]:
    """Return the numbers of a trace as JSON has them, seconds to the microsecond."""
    from nfcbridge.trace.durations import CATEGORIES

    spent, durations = stats.spent, stats.durations
    return {
        "entries": stats.entries,
        "exchanges": stats.exchanges,
        "answered": stats.answered,
        "apdus": stats.apdus,
        "blocks": stats.blocks,
        "retransmissions": stats.retransmissions,
        "wtx": stats.wtx,
        "selections": stats.selections,
        "octets": stats.octets,
        "octets_reader": stats.octets_reader,
        "octets_card": stats.octets_card,
        "recorded": round(stats.recorded, 6),
        "air": round(stats.air, 6),
        "air_in_clock": round(stats.air_in_clock, 6),
        "time": {name: round(getattr(spent, name), 6) for name in CATEGORIES} | {"total": round(spent.total(), 6)},
        "exchange": {
            "shortest": round(durations.shortest, 6),
            "median": round(durations.quantile(0.5), 6),
            "p90": round(durations.quantile(0.9), 6),
            "longest": round(durations.longest, 6),
        },
    }


def print_tables(counted: Sequence[Counted], total: "Stats") -> None:
    """Print what crossed and where the time went, a row a file, and the total of several."""
    from nfcbridge.cli.errors import escape_controls
    from nfcbridge.cli.terminal import has_colour, open_console

    console = open_console()
    rows = [(escape_controls(each.name), each.stats) for each in counted]
    if len(rows) > 1:
        rows.append((TOTAL, total))
    if console.width < WHOLE_TABLE:
        print_list(console, rows)
    else:
        print_counts(console, rows)
        console.print()
        print_times(console, rows, bars=has_colour(console))
        console.print()
    for line in remarks(counted, total):
        console.print(line)


def print_counts(console: "Console", rows: Sequence[tuple[str, "Stats"]]) -> None:
    """Print what crossed."""
    from nfcbridge.cli.terminal import open_table, print_table

    table = open_table()
    table.add_column("TRACE", overflow="fold")
    for heading in COUNTS.values():
        table.add_column(heading, justify="right")
    for name, stats in rows:
        table.add_row(name, *(str(getattr(stats, column)) for column in COUNTS))
    print_table(console, table)


def print_times(console: "Console", rows: Sequence[tuple[str, "Stats"]], *, bars: bool) -> None:
    """Print where the time went, in seconds; on a terminal with colours as bars, too."""
    from rich.text import Text

    from nfcbridge.cli.terminal import open_table, print_table

    table = open_table()
    table.add_column("SECONDS", overflow="fold")
    for name, heading in TIMES.items():
        table.add_column(Text(heading, STYLES.get(name, "")) if bars else heading, justify="right")
    for heading in ("TOTAL", "RECORDED"):
        table.add_column(heading, justify="right")
    for name, stats in rows:
        spent = stats.spent
        times = [getattr(spent, column) for column in TIMES]
        table.add_row(name, *(f"{seconds:.3f}" for seconds in [*times, spent.total(), stats.recorded]))
    print_table(console, table)
    if bars:
        console.print()
        for name, stats in rows:
            console.print(bar_of(stats), Text(f" {name}"), sep="")


def print_list(console: "Console", rows: Sequence[tuple[str, "Stats"]]) -> None:
    """Print the same on a narrow terminal."""
    from rich.text import Text

    for name, stats in rows:
        console.print(Text(name, "bold"))
        console.print("  " + ", ".join(f"{heading.lower()} {getattr(stats, key)}" for key, heading in COUNTS.items()))
        console.print("  ", bar_of(stats), sep="")
        total = stats.spent.total()
        for key, heading in TIMES.items():
            seconds = getattr(stats.spent, key)
            share = seconds / total if total else 0.0
            console.print(Text(f"  {heading.lower():<15} {seconds:10.3f} s {share:5.0%}", STYLES.get(key, "")))
        console.print(f"  {'total':<15} {total:10.3f} s, recorded {stats.recorded:.3f} s")
        console.print()


def bar_of(stats: "Stats") -> Any:  # noqa: ANN401 - rich's Text, which is not imported for its type
    """Return where the time went as a bar, each kind at least as long as its share of the columns before it leaves."""
    from rich.text import Text

    total = sum(getattr(stats.spent, name) for name in STYLES)
    bar, done, drawn = Text(), 0.0, 0
    for name, style in STYLES.items():
        done += getattr(stats.spent, name)
        until = round(done / total * BAR) if total else 0
        bar.append("\u2588" * (until - drawn), style)
        drawn = until
    return bar


def remarks(counted: Sequence[Counted], total: "Stats") -> list[str]:
    """Return what is to be said below the tables."""
    from nfcbridge.trace.spending import Clock, clock_of

    kinds = {Clock.WITHOUT_AIR: AIRLESS, Clock.UNKNOWN: UNKNOWN}
    words = {kinds.get(clock_of(each.header), REAL) for each in counted}
    lines = [NOTE.format(MIXED if len(words) > 1 else words.pop())]
    durations = total.durations
    if total.exchanges == 1:
        lines.append(f"The exchange took {durations.longest * 1000:.1f} ms.")
    elif total.exchanges:
        lines.append(
            f"An exchange took {durations.shortest * 1000:.1f} to {durations.longest * 1000:.1f} ms, half of them "
            f"{durations.quantile(0.5) * 1000:.1f} ms at most, nine of ten {durations.quantile(0.9) * 1000:.1f} ms."
        )
    return lines


def draw(counted: Sequence[Counted], total: "Stats", picture: Path, exchange: int | None) -> None:
    """Draw one exchange, or how long many took.

    Raises:
        ConfigError: there is no such exchange.
        OSError: the file cannot be written.
    """
    from nfcbridge.cli.errors import escape_controls
    from nfcbridge.cli.trace.picture_timeline import draw_timeline
    from nfcbridge.cli.trace.pictures import draw_histogram, save_picture
    from nfcbridge.errors import ConfigError

    if not total.exchanges or (exchange or 1) > total.exchanges:
        which = "exchange" if exchange is None else f"exchange {exchange}"
        raise ConfigError(f"there is no {which} to draw: exchanges there are {total.exchanges}")
    timelines = [(each, each.timeline) for each in counted if each.timeline is not None]
    if exchange is not None or total.exchanges == 1:
        (one, timeline), *_ = timelines
        figure = draw_timeline(timeline, title_of(one, timeline))
    else:
        names = escape_controls(Path(counted[0].name).name) if len(counted) == 1 else f"{len(counted)} traces"
        figure = draw_histogram(total, f"{names}: {total.exchanges} exchanges")
    save_picture(figure, picture)


def title_of(counted: Counted, timeline: "Timeline") -> str:
    """Return what stands above a timeline; what a phone wrote with its control characters escaped."""
    from nfcbridge.cli.errors import escape_controls

    exchange = timeline.exchange
    request = None if exchange is None else exchange.request.request
    read = None if exchange is None else exchange.answer
    answer = None if read is None else read.answer
    asked = "a message that is no request" if request is None else f"{request.method} {request.path}"
    answered = "no answer" if answer is None else str(answer.status)
    number = 0 if exchange is None else exchange.index
    cut = ", its first frames" if timeline.cut else ""
    return escape_controls(f"{Path(counted.name).name}: exchange {number}{cut}, {asked} \u2192 {answered}")
