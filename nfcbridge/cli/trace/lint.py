"""`nfcbridge trace lint FILE...`: what is wrong in a trace, why, and how to mend it."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nfcbridge.cli.trace import TRACE_COMMANDS

if TYPE_CHECKING:
    from nfcbridge.cli.trace.lint_report import Report
    from nfcbridge.lint import Rule

STDIN: Final = "-"

FORMATS: Final = ("text", "json", "sarif")


@click.command(short_help=TRACE_COMMANDS["lint"].sentence)
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="text for people, json for programs (a list of findings), sarif for code hosts and editors.",
)
@click.option(
    "--select", multiple=True, metavar="RULE,...", help="Hold the trace against these rules alone: NB307, NB3, a name."
)
@click.option("--ignore", multiple=True, metavar="RULE,...", help="Leave these rules out.")
@click.option("--all", "whole", is_flag=True, help="Show each finding, however often its rule has found the same.")
@click.option("--rules", "listed", is_flag=True, help="List the rules, and no trace.")
@click.option("--explain", metavar="RULE", help="Tell all about one rule, and no trace.")
def command(
    files: tuple[str, ...],
    form: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    explain: str | None,
    *,
    whole: bool,
    listed: bool,
) -> int:
    """Say what is wrong in traces: which rule, where, why, and how to mend it.

    FILE is a trace of nfcbridge; - reads it from stdin. Exits 1 if there is a finding of severity error, 2 if a trace
    cannot be read. What a rule can only see in frames is left out of traces of APDUs, and what is about times where no
    real clock has taken them.

    \b
    nfcbridge trace lint t.jsonl
    nfcbridge trace lint --ignore NB205,json-not-compact t.jsonl
    nfcbridge trace lint --format sarif *.jsonl > lint.sarif
    nfcbridge trace lint --rules
    """  # noqa: D301 - for click a line with the control character makes the next ones stay as they are
    from nfcbridge.cli.trace.lint_report import REPORTS, explain_rule, print_rules

    rules = choose(select, ignore)
    if explain is not None:
        (*_, rule) = match(explain, "--explain", one=True)
        explain_rule(rule, as_data=form != "text")
        return 0
    if listed:
        print_rules(rules, as_data=form != "text")
        return 0
    if not files:
        raise click.UsageError("name a trace, or - for stdin")
    return lint(files, rules, REPORTS[form](whole=whole))


def lint(files: Iterable[str], rules: "list[Rule]", report: "Report") -> int:
    """Hold traces against rules, and report; return the exit code."""
    from nfcbridge.cli.errors import ExitCode, drop_output, print_error
    from nfcbridge.errors import TraceError

    failed = False
    try:
        report.begin()
        for file in files:
            try:
                lint_file(file, rules, report)
            except TraceError as error:
                print_error(str(error))
                report.notice(str(error), failed=True)
                failed = True
            except BrokenPipeError:
                raise
            except OSError as error:
                problem = f"{file}: {error.strerror}"
                print_error(f"{problem}; check the path and who may use it")
                report.notice(problem, failed=True)
                failed = True
        report.end()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        drop_output()
    if failed:
        return ExitCode.USAGE
    return ExitCode.REFUSED if report.errors else ExitCode.DONE


def lint_file(file: str, rules: "list[Rule]", report: "Report") -> None:
    """Hold one trace against rules.

    Raises:
        TraceError: it is broken; what was found before is reported.
        OSError: it cannot be read.
    """
    from nfcbridge.cli.errors import print_warning
    from nfcbridge.cli.trace.progress import Reading
    from nfcbridge.lint import Linter
    from nfcbridge.trace import TraceFile

    with TraceFile(Path("/dev/stdin" if file == STDIN else file)) as trace:
        linter = Linter(trace.header, rules=rules)
        report.open(file)
        with Reading(trace, wanted=not sys.stdout.isatty(), words="linting") as entries:
            for entry in entries:
                report.count_entry()
                for finding in linter.receive(entry):
                    report.add(finding)
        for finding in linter.close(cut=bool(trace.problem)):
            report.add(finding)
        report.close()
        if trace.problem:
            print_warning(trace.problem)
            report.notice(trace.problem)


def choose(select: Iterable[str], ignore: Iterable[str]) -> "list[Rule]":
    """Return the rules that are selected and not ignored.

    Raises:
        click.UsageError: there is no such rule.
    """
    from nfcbridge.lint import RULES

    chosen = {rule.id for names in select for rule in match(names, "--select")} or set(RULES)
    left_out = {rule.id for names in ignore for rule in match(names, "--ignore")}
    return [rule for rule in RULES.values() if rule.id in chosen and rule.id not in left_out]


def match(names: str, option: str, *, one: bool = False) -> "Iterator[Rule]":
    """Return the rules of a list of identifiers, beginnings of them, and names.

    Args:
        names: with commas between them.
        option: that has them, for people.
        one: it must be one rule.

    Raises:
        click.UsageError: there is no such rule.
    """
    from nfcbridge.lint import RULES

    for name in filter(None, (each.strip() for each in names.split(","))):
        found = [rule for rule in RULES.values() if rule.name == name.lower() or rule.id.startswith(name.upper())]
        if not found or (one and len(found) > 1):
            raise click.UsageError(f"{option} {name}: there is no such rule; --rules lists them")
        yield from found
    if not names.strip(", "):
        raise click.UsageError(f"{option} wants a rule, such as NB307; --rules lists them")
