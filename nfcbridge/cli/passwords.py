"""Where passwords come from. None is ever an argument of a command.

A file, else the environment variable NFCBRIDGE_PASSWORD, else the terminal: command lines show in `ps`.
"""

import os
import sys
from pathlib import Path
from typing import Final

import click

PASSWORD_VARIABLE: Final = "NFCBRIDGE_PASSWORD"  # noqa: S105 - the variable's name

MAX_PASSWORD_OCTETS: Final = 1024
"""Longest password file that is read: more is surely another file, given by mistake."""


def read_password_file(file: Path) -> str:
    """Return a file's password: UTF-8, and one trailing newline (LF or CR LF) is not part of it.

    Raises:
        click.UsageError: the file cannot be read, is empty, is longer than 1,024 octets, or is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            octets = stream.read(MAX_PASSWORD_OCTETS + 1)
    except OSError as exc:
        raise click.UsageError(f"password file {file}: {exc.strerror}; give a file that can be read") from exc
    if len(octets) > MAX_PASSWORD_OCTETS:
        raise click.UsageError(
            f"password file {file} has more than {MAX_PASSWORD_OCTETS} octets; give one with the password alone"
        )
    try:
        password = octets.decode()
    except UnicodeDecodeError as exc:
        raise click.UsageError(f"password file {file} is not UTF-8 text; give one with the password alone") from exc
    password = password.removesuffix("\n").removesuffix("\r") if password.endswith("\n") else password
    if not password:
        raise click.UsageError(f"password file {file} is empty; write the password into it")
    return password


def password_of(user: str, file: Path | None, *, new: bool = False) -> str:
    """Return the user's password: from the file, else from the environment, else from the terminal.

    Args:
        user: whose it is.
        file: where it is, if anywhere.
        new: it is to be set, so that a terminal is asked twice.

    Raises:
        click.UsageError: the file is not usable, or there is no terminal to ask at.
    """
    if file is not None:
        return read_password_file(file)
    if password := os.environ.get(PASSWORD_VARIABLE, ""):
        return password
    if not sys.stdin.isatty():
        raise click.UsageError(f"no password for {user}: give --password-file FILE or set {PASSWORD_VARIABLE}")
    words = f"{'New password' if new else 'Password'} of {user}"
    answer: str = click.prompt(words, hide_input=True, confirmation_prompt=new, err=True)
    return answer
