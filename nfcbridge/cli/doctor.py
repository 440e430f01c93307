"""`nfcbridge doctor`: what is here, what is missing, and what to do."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.errors import ExitCode, print_notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nfcbridge.doctor import Finding
    from nfcbridge.doctor.loop import Stage

COLOURS: Final = {"ok": "green", "note": "cyan", "missing": "yellow", "wrong": "red"}
WHOLE_TABLE: Final = 110
"""Columns of the terminal below which each finding has lines of its own."""


@click.command(short_help=COMMANDS["doctor"].sentence)
@click.option(
    "--loop", is_flag=True, help="Run a self test between two readers: the tag on one, the phone on the other."
)
@click.option("--tag", metavar="LINK", help="The link of the tag in the self test.  [default: the first reader]")
@click.option("--reader", metavar="LINK", help="The link of the phone in the self test.  [default: the second reader]")
@click.option("--measure/--no-measure", default=True, help="Measure the readers that are here; opens them.")
@click.option("--report", is_flag=True, help="Print a test log in Markdown, with what is asked at the terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print what is found as JSON, one object a line.")
def command(*, loop: bool, tag: str | None, reader: str | None, measure: bool, report: bool, as_json: bool) -> int:
    """Look at libraries, permissions, kernel modules, readers and PC/SC, and say what to do.

    Nothing is changed. The exit code is 1 if something that is here cannot work, such as a reader without permission,
    or if the self test fails; what is not here at all is told, and is no failure.

    \b
    nfcbridge doctor
    nfcbridge doctor --loop --tag nfc:tty:USB0:pn532 --reader nfc:usb:054c:06c3
    nfcbridge doctor --report > log.md
    """  # noqa: D301 - for click a line with the control character makes the next ones stay as they are
    if (tag or reader) and not loop:
        raise click.UsageError("--tag and --reader belong to the self test: add --loop")
    if report and as_json:
        raise click.UsageError("--report is Markdown and --json is not: leave one out")
    findings = list(look(measure=measure))
    stages: list[Stage] = []
    if not (report or as_json):
        show(findings)
    if loop:
        stages = list(run(findings, tag, reader, quiet=report or as_json))
    if report:
        click.echo(report_of(findings, stages), nl=False)
    elif as_json:
        print_json(findings, stages)
    failed = any(finding.verdict.value == "wrong" for finding in findings) or not all(stage.passed for stage in stages)
    return ExitCode.REFUSED if failed else ExitCode.DONE


def look(*, measure: bool, root: Path = Path("/")) -> "Iterator[Finding]":
    """Return everything that is found, the measured times last."""
    from nfcbridge.doctor.checks import examine
    from nfcbridge.doctor.machine import Machine
    from nfcbridge.doctor.times import measure_machine, measure_readers

    machine = Machine(root)
    findings = list(examine(machine))
    yield from findings
    yield measure_machine()
    if measure:
        ports = [port.node.name.removeprefix("tty") for port in machine.serial_ports() if port.may_open]
        yield from measure_readers(
            [*(finding.link for finding in findings if finding.link), *(f"nfc:tty:{port}:pn532" for port in ports)]
        )


def run(findings: "Sequence[Finding]", tag: str | None, reader: str | None, *, quiet: bool) -> "Iterator[Stage]":
    """Run the self test and print each stage as it ends.

    Raises:
        click.UsageError: there are no two readers, and none were named.
    """
    from nfcbridge.doctor.loop import run_loop

    found = [link for link in dict.fromkeys(finding.link for finding in findings) if link not in {"", tag, reader}]
    tag = tag or (found.pop(0) if found else None)
    reader = reader or (found.pop(0) if found else None)
    if tag is None or reader is None:
        raise click.UsageError(
            "--loop needs two readers, and there are not so many here; name two links with --tag and --reader "
            "(udp:127.0.0.1:54321 for both tries the program alone)"
        )
    if not quiet:
        print_notice(f"self test: the tag on {tag}, the phone on {reader}")
    for stage in run_loop(tag, reader):
        if not quiet:
            result = click.style("passed", "green") if stage.passed else click.style("FAILED", "red")
            click.echo(f"{result}  {stage.what}: {stage.words}")
        yield stage


def show(findings: "Sequence[Finding]") -> None:
    """Print what was found, then what to do."""
    from rich.padding import Padding
    from rich.text import Text

    from nfcbridge.cli.terminal import open_console, open_table, print_table, print_whole

    console = open_console()
    if console.width >= WHOLE_TABLE:
        table = open_table()
        for heading in ("AREA", "WHAT", "IS"):
            table.add_column(heading, no_wrap=True)
        table.add_column("FOUND", overflow="fold")
        for finding in findings:
            verdict = Text(finding.verdict.value, COLOURS[finding.verdict.value])
            table.add_row(finding.area.value, finding.what, verdict, finding.words)
        print_table(console, table)
    else:
        for finding in findings:
            verdict = Text(finding.verdict.value, COLOURS[finding.verdict.value])
            print_whole(console, Text.assemble((finding.what, "bold"), "  ", verdict))
            console.print(Padding(Text(finding.words), (0, 0, 0, 2), expand=False))
    todo = [finding for finding in findings if finding.remedy]
    if todo:
        console.print()
        console.print(Text("What to do", "bold"))
    for finding in todo:
        name = finding.area.value if finding.what == "none" else f"{finding.area.value} {finding.what}"
        print_whole(console, Text.assemble((name, COLOURS[finding.verdict.value]), f": {finding.remedy}"))


def report_of(findings: "Sequence[Finding]", stages: "Sequence[Stage]") -> str:
    """Return the test log, after asking for what only a person can see, where there is one."""
    from nfcbridge.doctor.report import QUESTIONS, make_report

    answers = {}
    if sys.stdin.isatty():
        print_notice("the log asks a few questions; Enter leaves one blank")
        for key, question in QUESTIONS.items():
            answers[key] = click.prompt(question, default="", show_default=False, err=True)
    return make_report(findings, stages, answers)


def print_json(findings: "Sequence[Finding]", stages: "Sequence[Stage]") -> None:
    """Print each finding and each stage as an object."""
    import msgspec

    for kind, items in (("finding", findings), ("stage", stages)):
        for item in items:
            click.echo(msgspec.json.encode({kind: item}))
