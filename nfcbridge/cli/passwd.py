"""`nfcbridge passwd`: set the password of a role."""

from contextlib import closing
from pathlib import Path

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.parameters import ROLES
from nfcbridge.cli.passwords import PASSWORD_VARIABLE, password_of


@click.command(short_help=COMMANDS["passwd"].sentence)
@click.argument("role", type=click.Choice(ROLES), metavar="ROLE")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where data and passwords are kept.  [default: the user's data directory]",
)
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"Has the new password; else {PASSWORD_VARIABLE} has it, else it is asked for.",
)
def command(role: str, data: Path | None, password_file: Path | None) -> None:
    """Set the password of a role: manufacturer, installer, operator or user.

    A server that has the directory open knows it within a second, and logs out who is logged in with that role. The
    password is kept encrypted, under the key file beside the database.
    """
    password = password_of(role, password_file, new=True)
    from nfcbridge.charger import Role, open_store
    from nfcbridge.cli.data import default_data, writing

    with closing(open_store(data or default_data(), shared=True)) as store, writing():
        store.set_password(Role(role), password)
