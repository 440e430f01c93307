"""The command line, `nfcbridge COMMAND`.

The group knows its commands by name and one sentence, and imports a command's module only when that command
runs: click itself takes 25 ms of the 100 ms that `--help` may take, and each module here imports what is heavy
(the server, the client, the event loop) inside the function that needs it.

Exit codes, everywhere (`nfcbridge.cli.errors`): 0 done, 1 a status of 400 or more or a difference found,
2 usage, 3 link or device, 130 interrupted.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any, Final, NamedTuple

import click

from nfcbridge.cli.errors import run_command


class LazyCommand(NamedTuple):
    """A command that is not imported yet: its module has it as `command`."""

    module: str
    sentence: str


COMMANDS: Final[dict[str, LazyCommand]] = {
    "serve": LazyCommand("nfcbridge.cli.serve", "Run the emulated charge controller, over NFC and HTTP."),
    "request": LazyCommand("nfcbridge.cli.request", "Log in over NFC, send one request, print its content, log out."),
    "demo": LazyCommand("nfcbridge.cli.demo", "Show emulator and phone in one process, octet by octet."),
    "links": LazyCommand("nfcbridge.cli.links", "List the links that can be opened here, and what others lack."),
    "doctor": LazyCommand("nfcbridge.cli.doctor", "Say what this machine has for readers, what it lacks, what to do."),
    "sim": LazyCommand("nfcbridge.cli.sim", "Drive the simulated charge point of a running emulator, and watch it."),
    "passwd": LazyCommand("nfcbridge.cli.passwd", "Set the password of a role."),
    "shell": LazyCommand("nfcbridge.cli.shell", "Log in and send requests as they are typed, over NFC or HTTP."),
    "backup": LazyCommand("nfcbridge.cli.backup", "Write what a charger keeps into a file, over NFC or HTTP."),
    "restore": LazyCommand("nfcbridge.cli.restore", "Make a charger keep what a backup has, over NFC or HTTP."),
    "trace": LazyCommand("nfcbridge.cli.trace", "Look at a recorded trace, replay it, explain it, convert it."),
    "openapi": LazyCommand("nfcbridge.cli.openapi", "Print the interface of the charge controller as OpenAPI."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and none for its own help.

    Args:
        commands_by_name: those of the group, in the order in which a newcomer needs them.
        settings: of `click.Group`.
    """

    def __init__(self, *, commands_by_name: Mapping[str, LazyCommand], **settings: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(**settings)
        self._table = commands_by_name

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._table)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None when there is none."""
        if (lazy := self._table.get(cmd_name)) is None:
            return None
        command: click.Command = import_module(lazy.module).command
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone, where click would import each of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.sentence) for name, lazy in self._table.items()])


HELP: Final = {"help_option_names": ["-h", "--help"]}


@click.group(cls=LazyGroup, commands_by_name=COMMANDS, context_settings=HELP)
@click.version_option(package_name="nfcbridge", prog_name="nfcbridge", message="%(prog)s %(version)s")
def nfcbridge() -> None:
    """A charge controller's REST API over an emulated NFC Type 4 Tag, and over HTTP.

    Start with `nfcbridge demo`, or with `nfcbridge serve` and, in a second terminal, the command that it prints.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. The console script calls this."""
    if isinstance(sys.stdout, TextIOWrapper):
        # What a phone wrote must not end a server whose terminal has no such character.
        sys.stdout.reconfigure(errors="backslashreplace")
    return run_command(nfcbridge, sys.argv[1:] if args is None else args)
