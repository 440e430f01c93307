"""Exit codes, and every error as one line on stderr.

The line is `nfcbridge: error: what is wrong; what to do`: the exceptions of `nfcbridge.errors` bring the second
half along, click's usage errors get the command whose `--help` tells more. A traceback is left for real faults of
the program alone.
"""

import errno
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import click

from nfcbridge.errors import ConfigError, LocalProtocolError, NfcBridgeError, RefusedError, TraceError


class ExitCode(IntEnum):
    """What the shell sees."""

    DONE = 0
    REFUSED = 1  # a status code of 400 or more, or a difference found; click's own code for a closed stdout, too
    USAGE = 2  # the command line, a file or a setting of it
    LINK = 3  # the link, the device behind it, or what it sent
    INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT, as the shell itself reports it


UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What the operating system says of an output that is on a full disk, or at a terminal that is gone."""


def run_command(command: click.Command, args: Sequence[str]) -> int:
    """Run a click command (or group) and turn what it raises into a line on stderr and an exit code."""
    try:
        # Not standalone: click would choose the exit codes and the form of the messages.
        result = command.main(args=list(args), prog_name="nfcbridge", standalone_mode=False)
    except click.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as exc:
        return report_usage(exc)
    except NfcBridgeError as exc:
        return report_own(exc)
    except OSError as exc:
        return report_system(exc)
    return int(result or ExitCode.DONE)


def report_usage(exc: click.ClickException) -> ExitCode:
    """Report what is wrong with the command line, and which `--help` says what is right."""
    if isinstance(exc, click.exceptions.NoArgsIsHelpError):
        exc.show()  # the help, on stderr
    else:
        context = exc.ctx if isinstance(exc, click.UsageError) else None
        path = context.command_path if context is not None else "nfcbridge"
        print_error(f"{exc.format_message().rstrip('.')}; see '{path} --help'")
    return ExitCode.USAGE


def report_own(exc: NfcBridgeError) -> ExitCode:
    """Report one of our errors, which say themselves what to do. One that is our own fault is raised again."""
    if isinstance(exc, LocalProtocolError):
        raise exc  # the traceback is what helps
    print_error(str(exc))
    if isinstance(exc, RefusedError):
        return ExitCode.REFUSED
    return ExitCode.USAGE if isinstance(exc, ConfigError | TraceError) else ExitCode.LINK


def report_system(exc: OSError) -> ExitCode:
    """Report a file that cannot be used. Anything else of the operating system should have been translated."""
    if exc.filename is not None:
        print_error(f"{exc.filename}: {exc.strerror}; check the path and who may use it")
    elif exc.errno in UNWRITABLE:
        drop_output()
        print_error(f"the output cannot be written: {exc.strerror}; make room there, or write it elsewhere")
    else:
        raise exc
    return ExitCode.USAGE


def drop_output() -> None:
    """Let stdout lead nowhere from now on: the interpreter flushes it when it ends, and must not fail then."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def escape_controls(text: str) -> str:
    r"""Return the text with what a terminal would obey written as \x1b."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _one_line(message: str) -> str:
    """What a charger or a file says may be in it, and must not be able to paint on the terminal."""
    return escape_controls(" ".join(message.split()))


def print_error(message: str) -> None:
    """Print one line on stderr: what is wrong, and what to do."""
    click.echo(f"nfcbridge: error: {_one_line(message)}", err=True)


def print_warning(message: str) -> None:
    """Print one line on stderr: what may surprise."""
    click.echo(f"nfcbridge: warning: {_one_line(message)}", err=True)


def print_notice(message: str) -> None:
    """Print one line on stderr: what the user must know and stdout, read by programs, is no place for."""
    click.echo(f"nfcbridge: {_one_line(message)}", err=True)
