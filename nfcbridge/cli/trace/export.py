"""`nfcbridge trace export FILE OUT`: a trace in the format of another tool."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import click

if TYPE_CHECKING:
    from nfcbridge.formats.markdown_writer import FindingRow
    from nfcbridge.formats.writer import LeftOut, Writer
    from nfcbridge.trace import Entry, Header

MAX_ISSUE: Final = 65_536
"""Characters of the longest text that GitHub takes in an issue."""


MAX_LINES: Final = 8
"""Lines that a report names for one finding."""


def _pcapng(header: "Header", _name: str) -> "list[Writer]":
    from nfcbridge.formats.iso14443_writer import Iso14443Writer

    return [Iso14443Writer(header)]


def _gsmtap(header: "Header", _name: str) -> "list[Writer]":
    from nfcbridge.formats.gsmtap_writer import GsmtapWriter

    return [GsmtapWriter(header)]


def _scriptor(header: "Header", _name: str) -> "list[Writer]":
    from nfcbridge.formats.script_writer import Scriptor, ScriptWriter

    return [ScriptWriter(header, Scriptor())]


def _opensc_tool(header: "Header", _name: str) -> "list[Writer]":
    from nfcbridge.formats.script_writer import OpenscTool, ScriptWriter

    return [ScriptWriter(header, OpenscTool())]


def _markdown(header: "Header", name: str) -> "list[Writer]":
    from nfcbridge.formats.markdown_writer import Findings, Frames, Happenings, Messages

    return [Happenings(header, name), Findings(finder(header)), Messages(header), Frames()]


class Format(NamedTuple):
    """A row of the table of formats.

    Attributes:
        name: for `--format`.
        endings: of files; the first is told to people. `--format` takes them too, without their point.
        words: what it is for.
        make: makes the writers of its parts, of the first line and the name of the trace.
    """

    name: str
    endings: tuple[str, ...]
    words: str
    make: "Callable[[Header, str], list[Writer]]"


FORMATS: Final = (
    Format("gsmtap", (".gsmtap", ".gsmtap.pcapng"), "pcapng of commands with their responses over UDP", _gsmtap),
    Format("pcapng", (".pcapng",), "pcapng of frames with CRC and field events, link type 264", _pcapng),
    Format(
        "scriptor", (".apdu", ".txt", ".scriptor"), "a command a line, as scriptor of pcsc-tools reads them", _scriptor
    ),
    Format("opensc-tool", (".sh",), "a shell script that sends the commands by opensc-tool", _opensc_tool),
    Format(
        "markdown", (".md", ".markdown"), "a report for people: what happened, findings, messages, frames", _markdown
    ),
)
"""The endings of an earlier row go before those of a later one."""

_NAMES: Final = {name: each for each in FORMATS for name in (each.name, *(ending[1:] for ending in each.endings))}


def describe_formats() -> str:
    """Return the table for people, a format a line."""
    return "\n".join(f"  {each.name:<12} {', '.join(each.endings):<26} {each.words}" for each in FORMATS)


def find_format(out: str, name: str | None) -> Format:
    """Return the format that a file is to have.

    Raises:
        click.UsageError: there is none of that name or ending.
    """
    if name is not None:
        if (found := _NAMES.get(name.lower().removeprefix("."))) is None:
            raise click.UsageError(f"no format has the name {name!r}; there are {_list_names()}")
        return found
    if out == "-":
        raise click.UsageError(f"stdout has no ending: say --format NAME, one of {_list_names()}")
    for each in FORMATS:
        if out.lower().endswith(each.endings):
            return each
    endings = ", ".join(ending for each in FORMATS for ending in each.endings)
    raise click.UsageError(f"{out}: the ending says no format: use one of {endings}, or --format NAME")


def _list_names() -> str:
    return ", ".join(each.name for each in FORMATS)


@click.command(
    epilog="\b\nFormats, and the endings that choose them:\n" + describe_formats(),
)
@click.argument("file", metavar="FILE")
@click.argument("out", metavar="OUT")
@click.option("--format", "name", metavar="NAME", help="The format, whatever the ending of OUT is.")
def command(file: str, out: str, name: str | None) -> None:
    """Write the trace FILE to OUT in the format of another tool, chosen by the ending of OUT.

    OUT may be - for stdout, with --format. What an export holds is as secret as the trace: redact it first if it is to
    be published. Wireshark shows the APDUs in frames once told so: tshark -r OUT -d iso14443.subdissector,iso7816

    \b
    nfcbridge trace export t.jsonl t.pcapng
    nfcbridge trace export t.jsonl report.md
    nfcbridge trace export t.jsonl - --format scriptor
    """  # noqa: D301 - for click a line with the control character makes the next ones stay as they are
    from nfcbridge.cli.errors import drop_output, print_notice
    from nfcbridge.whole import open_whole

    chosen = find_format(out, name)
    if out == "-":
        try:
            export(file, chosen, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # `| head` has seen enough
            drop_output()
        return
    if Path(out).exists() and Path(file).exists() and Path(out).samefile(file):
        raise click.UsageError(f"{out} is the trace itself: name another file for the export")
    with open_whole(Path(out)) as to:
        size = export(file, chosen, to)
    if chosen.name == "markdown" and size > MAX_ISSUE:
        print_notice(f"{out} has {size} octets, and GitHub takes {MAX_ISSUE} in an issue: attach it as a file")


def export(file: str, chosen: Format, to: BinaryIO) -> int:
    """Write a trace to an open file.

    Returns:
        How many octets were written.

    Raises:
        TraceError: the trace is broken, or has what the format cannot hold.
        click.UsageError: the format needs to read a trace more than once, which is none that can be.
    """
    from nfcbridge.cli.errors import print_warning
    from nfcbridge.cli.trace.progress import Reading
    from nfcbridge.trace import TraceFile

    path = Path("/dev/stdin" if file == "-" else file)
    size = 0
    with TraceFile(path) as trace:
        parts = chosen.make(trace.header, path.name)
        if len(parts) > 1 and not path.is_file():
            raise click.UsageError(f"{chosen.name} takes reading a trace more than once: save it to a file first")
        with Reading(trace, words="exporting") as entries:
            size += write_part(parts[0], entries, to)
        problem = trace.problem
    for part in parts[1:]:
        with TraceFile(path) as trace, Reading(trace, words="exporting") as entries:
            size += write_part(part, entries, to)
    if problem:
        print_warning(problem)
    for part in parts:
        warn_of(part.left_out)
    return size


def write_part(part: "Writer", entries: "Iterable[Entry]", to: BinaryIO) -> int:
    """Write what a writer makes of entries; return how many octets that were."""
    size = to.write(part.begin())
    for entry in entries:
        size += to.write(part.receive(entry))
    return size + to.write(part.close())


def warn_of(left_out: "LeftOut") -> None:
    """Tell what the format had no place for."""
    from nfcbridge.cli.errors import print_warning

    for sentence in left_out.sentences:
        print_warning(sentence)
    if more := left_out.count - len(left_out.sentences):
        print_warning(f"{more} more were left out")


def finder(header: "Header") -> "Callable[[Entry | None], list[FindingRow]]":
    """Return what gives a report the findings of lint, entry by entry and at the end."""
    from nfcbridge.formats.markdown_writer import FindingRow
    from nfcbridge.lint.linter import Linter

    linter = Linter(header)

    def find(entry: "Entry | None") -> list[FindingRow]:
        findings = linter.close() if entry is None else linter.receive(entry)
        return [
            FindingRow(
                severity=each.rule.severity.value,
                rule=each.rule.id,
                lines=list_lines([place.first + 1 for place in each.places]),
                what=each.what,
                mend=each.rule.mend,
            )
            for each in findings
        ]

    return find


def list_lines(numbers: list[int]) -> str:
    """Return lines in words, the first ones of many."""
    shown = ", ".join(map(str, numbers[:MAX_LINES]))
    return shown if len(numbers) <= MAX_LINES else f"{shown} and {len(numbers) - MAX_LINES} more"
