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

    rows = [("NAME", "HERE", "ENDS", "FRAMES", "UID", "WHAT IT IS")]
    needs = []
    for kind in LINKS.values():
        ends = [end for end, opener in (("card", kind.card), ("reader", kind.reader)) if opener is not None]
        frames = kind.level.value if kind.level is not None else "of the other"
        missing = kind.missing()
        if missing:
            needs.append(f"{kind.example} needs {missing}")
        rows.append(
            (kind.example, "missing" if missing else "ready", ", ".join(ends), frames, kind.uid, kind.description)
        )
    click.echo(format_table(rows))
    if needs:
        click.echo("\n" + "\n".join(needs))
