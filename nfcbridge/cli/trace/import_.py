"""`nfcbridge trace import FILE [OUT]`: a trace of what another tool recorded."""

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import click

from nfcbridge.cli.trace import TRACE_COMMANDS
from nfcbridge.formats.importing import IMPORT_FORMATS, Source, describe_formats, read_import

if TYPE_CHECKING:
    from typing import BinaryIO

    from rich.progress import Progress

    from nfcbridge.formats.found import FormatProblem, Reading
    from nfcbridge.trace import Entry

SHOWN_POSITIONS: Final = 5
"""Places that are named of what was left out for one reason."""

MAX_REASONS: Final = 100
"""Reasons that are told apart; the formats have fewer."""

EVERY: Final = 1000
"""Entries between two movements of the bar."""

PATIENCE: Final = 0.5
"""Seconds of reading before there is a bar: a short file needs none."""

SPOOLED: Final = 1 << 24
"""Octets of stdin that are kept in memory; more of it goes to a temporary file, since it is read more than once."""


@click.command(
    short_help=TRACE_COMMANDS["import"].sentence,
    epilog="\b\nFormats, by their names for --format:\n" + describe_formats(),
)
@click.argument("file", metavar="FILE")
@click.argument("out", metavar="[OUT]", required=False)
@click.option("--format", "name", metavar="NAME", help="The format, whatever the content looks like.")
@click.option("--force", is_flag=True, help="Overwrite the file beside FILE if it is there.")
def command(file: str, out: str | None, name: str | None, *, force: bool) -> None:
    """Make a trace of FILE, which another tool recorded, and write it to OUT.

    The format is found by the content, through gzip as well: captures (pcap or pcapng of link type 264, GSMTAP, by
    NFCGate), logs of pcscd, pcsc-spy, pyscard, OpenSC, apdu4j, GlobalPlatformPro, ykman, fido2, libnfc, nfcpy,
    traces and lists of the Proxmark3, bug reports of Android. What is sound is imported; the rest is reported on stderr
    with its places.

    Without OUT the trace is written beside FILE, with the ending .jsonl, unless there is such a file. FILE and OUT may
    be - for stdin and stdout.

    \b
    nfcbridge trace import bugreport.txt
    nfcbridge trace import capture.pcapng.gz t.jsonl
    journalctl -u pcscd | nfcbridge trace import - t.jsonl
    """  # noqa: D301 - click reads the \b
    if name is not None and name not in IMPORT_FORMATS:
        raise click.UsageError(f"no format has the name {name!r}; there are {', '.join(IMPORT_FORMATS)}")
    target = choose_out(file, out, force=force)
    with open_file(file) as opened:
        import_file(opened, target, file, name)


def choose_out(file: str, out: str | None, *, force: bool) -> Path | None:
    """Return where the trace is written; None: to stdout.

    Raises:
        click.UsageError: that would overwrite something.
    """
    if out == "-" or (out is None and file == "-"):
        return None
    path = Path(file.removesuffix(".gz")).with_suffix(".jsonl") if out is None else Path(out)
    if path.is_dir():
        raise click.UsageError(f"{path} is a directory: name a file in it")
    if path.exists() and Path(file).exists() and path.samefile(file):
        raise click.UsageError(f"{path} is the file itself: name another OUT")
    if out is None and path.exists() and not force:
        raise click.UsageError(f"{path} is there already: name it as OUT to overwrite it, or say --force")
    return path


def open_file(file: str) -> "BinaryIO":
    """Open what is to be read; stdin is kept, since formats read twice."""
    import shutil
    import tempfile

    if file != "-" and (Path(file).is_file() or not Path(file).exists() or Path(file).is_dir()):
        return Path(file).open("rb")
    spool = tempfile.SpooledTemporaryFile(SPOOLED)  # noqa: SIM115 - the caller closes it
    if file == "-":
        shutil.copyfileobj(sys.stdin.buffer, spool)
    else:
        with Path(file).open("rb") as pipe:
            shutil.copyfileobj(pipe, spool)
    spool.seek(0)
    return spool  # type: ignore[return-value] # a SpooledTemporaryFile is one in all but name


