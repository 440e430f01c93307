"""`nfcbridge links`: what can be opened here."""

import click

from nfcbridge.cli import COMMANDS


@click.command(short_help=COMMANDS["links"].sentence)
def command() -> None:
    """List the links that can be opened here, and what is missing for the others.

    A link is opened by its name, such as udp:127.0.0.1:54321. It has a card end, where `nfcbridge serve` sits, and a
    reader end, where `nfcbridge request` sits; not every link has both here.
    """
    from nfcbridge.cli.tables import format_table
    from nfcbridge.links import LINKS

    rows = [("NAME", "ENDS", "LEVEL", "UID", "HERE", "WHAT IT IS")]
    for kind in LINKS.values():
        ends = [end for end, opener in (("card", kind.card), ("reader", kind.reader)) if opener is not None]
        missing = kind.missing()
        rows.append(
            (
                kind.example,
                ", ".join(ends),
                kind.level.value if kind.level is not None else "any",
                kind.uid,
                "missing" if missing else "ready",
                kind.description,
            )
        )
    click.echo(format_table(rows))
    for kind in LINKS.values():
        if missing := kind.missing():
            click.echo(f"\n{kind.example} needs {missing}")
