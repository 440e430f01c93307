"""`nfcbridge links`: what can be opened here."""

from typing import TYPE_CHECKING, Final

import click

from nfcbridge.cli import COMMANDS

if TYPE_CHECKING:
    from rich.console import Console

    from nfcbridge.links import LinkKind

HEADINGS: Final = ("NAME", "HERE", "ENDS", "FRAMES", "UID")

WHOLE_TABLE: Final = 130
"""Columns of the terminal that the table takes; where there are fewer each link has lines of its own."""

READY: Final = "green"
MISSING: Final = "yellow"


@click.command(short_help=COMMANDS["links"].sentence)
def command() -> None:
    """List the links that can be opened here, and what is missing for the others.

    A link is opened by its name, such as udp:127.0.0.1:54321. It has a card end, where `nfcbridge serve` sits, and a
    reader end, where `nfcbridge request` sits; not every link has both here.
    """
    from nfcbridge.cli.terminal import open_console
    from nfcbridge.links import LINKS

    console = open_console()
    kinds = list(LINKS.values())
    if console.width < WHOLE_TABLE:
        print_list(console, kinds)
    else:
        print_as_table(console, kinds)


def print_as_table(console: "Console", kinds: "list[LinkKind]") -> None:
    """Print a line for each link, and below them all what is missing."""
    from rich.text import Text

    from nfcbridge.cli.terminal import open_table, print_table, print_whole

    table = open_table()
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=True)
    table.add_column("WHAT IT IS", overflow="fold")
    needs = []
    for kind in kinds:
        missing = kind.missing()
        if missing:
            needs.append(f"{kind.example} needs {missing}")
        here = Text("missing", MISSING) if missing else Text("ready", READY)
        table.add_row(kind.example, here, ends_of(kind), frames_of(kind), kind.uid, kind.description)
    print_table(console, table)
    if needs:
        console.print()
    for need in needs:
        print_whole(console, Text(need))


def print_list(console: "Console", kinds: "list[LinkKind]") -> None:
    """Print each link with what there is to say of it in lines below its name."""
    from rich.padding import Padding
    from rich.text import Text

    from nfcbridge.cli.terminal import print_whole

    for kind in kinds:
        missing = kind.missing()
        here = Text(f"missing: {missing}", MISSING) if missing else Text("ready", READY)
        print_whole(console, Text(kind.example, "bold"))
        rules = Text(f"ends: {ends_of(kind)}; frames: {frames_of(kind)}; UID: {kind.uid}")
        for text in (here, Text(kind.description), rules):
            console.print(Padding(text, (0, 0, 0, 2), expand=False))


def ends_of(kind: "LinkKind") -> str:
    """Return which ends can be opened, in words."""
    return ", ".join(end for end, opener in (("card", kind.card), ("reader", kind.reader)) if opener is not None)


def frames_of(kind: "LinkKind") -> str:
    """Return what crosses the link, in words."""
    return kind.level.value if kind.level is not None else "of the other"
