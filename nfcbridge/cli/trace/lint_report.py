"""What `nfcbridge trace lint` prints: findings for people, as JSON, as SARIF, and the rules themselves.

t.jsonl:21: error NB307 read-without-nlen: after the request the answer is read from offset 2, ...
    18-19    0.043000 s  UPDATE NLEN 53
    20-21    0.048000 s  READ 53 octets at 2
    why: Android's getNdefMessage() does not read NLEN again ... (AOSP, NativeNfcTag and rw_t4t.cc)
    mend: On Android call close() and connect() ...
"""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import ClassVar, Final, Protocol

import click
import msgspec

from nfcbridge.cli.errors import escape_controls
from nfcbridge.cli.trace.show import wants_colours
from nfcbridge.lint import Finding, Rule, Severity
from nfcbridge.lint.report import describe_place, finding_as_data, line_of, rule_as_data

SHOWN: Final = 5
"""Findings of one rule in one trace that are shown; the others are counted."""

INDENT: Final = 4
LEAST_WIDTH: Final = 40
"""Columns that sentences are folded to on a terminal however narrow."""

TABLE_WIDTH: Final = 96
"""Columns of a terminal from which on the table of the rules has 40 for its sentences."""

COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class Report(Protocol):
    """What is told of traces."""

    errors: int

    def begin(self) -> None:
        """Before the first trace."""

    def open(self, file: str) -> None:
        """A trace begins."""

    def count_entry(self) -> None:
        """One entry more was looked at."""

    def add(self, finding: Finding) -> None:
        """A finding in the trace that is open."""

    def close(self) -> None:
        """The trace is at its end."""

    def notice(self, text: str, *, failed: bool = False) -> None:
        """Something else about a trace; `failed`: it could not be read."""

    def end(self) -> None:
        """After the last trace."""