def import_file(opened: "BinaryIO", target: Path | None, file: str, name: str | None) -> None:
    """Read, write and report.

    Raises:
        TraceError: nothing was recognised, or nothing in it is sound.
    """
    from nfcbridge.cli.errors import print_notice, print_warning
    from nfcbridge.errors import TraceError

    try:
        source = Source(opened)
        with Bar(opened, "looking for the format") as bar:
            chosen, reading = read_import(source, name, bar.move)
    except TraceError as error:
        raise TraceError(f"{file}: {error}") from error
    print_notice(f"{file}: {chosen.words} ({chosen.name}), {reading.header.level}")
    report = LeftOut()
    entries = sound(reading, report, Bar(opened, "importing"))
    first = next(entries, None)
    if first is None:
        report.tell()
        raise TraceError(f"{file}: there is nothing in it that can be imported")

    def whole() -> "Iterator[Entry]":
        yield first
        yield from entries

    count = write(reading, whole(), target)
    if source.broken:
        print_warning(f"{file}: {source.broken}: it was imported as far as it goes")
    report.tell()
    print_notice(f"{count} entries" + (f" in {target}" if target is not None else ""))


def write(reading: "Reading", entries: "Iterator[Entry]", target: Path | None) -> int:
    """Write a trace to a file or stdout; return how many entries it has."""
    from nfcbridge.cli.errors import drop_output
    from nfcbridge.trace import write_trace
    from nfcbridge.trace.entries import write_entries

    if target is not None:
        return write_trace(target, reading.header, entries)
    try:
        count = write_entries(sys.stdout.buffer, reading.header, entries)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head` has seen enough
        drop_output()
        return 0
    return count


class LeftOut:
    """What was left out, by reason: how often, and the first places."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, bool], tuple[int, list[str]]] = {}

    def add(self, problem: "FormatProblem") -> None:
        """Count a problem."""
        key = (problem.words, problem.foreign)
        if key not in self._reasons and len(self._reasons) >= MAX_REASONS:
            key = ("something else", False)
        count, places = self._reasons.get(key, (0, []))
        if len(places) < SHOWN_POSITIONS:
            places.append(str(problem.position))
        self._reasons[key] = (count + 1, places)

    def tell(self) -> None:
        """Print it on stderr, what is wrong before what is not ours."""
        from nfcbridge.cli.errors import print_notice, print_warning

        for (words, foreign), (count, places) in sorted(self._reasons.items(), key=lambda item: item[0][1]):
            more = f" and {count - len(places)} more" if count > len(places) else ""
            line = f"{', '.join(places)}{more}: {words}"
            if foreign:
                print_notice(f"left out, {line}")
            else:
                print_warning(line)


def sound(reading: "Reading", report: LeftOut, bar: "Bar") -> "Iterator[Entry]":
    """Yield the entries; what is none goes into the report."""
    from nfcbridge.trace import Entry

    with bar:
        for count, item in enumerate(reading.items):
            if count % EVERY == 0:
                bar.move()
            if isinstance(item, Entry):
                yield item
            else:
                report.add(item)


class Bar:
    """A bar on stderr for whoever waits for a long file to be read; nothing where stderr is no terminal.

    Args:
        opened: the file that is read.
        words: what is being done.
    """

    def __init__(self, opened: "BinaryIO", words: str) -> None:
        self._opened = opened
        self._words = words
        self._wanted = sys.stderr.isatty()
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def move(self) -> None:
        """Show how far the file was read."""
        if not self._wanted:
            return
        if self._bar is None:
            if time.monotonic() - self._began < PATIENCE:
                return
            from rich.console import Console
            from rich.progress import Progress

            here = self._opened.tell()
            size = self._opened.seek(0, io.SEEK_END)
            self._opened.seek(here)
            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.add_task(self._words, total=size)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self._opened.tell())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            from nfcbridge.cli.trace.progress import stop_bar

            stop_bar(self._bar)
