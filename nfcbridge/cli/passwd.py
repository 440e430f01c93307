"""`nfcbridge passwd`: set the password of a role."""

import os
import sys
from contextlib import closing
from pathlib import Path

import click

from nfcbridge.cli import COMMANDS
from nfcbridge.cli.parameters import ROLES
from nfcbridge.cli.passwords import PASSWORD_VARIABLE, read_password_file


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
    password = new_password(role, password_file)
    from nfcbridge.charger import Role, open_store
    from nfcbridge.cli.data import default_data, writing

    with closing(open_store(data or default_data(), shared=True)) as store, writing():
        store.set_password(Role(role), password)


def new_password(role: str, file: Path | None) -> str:
    """Return the password to set: from the file, else from the environment, else from the terminal, asked twice.

    Raises:
        click.UsageError: the file is not usable, or there is no terminal to ask at.
    """
    if file is not None:
        return read_password_file(file)
    if password := os.environ.get(PASSWORD_VARIABLE, ""):
        return password
    if not sys.stdin.isatty():
        raise click.UsageError(f"no password for {role}: give --password-file FILE or set {PASSWORD_VARIABLE}")
    answer: str = click.prompt(f"New password of {role}", hide_input=True, confirmation_prompt=True, err=True)
    return answer