class TextReport:
    """For people.

    Args:
        whole: show each finding, however many.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.errors = 0
        self._whole = whole
        terminal = sys.stdout.isatty()
        self._coloured = terminal and wants_colours()
        self._width = max(shutil.get_terminal_size().columns, LEAST_WIDTH) if terminal else None
        self._file = ""
        self._traces = self._entries = 0
        self._severities: Counter[Severity] = Counter()
        self._rules: Counter[str] = Counter()  # of the trace that is open
        self._told: set[str] = set()
        self._hidden: dict[str, list[int]] = {}
        self._by_id: dict[str, Rule] = {}

    def begin(self) -> None:
        """See `Report`."""

    def open(self, file: str) -> None:
        """See `Report`."""
        self._file = file
        self._traces += 1

    def count_entry(self) -> None:
        """See `Report`."""
        self._entries += 1

    def add(self, finding: Finding) -> None:
        """See `Report`."""
        rule = finding.rule
        self.errors += rule.severity is Severity.ERROR
        self._severities[rule.severity] += 1
        self._rules[rule.id] += 1
        if self._rules[rule.id] > SHOWN and not self._whole:
            self._by_id[rule.id] = rule
            lines = self._hidden.setdefault(rule.id, [])
            if len(lines) <= SHOWN:
                lines.append(line_of(finding.entry))
            return
        self._print_head(rule, f"{self._file}:{line_of(finding.entry)}: ", finding.what)
        for place in finding.places:
            span = f"{place.first}" if place.first == place.last else f"{place.first}-{place.last}"
            self._print(f"{span:<11} {place.t:11.6f} s  {describe_place(place)}")
        if rule.id not in self._told:
            self._told.add(rule.id)
            self._print(f"why: {rule.why} ({rule.source})")
            self._print(f"mend: {rule.mend}")

    def close(self) -> None:
        """See `Report`."""
        for identifier, lines in self._hidden.items():
            more = self._rules[identifier] - SHOWN
            shown = ", ".join(str(line) for line in lines[:SHOWN]) + (", ..." if more > SHOWN else "")
            where = f"at {'line' if more == 1 else 'lines'} {shown}"
            self._print_head(self._by_id[identifier], f"{self._file}: ", f"{more} more, {where}")
        self._hidden.clear()
        self._rules.clear()

    def notice(self, text: str, *, failed: bool = False) -> None:
        """It was told on stderr."""

    def end(self) -> None:
        """See `Report`."""
        if not self._traces:
            return  # what kept it from reading any was told on stderr
        counts = [count(self._severities[each], each.value) for each in Severity if self._severities[each]]
        traces = f"{count(self._traces, 'trace')}, {count(self._entries, 'entry', 'entries')}"
        click.echo(f"{', '.join(counts) or 'no findings'} in {traces}")

    def _print_head(self, rule: Rule, where: str, what: str) -> None:
        severity = rule.severity.value
        if self._coloured:
            severity = click.style(severity, fg=COLOURS[rule.severity], bold=True)
        click.echo(f"{escape_controls(where)}{severity} {rule.id} {rule.name}: {escape_controls(what)}")

    def _print(self, line: str) -> None:
        line = escape_controls(line)
        if self._width is None:
            click.echo(" " * INDENT + line)
            return
        indent = " " * INDENT
        click.echo(textwrap.fill(line, self._width, initial_indent=indent, subsequent_indent=indent + "  "))


class JsonReport:
    """A list of findings, as `nfcbridge.lint.report` draws them, one a line.

    Args:
        whole: all are there in any case.
    """

    between: ClassVar[str] = ",\n"

    def __init__(self, *, whole: bool = False) -> None:
        self.errors = 0
        self._file = ""
        self._any = False

    def begin(self) -> None:
        """See `Report`."""
        click.echo("[", nl=False)

    def open(self, file: str) -> None:
        """See `Report`."""
        self._file = file

    def count_entry(self) -> None:
        """Nobody is told."""

    def add(self, finding: Finding) -> None:
        """See `Report`."""
        self.errors += finding.rule.severity is Severity.ERROR
        click.echo((self.between if self._any else "\n") + self._format(finding), nl=False)
        self._any = True

    def _format(self, finding: Finding) -> str:
        return msgspec.json.encode(finding_as_data(finding, self._file)).decode()

    def close(self) -> None:
        """See `Report`."""

    def notice(self, text: str, *, failed: bool = False) -> None:
        """It was told on stderr."""

    def end(self) -> None:
        """See `Report`."""
        click.echo("\n]" if self._any else "]")


class SarifReport(JsonReport):
    """A SARIF log.

    Args:
        whole: all are there in any case.
    """

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__(whole=whole)
        self._notices: list[str] = []
        self._failed = False

    def begin(self) -> None:
        """See `Report`."""
        from nfcbridge.lint.sarif import begin

        click.echo(begin(), nl=False)

    def _format(self, finding: Finding) -> str:
        from nfcbridge.lint.sarif import format_result

        return format_result(finding, self._file)

    def notice(self, text: str, *, failed: bool = False) -> None:
        """See `Report`."""
        self._notices.append(text)
        self._failed = self._failed or failed

    def end(self) -> None:
        """See `Report`."""
        from nfcbridge.lint.sarif import end

        click.echo("\n" * self._any + end(self._notices, whole=not self._failed))


REPORTS: Final[dict[str, type[TextReport] | type[JsonReport]]] = {
    "text": TextReport,
    "json": JsonReport,
    "sarif": SarifReport,
}


def count(number: int, one: str, more: str = "") -> str:
    """Return a number of things in words."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def print_rules(rules: Iterable[Rule], *, as_data: bool) -> None:
    """Print the rules: a table, in a narrow terminal a paragraph each, or a JSON list."""
    if as_data:
        click.echo(msgspec.json.encode([rule_as_data(rule) for rule in rules]).decode())
        return
    from rich.text import Text

    from nfcbridge.cli.terminal import open_console, open_table, print_table

    console = open_console()
    if console.width < TABLE_WIDTH:
        for rule in rules:
            console.print(Text.assemble((rule.id, "bold"), " ", (rule.severity.value, COLOURS[rule.severity])), end=" ")
            console.print(rule.name)
            click.echo(textwrap.fill(rule.what, console.width, initial_indent="  ", subsequent_indent="  "))
        return
    table = open_table()
    for heading in ("RULE", "SEVERITY", "LAYER", "NAME"):
        table.add_column(heading, no_wrap=True)
    table.add_column("WHAT", overflow="fold")
    for rule in rules:
        severity = Text(rule.severity.value, COLOURS[rule.severity])
        table.add_row(rule.id, severity, rule.layer, rule.name, rule.what)
    print_table(console, table)


def explain_rule(rule: Rule, *, as_data: bool) -> None:
    """Print all about a rule."""
    if as_data:
        click.echo(msgspec.json.encode(rule_as_data(rule)).decode())
        return
    click.echo(f"{rule.id} {rule.name} ({rule.severity.value}, {rule.layer})")
    for words in (rule.what, f"why: {rule.why} ({rule.source})", f"mend: {rule.mend}"):
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else len(words) + 1
        click.echo(textwrap.fill(words, max(width, LEAST_WIDTH), subsequent_indent="  "))
