"""`nfcbridge restore`: what a backup has, into a charger."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.backup import part_option, patience_option, tell_slipped
from nfcbridge.cli.door import Door, at_a_door, open_session
from nfcbridge.cli.errors import ExitCode, escape_controls, print_error, print_notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nfcbridge.client.backup.copy import Copy
    from nfcbridge.client.backup.plan import Step

MAX_SHOWN: Final = 50
"""Faults of a backup that are told one by one."""


@click.command(short_help=COMMANDS["restore"].sentence)
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@part_option
@click.option("--dry-run", is_flag=True, help="Check it, show what would be done, and change nothing.")
@click.option("--keep", is_flag=True, help="Let users, entries and pairs stay that the backup does not have.")
@click.option("--skip-unknown", is_flag=True, help="Leave out settings that this charger does not have.")
@patience_option
@at_a_door
def command(
    door: Door,
    *,
    file: Path,
    parts: tuple[str, ...],
    dry_run: bool,
    keep: bool,
    skip_unknown: bool,
    patience: float,
) -> int:
    """Make a charger keep what FILE has: settings, users, whitelist and pairs of the key-value store.

    All of FILE is checked before anything is written, against what the charger says of its settings too; what is
    wrong is told, and nothing is done. Then only what differs is written, and what FILE does not have is deleted. A tag
    that slips away is waited for, and then the rest is done; so does the same command after it ended half way. The
    charger gives users new ids where it does not know theirs; the whitelist follows.
    """
    from nfcbridge.client.backup.charger import Charger
    from nfcbridge.client.backup.check import problems, unknown_settings, writable
    from nfcbridge.client.backup.copy import read_copy
    from nfcbridge.client.backup.restore import Restoring

    copy = read_copy(file)
    copy = copy.only(list(parts)) if parts else copy
    with open_session(door, patience=patience, slipped=tell_slipped) as session:
        charger = Charger(session, patience=patience, slipped=tell_slipped)
        there = charger.read(copy.parts(), lambda _part, _count: None)
        print_notice(f"the charger has {there.words()}")
        if skip_unknown and (unknown := unknown_settings(copy, charger.settings)):
            print_notice(f"left out, since this charger does not have them: {', '.join(unknown)}")
            copy.settings = {key: value for key, value in (copy.settings or {}).items() if key not in unknown}
        if wrong := problems(copy, charger.settings):
            return refuse(file, wrong)
        with Progress() as progress:
            restoring = Restoring(
                charger,
                writable(copy, charger.settings),
                keep=keep,
                patience=patience,
                slipped=tell_slipped,
                done=progress.advance,
            )
            steps = restoring.plan(there)
            if dry_run or not steps:
                show(steps, copy)
                return ExitCode.DONE
            progress.begin(sum(step.count for step in steps))
            restoring.run(there)
    changed = f"{progress.count} changed" + (f", {restoring.torn} times slipped away" if restoring.torn else "")
    print_notice(f"the charger keeps what {file} has ({changed})")
    return ExitCode.DONE


def refuse(file: Path, wrong: "Sequence[str]") -> int:
    """Tell what is wrong with a backup."""
    for problem in wrong[:MAX_SHOWN]:
        click.echo(escape_controls(problem), err=True)
    if len(wrong) > MAX_SHOWN:
        click.echo(f"and {len(wrong) - MAX_SHOWN} more", err=True)
    things = "1 thing" if len(wrong) == 1 else f"{len(wrong)} things"
    print_error(f"{file}: {things} in it cannot be restored; nothing was changed")
    return ExitCode.USAGE


def show(steps: "Sequence[Step]", copy: "Copy") -> None:
    """Print what would be done, as a table."""
    from nfcbridge.cli.terminal import open_console, open_table, print_table

    if not steps:
        print_notice(f"nothing to do: the charger keeps it already ({', '.join(copy.parts())})")
        return
    console = open_console()
    table = open_table()
    for heading in ("PART", "ENTRIES", "REQUEST", "WHAT"):
        table.add_column(heading, justify="right" if heading == "ENTRIES" else "left", overflow="fold")
    for step in steps:
        request = f"{step.method} {step.path.partition('?')[0]}"
        table.add_row(step.part, str(step.count), request, escape_controls(step.words))
    print_table(console, table)


class Progress:
    """A bar on stderr where that is a terminal, and a count anywhere."""

    def __init__(self) -> None:
        self.count = 0
        self._total = 0

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self._bar = Bar(console=console, disable=not console.is_terminal, transient=True)
        self._bar.start()
        self._task = self._bar.add_task("restoring", total=None, start=False)
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def begin(self, total: int) -> None:
        """So many entries are to be changed."""
        self._bar.update(self._task, total=total)
        self._bar.start_task(self._task)

    def advance(self, step: "Step") -> None:
        """A step was taken."""
        self.count += step.count
        self._bar.update(self._task, completed=self.count, description=step.words)
